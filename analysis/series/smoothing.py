"""Smoothing of values at irregular times that stops at gaps."""

from __future__ import annotations

import numpy as np

from analysis.errors import TableError

SMOOTH_S = 0.1
"""Window of the smoothing: three frames at 30 a second, as OpenFace's."""
MAX_GAP_S = 0.5
"""What was not measured for longer is a gap, unless frames were looked at more seldom."""
STEPS_BRIDGED = 2.5
"""A hole of fewer typical steps between frames is no gap."""


def gap_bound(times_s: np.ndarray) -> float:
    """Return how long a hole may be that is no gap: 0.5 s, or 2.5 typical steps where that is more.

    Parameters
    ----------
    times_s : ndarray of float, shape (n,)
        Times of the frames, s.
    """
    steps = np.diff(np.unique(times_s))
    return max(MAX_GAP_S, STEPS_BRIDGED * float(np.median(steps))) if len(steps) else MAX_GAP_S


def segments(times_s: np.ndarray, values: np.ndarray, max_gap_s: float) -> list[np.ndarray]:
    """Return the row numbers of each stretch that was measured without a gap.

    Parameters
    ----------
    times_s : ndarray of float, shape (n,)
        Ascending, s.
    values : ndarray of float, shape (n,)
        NaN where it was not measured.
    max_gap_s : float
        Two measured rows further apart than this stand on both sides of a gap.

    Returns
    -------
    list of ndarray of int
        Of measured rows only.
    """
    rows = np.flatnonzero(np.isfinite(values))
    cuts = np.flatnonzero(np.diff(times_s[rows]) > max_gap_s) + 1
    return [part for part in np.split(rows, cuts) if len(part)]


def smooth(
    times_s: np.ndarray, values: np.ndarray, *, window_s: float = SMOOTH_S, max_gap_s: float | None = None
) -> np.ndarray:
    """Take the mean over a window of time around each row.

    Parameters
    ----------
    times_s : ndarray of float, shape (n,)
        Ascending, s; steps may differ.
    values : ndarray of float, shape (n,)
        NaN where it was not measured.
    window_s : float
        Width of the window that stands with its middle on the row, s. 0 leaves the values as they are.
    max_gap_s : float, optional
        See `segments`; by default `gap_bound`.

    Returns
    -------
    ndarray of float64, shape (n,)
        The mean of what was measured within the window and not across a gap. A row that was not measured
        stays NaN: nothing is filled in.

    Raises
    ------
    TableError
        Lengths differ, times are not ascending or not finite, or the window is negative.
    """
    times_s, values = np.asarray(times_s, dtype=float), np.asarray(values, dtype=float)
    check_times(times_s, values)
    if not 0 <= window_s < np.inf:
        raise TableError(f"smooth: expected seconds, 0 or more, got {window_s}")
    bound = gap_bound(times_s) if max_gap_s is None else max_gap_s
    result = np.full(len(values), np.nan)
    for rows in segments(times_s, values, bound):
        times, own = times_s[rows], values[rows]
        reach = window_s / 2 * (1 + 1e-9)  # a frame on the rim of the window is within it
        first = np.searchsorted(times, times - reach, side="left")
        last = np.searchsorted(times, times + reach, side="right")
        sums = np.concatenate([[0.0], np.cumsum(own)])
        means = (sums[last] - sums[first]) / (last - first)
        result[rows] = np.where(last - first == 1, own, np.clip(means, own.min(), own.max()))
    return result


def check_times(times_s: np.ndarray, values: np.ndarray) -> None:
    """Refuse values that are not one for each time, and times that are not ascending.

    Raises
    ------
    TableError
    """
    if times_s.ndim != 1 or times_s.shape != values.shape:
        raise TableError(f"expected a value for each time, got {times_s.shape} times, {values.shape} values")
    if not np.isfinite(times_s).all() or (np.diff(times_s) < 0).any():
        raise TableError("times: expected finite seconds in ascending order; sort the rows by time_s")
