"""How results are shown, for figures and reports alike: names, order, signs and the steps of a waterfall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from analysis.facs import in_order, parse_column, plain_name, short_name

if TYPE_CHECKING:
    import pandas as pd

_PAIR = "*"

Record: TypeAlias = Mapping[str, Any]
"""An explanation as `FaceExplanation.to_dict` lays it out and `explanations.jsonl` holds it."""


class HasRecord(Protocol):
    """A `FaceExplanation`, or whatever else lays itself out as one."""

    def to_dict(self) -> dict[str, Any]:
        """Return its record."""


Explained: TypeAlias = HasRecord | Record

METRICS = {
    "accuracy": ("accuracy", "more is better"),
    "balanced_accuracy": ("balanced accuracy", "more is better"),
    "macro_f1": ("macro-F1", "more is better"),
    "log_loss": ("log loss", "less is better"),
    "brier": ("Brier score", "less is better"),
    "ece": ("calibration error", "less is better"),
    "agreement": ("agreement of the answers", "more is better"),
    "kappa": ("agreement beyond chance, κ", "more is better"),
    "kl_r2": ("share of the information, KL-R²", "more is better"),
    "logit_r2": ("R² of the centred logits", "more is better"),
}
"""What a score is called, and which direction is good."""

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


def is_term(au: object) -> bool:
    """Tell whether an entry of a coefficient table's column `au` is an AU or a pair of them, no intercept."""
    return all(parse_column(part) is not None for part in str(au).split(_PAIR))


def term_title(term: str) -> str:
    """Name a term of a model as a reader says it.

    Parameters
    ----------
    term : str
        Such as ``'AU12_r'``, ``'AU12_r>1.25'`` or ``'AU06_r*AU12_r>1.2'``.

    Returns
    -------
    str
        ``'AU12 lip corner puller'``, ``'AU12 extra above 1.25'``, ``'AU6 × AU12 above 1.2'``.
    """
    parts = [part.partition(">") for part in str(term).split(_PAIR)]
    if len(parts) == 1:
        column, _, knot = parts[0]
        return f"{short_name(column)} extra above {knot}" if knot else au_title(column)
    return " × ".join(short_name(column) + (f" above {knot}" if knot else "") for column, _, knot in parts)


def ordered_terms(coefficients: pd.DataFrame) -> list[str]:
    """List the terms of a coefficient table in FACS order: an AU before its hinges, pairs at the end.

    Parameters
    ----------
    coefficients : pandas.DataFrame
        Column ``term``.

    Returns
    -------
    list of str
    """
    return sorted(dict.fromkeys(map(str, coefficients["term"])), key=_term_place)


def coefficient_grid(coefficients: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Spread a tidy coefficient table into term x emotion, in FACS order and the usual order of emotions.

    Parameters
    ----------
    coefficients : pandas.DataFrame
        Columns ``emotion, au, term, coef`` and, optionally, ``se``. Rows whose `au` is neither an AU column
        nor a pair of them (the intercepts) are left out.

    Returns
    -------
    coef, se : pandas.DataFrame
        Both indexed by term, one column per emotion; `se` is NaN where it is not given.
    """
    frame = coefficients[[is_term(au) for au in coefficients["au"]]]
    if "se" not in frame:
        frame = frame.assign(se=np.nan)
    terms = ordered_terms(frame)
    emotions = in_order(frame["emotion"])
    spread = frame.pivot(index="term", columns="emotion", values=["coef", "se"])
    return (spread["coef"].loc[terms, emotions], spread["se"].loc[terms, emotions])


def sample_words(facts: Mapping[str, Any]) -> str:
    """Tell how many faces a result rests on, and of how many people: ``'n = 4,473 faces of 120 people'``.

    Parameters
    ----------
    facts : mapping
        ``n`` and, optionally, ``n_groups``; a false ``grouped`` says that the groups are no people.

    Returns
    -------
    str
    """
    known = facts.get("n_groups") and facts.get("grouped", True)
    people = f" of {facts['n_groups']:,} people" if known else ""
    return f"n = {facts['n']:,} faces{people}"


def effect_unit(facts: Mapping[str, Any]) -> str:
    """Tell what change of an AU a marginal effect of an inference is for."""
    return "from absent to present" if facts.get("effects") == "from 0 to 1" else "per unit of the AU"


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


def as_record(explanation: Explained) -> Mapping[str, Any]:
    """Return an explanation as its ``to_dict()`` record; a record stays as it is."""
    return explanation if isinstance(explanation, Mapping) else explanation.to_dict()


def _term_place(term: str) -> tuple[int, list[tuple[int, float]]]:
    parts = [part.partition(">") for part in term.split(_PAIR)]
    return len(parts), [(au_number(column), float(knot or "-inf")) for column, _, knot in parts]


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
