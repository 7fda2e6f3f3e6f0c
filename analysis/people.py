"""Resampling people: how much an estimate would change had other people been photographed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from analysis.errors import AnalysisError


def person_codes(groups: ArrayLike | None, n: int) -> np.ndarray:
    """Give each person a number.

    Parameters
    ----------
    groups : (n,) array-like, or None
        Who each row shows. None makes every row its own person.
    n : int
        Number of rows.

    Returns
    -------
    (n,) intp ndarray
        Codes 0..G-1 in the sorted order of the groups.

    Raises
    ------
    AnalysisError
        For a group missing, another number of them than rows, or one single group.
    """
    if groups is None:
        return np.arange(n)
    people = np.asarray(groups)
    if people.shape != (n,):
        raise AnalysisError(f"groups: expected {n}, one for each row, got an array of shape {people.shape}")
    missing = sum(person is None or person != person for person in people.tolist())
    if missing:
        raise AnalysisError(f"groups: {missing} of {n} rows have none; leave those rows out")
    codes = np.unique(people if people.dtype.kind in "iub" else people.astype(str), return_inverse=True)[1]
    if codes.max(initial=0) < 1:
        raise AnalysisError("groups: all rows are one person; a bootstrap needs at least two (better 20)")
    return codes


def person_draws(groups: ArrayLike | None, n: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    """Draw people with replacement, as weights of their rows.

    Parameters
    ----------
    groups : (n,) array-like, or None
        Who each row shows; None resamples single rows.
    n : int
        Number of rows.
    draws : int
        Number of resamples.
    seed : int
        Of `numpy.random.default_rng`; the same seed gives the same draws.

    Yields
    ------
    (n,) float64 ndarray
        How often each row's person was drawn: 0, 1, 2, ... All rows of a person weigh the same.

    Raises
    ------
    AnalysisError
        For fewer than one draw, and as `person_codes`.

    Notes
    -----
    The cluster bootstrap (Davison & Hinkley 1997, section 3.8): people are the independent units, their
    pictures are not.
    """
    if draws < 1:
        raise AnalysisError(f"draws: expected 1 or more, got {draws}")
    return _draws(person_codes(groups, n), draws, seed)


def _draws(codes: np.ndarray, draws: int, seed: int) -> Iterator[np.ndarray]:
    from tqdm import tqdm

    people = int(codes.max()) + 1
    rng = np.random.default_rng(seed)
    for _ in tqdm(range(draws), desc="bootstrap", unit="draw", delay=3, leave=False, disable=None):
        drawn = np.bincount(rng.integers(people, size=people), minlength=people)
        yield drawn[codes].astype(float)


def percentile_interval(values: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Take the interval of a bootstrap between its quantiles.

    Parameters
    ----------
    values : (draws, ...) float64 ndarray
        One estimate for each draw; NaN where a draw gave none, which is left out.
    level : float
        Share of the draws inside, as .95.

    Returns
    -------
    low, high : (...) float64 ndarray
        NaN where no draw gave a value.

    Raises
    ------
    AnalysisError
        For a level outside (0, 1).
    """
    if not 0 < level < 1:
        raise AnalysisError(f"level: expected a number between 0 and 1, got {level}")
    values = np.asarray(values, dtype=float)
    low, high = np.full(values.shape[1:], np.nan), np.full(values.shape[1:], np.nan)
    given = ~np.isnan(values).all(axis=0)
    if given.any():
        tails = [(1 - level) / 2, (1 + level) / 2]
        low[given], high[given] = np.nanquantile(values[:, given], tails, axis=0)
    return low, high
