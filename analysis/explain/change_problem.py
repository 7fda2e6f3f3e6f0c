"""The smallest change of a face's AUs to another answer, as a problem of least squares."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from analysis.logit import MultinomialLogit


NEARLY = 0.99
"""The share of the margin that the model has to confirm: what rounding within a solver may cost."""
_STILL = 1e-6
"""A change below this share of the AU's range is taken back."""


class Found(NamedTuple):
    """The AU values (p,) after the change, or None; and whether smallest, or none, is proved."""

    values: np.ndarray | None
    exact: bool


class Pieces(NamedTuple):
    """Straight pieces of the goal's leads along single AUs, each counted outward from the face's value.

    `feature` (P,) intp, `sign` (P,) +1 or -1, `start` and `length` (P,) float64 in units of the AU,
    `level` and `slope` (P, K - 1): each lead where the piece starts, and its change per unit outward.
    Pieces of one AU and sign stand together, the innermost first.
    """

    feature: np.ndarray
    sign: np.ndarray
    start: np.ndarray
    length: np.ndarray
    level: np.ndarray
    slope: np.ndarray


@dataclass(frozen=True)
class Problem:
    """One face, the class to be reached, and between which values each AU may move.

    Attributes
    ----------
    model : MultinomialLogit
    values, low, high : (p,) float64 ndarray
        The face's AUs and their limits.
    goal : int
        The class.
    margin : float
        By how much its logit has to exceed every other.
    whole : bool
        Whether AUs are 0 or 1 only.
    """

    model: MultinomialLogit
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    goal: int
    margin: float
    whole: bool

    @property
    def paired(self) -> bool:
        """Whether the model has terms of two AUs."""
        return bool((self.model.term_second_feature_ >= 0).any())

    def scores(self, values: np.ndarray) -> np.ndarray:
        """Compute the logits (n, K) of (n, p) AU values."""
        return np.asarray(self.model.terms_of(values) @ self.model.coef_.T + self.model.intercept_)

    def leads(self, values: np.ndarray) -> np.ndarray:
        """How far the goal's logit lies above each other class's: (n, K - 1) for (n, p) AU values."""
        scores = self.scores(values)
        return np.asarray(scores[:, [self.goal]] - np.delete(scores, self.goal, axis=1))

    def reached(self, values: np.ndarray) -> np.ndarray:
        """Which of (n, p) AU values the model gives the goal: (n,) bool."""
        return np.asarray(self.leads(values).min(axis=1) >= NEARLY * self.margin)

    def settled(self, values: np.ndarray) -> np.ndarray | None:
        """Bring AU values within limits and take back what hardly moved; None where they miss the goal."""
        values = np.clip(values, self.low, self.high)
        still = np.abs(values - self.values) <= _STILL * (self.high - self.low)
        values = np.where(still, self.values, np.round(values) if self.whole else values)
        return values if self.reached(values[None])[0] else None

    @cached_property
    def pieces(self) -> Pieces:
        """The straight pieces of the leads along every AU."""
        model = self.model
        found, ends = [], []
        for j, now in enumerate(self.values):
            first, second = model.term_feature_ == j, model.term_second_feature_ == j
            knots = np.r_[model.term_knot_[first], model.term_second_knot_[second], self.low[j], self.high[j]]
            knots = knots[(knots >= self.low[j]) & (knots <= self.high[j])]
            for sign in (1.0, -1.0):
                away = np.unique(np.r_[0.0, sign * (knots - now)])
                away = away[away >= 0.0]
                for near, far in pairwise(away.tolist()):
                    found.append((j, sign, near, far - near))
                    ends += [_moved(self.values, j, sign * near), _moved(self.values, j, sign * far)]
        feature, side, start, length = np.array(found).reshape(-1, 4).T
        leads = self.leads(np.array(ends).reshape(-1, len(self.values)))
        slope = (leads[1::2] - leads[::2]) / length[:, None]
        return Pieces(feature.astype(np.intp), side, start, length, leads[::2], slope)


def one_au(problem: Problem) -> Found:
    """Find the smallest change of a single AU: along it every lead is straight between knots."""
    pieces = problem.pieces
    missing = problem.margin - pieces.level
    with np.errstate(divide="ignore", invalid="ignore"):
        where = missing / pieces.slope
    rising, falling = pieces.slope > 0, pieces.slope < 0
    least = np.where(rising, where, 0.0).max(axis=1, initial=0.0)
    most = np.minimum(np.where(falling, where, np.inf).min(axis=1, initial=np.inf), pieces.length)
    possible = (least <= most) & ~((pieces.slope == 0) & (missing > 0)).any(axis=1)
    if problem.whole:
        possible, least = possible & (most == pieces.length), pieces.length
    size = np.where(possible, pieces.start + least, np.inf)
    for i in np.argsort(size, kind="stable")[: possible.sum()]:
        changed = problem.settled(_moved(problem.values, pieces.feature[i], pieces.sign[i] * size[i]))
        if changed is not None:
            return Found(changed, True)
    return Found(None, True)


def starts(problem: Problem) -> list[np.ndarray]:
    """List where to start a descent: the face, the goal's mean face, the way between, one AU's change."""
    mean = np.clip(problem.model.class_feature_mean_[problem.goal], problem.low, problem.high)
    found = [problem.values, (problem.values + mean) / 2.0, mean]
    single = one_au(problem).values
    return found if single is None else [*found, single]


def nearest(problem: Problem, candidates: list[np.ndarray | None]) -> np.ndarray | None:
    """Pick the candidate of the smallest sum of squared changes."""
    found = [values for values in candidates if values is not None]
    return min(found, key=lambda values: float(((values - problem.values) ** 2).sum()), default=None)


def descend(problem: Problem, start: np.ndarray, free: np.ndarray | None = None) -> np.ndarray | None:
    """Search by SLSQP from a start (p,) for the smallest sum of squares, moving the `free` AUs (p,) only."""
    from scipy.optimize import minimize

    movable = problem.high > problem.low if free is None else free & (problem.high > problem.low)
    own = np.flatnonzero(movable)
    home, scale = problem.values[own], (problem.high - problem.low)[own].max(initial=0.0)
    if not len(own):
        return None

    def whole(some: np.ndarray) -> np.ndarray:
        values = problem.values.copy()
        values[own] = home + scale * some
        return values

    answer = minimize(
        lambda some: (float(some @ some), 2.0 * some),
        (start[own] - home) / scale,
        jac=True,
        method="SLSQP",
        bounds=np.column_stack([problem.low[own] - home, problem.high[own] - home]) / scale,
        constraints={
            "type": "ineq",
            "fun": lambda some: problem.leads(whole(some)[None])[0] - problem.margin,
            "jac": lambda some: scale * _slopes(problem, whole(some))[:, own],
        },
        options={"maxiter": 200, "ftol": 1e-10},
    )
    return problem.settled(whole(answer.x))


def _slopes(problem: Problem, values: np.ndarray) -> np.ndarray:
    """Differentiate the leads by the AUs: (K - 1, p)."""
    model = problem.model
    f, f_rise = _factor(values, model.term_feature_, model.term_knot_)
    g, g_rise = _factor(values, model.term_second_feature_, model.term_second_knot_)
    paired = model.term_second_feature_ >= 0
    rows = np.arange(len(f))
    rise = np.zeros((len(f), len(values)))
    rise[rows, model.term_feature_] = f_rise * np.where(paired, g, 1.0)
    rise[rows[paired], model.term_second_feature_[paired]] = (f * g_rise)[paired]
    slopes = model.coef_ @ rise
    return slopes[[problem.goal]] - np.delete(slopes, problem.goal, axis=0)


def _factor(values: np.ndarray, feature: np.ndarray, knot: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, bend = values[feature], np.where(np.isnan(knot), -np.inf, knot)
    return np.where(x > bend, x - np.where(np.isinf(bend), 0.0, bend), 0.0), (x > bend).astype(float)


def _moved(values: np.ndarray, j: int, by: float) -> np.ndarray:
    changed = values.copy()
    changed[j] += by
    return changed
