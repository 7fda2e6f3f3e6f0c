"""Explanations as records, and the steps of their waterfall, for figures, reports and notebooks alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

from analysis.display import au_title

Record: TypeAlias = Mapping[str, Any]
"""An explanation as `FaceExplanation.to_dict` lays it out and `explanations.jsonl` holds it."""


class HasRecord(Protocol):
    """A `FaceExplanation`, or whatever else lays itself out as one."""

    def to_dict(self) -> dict[str, Any]:
        """Return its record."""


Explained: TypeAlias = HasRecord | Record

RESIDUAL_SHOWN = 1e-6
"""Up to this size what contributions leave over is rounding; above it, it is shown."""


@dataclass(frozen=True)
class Step:
    """One bar of a waterfall, in units of the centred logit.

    Attributes
    ----------
    kind : {'baseline', 'au', 'others', 'residual', 'logit'}
        What the bar stands for.
    label : str
        Text beside the bar, such as ``'AU12 lip corner puller'``.
    start, end : float
        Where the bar begins and ends; ``end - start`` is the contribution. The first and the last bar are
        levels and begin at 0.
    item : mapping or None
        The Action Unit's own record where `kind` is ``'au'``.
    """

    kind: str
    label: str
    start: float
    end: float
    item: Mapping[str, Any] | None = None

    @property
    def change(self) -> float:
        """Height of the bar with its sign."""
        return self.end - self.start


def waterfall_steps(explanation: Explained, top: int = 8) -> list[Step]:
    """Lay the contributions of one face end to end, from the baseline's logit to this face's.

    Parameters
    ----------
    explanation : FaceExplanation or mapping
        An explanation, or its ``to_dict()`` record.
    top : int, default 8
        How many Action Units get a bar of their own; the rest are summed in one bar.

    Returns
    -------
    list of Step
        Baseline, the strongest Action Units by absolute contribution, the others' sum, the residual where it
        is not rounding, and the face's logit.
    """
    record = as_record(explanation)
    items = sorted(record["aus"], key=lambda item: -abs(number(item["contribution"])))
    own, rest = (items, []) if len(items) <= top + 1 else (items[:top], items[top:])
    level = float(record["baseline_logit"])
    steps = [Step("baseline", f"baseline: {_baseline_word(record)}", 0.0, level)]
    for item in own:
        change = number(item["contribution"])
        steps.append(Step("au", au_title(item["au"]), level, level + change, item))
        level += change
    if rest:
        change = sum(number(item["contribution"]) for item in rest)
        steps.append(Step("others", f"{len(rest)} other AUs together", level, level + change))
        level += change
    residual = number(record.get("residual"))
    if abs(residual) > RESIDUAL_SHOWN:
        steps.append(Step("residual", "not explained (residual)", level, level + residual))
    steps.append(Step("logit", f"this face: {record['target']}", 0.0, float(record["logit"])))
    return steps


def as_record(explanation: Explained) -> Mapping[str, Any]:
    """Return an explanation as its ``to_dict()`` record; a record stays as it is."""
    return explanation if isinstance(explanation, Mapping) else explanation.to_dict()


def number(value: float | None) -> float:
    """Return a number of a record; what is missing, NaN or infinite counts as 0."""
    return float(value) if value is not None and np.isfinite(float(value)) else 0.0


def interval_of(item: Mapping[str, Any] | None, what: str) -> tuple[float, float]:
    """Return the interval of an AU's contribution or contrast; NaN where the record gives none.

    Parameters
    ----------
    item : mapping or None
        One entry of a record's ``aus``.
    what : {'contribution', 'contrast'}

    Returns
    -------
    low, high : float
    """
    before = "" if what == "contribution" else f"{what}_"
    ends = ((item or {}).get(f"{before}{end}") for end in ("low", "high"))
    low, high = (np.nan if end is None else float(end) for end in ends)
    return low, high


def _baseline_word(record: Mapping[str, Any]) -> str:
    words = {"population": "average face", "neutral": "average neutral face"}
    return words.get(str(record.get("baseline")), "chosen baseline")
