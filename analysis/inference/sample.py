"""The rows that a regression was fitted on, as its likelihood saw them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from analysis.aumatrix import AURows, aligned, checked_labels, named_matrix
from analysis.errors import AnalysisError
from analysis.likelihood.design import Design
from analysis.likelihood.fitted import FittedLogit, fitted_design
from analysis.likelihood.maximum import softmax
from analysis.people import person_codes


class Sample(NamedTuple):
    """Complete rows, their classes and people, and the columns that the parameters belong to.

    Attributes
    ----------
    values : (n, p) float64 ndarray
        AU values.
    names : list of str
        The p AUs.
    codes : (n,) intp ndarray
        Classes 0..K-1.
    classes : (K,) ndarray
        Their labels.
    people : (n,) intp ndarray, or None
        Who each row shows, 0..G-1.
    design : Design
        The T terms, and the columns, mostly the same standardised, to which parameters were fitted.
    """

    values: np.ndarray
    names: list[str]
    codes: np.ndarray
    classes: np.ndarray
    people: np.ndarray | None
    design: Design

    @property
    def targets(self) -> np.ndarray:
        """Classes as (n, K) float64 of 0 and 1."""
        return np.asarray(np.eye(len(self.classes))[self.codes])

    @property
    def head_count(self) -> int | None:
        """Number of people; None where nobody says who the rows show."""
        return None if self.people is None else int(self.people.max()) + 1

    @property
    def null_log_likelihood(self) -> float:
        """What the classes' shares alone reach."""
        counts = np.bincount(self.codes)
        return float(counts @ np.log(counts / len(self.codes)))


def sample_of(model: FittedLogit, X: AURows, y: ArrayLike, groups: ArrayLike | None = None) -> Sample:
    """Find the rows that a model was fitted on, and check that it was on these.

    Parameters
    ----------
    model : FittedLogit, such as a MultinomialLogit
        Fitted without weights.
    X, y
        As for `MultinomialLogit.fit`.
    groups : (n,) array-like, optional
        Who each row shows.

    Returns
    -------
    Sample

    Raises
    ------
    AnalysisError
        For rows, labels or groups that do not go with the model.
    """
    values = aligned(X, model)
    labels = checked_labels(y, len(values))
    missing = np.isnan(named_matrix(X).values)
    complete = ~missing[:, ~missing.all(axis=0)].any(axis=1)
    people = None if groups is None else np.asarray(groups)
    if people is not None and people.shape != (len(values),):
        raise AnalysisError(f"groups: expected {len(values)}, one for each row, got shape {people.shape}")
    values, labels = values[complete], labels[complete]
    people = None if people is None else person_codes(people[complete], len(values))
    classes = model.classes_
    codes = np.searchsorted(classes, labels).clip(0, len(classes) - 1)
    if len(values) == model.n_ and (classes[codes] == labels).all():
        chances = softmax(model.terms_of(values) @ model.coef_.T + model.intercept_)
        own = np.maximum(chances[np.arange(len(codes)), codes], np.finfo(float).tiny)
        difference = abs(np.log(own).sum() - model.log_likelihood_)
        if difference <= 1e-6 * max(1.0, abs(model.log_likelihood_)):
            names = model.feature_names_in_.tolist()
            return Sample(values, names, codes, classes, people, fitted_design(model, values))
    raise AnalysisError(
        f"the model was fitted on {model.n_} other rows, with weights or to soft labels; "
        f"expected the {len(values)} complete rows given here: fit it on them first"
    )
