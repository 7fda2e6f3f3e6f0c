"""From AU values to the standardised columns that a regression is fitted to."""

from __future__ import annotations

from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from analysis.errors import FitError
from analysis.terms import Functions, Terms, make_terms, single_functions

PAIR_QUANTILES = (0.6,)
"""Where the hinges of pairs begin."""

PAIR_PENALTY = 10.0
"""How much more strongly the coefficients of pairs are drawn to zero than those of single AUs."""


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
    """Terms with the means and scales (T,) that standardise them on training rows."""

    terms: Terms
    mean: np.ndarray
    scale: np.ndarray

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Standardise the terms of (n, p) AU values: (n, T)."""
        columns = self.terms(X)
        columns -= self.mean
        columns /= self.scale
        return columns


def standardised(terms: Terms, X: np.ndarray) -> Design:
    """Find means and scales on the training rows (n, p); terms that do not vary are left out.

    The scale of a pair's term is its standard deviation times the root of `PAIR_PENALTY`, so that one
    ridge strength does for all.
    """
    columns = terms(X)
    spread = columns.std(axis=0)
    varies = spread > 1e-9 * np.abs(columns).max(axis=0)
    terms = terms.keep(varies)
    scale = spread[varies] * np.where(terms.paired, np.sqrt(PAIR_PENALTY), 1.0)
    return Design(terms, columns[:, varies].mean(axis=0), scale)


def design(problem: Problem, kind: str, knots: Any, pairs: Any) -> Design:
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
        Which AUs are multiplied; 'auto' for all.

    Returns
    -------
    Design

    Raises
    ------
    FitError
        For a pair of unknown AUs.
    """
    values, names = problem.values, problem.names
    singles = single_functions(values, names, () if kind == "linear" else knots)
    products = []
    if kind == "pairs":
        functions = single_functions(values, names, PAIR_QUANTILES)
        chosen = combinations(sorted(names), 2) if isinstance(pairs, str) else _known(pairs, names)
        products = [product for pair in chosen for product in _products(functions, pair, names)]
    return standardised(make_terms(singles, products), values)


def _known(pairs: Any, names: list[str]) -> list[tuple[str, str]]:
    """Put each pair in the order of names, so that the order in which it was told does not matter."""
    ordered = []
    for pair in pairs:
        if isinstance(pair, str) or len(pair) != 2 or len(set(pair) & set(names)) != 2:
            raise FitError(f"pairs: expected two of {', '.join(names)}, got {pair!r}")
        ordered.append((min(pair), max(pair)))
    return sorted(set(ordered))


def _products(functions: Functions, pair: tuple[str, str], names: list[str]) -> list[Any]:
    first, second = ([f for f in functions if names[f[0]] == name] for name in pair)
    return [(a, b) for a in first for b in second]
