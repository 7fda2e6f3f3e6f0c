"""Rows that are copies of each other in their AUs, and those of them that a split leaves on both sides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from analysis.aumatrix import AURows, named_matrix
from analysis.errors import FitError
from analysis.splits import merged_groups

NEAR = 0.1
"""Default tolerance: root mean square difference of two rows' AUs, in standard deviations of each AU.

Measured on the embedded backend's AUs of FER2013 (35 AUs): of the pairs of rows under 0.05 apart, 86 %
are copies of one picture (pixels correlate over .9), of those from 0.05 to 0.1, 50 %, from 0.1 to 0.15,
29 %. In 4,473 OpenFace stills, two rows at most 40 apart in the file are 158 times as likely to be under
0.1 apart as rows over 400 apart (17 and 5 pairs); from 0.2 on, groups of rows that resemble each other
by chance run together. Frames of one video that merely show one person are mostly further apart than
this: they need groups by person or blocks of adjacent rows.
"""

MOST_NEAR = 20_000
"""Rows among which `copies` looks for near ones; the time grows with their square."""

_TELLING, _TELLING_NEAR = 3, 10  # values with fractions that agree, or nearly agree, only in copies
_CHUNK = 128  # rows whose neighbours are held at a time
REASONS = SAME_ROW, SAME_GROUP, EXACT, NEAR_DUPLICATE = (
    "same row",
    "same group",
    "exact duplicate",
    "near duplicate",
)


def near_duplicates(X: AURows, tolerance: float = NEAR) -> np.ndarray:
    """Group the rows whose AUs are copies, exactly or nearly.

    Parameters
    ----------
    X : AUTable, DataFrame or (n, p) array
        AU values. Rows with NaN stand alone; AUs without any value do not count.
    tolerance : float
        Rows at most so far apart are joined, and through them further ones: the root mean square of
        their differences over the AUs, each in its standard deviation. 0 joins exact copies only.

    Returns
    -------
    (n,) intp ndarray
        Group labels from 0, to be used like persons.

    Raises
    ------
    FitError
        For a negative tolerance, or X that holds no numbers.

    Notes
    -----
    Connected components of the graph of rows within the tolerance (single linkage). Exact copies are
    found first; scikit-learn's `NearestNeighbors` then looks at 128 rows at a time, so that memory
    grows with n, not with n².
    """
    values = _standardised(X, tolerance)
    complete = np.flatnonzero(~np.isnan(values).any(axis=1))
    labels = np.empty(len(values), dtype=np.intp)
    unique, copies = np.unique(values[complete], axis=0, return_inverse=True)
    groups = _components(unique, tolerance) if tolerance > 0 and len(unique) else np.arange(len(unique))
    labels[complete] = groups[copies.reshape(-1)]
    alone = np.isnan(values).any(axis=1)
    labels[alone] = groups.max(initial=-1) + 1 + np.arange(alone.sum())
    return labels


@dataclass(frozen=True)
class Copies:
    """Which rows of a table show the same measurement.

    Attributes
    ----------
    exact, near : (n,) intp ndarray
        Group labels, of the same AUs and of AUs that are all but the same (`near_duplicates`).
    looked_near : bool
        Whether near copies were looked for: not in more than `MOST_NEAR` rows.
    """

    exact: np.ndarray
    near: np.ndarray
    looked_near: bool = True

    @property
    def again(self) -> np.ndarray:
        """Which rows repeat an earlier one exactly, (n,) bool."""
        return _again(self.exact)

    @property
    def notes(self) -> list[str]:
        """What there is, in words."""
        n, exact, near = len(self.exact), int(self.again.sum()), int(_again(self.near).sum())
        notes = []
        if exact:
            row = int(np.flatnonzero(self.again)[0])
            first = int(np.flatnonzero(self.exact == self.exact[row])[0])
            notes.append(
                f"{exact} of {n} rows have exactly the AUs of an earlier row, such as row {row + 1} those of "
                f"row {first + 1}: copies, which are held out together"
            )
        if near > exact:
            notes.append(
                f"{near - exact} of {n} rows are near copies of another (within {NEAR:g} SD of the AUs), as "
                "of one picture saved twice or frames of one video; name who each row shows (groups)"
            )
        if not self.looked_near:
            notes.append(f"near copies were not looked for among more than {MOST_NEAR:,} rows")
        return notes


def copies(X: AURows) -> Copies:
    """Find the rows of a table that are copies of one measurement.

    Parameters
    ----------
    X : AUTable, DataFrame or (n, p) array
        AU values. Rows with fewer than three values that are no whole numbers stand alone, as for near
        copies do those with fewer than ten: codes, few AUs and faces at rest agree by chance.

    Returns
    -------
    Copies

    Raises
    ------
    FitError
        For X that holds no numbers.
    """
    values = named_matrix(X).values
    fractions = ((values % 1 != 0) & np.isfinite(values)).sum(axis=1)
    telling = np.flatnonzero(fractions >= _TELLING)
    exact = _labels_of(values, telling, 0.0)
    many = telling[fractions[telling] >= _TELLING_NEAR]
    if len(many) > MOST_NEAR:
        return Copies(exact, exact, looked_near=False)
    near = _labels_of(values, many, NEAR)
    return Copies(exact, merged_groups(exact, near))


def _labels_of(values: np.ndarray, rows: np.ndarray, tolerance: float) -> np.ndarray:
    labels = np.arange(len(values))
    if len(rows):
        labels[rows] = len(values) + near_duplicates(values[rows], tolerance)
    return labels


def _again(labels: np.ndarray) -> np.ndarray:
    again = np.ones(len(labels), dtype=bool)
    again[np.unique(labels, return_index=True)[1]] = False
    return again


def leaks(
    train: ArrayLike,
    test: ArrayLike,
    *,
    X: AURows | None = None,
    groups: ArrayLike | None = None,
    tolerance: float = NEAR,
) -> pd.DataFrame:
    """Name the rows of a split that stand on both sides.

    Parameters
    ----------
    train, test : (m,) array-like of int
        Row numbers of the two sides.
    X : AUTable, DataFrame or (n, p) array, optional
        AUs of all rows: exact and near duplicates are looked for.
    groups : (n,) array-like, optional
        Persons or files of all rows: those on both sides are looked for.
    tolerance : float
        See `near_duplicates`.

    Returns
    -------
    DataFrame
        Columns `train_row, test_row` (int), `why` ('same row', 'same group', 'exact duplicate' or
        'near duplicate') and `distance` (float; NaN without X or where an AU is NaN). Each test row
        stands at most once for its group, with the first training row of it, and once for its AUs,
        with the nearest training row. Empty where nothing leaks.

    Raises
    ------
    FitError
        Where there is nothing to look at, or row numbers do not belong to X or groups.
    """
    if X is None and groups is None:
        raise FitError("leaks: expected X, groups or both")
    values = None if X is None else _standardised(X, tolerance)
    labels = None if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    train, test = np.asarray(train, dtype=np.intp), np.asarray(test, dtype=np.intp)
    highest = max(train.max(initial=-1), test.max(initial=-1))
    for what, rows in (("X", values), ("groups", labels)):
        if rows is not None and highest >= len(rows):
            raise FitError(f"{what}: has {len(rows)} rows, but the split names row {highest}")
    both = np.intersect1d(train, test)
    found = [_pairs(both, both, SAME_ROW, np.zeros(len(both)))]
    test = np.setdiff1d(test, both)
    if labels is not None:
        found.append(_group_leaks(train, test, labels, values))
    if values is not None:
        found.append(_copies(train, test, values, tolerance))
    return pd.concat(found, ignore_index=True).sort_values(["test_row", "why"], ignore_index=True)


def leak_summary(found: pd.DataFrame, test: ArrayLike) -> str:
    """Tell in one sentence what `leaks` found among the test rows."""
    n = len(np.asarray(test))
    if found.empty:
        return f"none of {n} held-out rows was found among the training rows"
    counts = found["why"].value_counts()
    kinds = ", ".join(f"{why} {counts[why]}" for why in REASONS if why in counts)
    rows = found["test_row"].nunique()
    first = found.iloc[0]
    return (
        f"{rows} of {n} held-out rows ({rows / n:.1%}) have a counterpart among the training rows "
        f"({kinds}), such as row {first['test_row']} and row {first['train_row']}"
    )


def _standardised(X: AURows, tolerance: float) -> np.ndarray:
    """Scale X so that the Euclidean distance is the root mean square difference in SDs."""
    if not tolerance >= 0:
        raise FitError(f"tolerance: expected 0 or more standard deviations, got {tolerance}")
    values = named_matrix(X).values
    empty = np.isnan(values).all(axis=0)
    values = values if empty.all() else values[:, ~empty]
    complete = ~np.isnan(values).any(axis=1)
    spread = values[complete].std(axis=0) if complete.any() else np.ones(values.shape[1])
    varies = spread > 0
    return np.asarray((values / np.where(varies, spread, 1.0)) / np.sqrt(max(1, varies.sum())))


def _components(unique: np.ndarray, tolerance: float) -> np.ndarray:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from sklearn.neighbors import NearestNeighbors

    n = len(unique)
    # Brute force is the fastest of scikit-learn's ways in 17 to 35 dimensions.
    search = NearestNeighbors(radius=tolerance, algorithm="brute").fit(unique)
    labels = np.arange(n)
    for start in range(0, n, _CHUNK):
        near = search.radius_neighbors_graph(unique[start : start + _CHUNK]).tocoo()
        ends = labels[near.row + start], labels[near.col]
        graph = coo_array((np.ones(near.nnz, dtype=bool), ends), shape=(n, n))
        labels = connected_components(graph, directed=False)[1][labels]
    return labels


def _group_leaks(
    train: np.ndarray, test: np.ndarray, labels: np.ndarray, values: np.ndarray | None
) -> pd.DataFrame:
    groups, first = np.unique(labels[train], return_index=True)
    shared = test[np.isin(labels[test], groups)]
    partner = train[first[np.searchsorted(groups, labels[shared])]]
    return _pairs(partner, shared, SAME_GROUP, _distance(values, partner, shared))


def _copies(train: np.ndarray, test: np.ndarray, values: np.ndarray, tolerance: float) -> pd.DataFrame:
    from sklearn.neighbors import NearestNeighbors

    complete = ~np.isnan(values).any(axis=1)
    train, test = train[complete[train]], test[complete[test]]
    if not (len(train) and len(test)):
        return _pairs(train[:0], test[:0], EXACT, np.empty(0))
    search = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(values[train])
    partner = train[search.kneighbors(values[test], return_distance=False)[:, 0]]
    distance = _distance(values, partner, test)
    near = distance <= tolerance
    why = np.where(distance[near] == 0, EXACT, NEAR_DUPLICATE)
    return _pairs(partner[near], test[near], why, distance[near])


def _distance(values: np.ndarray | None, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    if values is None:
        return np.full(len(one), np.nan)
    return np.asarray(np.linalg.norm(values[one] - values[other], axis=1))


def _pairs(train: np.ndarray, test: np.ndarray, why: str | np.ndarray, distance: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"train_row": train, "test_row": test, "why": why, "distance": distance})
