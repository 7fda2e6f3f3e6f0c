"""Which rows are trained on and which are held out."""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.errors import FitError


def grouped_folds(
    y: Any, groups: Any = None, *, folds: int = 5, seed: int = 0
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split rows into folds with like shares of each class.

    Parameters
    ----------
    y : (n,) array-like
        Labels.
    groups : (n,) array-like, optional
        Persons, videos, or whatever else must not stand on both sides of a split.
    folds : int
        Number of folds, 2 or more.
    seed : int
        Shuffles the rows.

    Returns
    -------
    list of (train, test)
        Row numbers, (m,) intp ndarrays. Each row is held out once.

    Raises
    ------
    FitError
        Where a class has fewer rows, or stands in fewer groups, than there are folds.

    Notes
    -----
    scikit-learn's `StratifiedKFold` and `StratifiedGroupKFold`.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    y = np.asarray(y)
    if folds < 2:
        raise FitError(f"folds: expected 2 or more, got {folds}")
    label, count = rarest(y, groups)
    if count < folds:
        unit = "rows" if groups is None else "groups"
        raise FitError(f"folds: {folds} need {folds} {unit} of each class, but {label!s} has {count}")
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    splitter = kind(folds, shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros(len(y)), y, groups))


def rarest(y: np.ndarray, groups: Any = None) -> tuple[Any, int]:
    """Find the class with the fewest rows, or in the fewest groups, and that number."""
    classes, codes = np.unique(y, return_inverse=True)
    if groups is None:
        counts = np.bincount(codes)
    else:
        pairs = np.unique(np.column_stack([codes, np.unique(groups, return_inverse=True)[1]]), axis=0)
        counts = np.bincount(pairs[:, 0])
    return classes[counts.argmin()], int(counts.min())
