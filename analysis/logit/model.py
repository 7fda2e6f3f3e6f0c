"""MultinomialLogit: emotions from Action Units by a regression whose coefficients can be read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from analysis.aumatrix import AURows, aligned, checked_labels, checked_shares, checked_weights, named_matrix
from analysis.errors import ModelError
from analysis.likelihood.maximum import softmax
from analysis.likelihood.terms import KNOT_QUANTILES
from analysis.logit.estimator import LogitAttributes
from analysis.logit.fitting import check_parameters, fit_rows

if TYPE_CHECKING:
    import pandas as pd

    from analysis.inference import Inference


class MultinomialLogit(LogitAttributes):
    """Multinomial logistic regression on AUs, class-centred, with its covariance.

    A scikit-learn classifier by interface; fitting needs scikit-learn, predicting only numpy.

    Parameters
    ----------
    alpha : float or 'cv', default 1.0
        Ridge strength on the coefficients of standardised terms, for the summed log-likelihood:
        scikit-learn's 1 / C. 0 fits without penalty; 'cv' takes, of `analysis.logit.strength.ALPHAS`, the one
        with the least log loss in a cross-validation that keeps `groups` together.
    terms : {'linear', 'hinges', 'pairs'}, default 'linear'
        Each AU as it is; or with hinges max(0, AU - knot), which lets a coefficient change with the
        AU's strength: a sum of one function per AU; or also products of two AUs' functions
        (`analysis.likelihood.design`), a sum over AUs and pairs of them.
    knots : sequence of float, default (0.5, 0.85)
        Training quantiles of each AU where its hinges begin. Of pairs, four and more
        are used in overlapping systems of two.
    pairs : 'auto' or sequence of (str, str), default 'auto'
        AUs that are multiplied with each other; 'auto' for all, or, where there are more than
        `analysis.likelihood.design.MOST_PAIRS`, those with the largest score in a screening of the rows.
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
    term_second_feature_, term_second_knot_ : (T,) intp, (T,) float64 ndarray
        The other AU of a product of two, and its knot; -1 and NaN for terms of one AU.
    term_mean_, class_term_mean_ : (T,), (K, T) float64 ndarray
        Mean of each term over all rows, and over the rows of each class.
    term_part_mean_, class_term_part_mean_ : (2, T), (K, 2, T) float64 ndarray
        Likewise of the two factors of each product; NaN for terms of one AU.
    feature_mean_, feature_sd_ : (p,) float64 ndarray
    feature_range_ : (2, p) float64 ndarray
        Smallest and largest training value of each AU.
    class_feature_mean_ : (K, p) float64 ndarray
    covariance_ : (K * (T + 1), K * (T + 1)) float64 ndarray, or None
        Of the class-centred parameters, class-major, each class [intercept, terms]. For a penalised
        fit the sandwich of `analysis.likelihood.information.covariance`; NaN where the information is
        singular, None where the terms are too many to keep it
        (`analysis.likelihood.information.MOST_FREE_PARAMETERS`).
    alpha_ : float
        The ridge strength that was used.
    alpha_path_ : dict of list
        For 'cv': `alpha`, and held-out `log_loss` and `accuracy` of each. Else empty.
    n_, class_count_ : int, (K,) int ndarray
        Rows used; of soft labels, those where the class is the most probable.
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
    explains = True
    settings: ClassVar[tuple[str, ...]] = ("alpha", "terms", "knots", "pairs", "max_iter", "tol")
    fit_options: ClassVar[tuple[str, ...]] = ("groups", "sample_weight")

    def __init__(
        self,
        *,
        alpha: float | str = 1.0,
        terms: str = "linear",
        knots: Sequence[float] = KNOT_QUANTILES,
        pairs: str | Sequence[tuple[str, str]] = "auto",
        max_iter: int = 200,
        tol: float = 1e-8,
    ) -> None:
        self.alpha = alpha
        self.terms = terms
        self.knots = knots
        self.pairs = pairs
        self.max_iter = max_iter
        self.tol = tol

    def __repr__(self) -> str:
        return f"MultinomialLogit(alpha={self.alpha!r}, terms={self.terms!r})"

    @property
    def n_features_in_(self) -> int:
        """Number of columns seen in `fit`."""
        return len(self.input_names_)

    def fit(
        self,
        X: AURows,
        y: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Fit to labelled faces.

        Parameters
        ----------
        X : AUTable, DataFrame or (n, p) array
            AU values. Of a DataFrame the AU columns count, or all where none is an AU. Rows with
            NaN and columns that never vary are dropped; `notes_` says so.
        y : (n,) array-like
            Labels.
        groups : (n,) array-like, optional
            Persons or videos, kept together where `alpha='cv'` chooses; else without effect.
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
        check_parameters(self)
        matrix = named_matrix(X)
        labels = checked_labels(y, len(matrix.values))
        weights = checked_weights(sample_weight, len(labels))
        classes, codes = np.unique(labels, return_inverse=True)
        fit_rows(self, matrix, classes, np.eye(len(classes))[codes], groups, weights)
        return self

    def fit_soft(
        self,
        X: AURows,
        probabilities: ArrayLike,
        classes: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Fit to probabilities, such as another classifier's answers.

        Maximises sum_ik p_ik log q_ik: the same as each row K times, once a class, with weights p_ik.

        Parameters
        ----------
        X, groups, sample_weight
            As for `fit`.
        probabilities : (n, K) array-like
            Rows that sum to 1.
        classes : (K,) array-like
            Labels of the columns, in any order; `classes_` has them sorted.

        Returns
        -------
        MultinomialLogit
            Itself. Its covariance is robust (HC0): the model's own would suppose that labels were
            drawn from the probabilities.

        Raises
        ------
        FitError
            As `fit`; also for rows that are no probabilities.
        """
        check_parameters(self)
        matrix = named_matrix(X)
        labels, targets = checked_shares(probabilities, classes, len(matrix.values))
        weights = checked_weights(sample_weight, len(targets))
        fit_rows(self, matrix, labels, targets, groups, weights)
        return self

    def basis(self, X: AURows) -> np.ndarray:
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

    def logits(self, X: AURows) -> np.ndarray:
        """Compute the centred logits.

        Parameters
        ----------
        X : AUTable, DataFrame or (n, p) array
            As for `basis`.

        Returns
        -------
        (n, K) float64 ndarray
            Rows sum to zero; NaN where an AU has no value.
        """
        return np.asarray(self.basis(X) @ self.coef_.T + self.intercept_)

    def decision_function(self, X: AURows) -> np.ndarray:
        """Compute what scikit-learn's scorers rank by.

        Parameters
        ----------
        X : AUTable, DataFrame or (n, p) array
            As for `basis`.

        Returns
        -------
        (n, K) or, for two classes, (n,) float64 ndarray
            `logits`; for two classes the log-odds of the second.
        """
        scores = self.logits(X)
        return scores if scores.shape[1] > 2 else scores[:, 1] - scores[:, 0]

    def predict_proba(self, X: AURows) -> np.ndarray:
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
        return softmax(self.logits(X))

    def predict(self, X: AURows) -> np.ndarray:
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
        scores = self.logits(X)
        labels = self.classes_[np.argmax(scores, axis=1)]
        failed = np.isnan(scores).any(axis=1)
        if failed.any():
            if labels.dtype.kind != "U":
                raise ModelError(f"{failed.sum()} rows have an AU without a value: leave them out")
            labels[failed] = ""
        return np.asarray(labels)

    def coefficients(self) -> pd.DataFrame:
        """Lay out the coefficients.

        Returns
        -------
        DataFrame
            Columns `emotion`, `au` ('' for the intercept, of a product its first AU), `term`, `coef`
            (class-centred, per unit of the AU's scale), `se` (NaN without a covariance); a row for each
            class and parameter.
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
                "se": np.nan if self.covariance_ is None else np.sqrt(np.diag(self.covariance_)),
            }
        )

    def inference(self, X: AURows, y: ArrayLike, **options: Any) -> Inference:
        """Infer from labelled faces what each AU says of each emotion; see `analysis.inference.infer`."""
        from analysis.inference import infer

        return infer(self, X, y, **options)

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
        from analysis.logit.modelfile import save

        return save(self, path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
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
        from analysis.logit.modelfile import load

        return load(cls, path)
