"""Which rows are trained on and which are held out.

Every splitter returns [(train, test), ...]: row numbers, intp ndarrays. Stratified at random are
`grouped_folds` and `holdout` without groups; groups may be persons, files, `row_blocks`, what
`analysis.duplicates.near_duplicates` finds, or several of these at once by `merged_groups`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from analysis.errors import FitError

Split = tuple[np.ndarray, np.ndarray]

TRAIN_NAMES = ("training", "train")
TEST_NAMES = ("privatetest", "test", "testing")


def official_split(
    usage: ArrayLike, *, train: Collection[str] = TRAIN_NAMES, test: Collection[str] = TEST_NAMES
) -> list[Split]:
    """Split rows as the data's makers did.

    Parameters
    ----------
    usage : (n,) array-like of str
        What each row is for, such as FER2013's 'Training', 'PublicTest', 'PrivateTest'.
    train, test : collection of str
        The values that mean either side; upper and lower case are one. Rows of further values,
        such as 'PublicTest' or 'validation', are on neither side.

    Returns
    -------
    list of one (train, test)

    Raises
    ------
    FitError
        Where a side has no row, or one value is on both sides.
    """
    names = np.array([str(value).strip().lower() for value in np.asarray(usage).tolist()])
    sides = {"train": {str(name).lower() for name in train}, "test": {str(name).lower() for name in test}}
    if both := sorted(sides["train"] & sides["test"]):
        raise FitError(f"usage: {', '.join(both)} cannot be both trained and tested on")
    rows = {side: np.flatnonzero(np.isin(names, list(wanted))) for side, wanted in sides.items()}
    for side, wanted in sides.items():
        if not len(rows[side]):
            has = ", ".join(map(repr, np.unique(names)[:10].tolist())) or "nothing"
            raise FitError(f"usage: no row to {side} on; expected {' or '.join(sorted(wanted))}, got {has}")
    return [(rows["train"], rows["test"])]


def grouped_folds(
    y: ArrayLike, groups: ArrayLike | None = None, *, folds: int = 5, seed: int = 0
) -> list[Split]:
    """Split rows into folds with like shares of each class.

    Parameters
    ----------
    y : (n,) array-like
        Labels.
    groups : (n,) array-like, optional
        Persons, files, or whatever else must not stand on both sides of a split.
    folds : int
        Number of folds, 2 or more.
    seed : int
        Shuffles the rows.

    Returns
    -------
    list of (train, test)
        Each row is held out once.

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


def blocked_folds(y: ArrayLike, block: int = 40, *, folds: int = 5, seed: int = 0) -> list[Split]:
    """Split rows into folds that keep adjacent rows together.

    Parameters
    ----------
    y : (n,) array-like
        Labels, in the table's order.
    block : int
        So many adjacent rows stay together; for tables that follow videos but do not name them.
    folds, seed : int
        See `grouped_folds`.

    Returns
    -------
    list of (train, test)

    Raises
    ------
    FitError
        Where a class stands in fewer blocks than there are folds.
    """
    return grouped_folds(y, row_blocks(len(np.asarray(y)), block), folds=folds, seed=seed)


def holdout(
    y: ArrayLike, groups: ArrayLike | None = None, *, test: float = 0.25, repeats: int = 1, seed: int = 0
) -> list[Split]:
    """Hold out a share of the rows, once or several times.

    Parameters
    ----------
    y : (n,) array-like
        Labels; both sides have like shares of each.
    groups : (n,) array-like, optional
        Persons or files, of which the share is then held out, whatever their labels.
    test : float
        The share, between 0 and 1.
    repeats : int
        How many independent splits.
    seed : int
        Draws them.

    Returns
    -------
    list of (train, test)
        `repeats` splits.

    Raises
    ------
    FitError
        Where so few rows or groups are left that one side would be empty or lack a class.

    Notes
    -----
    scikit-learn's `StratifiedShuffleSplit` and `GroupShuffleSplit`.
    """
    from sklearn.model_selection import GroupShuffleSplit, StratifiedShuffleSplit

    y = np.asarray(y)
    kind = StratifiedShuffleSplit if groups is None else GroupShuffleSplit
    try:
        splitter = kind(repeats, test_size=float(test), random_state=seed)
        return list(splitter.split(np.zeros(len(y)), y, groups))
    except ValueError as error:
        unit = "rows" if groups is None else "groups"
        raise FitError(f"holdout: cannot hold out {test:g} of the {unit}: {error}") from None


def row_blocks(n: int, block: int) -> np.ndarray:
    """Label n rows by blocks of `block` adjacent ones: (n,) intp ndarray; FitError for a block below 1."""
    if block < 1:
        raise FitError(f"block: expected 1 row or more, got {block}")
    return np.arange(n) // block


def merged_groups(*groups: ArrayLike) -> np.ndarray:
    """Join groupings, so that rows that share any group share the result.

    Parameters
    ----------
    *groups : (n,) array-like
        One or more groupings of the same rows, such as persons and near duplicates.

    Returns
    -------
    (n,) intp ndarray
        Group labels from 0.

    Raises
    ------
    FitError
        Where there is no grouping, or their lengths differ.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    codes = [np.unique(np.asarray(labels), return_inverse=True)[1] for labels in groups]
    lengths = sorted({len(code) for code in codes})
    if len(lengths) != 1:
        raise FitError(f"groups: expected groupings of the same rows, got lengths {lengths or 'none'}")
    n = lengths[0]
    starts = n + np.cumsum([0, *(code.max(initial=-1) + 1 for code in codes)])
    nodes = np.concatenate([code + start for code, start in zip(codes, starts, strict=False)])
    rows = np.tile(np.arange(n), len(codes))
    edges = coo_array((np.ones(len(rows), bool), (rows, nodes)), shape=(starts[-1], starts[-1]))
    joined = connected_components(edges, directed=False)[1][:n]
    return np.unique(joined, return_inverse=True)[1]


def rarest(y: np.ndarray, groups: ArrayLike | None = None) -> tuple[Any, int]:
    """Find the class with the fewest rows, or in the fewest groups, and that number."""
    classes, codes = np.unique(y, return_inverse=True)
    if groups is None:
        counts = np.bincount(codes)
    else:
        pairs = np.unique(np.column_stack([codes, np.unique(groups, return_inverse=True)[1]]), axis=0)
        counts = np.bincount(pairs[:, 0])
    return classes[counts.argmin()], int(counts.min())
