"""Searches for the smallest change: exact along one AU and for sums over AUs, else from several starts."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from analysis.explain.change_problem import Found, Problem, descend, nearest, one_au, starts

_MOST_FLIPS = 3
"""Up to how many AUs of presence are turned over together where pairs leave nothing but trying."""


def fewest_aus(problem: Problem) -> Found:
    """Find a change of as few AUs as possible."""
    if problem.whole and problem.paired:
        return _flipped(problem)
    single = one_au(problem)
    if single.values is not None:
        return single
    if not problem.paired:
        from analysis.explain.milp import fewest_of_sum

        return fewest_of_sum(problem)
    wide = least_squares(problem).values
    if wide is None:
        return Found(None, False)
    order = np.argsort(-np.abs(wide - problem.values), kind="stable")
    for count in range(2, int((wide != problem.values).sum())):
        free = np.isin(np.arange(len(order)), order[:count])
        narrow = descend(problem, np.where(free, wide, problem.values), free)
        if narrow is not None:
            return Found(narrow, count == 2)
    return Found(wide, False)


def least_squares(problem: Problem) -> Found:
    """Find a change of the smallest sum of squares."""
    if problem.whole:
        return fewest_aus(problem)
    if not problem.paired:
        from analysis.explain.milp import least_squares_of_sum

        return least_squares_of_sum(problem)
    return Found(nearest(problem, [descend(problem, start) for start in starts(problem)]), False)


def _flipped(problem: Problem) -> Found:
    """Turn AUs of presence over, ever more of them together."""
    movable = np.flatnonzero(problem.high > problem.low)
    for count in range(1, _MOST_FLIPS + 1):
        sets = np.array(list(combinations(movable, count)), dtype=np.intp).reshape(-1, count)
        values = np.tile(problem.values, (len(sets), 1))
        rows = np.arange(len(sets))[:, None]
        values[rows, sets] = 1.0 - values[rows, sets]
        good = problem.reached(values)
        if good.any():
            return Found(values[good][problem.leads(values[good]).min(axis=1).argmax()], True)
    return Found(None, len(movable) <= _MOST_FLIPS)
