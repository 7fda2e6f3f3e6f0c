"""What a penalty on pairs of AUs acts on: products of ramps instead of products of hinges."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from analysis.likelihood.terms import Terms

if TYPE_CHECKING:
    from scipy.sparse import csc_array

Systems = list[dict[int, list[int]]]


def system_count(knots: Sequence[float]) -> int:
    """Say in how many systems of ramps knots are used: two knots each, more make systems that overlap."""
    return max(1, len(knots) // 2)


def knot_systems(features: Iterable[int], count: int) -> Systems:
    """Deal the functions of each AU to systems: the AU itself to all, its hinges in turn.

    Parameters
    ----------
    features : iterable of int
        The AU of each function; of one AU first itself, then its hinges by their knots.
    count : int
        Number of systems.

    Returns
    -------
    list of dict
        For each system, from an AU to the positions of its functions.
    """
    of: dict[int, list[int]] = {}
    for position, feature in enumerate(features):
        of.setdefault(int(feature), []).append(position)
    return [{j: [own[0], *own[1 + s :: count]] for j, own in of.items()} for s in range(count)]


def products(systems: Systems, pairs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """List the products, as two positions each, of pairs of AUs; each once."""
    found = [(s, t) for a, b in pairs for system in systems for s in system[a] for t in system[b]]
    return list(dict.fromkeys(found))


def ramps(features: np.ndarray) -> np.ndarray:
    """Make the matrix that turns an AU and its hinges to its parts below, between and above the knots."""
    matrix = np.eye(len(features))
    same = np.flatnonzero(features[:-1] == features[1:])
    matrix[same + 1, same] = -1.0
    return matrix


def mixture(terms: Terms, X: np.ndarray, count: int) -> csc_array:
    """Express the penalised columns by terms.

    Parameters
    ----------
    terms : Terms
        T terms, the single functions first.
    X : (n, p) float64 ndarray
        Rows whose means centre the ramps.
    count : int
        Number of knot systems.

    Returns
    -------
    (T, C) scipy.sparse array
        The single functions; then, system by system, products of centred ramps. Products that several
        systems have in common make C larger than T.
    """
    from scipy import sparse

    single, double = terms.keep(~terms.paired), terms.keep(terms.paired)
    place = {function: s for s, function in enumerate(_functions(single.feature, single.knot))}
    first = _functions(double.feature, double.knot)
    second = _functions(double.second_feature, double.second_knot)
    position = {
        (place[a], place[b]): len(place) + i for i, (a, b) in enumerate(zip(first, second, strict=True))
    }
    pairs = list(dict.fromkeys((a, b) for (a, _), (b, _) in zip(first, second, strict=True)))
    means = single(X).mean(axis=0)
    entries: list[tuple[int, int, float]] = [(s, s, 1.0) for s in range(len(place))]
    column = len(place)
    for system in knot_systems(single.feature, count):
        parts = {j: _parts(own, means) for j, own in system.items()}
        for a, b in pairs:
            for one, mean in parts[a]:
                for other, other_mean in parts[b]:
                    entries += [(position[u, v], column, f * g) for u, f in one for v, g in other]
                    entries += [(u, column, -other_mean * f) for u, f in one]
                    entries += [(v, column, -mean * g) for v, g in other]
                    column += 1
    rows, columns, weights = zip(*entries, strict=True)
    return sparse.csc_array((weights, (rows, columns)), shape=(len(terms.names), column))


def _parts(own: list[int], means: np.ndarray) -> list[tuple[list[tuple[int, float]], float]]:
    """Make each ramp of an AU, as what it takes of which function, with its mean."""
    functions = [[(u, 1.0), (v, -1.0)] for u, v in pairwise(own)]
    functions.append([(own[-1], 1.0)])
    return [(ramp, sum(f * means[u] for u, f in ramp)) for ramp in functions]


def _functions(feature: np.ndarray, knot: np.ndarray) -> list[tuple[int, float]]:
    """Make keys of functions of one AU; NaN, which equals nothing, becomes -inf."""
    return list(zip(feature.tolist(), np.where(np.isnan(knot), -np.inf, knot).tolist(), strict=True))
