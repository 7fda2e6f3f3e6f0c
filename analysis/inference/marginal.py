"""Average marginal effects: how much an emotion's probability changes with an AU, over the faces at hand."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analysis.likelihood.maximum import softmax
from analysis.likelihood.terms import Terms

_ROWS_AT_ONCE = 1024


def average_effects(
    terms: Terms,
    values: np.ndarray,
    parameters: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    switches: bool = False,
    gradient: bool = False,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Average the change of each class's probability with each AU.

    Parameters
    ----------
    terms : Terms
        T of them; an AU moves all in which it stands.
    values : (n, p) float64 ndarray
        AU values.
    parameters : (K, T + 1) float64 ndarray
        Of the terms, a row per class, the intercept first.
    weights : (n,) float64 ndarray, optional
        Of the rows in the average.
    switches : bool
        Whether the AUs are 0 or 1: then the change from 0 to 1, else the slope per unit. At the knot of a
        hinge the slope is the mean of both sides.
    gradient : bool
        Whether to differentiate as well.

    Returns
    -------
    effects : (p, K) float64 ndarray
        Sum to zero over the classes.
    gradient : (p, K, K, T + 1) float64 ndarray, or None
        Of each effect by each parameter, for the delta method.

    Notes
    -----
    With g_k = z'_k - sum_c p_c z'_c, where z' is the slope of the logits by the AU, the effect on class k
    is the mean of p_k g_k. Its derivative by the coefficient of term t in class c is the mean of
    f_t (p_k g_k [k = c] - p_k p_c (g_k + g_c)) + f'_t p_k ([k = c] - p_c).
    Rows are taken in chunks; for linear terms equal to statsmodels' `get_margeff`.
    """
    n, p = values.shape
    K, width = parameters.shape
    shares = np.full(n, 1.0 / n) if weights is None else weights / weights.sum()
    effects = np.zeros((p, K))
    by_parameter = np.zeros((p, K, K, width)) if gradient else None
    add = _add_switches if switches else _add_slopes
    for start in range(0, n, _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        add(terms, values[rows], parameters, shares[rows], effects, by_parameter)
    return effects, by_parameter


def slopes(terms: Terms, values: np.ndarray, j: int) -> tuple[np.ndarray, np.ndarray]:
    """Differentiate the terms by one AU.

    Parameters
    ----------
    terms : Terms
    values : (n, p) float64 ndarray
        AU values.
    j : int
        The AU.

    Returns
    -------
    moved : (m,) intp ndarray
        The terms in which it stands.
    slopes : (n, m) float64 ndarray
        Their derivatives.
    """
    moved = np.flatnonzero((terms.feature == j) | (terms.second_feature == j))
    columns = [_slope(terms, values, j, int(t)) for t in moved]
    return moved, np.column_stack(columns) if columns else np.empty((len(values), 0))


def _slope(terms: Terms, values: np.ndarray, j: int, t: int) -> np.ndarray:
    first = (int(terms.feature[t]), float(terms.knot[t]))
    second = (int(terms.second_feature[t]), float(terms.second_knot[t]))
    (_, knot), (other, other_knot) = (first, second) if first[0] == j else (second, first)
    slope = np.ones(len(values)) if np.isnan(knot) else np.heaviside(values[:, j] - knot, 0.5)
    if other < 0:
        return slope
    factor = values[:, other]
    return np.asarray(slope * (factor if np.isnan(other_knot) else np.maximum(factor - other_knot, 0.0)))


def _add_slopes(
    terms: Terms,
    values: np.ndarray,
    parameters: np.ndarray,
    shares: np.ndarray,
    effects: np.ndarray,
    gradient: np.ndarray | None,
) -> None:
    ones, p = _chances(terms, values, parameters)
    K = p.shape[1]
    weighted = p * shares[:, None]
    alone = _alone(weighted, p)
    for j in range(values.shape[1]):
        moved, slope = slopes(terms, values, j)
        by_class = slope @ parameters[:, 1 + moved].T
        change = by_class - (p * by_class).sum(axis=1, keepdims=True)
        effects[j] += (weighted * change).sum(axis=0)
        if gradient is None:
            continue
        both = -weighted[:, :, None] * p[:, None, :] * (change[:, :, None] + change[:, None, :])
        both[:, np.arange(K), np.arange(K)] += weighted * change
        gradient[j] += (both.reshape(len(p), -1).T @ ones).reshape(K, K, -1)
        gradient[j][:, :, 1 + moved] += (alone.T @ slope).reshape(K, K, -1)


def _add_switches(
    terms: Terms,
    values: np.ndarray,
    parameters: np.ndarray,
    shares: np.ndarray,
    effects: np.ndarray,
    gradient: np.ndarray | None,
) -> None:
    K = len(parameters)
    for j, sign, switched in _switched(values):
        ones, p = _chances(terms, switched, parameters)
        weighted = sign * p * shares[:, None]
        effects[j] += weighted.sum(axis=0)
        if gradient is not None:
            gradient[j] += (_alone(weighted, p).T @ ones).reshape(K, K, -1)


def _switched(values: np.ndarray) -> Iterator[tuple[int, float, np.ndarray]]:
    for j in range(values.shape[1]):
        for sign, state in ((1.0, 1.0), (-1.0, 0.0)):
            copy = values.copy()
            copy[:, j] = state
            yield j, sign, copy


def _chances(terms: Terms, values: np.ndarray, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    ones = np.column_stack([np.ones(len(values)), terms(values)])
    return ones, softmax(ones @ parameters.T)


def _alone(weighted: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Compute p_k ([k = c] - p_c), weighted: (n, K * K)."""
    K = p.shape[1]
    result = -weighted[:, :, None] * p[:, None, :]
    result[:, np.arange(K), np.arange(K)] += weighted
    return np.asarray(result.reshape(len(p), -1))
