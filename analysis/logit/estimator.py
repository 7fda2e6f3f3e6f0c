"""What scikit-learn expects of a classifier, without importing it, and what a fitted one has."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from analysis.aumatrix import AURows
from analysis.likelihood.terms import Terms

if TYPE_CHECKING:
    from sklearn.utils import Tags


class Estimator:
    """A classifier by interface: it can be cloned, searched over, piped and scored.

    The arguments of the constructor are kept under their own names; `fit` sets `coef_`.
    """

    _estimator_type = "classifier"

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the constructor's arguments, as scikit-learn asks for them."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params: Any) -> Self:
        """Set constructor arguments.

        Raises
        ------
        ValueError
            For a name that is no argument.
        """
        known = list(self.get_params())
        for name, value in params.items():
            if name not in known:
                raise ValueError(f"{type(self).__name__} has no parameter {name!r}; it has {known}")
            setattr(self, name, value)
        return self

    def score(self, X: AURows, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Compute the share of rows that are labelled right."""
        right = self.predict(X) == np.asarray(y)
        weights = None if sample_weight is None else np.asarray(sample_weight)
        return float(np.average(right, weights=weights))

    def predict(self, X: AURows) -> np.ndarray:
        """Name a class for each row."""
        raise NotImplementedError

    def __sklearn_tags__(self) -> Tags:
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(),
            input_tags=InputTags(allow_nan=True),
        )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "coef_")


class LogitAttributes(Estimator):
    """The parameters of a `MultinomialLogit` and what fitting it sets; its docstring says what they are."""

    alpha: float | str
    terms: str
    knots: Sequence[float]
    pairs: str | Sequence[tuple[str, str]]
    max_iter: int
    tol: float

    backend_: str
    scale_: str
    input_names_: list[str]
    low_validity_: list[str]
    notes_: list[str]
    scores_: dict[str, Any]
    alpha_path_: dict[str, list[float]]
    alpha_: float
    log_likelihood_: float
    n_: int
    n_iter_: int
    converged_: bool
    classes_: np.ndarray
    class_count_: np.ndarray
    feature_names_in_: np.ndarray
    coef_: np.ndarray
    intercept_: np.ndarray
    covariance_: np.ndarray | None
    term_names_: np.ndarray
    term_feature_: np.ndarray
    term_knot_: np.ndarray
    term_second_feature_: np.ndarray
    term_second_knot_: np.ndarray
    term_mean_: np.ndarray
    class_term_mean_: np.ndarray
    term_part_mean_: np.ndarray
    class_term_part_mean_: np.ndarray
    feature_mean_: np.ndarray
    feature_sd_: np.ndarray
    feature_range_: np.ndarray
    class_feature_mean_: np.ndarray

    def terms_of(self, values: np.ndarray) -> np.ndarray:
        """Evaluate the terms of (n, p) values in the order of `feature_names_in_`: (n, T) float64."""
        return self.fitted_terms(values)

    @property
    def fitted_terms(self) -> Terms:
        """Put the fitted terms together, to evaluate them or the factors of their products."""
        return Terms(
            self.term_feature_,
            self.term_knot_,
            self.term_second_feature_,
            self.term_second_knot_,
            list(self.term_names_),
        )
