"""How sure an explanation is: errors of its sums, intervals of probabilities, draws of its ranking."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from analysis.explain.contributions import Shares
    from analysis.logit import MultinomialLogit

_NUMBERS_AT_ONCE = 2_000_000


class Design(NamedTuple):
    """Sums of one class's parameters, row by row.

    `values` (n, S) float64 are the factors, `parameter` (S,) intp says which of [intercept, terms] each
    belongs to, and `group` (S,) intp the sum that it is part of; below 0 it is part of none.
    """

    values: np.ndarray
    parameter: np.ndarray
    group: np.ndarray


def design_of(shares: Shares, group: np.ndarray) -> Design:
    """Sum the contributions of each group of AUs; `group` (p,) numbers them."""
    return Design(shares.values, shares.term + 1, group[shares.feature])


def whole(terms: np.ndarray) -> Design:
    """Sum everything, the intercept too: the logit itself, for (n, T) terms."""
    values = np.column_stack([np.ones(len(terms)), terms])
    return Design(values, np.arange(values.shape[1]), np.zeros(values.shape[1], dtype=np.intp))


def critical(level: float) -> float:
    """How many standard errors a two-sided normal interval of this level reaches to either side."""
    return NormalDist().inv_cdf(0.5 + level / 2.0)


def standard_errors(
    model: MultinomialLogit, design: Design, targets: np.ndarray, rivals: np.ndarray | None = None
) -> np.ndarray:
    """Find the delta-method standard error of each sum, for the target or for target minus rival.

    Parameters
    ----------
    model : MultinomialLogit
        Fitted.
    design : Design
        The sums.
    targets, rivals : (n,) intp ndarray
        Classes, row by row.

    Returns
    -------
    (n, G) float64 ndarray
        NaN where the model keeps no covariance.
    """
    groups = int(design.group.max(initial=-1)) + 1
    if model.covariance_ is None:
        return np.full((len(targets), groups), np.nan)
    K = len(model.classes_)
    width = len(model.term_names_) + 1
    blocks = model.covariance_.reshape(K, width, K, width)
    result = np.zeros((len(targets), groups))
    codes = targets * (K + 1) + (K if rivals is None else rivals)
    for code in np.unique(codes):
        a, b = divmod(int(code), K + 1)
        block = blocks[a, :, a]
        if b < K:
            block = block + blocks[b, :, b] - blocks[a, :, b] - blocks[b, :, a]
        rows = np.flatnonzero(codes == code)
        for group in range(groups):
            own = np.flatnonzero(design.group == group)
            factors = design.values[np.ix_(rows, own)]
            inner = block[np.ix_(design.parameter[own], design.parameter[own])]
            result[rows, group] = ((factors @ inner) * factors).sum(axis=1)
    return np.sqrt(np.maximum(result, 0.0))


def probability_interval(
    model: MultinomialLogit, terms: np.ndarray, targets: np.ndarray, level: float
) -> np.ndarray:
    """Find an interval of each row's probability of its target.

    Parameters
    ----------
    model : MultinomialLogit
        Fitted.
    terms : (n, T) float64 ndarray
        Terms of the faces.
    targets : (n,) intp ndarray
        Classes.
    level : float
        Such as 0.95.

    Returns
    -------
    (n, 2) float64 ndarray
        Low and high, within 0..1. NaN where the model keeps no covariance.

    Notes
    -----
    The delta method on log(p / (1 - p)), whose interval is then turned back: on the probability itself
    it would leave 0..1.
    """
    n, K = len(terms), len(model.classes_)
    if model.covariance_ is None:
        return np.full((n, 2), np.nan)
    scores = terms @ model.coef_.T + model.intercept_
    rows = np.arange(n)
    others = scores.copy()
    others[rows, targets] = -np.inf
    top = others.max(axis=1, keepdims=True)
    powers = np.exp(others - top)
    weights = -powers / powers.sum(axis=1, keepdims=True)
    weights[rows, targets] = 1.0
    log_odds = scores[rows, targets] - top[:, 0] - np.log(powers.sum(axis=1))
    ones = np.column_stack([np.ones(n), terms])
    variance = np.empty(n)
    step = max(1, _NUMBERS_AT_ONCE // (K * ones.shape[1]))
    for start in range(0, n, step):
        part = slice(start, start + step)
        gradient = (weights[part, :, None] * ones[part, None, :]).reshape(-1, K * ones.shape[1])
        variance[part] = ((gradient @ model.covariance_) * gradient).sum(axis=1)
    reach = critical(level) * np.sqrt(np.maximum(variance, 0.0))
    return np.column_stack([_expit(log_odds - reach), _expit(log_odds + reach)])


def top_shares(
    model: MultinomialLogit, shares: Shares, targets: np.ndarray, draws: int, seed: int
) -> np.ndarray:
    """Find in which share of draws each AU contributes most.

    Parameters
    ----------
    model : MultinomialLogit
        Fitted.
    shares : Shares
        Of n faces.
    targets : (n,) intp ndarray
        Classes.
    draws : int
        How many coefficient vectors are drawn from the normal distribution that the covariance gives.
    seed : int
        Of the draws. A face's answer does not depend on the other faces.

    Returns
    -------
    (n, p) float64 ndarray
        By size of the contribution, for or against; rows sum to 1. NaN where the model keeps no covariance.
    """
    if model.covariance_ is None:
        return np.full((len(targets), len(model.feature_names_in_)), np.nan)
    K, width, p = len(model.classes_), len(model.term_names_) + 1, len(model.feature_names_in_)
    blocks = model.covariance_.reshape(K, width, K, width)
    of_au = [np.flatnonzero(shares.feature == j) for j in range(p)]
    result = np.zeros((len(targets), p))
    for k in np.unique(targets):
        drawn = _draw(model.coef_[k], blocks[k, 1:, k, 1:], draws, [seed, int(k)])[:, shares.term]
        rows = np.flatnonzero(targets == k)
        step = max(1, _NUMBERS_AT_ONCE // draws)
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            best, who = np.full((len(some), draws), -1.0), np.zeros((len(some), draws), dtype=np.intp)
            for j, own in enumerate(of_au):
                size = np.abs(shares.values[np.ix_(some, own)] @ drawn[:, own].T)
                larger = size > best
                np.copyto(best, size, where=larger)
                who[larger] = j
            result[some] = np.array([np.bincount(row, minlength=p) for row in who]) / draws
    return result


def _draw(mean: np.ndarray, covariance: np.ndarray, draws: int, seed: list[int]) -> np.ndarray:
    """Draw (draws, T) coefficient vectors; the covariance may be singular."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2.0)
    factor = vectors * np.sqrt(np.maximum(values, 0.0))
    return np.asarray(mean + np.random.default_rng(seed).standard_normal((draws, len(mean))) @ factor.T)


def _expit(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.exp(-np.logaddexp(0.0, -x)))
