"""From AU values to the standardised columns whose coefficients a regression penalises."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from analysis.errors import FitError
from analysis.likelihood.maximum import maximise, softmax
from analysis.likelihood.mixture import knot_systems, mixture, products, ramps, system_count
from analysis.likelihood.terms import Functions, Terms, make_terms, single_functions

if TYPE_CHECKING:
    from scipy.sparse import csc_array

Pairs: TypeAlias = "str | Sequence[tuple[str, str]]"
"""'auto', or which AUs are multiplied with which."""

PAIR_PENALTY = 30.0
"""How much more strongly the coefficients of pairs are drawn to zero than those of single AUs."""

MOST_PAIRS = 150
"""How many pairs `pairs='auto'` keeps: all of 17 AUs' 136."""

_SCREENING_ALPHA = 10.0


class Problem(NamedTuple):
    """Rows to fit to: AU values (n, p), the p names, targets (n, K), weights (n,) or None."""

    values: np.ndarray
    names: list[str]
    targets: np.ndarray
    weights: np.ndarray | None

    def rows(self, chosen: np.ndarray) -> Problem:
        """Take some rows."""
        weights = None if self.weights is None else self.weights[chosen]
        return Problem(self.values[chosen], self.names, self.targets[chosen], weights)


class Design(NamedTuple):
    """C standardised columns, each a mixture of T terms.

    Attributes
    ----------
    terms : Terms
    mixture : (T, C) scipy.sparse array
        What each column is made of.
    mean, scale : (C,) float64 ndarray
        What standardises the columns on training rows.
    """

    terms: Terms
    mixture: csc_array
    mean: np.ndarray
    scale: np.ndarray

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Compute the standardised columns (n, C) of (n, p) AU values."""
        columns = (self.mixture.T @ self.terms(X).T).T
        columns -= self.mean
        columns /= self.scale
        return np.asarray(columns)

    def to_terms(self, parameters: np.ndarray) -> np.ndarray:
        """Turn (..., C + 1) parameters of columns, the intercept first, into (..., T + 1) of terms."""
        return np.asarray(parameters @ self.matrix().T)

    def from_terms(self, parameters: np.ndarray) -> np.ndarray:
        """Turn (..., T + 1) parameters of terms, as `to_terms` made them, back into (..., C + 1)."""
        return parameters @ np.linalg.pinv(self.matrix()).T

    def matrix(self) -> np.ndarray:
        """Make the (T + 1, C + 1) matrix that `to_terms` multiplies by."""
        matrix = np.zeros(np.add(self.mixture.shape, 1))
        matrix[0] = np.r_[1.0, -self.mean / self.scale]
        matrix[1:, 1:] = self.mixture.toarray() / self.scale
        return matrix


def design(problem: Problem, kind: str, knots: Sequence[float], pairs: Pairs, mixed: bool) -> Design:
    """Choose the terms on training rows, and standardise them.

    Parameters
    ----------
    problem : Problem
        Training rows; no AU constant.
    kind : {'linear', 'hinges', 'pairs'}
        Each AU as it is, also with hinges, also with products of two AUs.
    knots : sequence of float
        Training quantiles of each AU where its hinges begin.
    pairs : 'auto' or sequence of (str, str)
        Which AUs are multiplied; 'auto' as `strongest_pairs` finds them.
    mixed : bool
        Whether columns of pairs are mixtures as described below, or the terms themselves, where no
        penalty is to act on them.

    Returns
    -------
    Design

    Raises
    ------
    FitError
        For a pair of unknown AUs.

    Notes
    -----
    What is penalised of a pair is the product of two AUs' ramps, each less its mean: ramps are the
    parts of an AU below, between and above its knots. So a penalty draws to zero what the pair says
    beyond its two AUs, region by region, as in a functional analysis of variance. Products of hinges
    span the same functions but are all alike, so that a penalty on them is less apt. Four knots and
    more are dealt in turn to systems of two, (first, third) and (second, fourth), each with ramps of its
    own: their overlap makes the fitted surface smoother than one system's.
    """
    values, names = problem.values, problem.names
    singles = single_functions(values, names, () if kind == "linear" else knots)
    if kind != "pairs":
        return standardised(make_terms(singles), values)
    chosen = strongest_pairs(problem, singles) if isinstance(pairs, str) else _known(pairs, names)
    systems = knot_systems([feature for feature, _, _ in singles], system_count(knots))
    both = products(systems, [(names.index(a), names.index(b)) for a, b in chosen])
    terms = make_terms(singles, [(singles[s], singles[t]) for s, t in both])
    return standardised(terms, values, len(systems) if mixed else 0)


def standardised(terms: Terms, X: np.ndarray, systems: int = 0) -> Design:
    """Find means and scales of columns on (n, p) rows; those that do not vary drop out.

    With `systems` of knots, columns of pairs are mixtures as `design` says, else the terms themselves. The
    scale of a pair's column is its standard deviation times the root of `PAIR_PENALTY` and of the number
    of systems, so that one ridge strength does for all.
    """
    from scipy import sparse

    if systems and terms.paired.any():
        mixed = mixture(terms, X, systems)
    else:
        mixed = sparse.eye_array(len(terms.names), format="csc")
    columns = (mixed.T @ terms(X).T).T
    mean, spread = columns.mean(axis=0), columns.std(axis=0)
    varies = spread > 1e-9 * np.abs(columns).max(axis=0)
    pairs = np.arange(len(spread)) >= np.sum(~terms.paired)
    scale = spread * np.where(pairs, np.sqrt(PAIR_PENALTY * max(1, systems)), 1.0)
    return Design(terms, mixed[:, varies], mean[varies], scale[varies])


def strongest_pairs(problem: Problem, singles: Functions) -> list[tuple[str, str]]:
    """Choose pairs by what they could add to a model of single AUs.

    Parameters
    ----------
    problem : Problem
        Training rows.
    singles : list of (feature, knot, name)
        The functions of that model.

    Returns
    -------
    list of (str, str)
        All pairs where there are at most `MOST_PAIRS`, else those with the largest score: the squared
        gradient of the likelihood at zero, summed over the classes and the standardised products of
        the two AUs' ramps.
    """
    values, names = problem.values, problem.names
    pairs = list(combinations(sorted(names), 2))
    if len(pairs) <= MOST_PAIRS:
        return pairs
    alone = make_terms(singles)
    Z = standardised(alone, values)(values)
    fitted = maximise(Z, problem.targets, problem.weights, _SCREENING_ALPHA, tol=1e-4).parameters
    residual = problem.targets - softmax(fitted[:, 0] + Z @ fitted[:, 1:].T)
    if problem.weights is not None:
        residual *= problem.weights[:, None]
    owner = np.array([feature for feature, _, _ in singles])
    parts = alone(values) @ ramps(owner)
    parts -= parts.mean(axis=0)
    strength = []
    for a, b in pairs:
        first, second = (parts[:, owner == names.index(name)] for name in (a, b))
        columns = (first[:, :, None] * second[:, None, :]).reshape(len(values), -1)
        spread = columns.std(axis=0)
        gradient = (columns - columns.mean(axis=0)).T @ residual
        strength.append(((gradient[spread > 0] / spread[spread > 0, None]) ** 2).sum())
    kept = np.sort(np.argsort(strength)[-MOST_PAIRS:])
    return [pairs[i] for i in kept]


def _known(pairs: Sequence[tuple[str, str]], names: list[str]) -> list[tuple[str, str]]:
    """Put each pair in the order of names, so that the order in which it was told does not matter."""
    ordered = []
    for pair in pairs:
        if isinstance(pair, str) or len(pair) != 2 or len(set(pair) & set(names)) != 2:
            raise FitError(f"pairs: expected two of {', '.join(names)}, got {pair!r}")
        ordered.append((min(pair), max(pair)))
    return sorted(set(ordered))
