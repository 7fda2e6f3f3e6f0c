"""Smallest changes for models that are sums over AUs, as mixed-integer linear programmes.

An AU moves along straight pieces, between the knots of its terms: a variable for the share of each piece
that is used, one of 0 and 1 for whether it is. Pieces of an AU are used up from the innermost on, and to one
side only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from analysis.explain.change_problem import Found, Pieces, Problem, descend, nearest, starts

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

_SECONDS = 10.0
_INFEASIBLE = 2
_ROUNDS = 20
_GAP = 0.01
"""How far above the proved bound a sum of squares may lie and still be called the smallest."""


def fewest_of_sum(problem: Problem) -> Found:
    """Find a change of the fewest AUs, of these the one with the smallest sum of changes."""
    pieces = problem.pieces
    small = 0.5 * pieces.length / max(float(pieces.length.sum()), 1e-12)
    cost = np.r_[small, (pieces.start == 0.0).astype(float)]
    answer = _solve(problem, cost, [])
    if answer.x is None:
        return Found(None, answer.status == _INFEASIBLE)
    return Found(problem.settled(_values(problem, answer.x)), answer.status == 0)


def least_squares_of_sum(problem: Problem) -> Found:
    """Find a change of the smallest sum of squares, between tangents of the squares and descents."""
    best = nearest(problem, [descend(problem, start) for start in starts(problem)])
    touch: list[np.ndarray] = []
    for _ in range(_ROUNDS):
        near = problem if best is None else _within(problem, best)
        reach = near.high - near.low
        touch += [reach * 0.0, reach * 0.2] if not touch else []
        touch += [] if best is None else [np.abs(best - problem.values)]
        cost = np.r_[np.zeros(2 * len(near.pieces.length)), np.ones(len(reach))]
        answer = _solve(near, cost, touch)
        if answer.x is None:
            return Found(best, answer.status == _INFEASIBLE and best is None)
        values = _values(near, answer.x)
        best = nearest(problem, [best, problem.settled(values), descend(problem, values)])
        if best is None:
            return Found(None, False)
        if ((best - problem.values) ** 2).sum() * (1.0 - _GAP) <= answer.mip_dual_bound:
            return Found(best, True)
        touch.append(np.abs(values - problem.values))
    return Found(best, False)


def _within(problem: Problem, best: np.ndarray) -> Problem:
    """Leave out what no better change can reach: no AU moves further than the whole of the best."""
    far = float(np.sqrt(((best - problem.values) ** 2).sum()))
    low = np.maximum(problem.low, problem.values - far)
    return replace(problem, low=low, high=np.minimum(problem.high, problem.values + far))


def _solve(problem: Problem, cost: np.ndarray, touch: list[np.ndarray]) -> OptimizeResult:
    """Minimise `cost` over [share, whether] of each piece and, with tangents, the squares of the moves."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    pieces = problem.pieces
    count = len(pieces.length)
    squares = len(cost) - 2 * count
    rows, low, high = _rules(problem, pieces, squares)
    if touch:
        more, limit = _tangents(pieces, squares, touch)
        rows, low, high = np.vstack([rows, more]), np.r_[low, limit], np.r_[high, np.full(len(limit), np.inf)]
    upper = np.r_[np.ones(2 * count), np.full(squares, np.inf)]
    with _silent_stdout():
        return milp(
            cost,
            integrality=np.r_[np.zeros(count), np.ones(count), np.zeros(squares)],
            bounds=Bounds(np.zeros(len(cost)), upper),
            constraints=LinearConstraint(csr_array(rows), low, high),
            options={"time_limit": _SECONDS, "mip_rel_gap": _GAP / 2.0 if squares else 0.0},
        )


def _rules(problem: Problem, pieces: Pieces, squares: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    count = len(pieces.length)
    share, used = np.eye(count, 2 * count + squares), np.eye(count, 2 * count + squares, k=count)
    now = problem.leads(problem.values[None])[0]
    goal = np.hstack([(pieces.slope * pieces.length[:, None]).T, np.zeros((len(now), count + squares))])
    within = share - used  # a piece that is not used has no share
    outer = np.flatnonzero(pieces.start > 0.0)  # and one further out begins where the one before ends
    full = share[outer - 1] - used[outer]
    inner = pieces.start == 0.0
    sides = np.array([used[inner & (pieces.feature == j)].sum(axis=0) for j in np.unique(pieces.feature)])
    sides = sides.reshape(-1, 2 * count + squares)
    rows = np.vstack([goal, within, full, sides])
    parts = (len(goal), len(within), len(full), len(sides))
    low = np.repeat([0.0, -np.inf, 0.0, -np.inf], parts)
    low[: len(goal)] = problem.margin - now
    if problem.whole:
        low[len(goal) : len(goal) + len(within)] = 0.0
    return rows, low, np.repeat([np.inf, 0.0, np.inf, 1.0], parts)


def _tangents(pieces: Pieces, squares: int, touch: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Bound each square of a move d from below: s - 2 a d >= -a * a, for every touching point a."""
    count = len(pieces.length)
    move = np.where(pieces.feature == np.arange(squares)[:, None], pieces.length, 0.0)
    blocks = [
        np.hstack([-2.0 * a[:, None] * move, np.zeros((squares, count)), np.eye(squares)]) for a in touch
    ]
    return np.vstack(blocks), np.concatenate([-a * a for a in touch])


@contextmanager
def _silent_stdout() -> Iterator[None]:
    """Keep a line that HiGHS 1.12 prints (its issue 2783) out of the process's stdout, which is for data."""
    kept = os.dup(1)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _values(problem: Problem, solution: np.ndarray) -> np.ndarray:
    pieces = problem.pieces
    values = problem.values.copy()
    np.add.at(values, pieces.feature, pieces.sign * pieces.length * solution[: len(pieces.length)])
    return values
