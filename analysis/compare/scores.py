"""How well a model does on rows it has not seen."""

from __future__ import annotations

import copy
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike

from analysis.aumatrix import AURows, named_matrix
from analysis.compare.metrics import scores, totals
from analysis.errors import FitError
from analysis.splits import grouped_folds, rarest


class Classifier(Protocol):
    """A classifier of AUs, such as a `MultinomialLogit`."""

    classes_: np.ndarray

    def fit(self, X: AURows, y: ArrayLike, *, groups: ArrayLike | None = None) -> Self:
        """Fit to labelled faces."""

    def predict_proba(self, X: AURows) -> np.ndarray:
        """Compute the probability of each class: (n, K) float64."""


def score(classes: np.ndarray, probabilities: np.ndarray, y: ArrayLike) -> dict[str, float]:
    """Score probabilities against labels.

    Parameters
    ----------
    classes : (K,) ndarray
        The classes of the columns.
    probabilities : (n, K) float64 ndarray
        Rows that sum to 1.
    y : (n,) array-like
        Labels, all of them in `classes`.

    Returns
    -------
    dict
        `accuracy`, `balanced_accuracy`, `macro_f1` and `log_loss`, see `analysis.compare.metrics.scores`;
        `majority`, the share of the most frequent label: what guessing it scores; `n`.
    """
    order = np.argsort(classes)
    codes = order[np.searchsorted(classes, np.asarray(y), sorter=order)]
    found = scores(totals(probabilities, codes, [np.ones(len(codes))]))
    named = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss")
    return {
        **{metric: float(found[metric][0]) for metric in named},
        "majority": float(np.bincount(codes).max() / len(codes)),
        "n": len(codes),
    }


def cross_validate(
    model: Classifier, X: AURows, y: ArrayLike, groups: ArrayLike | None = None, folds: int = 5, seed: int = 0
) -> dict[str, Any]:
    """Score a model on held-out rows.

    Parameters
    ----------
    model : Classifier, such as a MultinomialLogit
        Its parameters are used; it is not changed.
    X : AUTable, DataFrame or (n, p) array
        AU values. Rows where an AU has no value are left out.
    y : (n,) array-like
        Labels.
    groups : (n,) array-like, optional
        Persons or videos that must not stand on both sides of a split. Without them, several
        pictures of a person make the scores too good.
    folds : int
        At most so many folds; fewer where the rarest class has fewer rows or groups.
    seed : int
        Shuffles the rows.

    Returns
    -------
    dict
        What `score` gives for all held-out rows together, with `folds`, `seed` and `grouped` (bool).

    Raises
    ------
    FitError
        Where a class has one row, or stands in one group only, so that nothing can be held out.
    """
    y = np.asarray(y)
    missing = np.isnan(named_matrix(X).values)
    rows = np.flatnonzero(~missing[:, ~missing.all(axis=0)].any(axis=1))
    y = y[rows]
    groups = None if groups is None else np.asarray(groups)[rows]
    if len(np.unique(y)) < 2:
        raise FitError(f"labels: only one class in {len(y)} complete rows; nothing to tell apart")
    label, count = rarest(y, groups)
    if count < 2:
        unit = "row" if groups is None else "group"
        raise FitError(f"cannot cross-validate: {label!s} has only one {unit}")
    folds = min(folds, count)
    classes = np.unique(y)
    held_out = np.full((len(y), len(classes)), np.nan)
    for train, test in grouped_folds(y, groups, folds=folds, seed=seed):
        people = None if groups is None else groups[train]
        fitted = copy.deepcopy(model).fit(_rows(X, rows[train]), y[train], groups=people)
        columns = np.searchsorted(classes, fitted.classes_)
        held_out[test] = 0.0
        held_out[np.ix_(test, columns)] = fitted.predict_proba(_rows(X, rows[test]))
    return {**score(classes, held_out, y), "folds": folds, "seed": seed, "grouped": groups is not None}


def _rows(X: AURows, rows: np.ndarray) -> AURows:
    if hasattr(X, "with_rows"):
        return X.with_rows(rows)
    return X.iloc[rows] if hasattr(X, "iloc") else np.asarray(X)[rows]
