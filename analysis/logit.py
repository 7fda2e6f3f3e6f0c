"""MultinomialLogit: emotions from Action Units by a regression whose coefficients can be read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.aumatrix import aligned, checked_labels, checked_weights, named_matrix
from analysis.errors import FitError, ModelError
from analysis.ridge import completed, covariance, maximise, softmax
from analysis.terms import Terms, independent, make_terms

if TYPE_CHECKING:
    import pandas as pd

_UNUSABLE_SE = 50.0


class MultinomialLogit:
    """Multinomial logistic regression on AUs, class-centred, with its covariance.

    A scikit-learn classifier by interface; fitting needs scikit-learn, predicting only numpy.

    Parameters
    ----------
    alpha : float, default 1.0
        Ridge strength on the coefficients of standardised terms, for the summed log-likelihood:
        scikit-learn's 1 / C. 0 fits without penalty.
    terms : {'linear', 'hinges'}, default 'linear'
        Each AU as it is, or with hinges max(0, AU - knot) at its training quantiles, which lets a
        coefficient change with the AU's strength. The model stays a sum of one function per AU.
    max_iter : int, default 200
        Iterations of the optimiser.
    tol : float, default 1e-8
        Largest gradient of the mean loss at which the optimiser stops.

    Attributes
    ----------
    classes_ : (K,) ndarray
        Sorted labels: str, or the integers or booleans that came in.
    feature_names_in_ : (p,) ndarray of str
        The AU columns that the model uses.
    input_names_ : list of str
        The columns it was shown: `feature_names_in_` and those dropped because they never vary.
    coef_ : (K, T) float64 ndarray
        Coefficients of the terms on the AUs' own scale. Columns sum to zero.
    intercept_ : (K,) float64 ndarray
        Sums to zero.
    term_names_ : (T,) ndarray of str
    term_feature_ : (T,) intp ndarray
        The AU of each term, as a position in `feature_names_in_`.
    term_knot_ : (T,) float64 ndarray
        NaN for the AU itself, else the knot of its hinge.
    term_mean_, class_term_mean_ : (T,), (K, T) float64 ndarray
        Mean of each term over all rows, and over the rows of each class.
    feature_mean_, feature_sd_ : (p,) float64 ndarray
    feature_range_ : (2, p) float64 ndarray
        Smallest and largest training value of each AU.
    class_feature_mean_ : (K, p) float64 ndarray
    covariance_ : (K * (T + 1), K * (T + 1)) float64 ndarray
        Of the class-centred parameters, class-major, each class [intercept, terms]. For a penalised
        fit the sandwich of `analysis.ridge.covariance`; NaN where the information is singular.
    n_, class_count_ : int, (K,) int ndarray
        Rows used.
    backend_, scale_ : str
        What measured the AUs and on which scale; 'unknown' and '' where the rows did not say.
    converged_, n_iter_, log_likelihood_ : bool, int, float
    low_validity_ : list of str
        AU columns whose measurement is known to be weak; explanations say so. Set by the user.
    notes_ : list of str
        What fitting dropped or found wanting.
    scores_ : dict
        Room for measured quality, saved with the model. Set by the user.

    Raises
    ------
    FitError
        From `fit`, for labels or rows from which nothing can be fitted.
    ModelError
        From prediction, for AUs of another scale or backend, or AUs missing.

    Notes
    -----
    K - 1 differences would do, but then every coefficient depends on the reference class. Rows that
    sum to zero over the classes say the same of each class: how it differs from their average.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(0, 5, (200, 2))
    >>> y = np.where(X[:, 0] > X[:, 1], "happy", "sad")
    >>> model = MultinomialLogit().fit(X, y)
    >>> model.predict([[4.0, 1.0]]).tolist()
    ['happy']
    """

    consumes = "aus"
    _estimator_type = "classifier"

    def __init__(
        self, *, alpha: float = 1.0, terms: str = "linear", max_iter: int = 200, tol: float = 1e-8
    ) -> None:
        self.alpha = alpha
        self.terms = terms
        self.max_iter = max_iter
        self.tol = tol

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the constructor's arguments, as scikit-learn asks for them."""
        return {name: getattr(self, name) for name in ("alpha", "terms", "max_iter", "tol")}

    def set_params(self, **params: Any) -> MultinomialLogit:
        """Set constructor arguments.

        Raises
        ------
        ValueError
            For a name that is no argument.
        """
        for name, value in params.items():
            if name not in self.get_params():
                raise ValueError(
                    f"MultinomialLogit has no parameter {name!r}; it has {list(self.get_params())}"
                )
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(),
            input_tags=InputTags(allow_nan=True),
        )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "coef_")

    def __repr__(self) -> str:
        return f"MultinomialLogit(alpha={self.alpha!r}, terms={self.terms!r})"

    @property
    def n_features_in_(self) -> int:
        """Number of columns seen in `fit`."""
        return len(self.input_names_)

    def fit(self, X: Any, y: Any, *, sample_weight: Any = None) -> MultinomialLogit:
        """Fit to labelled faces.

        Parameters
        ----------
        X : AUTable, DataFrame or (n, p) array
            AU values. Of a DataFrame the AU columns count, or all where none is an AU. Rows with
            NaN and columns that never vary are dropped; `notes_` says so.
        y : (n,) array-like
            Labels.
        sample_weight : (n,) array-like, optional
            Importance weights: factors of each row's log-likelihood.

        Returns
        -------
        MultinomialLogit
            Itself.

        Raises
        ------
        FitError
            For one single class, text or infinite AUs, lengths that differ, bad parameters.
        """
        self._check_parameters()
        matrix = named_matrix(X)
        labels = checked_labels(y, len(matrix.values))
        weights = checked_weights(sample_weight, len(labels))
        self.notes_: list[str] = []
        self.scores_: dict[str, Any] = {}
        self.low_validity_: list[str] = []
        self.backend_, self.scale_ = matrix.backend, matrix.scale
        self.input_names_ = matrix.names
        values, names = self._drop_unmeasured(matrix.values, matrix.names)
        complete = ~np.isnan(values).any(axis=1)
        if not complete.all():
            self._note(f"{(~complete).sum()} of {len(complete)} rows have an AU without a value: left out")
        values, labels = values[complete], labels[complete]
        weights = None if weights is None else weights[complete]
        self.classes_, codes = np.unique(labels, return_inverse=True)
        _check_classes(self.classes_, len(labels))
        values, names = self._drop_constant(values, names)
        self._estimate(values, names, codes, weights)
        return self

    def basis(self, X: Any) -> np.ndarray:
        """Evaluate the model's terms.

        Parameters
        ----------
        X : AUTable, DataFrame or (n, p) array
            AU values. Columns of a table are found by name: their order and further columns do not
            matter. An array has the columns `input_names_`.

        Returns
        -------
        (n, T) float64 ndarray
            NaN where an AU has no value.

        Raises
        ------
        ModelError
            For AUs missing, on another scale, of another backend, or text.
        """
        return self.terms_of(aligned(X, self))

    def terms_of(self, values: np.ndarray) -> np.ndarray:
        """Evaluate the terms of (n, p) values in the order of `feature_names_in_`: (n, T) float64."""
        return Terms(self.term_feature_, self.term_knot_, list(self.term_names_))(values)

    def decision_function(self, X: Any) -> np.ndarray:
        """Compute the centred logits.

        Parameters
        ----------
        X : AUTable, DataFrame or (n, p) array
            As for `basis`.

        Returns
        -------
        (n, K) float64 ndarray
            Rows sum to zero, for two classes as well; NaN where an AU has no value.
        """
        return self.basis(X) @ self.coef_.T + self.intercept_

    def predict_proba(self, X: Any) -> np.ndarray:
        """Compute the probability of each class.

        Parameters
        ----------
        X : AUTable, DataFrame or (n, p) array
            As for `basis`.

        Returns
        -------
        (n, K) float64 ndarray
            In the order of `classes_`. Rows sum to 1; NaN where an AU has no value.
        """
        return softmax(self.decision_function(X))

    def predict(self, X: Any) -> np.ndarray:
        """Name the most probable class.

        Parameters
        ----------
        X : AUTable, DataFrame or (n, p) array
            As for `basis`.

        Returns
        -------
        (n,) ndarray
            Labels; '' where an AU has no value.

        Raises
        ------
        ModelError
            As `basis`; also for an AU without a value where the labels are no text.
        """
        scores = self.decision_function(X)
        labels = self.classes_[np.argmax(scores, axis=1)]
        failed = np.isnan(scores).any(axis=1)
        if failed.any():
            if labels.dtype.kind != "U":
                raise ModelError(f"{failed.sum()} rows have an AU without a value: leave them out")
            labels[failed] = ""
        return labels

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Compute the share of rows that are labelled right."""
        right = self.predict(X) == np.asarray(y)
        return float(np.average(right, weights=sample_weight))

    def coefficients(self) -> pd.DataFrame:
        """Lay out the coefficients.

        Returns
        -------
        DataFrame
            Columns `emotion`, `au` ('' for the intercept), `term`, `coef` (class-centred, per unit
            of the AU's scale), `se`; a row for each class and parameter.
        """
        import pandas as pd

        K, width = len(self.classes_), len(self.term_names_) + 1
        aus = np.r_[[""], self.feature_names_in_[self.term_feature_]]
        return pd.DataFrame(
            {
                "emotion": np.repeat(self.classes_, width),
                "au": np.tile(aus, K),
                "term": np.tile(np.r_[["intercept"], self.term_names_], K),
                "coef": np.column_stack([self.intercept_, self.coef_]).ravel(),
                "se": np.sqrt(np.diag(self.covariance_)),
            }
        )

    def save(self, path: str | Path) -> Path:
        """Write the model as JSON, atomically.

        Parameters
        ----------
        path : str or Path
            A `.json` file, or a folder that gets `model.json`.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        OSError
            Where it cannot be written.
        """
        from analysis.modelfile import save

        return save(self, path)

    @classmethod
    def load(cls, path: str | Path) -> MultinomialLogit:
        """Read a model that `save` wrote; every number comes back as it was.

        Parameters
        ----------
        path : str or Path
            The `.json` file, or its folder.

        Returns
        -------
        MultinomialLogit

        Raises
        ------
        ModelError
            Where there is no such file, or it is no model of this kind.
        """
        from analysis.modelfile import load

        return load(cls, path)

    def _note(self, text: str) -> None:
        self.notes_.append(text)

    def _check_parameters(self) -> None:
        if not (isinstance(self.alpha, (int, float, np.number)) and 0 <= self.alpha < np.inf):
            raise FitError(f"alpha: expected a number >= 0, got {self.alpha!r}")
        if self.terms not in ("linear", "hinges"):
            raise FitError(f"terms: expected 'linear' or 'hinges', got {self.terms!r}")

    def _drop_unmeasured(self, values: np.ndarray, names: list[str]) -> tuple[np.ndarray, list[str]]:
        measured = ~np.isnan(values).all(axis=0) if len(values) else np.ones(len(names), dtype=bool)
        if not measured.any():
            raise FitError(f"no AU has a value in any of {len(values)} rows: nothing can be fitted")
        return self._drop(values, names, measured, "without any value")

    def _drop_constant(self, values: np.ndarray, names: list[str]) -> tuple[np.ndarray, list[str]]:
        varying = np.ptp(values, axis=0) > 0
        if not varying.any():
            raise FitError(
                f"the AUs are the same in all {len(values)} rows: nothing can be learned from them"
            )
        return self._drop(values, names, varying, "that never vary")

    def _drop(
        self, values: np.ndarray, names: list[str], kept: np.ndarray, why: str
    ) -> tuple[np.ndarray, list[str]]:
        gone = [name for name, stays in zip(names, kept, strict=True) if not stays]
        if gone:
            self._note(f"left out AUs {why}: {', '.join(gone)}")
        return values[:, kept], [name for name in names if name not in gone]

    def _independent_terms(self, terms: Terms, Z: np.ndarray) -> tuple[Terms, np.ndarray]:
        """Leave out collinear terms, which only a penalty could tell apart; AUs come before hinges."""
        order = np.argsort(~np.isnan(terms.knot), kind="stable")
        kept = np.zeros(len(order), dtype=bool)
        kept[order] = independent(Z[:, order])
        gone = [name for name, stays in zip(terms.names, kept, strict=True) if not stays]
        if gone:
            self._note(
                f"left out terms that others determine (set alpha > 0 to keep them): {', '.join(gone)}"
            )
        return terms.keep(kept), Z[:, kept]

    def _estimate(
        self, values: np.ndarray, names: list[str], codes: np.ndarray, weights: np.ndarray | None
    ) -> None:
        terms = make_terms(values, names, self.terms)
        raw = terms(values)
        Z = (raw - raw.mean(axis=0)) / raw.std(axis=0)
        alpha = float(self.alpha)
        if alpha == 0:
            terms, Z = self._independent_terms(terms, Z)
            raw = terms(values)
        estimate = maximise(Z, codes, weights, alpha, self.max_iter, self.tol)
        spread, condition = covariance(Z, estimate.parameters, weights, alpha)
        self._describe(values, names, terms, raw, codes)
        self._unstandardise(estimate.parameters, spread, raw.mean(axis=0), raw.std(axis=0))
        self.n_iter_, self.converged_ = estimate.iterations, not estimate.complaint
        likelihoods = np.log(softmax(raw @ self.coef_.T + self.intercept_)[np.arange(len(codes)), codes])
        self.log_likelihood_ = float(np.sum(likelihoods if weights is None else weights * likelihoods))
        if estimate.complaint:
            self._note(f"the optimiser stopped early ({estimate.complaint}): raise max_iter or alpha")
        if not np.isfinite(condition) or np.sqrt(np.diag(spread)).max() > _UNUSABLE_SE:
            self._note(
                "some AUs separate the classes all but perfectly: standard errors are unusable; raise alpha"
            )

    def _describe(
        self, values: np.ndarray, names: list[str], terms: Terms, raw: np.ndarray, codes: np.ndarray
    ) -> None:
        used = np.unique(terms.feature)
        values = values[:, used]
        K = len(self.classes_)
        self.feature_names_in_ = np.array([names[j] for j in used])
        self.term_names_ = np.array(terms.names)
        self.term_feature_ = np.searchsorted(used, terms.feature)
        self.term_knot_ = terms.knot
        self.term_mean_ = raw.mean(axis=0)
        self.class_term_mean_ = np.array([raw[codes == k].mean(axis=0) for k in range(K)])
        self.feature_mean_ = values.mean(axis=0)
        self.feature_sd_ = values.std(axis=0, ddof=1)
        self.feature_range_ = np.array([values.min(axis=0), values.max(axis=0)])
        self.class_feature_mean_ = np.array([values[codes == k].mean(axis=0) for k in range(K)])
        self.n_, self.class_count_ = len(codes), np.bincount(codes, minlength=K)

    def _unstandardise(
        self, parameters: np.ndarray, spread: np.ndarray, mean: np.ndarray, sd: np.ndarray
    ) -> None:
        K, width = parameters.shape
        to_raw = np.diag(np.r_[1.0, 1.0 / sd])
        to_raw[0, 1:] = -mean / sd
        raw = parameters @ to_raw.T
        self.intercept_, self.coef_ = raw[:, 0].copy(), raw[:, 1:].copy()
        blocks = spread.reshape(K, width, K, width)
        full = np.einsum("ij,ajbk,lk->aibl", to_raw, blocks, to_raw, optimize=True)
        free = full.reshape(K * width, K * width)[: (K - 1) * width, : (K - 1) * width]
        self.covariance_ = completed(np.tril(free), K)


def _check_classes(classes: np.ndarray, rows: int) -> None:
    if rows == 0:
        raise FitError("no row has a value for every AU: nothing can be fitted")
    if len(classes) < 2:
        raise FitError(f"labels: all {rows} rows are {classes[0]!s}; a model needs at least two classes")
