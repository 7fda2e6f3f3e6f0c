"""How results are shown, for figures and reports alike: names, order, signs and the steps of a waterfall."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.facs import EMOTIONS, parse_column, plain_name
from analysis.rationale import short_name

if TYPE_CHECKING:
    import pandas as pd

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


def au_title(column: str) -> str:
    """Write an AU column as a reader says it: ``'AU12_r'`` becomes ``'AU12 lip corner puller'``.

    Parameters
    ----------
    column : str
        A column such as ``'AU12_r'``. A name that is no AU column is returned unchanged.

    Returns
    -------
    str
    """
    words = plain_name(column)
    return short_name(column) if words == column else f"{short_name(column)} {words}"


def signed(value: float, digits: int = 2) -> str:
    """Format a number with its sign, using a true minus; zero has no sign.

    Parameters
    ----------
    value : float
    digits : int, default 2
        Digits after the point.

    Returns
    -------
    str
    """
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")


def waterfall_steps(explanation: Any, top: int = 8) -> list[Step]:
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
    items = sorted(record["aus"], key=lambda item: -abs(_number(item["contribution"])))
    own, rest = (items, []) if len(items) <= top + 1 else (items[:top], items[top:])
    level = float(record["baseline_logit"])
    steps = [Step("baseline", f"baseline: {_baseline_word(record)}", 0.0, level)]
    for item in own:
        change = _number(item["contribution"])
        steps.append(Step("au", au_title(item["au"]), level, level + change, item))
        level += change
    if rest:
        change = sum(_number(item["contribution"]) for item in rest)
        steps.append(Step("others", f"{len(rest)} other AUs together", level, level + change))
        level += change
    residual = _number(record.get("residual"))
    if abs(residual) > RESIDUAL_SHOWN:
        steps.append(Step("residual", "not explained (residual)", level, level + residual))
    steps.append(Step("logit", f"this face: {record['target']}", 0.0, float(record["logit"])))
    return steps


def in_order(emotions: Iterable[str]) -> list[str]:
    """List distinct emotions in the usual order; other labels follow by alphabet."""
    known = {name: place for place, name in enumerate(EMOTIONS)}
    return sorted(dict.fromkeys(emotions), key=lambda name: (known.get(name, len(known)), str(name)))


def coefficient_grid(coefficients: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Spread a tidy coefficient table into term x emotion, in FACS order and the usual order of emotions.

    Parameters
    ----------
    coefficients : pandas.DataFrame
        Columns ``emotion, au, term, coef`` and, optionally, ``se``. Rows whose `au` is no AU column
        (the intercepts) are left out.

    Returns
    -------
    coef, se : pandas.DataFrame
        Both indexed by term, one column per emotion; `se` is NaN where it is not given.
    """
    frame = coefficients[[parse_column(str(au)) is not None for au in coefficients["au"]]]
    if "se" not in frame:
        frame = frame.assign(se=np.nan)
    order = sorted(
        dict.fromkeys(zip(frame["au"], frame["term"], strict=True)), key=lambda pair: au_number(str(pair[0]))
    )
    terms = [term for _, term in order]
    emotions = in_order(frame["emotion"])
    spread = frame.pivot(index="term", columns="emotion", values=["coef", "se"])
    return (spread["coef"].loc[terms, emotions], spread["se"].loc[terms, emotions])


def term_titles(coefficients: pd.DataFrame, terms: Sequence[str]) -> list[str]:
    """Name the rows of a coefficient grid: the AU's title, and the knot above which a hinge term adds.

    Parameters
    ----------
    coefficients : pandas.DataFrame
        Columns ``au`` and ``term``.
    terms : sequence of str
        The rows, in order.

    Returns
    -------
    list of str
    """
    au_of = dict(zip(coefficients["term"], coefficients["au"], strict=True))
    titles = []
    for term in terms:
        knot = str(term).partition(">")[2]
        titles.append(au_title(au_of[term]) + (f", extra above {knot}" if knot else ""))
    return titles


def scale_of(columns: Sequence[str]) -> str:
    """Tell the scale that AU columns are on: ``'r'``, ``'p'`` or ``'c'``.

    Parameters
    ----------
    columns : sequence of str
        AU columns of one scale.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If there is no AU column, or the columns mix scales.
    """
    suffixes = {parsed[1] for column in columns if (parsed := parse_column(str(column)))}
    if len(suffixes) != 1:
        raise ValueError(
            f"columns: expected AU columns of one scale, got scales {sorted(suffixes) or 'none'}"
        )
    return suffixes.pop()


def au_number(column: str) -> int:
    """Return the FACS number of an AU column, to sort by; what is no AU comes last."""
    parsed = parse_column(column)
    return parsed[0] if parsed else 999


def as_record(explanation: Any) -> Mapping[str, Any]:
    """Return an explanation as its ``to_dict()`` record; a record stays as it is."""
    return explanation if isinstance(explanation, Mapping) else explanation.to_dict()


def _number(value: Any) -> float:
    return float(value) if value is not None and np.isfinite(float(value)) else 0.0


def _baseline_word(record: Mapping[str, Any]) -> str:
    words = {"population": "average face", "neutral": "average neutral face"}
    return words.get(str(record.get("baseline")), "chosen baseline")
