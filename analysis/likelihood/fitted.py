"""What errors, tests and resampling need of a regression that is fitted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike

from analysis.aumatrix import AUModel, AURows
from analysis.likelihood.design import Design, standardised
from analysis.likelihood.mixture import system_count
from analysis.likelihood.terms import Terms


class FittedLogit(AUModel, Protocol):
    """A fitted multinomial logit; `analysis.logit.MultinomialLogit` is one and says what each name holds."""

    terms: str
    knots: Sequence[float]
    classes_: np.ndarray
    intercept_: np.ndarray
    coef_: np.ndarray
    alpha_: float
    n_: int
    log_likelihood_: float
    converged_: bool
    notes_: list[str]

    @property
    def fitted_terms(self) -> Terms:
        """The T terms that the coefficients belong to."""

    def terms_of(self, values: np.ndarray) -> np.ndarray:
        """Evaluate the terms of (n, p) values in the order of `feature_names_in_`: (n, T) float64."""

    def set_params(self, **params: Any) -> Self:
        """Set constructor arguments."""

    def fit(self, X: AURows, y: ArrayLike, *, groups: ArrayLike | None = None) -> Self:
        """Fit to labelled faces."""


def fitted_design(model: FittedLogit, values: np.ndarray) -> Design:
    """Make the design of a fitted model again, on (n, p) values in the order of its `feature_names_in_`.

    On the rows that it was fitted to, a fit to this design with the ridge strength `alpha_` is the model.
    """
    return standardised(model.fitted_terms, values, system_count(model.knots) if model.alpha_ > 0 else 0)
