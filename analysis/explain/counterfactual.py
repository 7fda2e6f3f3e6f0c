"""The smallest changes of AUs that would turn the answer into another emotion."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.aumatrix import FaceAUs, aligned
from analysis.errors import ModelError
from analysis.explain.change_problem import Found, Problem, one_au
from analysis.explain.given import class_number, one_row
from analysis.explain.search import fewest_aus, least_squares
from analysis.facs import SCALE_RANGES, parse_column, plain_name, short_name
from analysis.files import JsonObject
from analysis.likelihood.maximum import softmax
from analysis.rounding import percent

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.logit import MultinomialLogit

KINDS = ("least squares", "fewest AUs", "one AU")
_SEARCHES = {"least squares": least_squares, "fewest AUs": fewest_aus, "one AU": one_au}
_CHANGES_NAMED = 3


@dataclass(frozen=True)
class Change:
    """One way to the other emotion, or the finding that there is none.

    Attributes
    ----------
    kind : {'least squares', 'fewest AUs', 'one AU'}
        The smallest sum of squared changes; as few AUs as possible, of these the smallest sum of
        changes; the smallest change of a single AU.
    exists : bool
        Whether there is one.
    reason : str
        'none exists' where that is proved, 'none found' where the search is no proof; else ''.
    exact : bool
        Whether it is proved to be the smallest, or proved that there is none.
    changes : dict of str to (float, float)
        AU column to its value before and after, the largest change first.
    probabilities : dict of str to float
        Of every emotion, after the changes; empty where there are none.
    """

    kind: str
    exists: bool
    reason: str
    exact: bool
    changes: dict[str, tuple[float, float]]
    probabilities: dict[str, float]

    @property
    def text(self) -> str:
        """The changes in one line: 'lip corner puller AU12 3.4 to 1.2, cheek raiser AU6 2.0 to 0.9'."""
        if not self.exists:
            return "no change of a single AU does it" if self.kind == "one AU" else self.reason
        texts = [_change_text(au, *ends) for au, ends in self.changes.items()]
        rest = len(texts) - _CHANGES_NAMED
        line = ", ".join(texts[:_CHANGES_NAMED])
        return f"{line} and {rest} smaller changes" if rest > 1 else ", ".join(texts)


@dataclass(frozen=True)
class Counterfactual:
    """What would have to change in a face for another answer.

    Attributes
    ----------
    answer, target : str
        The emotion that the model names, and the one to be reached.
    margin : float
        By how much log(p_target / p_other) has to exceed zero for every other emotion.
    values : dict of str to float
        The face's AUs.
    ways : tuple of Change
        One of each kind asked for.
    """

    answer: str
    target: str
    margin: float
    values: dict[str, float]
    ways: tuple[Change, ...]

    def __getitem__(self, kind: str) -> Change:
        """Return the way of a kind."""
        for way in self.ways:
            if way.kind == kind:
                return way
        raise KeyError(kind)

    @property
    def text(self) -> str:
        """The way with the fewest changes in one line of plain words."""
        found = [way for way in self.ways if way.exists]
        if not found:
            return f"{self.target} instead of {self.answer}: {self.ways[0].reason}"
        way = min(found, key=lambda way: len(way.changes))
        reached = percent(way.probabilities[self.target])
        return f"{self.target} ({reached}) instead of {self.answer}: {way.text}"

    def to_frame(self) -> pd.DataFrame:
        """Lay the changes out: a row for each AU that changes, one without AU for a way that is none.

        Columns `answer, target, kind, exists, exact, reason, au, name, before, after, probability`; the
        last is the target's after all changes of that kind.
        """
        import pandas as pd

        columns = ["answer", "target", "kind", "exists", "exact", "reason", "au", "name"]
        return pd.DataFrame(self.rows(), columns=[*columns, "before", "after", "probability"])

    def rows(self) -> list[JsonObject]:
        """Return the rows of `to_frame`."""
        rows = []
        for way in self.ways:
            head = {"answer": self.answer, "target": self.target, "kind": way.kind, "exists": way.exists}
            head |= {"exact": way.exact, "reason": way.reason}
            for au, (before, after) in way.changes.items():
                change = {"au": au, "name": plain_name(au), "before": before, "after": after}
                rows.append({**head, **change, "probability": way.probabilities[self.target]})
            if not way.changes:
                rows.append(head)
        return rows

    def to_dict(self) -> JsonObject:
        """Lay it out as JSON would hold it."""
        return {
            "answer": self.answer,
            "target": self.target,
            "margin": self.margin,
            "text": self.text,
            "ways": [
                {
                    "kind": way.kind,
                    "exists": way.exists,
                    "exact": way.exact,
                    "reason": way.reason,
                    "text": way.text,
                    "changes": [
                        {"au": au, "name": plain_name(au), "before": before, "after": after}
                        for au, (before, after) in way.changes.items()
                    ],
                    "probabilities": way.probabilities,
                }
                for way in self.ways
            ],
        }

    def plot(self, top: int = 20) -> Figure:
        """Draw the changes; `top` as for `analysis.plots.counterfactual`."""
        from analysis import plots

        return plots.counterfactual(self, top=top)


def counterfactual(
    model: MultinomialLogit,
    x: FaceAUs,
    *,
    to: str | None = None,
    kinds: Collection[str] = KINDS,
    fixed: Collection[str] = (),
    margin: float = 0.05,
) -> Counterfactual:
    """Find the smallest changes of AUs after which the model gives another answer.

    Parameters
    ----------
    model : MultinomialLogit
        Fitted.
    x : mapping, Series, (p,) array, or a table of one row
        AU values, by column or in the order of `model.input_names_`.
    to : str, optional
        The emotion to reach; the second likeliest unless told otherwise.
    kinds : collection of {'least squares', 'fewest AUs', 'one AU'}
        Which smallest changes to look for.
    fixed : collection of str
        AU columns that have to stay as they are, such as those of the head's pose.
    margin : float, default 0.05
        By how much log(p_to / p_other) has to exceed zero for every other emotion.

    Returns
    -------
    Counterfactual
        Every way in it was put to the model again, and reaches `to` by the margin.

    Raises
    ------
    ModelError
        For an emotion that is the answer already or that the model does not know, an AU without value,
        an unknown kind or AU, or a margin below zero.

    Notes
    -----
    Each AU stays between its smallest and largest training value, or its own value where that lies
    beyond. Presence (scale c) stays 0 or 1. Changes are measured in units of the AUs' scale.

    Every other emotion has to be beaten: the closed form for the answer alone misses in about half of
    the cases, since a third emotion wins. One AU: exact for every model, since logits are piecewise
    linear in one AU. For models without pairs, fewest AUs and least squares are mixed-integer linear
    programmes (scipy's HiGHS) over the pieces of the terms, squares by tangents that are refined where
    the answer lies (Kelley 1960); they find the smallest change, or prove that there is none. With
    pairs logits are no longer piecewise linear: both are searched from several starts by SLSQP, and
    what is not found may exist. Wachter, Mittelstadt & Russell (2018, Harvard JL&T 31:841) name the
    idea.

    On one core, 35 AUs with hinges take 3 ms for one AU, 6 ms for the fewest and 0.2 s for least squares
    on average; 17 AUs with all pairs (1,131 terms) 4 ms, 0.2 s and 0.2 s (`benchmarks/explanation.py`).
    """
    unknown = [kind for kind in kinds if kind not in _SEARCHES]
    if unknown or not kinds:
        raise ModelError(f"kinds: expected some of {', '.join(KINDS)}, got {unknown or 'none'}")
    if not margin > 0:
        raise ModelError(f"margin: expected a number above 0, got {margin!r}")
    rows = aligned(one_row(x), model)
    if len(rows) != 1 or np.isnan(rows).any():
        raise ModelError("x: expected one face with a value for every AU")
    names = [str(name) for name in model.feature_names_in_]
    strange = [au for au in fixed if au not in names]
    if strange:
        raise ModelError(f"fixed: the model has no {', '.join(strange)}")
    if set(fixed) >= set(names):
        raise ModelError("fixed: no AU is left that could change; name fewer")
    values = rows[0]
    scores = model.terms_of(rows)[0] @ model.coef_.T + model.intercept_
    order = np.argsort(-scores, kind="stable")
    goal = order[1] if to is None else class_number(model, to, "to")
    classes = [str(name) for name in model.classes_]
    if goal == order[0]:
        raise ModelError(f"to: {classes[goal]} is the answer for this face already; name another emotion")
    problem = _problem(model, values, int(goal), margin, np.isin(names, list(fixed)))
    ways = tuple(_way(problem, kind, names, classes) for kind in KINDS if kind in kinds)
    return Counterfactual(
        classes[order[0]], classes[goal], margin, dict(zip(names, values.tolist(), strict=True)), ways
    )


def _problem(
    model: MultinomialLogit, values: np.ndarray, goal: int, margin: float, fixed: np.ndarray
) -> Problem:
    low, high = model.feature_range_
    if model.scale_ in SCALE_RANGES:
        low, high = np.clip(low, *SCALE_RANGES[model.scale_]), np.clip(high, *SCALE_RANGES[model.scale_])
    low, high = np.minimum(low, values), np.maximum(high, values)
    low, high = np.where(fixed, values, low), np.where(fixed, values, high)
    return Problem(model, values, low, high, goal, margin, whole=model.scale_ == "c")


def _way(problem: Problem, kind: str, names: list[str], classes: list[str]) -> Change:
    found: Found = _SEARCHES[kind](problem)
    if found.values is None:
        return Change(kind, False, "none exists" if found.exact else "none found", found.exact, {}, {})
    moves = found.values - problem.values
    order = [j for j in np.argsort(-np.abs(moves), kind="stable") if moves[j] != 0]
    changes = {names[j]: (float(problem.values[j]), float(found.values[j])) for j in order}
    probabilities = softmax(problem.scores(found.values[None]))[0].tolist()
    return Change(kind, True, "", found.exact, changes, dict(zip(classes, probabilities, strict=True)))


def _change_text(au: str, before: float, after: float) -> str:
    if parse_column(au) is None:
        return f"{au} {before:.3g} to {after:.3g}"
    return f"{plain_name(au)} {short_name(au)} {before:.2f} to {after:.2f}"
