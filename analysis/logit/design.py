"""From AU values to the standardised columns whose coefficients a regression penalises."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from analysis.errors import FitError
from analysis.logit.ridge import maximise, softmax
from analysis.logit.terms import Functions, Terms, make_terms, single_functions

if TYPE_CHECKING:
    from analysis.logit import MultinomialLogit

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
    mixture: Any
    mean: np.ndarray
    scale: np.ndarray

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Compute the standardised columns (n, C) of (n, p) AU values."""
        columns = (self.mixture.T @ self.terms(X).T).T
        columns -= self.mean
        columns /= self.scale
        return columns

    def to_terms(self, parameters: np.ndarray) -> np.ndarray:
        """Turn (..., C + 1) parameters of columns, the intercept first, into (..., T + 1) of terms."""
        return parameters @ self.matrix().T

    def from_terms(self, parameters: np.ndarray) -> np.ndarray:
        """Turn (..., T + 1) parameters of terms, as `to_terms` made them, back into (..., C + 1)."""
        return parameters @ np.linalg.pinv(self.matrix()).T

    def matrix(self) -> np.ndarray:
        """Make the (T + 1, C + 1) matrix that `to_terms` multiplies by."""
        matrix = np.zeros(np.add(self.mixture.shape, 1))
        matrix[0] = np.r_[1.0, -self.mean / self.scale]
        matrix[1:, 1:] = self.mixture.toarray() / self.scale
        return matrix


def design(problem: Problem, kind: str, knots: Any, pairs: Any, mixed: bool) -> Design:
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
    span the same functions but are all alike, so that a penalty on them is less apt.
    """
    values, names = problem.values, problem.names
    singles = single_functions(values, names, () if kind == "linear" else knots)
    if kind != "pairs":
        return standardised(make_terms(singles), values)
    chosen = strongest_pairs(problem, singles) if isinstance(pairs, str) else _known(pairs, names)
    products = _products(singles, [(names.index(a), names.index(b)) for a, b in chosen])
    terms = make_terms(singles, [(singles[s], singles[t]) for s, t in products])
    return standardised(terms, values, mixed)


def fitted_design(model: MultinomialLogit, values: np.ndarray) -> Design:
    """Make the design of a fitted model again, on (n, p) values in the order of its `feature_names_in_`.

    On the rows that it was fitted to, a fit to this design with the ridge strength `alpha_` is the model.
    """
    return standardised(model.fitted_terms, values, mixed=model.alpha_ > 0)


def standardised(terms: Terms, X: np.ndarray, mixed: bool = False) -> Design:
    """Find means and scales of columns, as `design` says, on (n, p) rows; those that do not vary drop out.

    The scale of a pair's column is its standard deviation times the root of `PAIR_PENALTY`, so that one
    ridge strength does for all.
    """
    from scipy import sparse

    mixed = mixed and bool(terms.paired.any())
    mixture = _mixture(terms, X) if mixed else sparse.eye_array(len(terms.names), format="csc")
    columns = (mixture.T @ terms(X).T).T
    mean, spread = columns.mean(axis=0), columns.std(axis=0)
    varies = spread > 1e-9 * np.abs(columns).max(axis=0)
    scale = spread * np.where(terms.paired, np.sqrt(PAIR_PENALTY), 1.0)
    return Design(terms, mixture[:, varies], mean[varies], scale[varies])


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
    ramps = alone(values) @ _ramps(alone)
    ramps -= ramps.mean(axis=0)
    strength = []
    for a, b in pairs:
        first, second = (ramps[:, owner == names.index(name)] for name in (a, b))
        columns = (first[:, :, None] * second[:, None, :]).reshape(len(values), -1)
        spread = columns.std(axis=0)
        gradient = (columns - columns.mean(axis=0)).T @ residual
        strength.append(((gradient[spread > 0] / spread[spread > 0, None]) ** 2).sum())
    kept = np.sort(np.argsort(strength)[-MOST_PAIRS:])
    return [pairs[i] for i in kept]


def _known(pairs: Any, names: list[str]) -> list[tuple[str, str]]:
    """Put each pair in the order of names, so that the order in which it was told does not matter."""
    ordered = []
    for pair in pairs:
        if isinstance(pair, str) or len(pair) != 2 or len(set(pair) & set(names)) != 2:
            raise FitError(f"pairs: expected two of {', '.join(names)}, got {pair!r}")
        ordered.append((min(pair), max(pair)))
    return sorted(set(ordered))


def _products(singles: Functions, pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """List the products of functions, as positions among the single ones, of pairs of AU numbers."""
    of: dict[int, list[int]] = {}
    for position, (feature, _, _) in enumerate(singles):
        of.setdefault(feature, []).append(position)
    return [(s, t) for a, b in pairs for s in of[a] for t in of[b]]


def _ramps(singles: Terms) -> np.ndarray:
    """Make the matrix that turns an AU and its hinges to its parts below, between and above the knots."""
    matrix = np.eye(len(singles.names))
    same = np.flatnonzero(singles.feature[:-1] == singles.feature[1:])
    matrix[same + 1, same] = -1.0
    return matrix


def _mixture(terms: Terms, X: np.ndarray) -> Any:
    """Express the penalised columns by terms: single functions, then products of centred ramps."""
    from scipy import sparse

    singles, products = terms.keep(~terms.paired), terms.keep(terms.paired)
    place = {function: s for s, function in enumerate(_functions(singles.feature, singles.knot))}
    first = _functions(products.feature, products.knot)
    second = _functions(products.second_feature, products.second_knot)
    ramps = _ramps(singles)
    means = singles(X).mean(axis=0) @ ramps
    parts = [np.flatnonzero(column).tolist() for column in ramps.T]
    position = {
        (place[a], place[b]): len(place) + i for i, (a, b) in enumerate(zip(first, second, strict=True))
    }
    entries: list[tuple[int, int, float]] = [(s, s, 1.0) for s in range(len(place))]
    for (s, t), column in position.items():
        entries += [(position[u, v], column, ramps[u, s] * ramps[v, t]) for u in parts[s] for v in parts[t]]
        entries += [(u, column, -means[t] * ramps[u, s]) for u in parts[s]]
        entries += [(v, column, -means[s] * ramps[v, t]) for v in parts[t]]
    rows, columns, weights = zip(*entries, strict=True)
    return sparse.csc_array((weights, (rows, columns)), shape=(len(terms.names),) * 2)


def _functions(feature: np.ndarray, knot: np.ndarray) -> list[tuple[int, float]]:
    """Make keys of functions of one AU; NaN, which equals nothing, becomes -inf."""
    return list(zip(feature.tolist(), np.where(np.isnan(knot), -np.inf, knot).tolist(), strict=True))
