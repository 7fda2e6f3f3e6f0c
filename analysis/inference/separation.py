"""Whether AUs tell emotions apart without error, so that no finite estimate exists."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from analysis.likelihood.maximum import softmax

_CONSTRAINTS = 20_000
_ZERO = 1e-6


class Separation(NamedTuple):
    """What was found.

    Attributes
    ----------
    kind : {'none', 'quasi-complete', 'complete', 'unknown'}
        'unknown' where time ran out.
    direction : (K, T + 1) float64 ndarray
        Where quasi-complete, a direction in which the likelihood never falls; parameters that are not
        zero in it have no finite estimate. Else zero.
    how : str
        'overlap proved at the estimate', 'every row classified', 'linear programme'.
    """

    kind: str
    direction: np.ndarray
    how: str


def find_separation(
    Z: np.ndarray, codes: np.ndarray, parameters: np.ndarray, smallest: float, seconds: float = 60.0
) -> Separation:
    """Find out whether the unpenalised estimate exists (Albert & Anderson 1984).

    Parameters
    ----------
    Z : (n, T) float64 ndarray
        Standardised terms.
    codes : (n,) int ndarray
        Classes 0..K-1.
    parameters : (K, T + 1) float64 ndarray
        Where an optimiser stopped.
    smallest : float
        Smallest eigenvalue of the information there, in contrasts of the classes; 0 if unknown.
    seconds : float
        Limit of the linear programmes.

    Returns
    -------
    Separation

    Notes
    -----
    Let d be a direction that separates: the margins m_ic = (d_y - d_c) x_i are never negative. The score
    g at the parameters obeys g d = sum p_ic m_ic, and d'Hd <= sum p_ic m_ic^2 <= max m * g d. As
    m <= sqrt(2) |d| |x|, the smallest eigenvalue of H is at most sqrt(2) max|x| |g|. Where it is larger,
    as at any estimate that an optimiser truly reached, no such direction exists: a proof that costs
    one pass over the rows, whatever their number.

    Else the linear programme of Konis (2007, thesis, Oxford; R's `detectseparation`): the largest sum of
    margins, none of them negative, with |d| <= 1, solved by HiGHS. With more than 20,000 margins only
    the most violated ones enter, more in each round, until none is violated or the sum is zero.
    """
    K = len(parameters)
    ones = np.column_stack([np.ones(len(Z)), Z])
    none = np.zeros_like(parameters)
    score = ones.T @ (np.eye(K)[codes] - softmax(ones @ parameters.T))
    reach = np.sqrt(2 * (ones**2).sum(axis=1).max())
    if smallest > reach * np.linalg.norm(score):
        return Separation("none", none, "overlap proved at the estimate")
    if _margins(ones, codes, parameters).min() > _ZERO:
        return Separation("complete", none, "every row classified")
    distinct = np.unique(np.column_stack([codes, ones]), axis=0)
    found = _programme(distinct[:, 1:], distinct[:, 0].astype(np.intp), parameters, seconds)
    if found is None:
        return Separation("unknown", none, "linear programme")
    if np.abs(found).max() < _ZERO:
        return Separation("none", none, "linear programme")
    return Separation("quasi-complete", found, "linear programme")


def _margins(ones: np.ndarray, codes: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """Compute how far each row's own class is ahead of the others: (n, K - 1), in their order."""
    scores = ones @ parameters.T
    rows = np.arange(len(ones))
    others = np.arange(parameters.shape[0] - 1) + (np.arange(parameters.shape[0] - 1) >= codes[:, None])
    return np.asarray(scores[rows, codes][:, None] - scores[rows[:, None], others])


def _programme(
    ones: np.ndarray, codes: np.ndarray, parameters: np.ndarray, seconds: float
) -> np.ndarray | None:
    """Find a separating direction (K, T + 1), zero where there is none; None where time ran out."""
    K, width = parameters.shape
    deadline = time.monotonic() + seconds
    gain = -K * np.array([ones[codes == k].sum(axis=0) for k in range(K)]) + ones.sum(axis=0)
    order = np.argsort(_margins(ones, codes, parameters), axis=None)
    chosen = order[:_CONSTRAINTS]
    while True:
        direction = _solve(ones, codes, gain, chosen, deadline - time.monotonic())
        if direction is None:
            return None
        margins = _margins(ones, codes, direction).ravel()
        if margins.max() < _ZERO or margins.min() > -_ZERO:
            return _common_removed(direction) if margins.max() >= _ZERO else np.zeros((K, width))
        violated = np.argsort(margins)[: _CONSTRAINTS // 4]
        chosen = np.union1d(chosen, violated[margins[violated] <= -_ZERO])


def _solve(
    ones: np.ndarray, codes: np.ndarray, gain: np.ndarray, chosen: np.ndarray, seconds: float
) -> np.ndarray | None:
    from scipy.optimize import linprog
    from scipy.sparse import csr_array

    if seconds <= 0:
        return None
    K, width = gain.shape
    row, place = np.divmod(chosen, K - 1)
    own = codes[row]
    other = place + (place >= own)
    at = np.arange(width)
    columns = np.hstack([own[:, None] * width + at, other[:, None] * width + at])
    entries = np.hstack([-ones[row], ones[row]])
    starts = np.arange(0, entries.size + 1, 2 * width)
    matrix = csr_array((entries.ravel(), columns.ravel(), starts), shape=(len(chosen), K * width))
    bounds = [(0.0, 0.0)] * width + [(-1.0, 1.0)] * ((K - 1) * width)  # the first class is the origin
    answer = linprog(
        gain.ravel() / np.abs(gain).max(),
        A_ub=matrix,
        b_ub=np.zeros(len(chosen)),
        bounds=bounds,
        method="highs",
        options={"time_limit": seconds},
    )
    return answer.x.reshape(K, width) if answer.status == 0 else None


def _common_removed(direction: np.ndarray) -> np.ndarray:
    """Subtract what most classes share, so that what is left names the classes that are separated."""
    own = direction - np.median(direction, axis=0)
    return np.where(np.abs(own) < _ZERO, 0.0, own)
