"""Figures of one face: how its AUs add up, what sets its answer apart, what would change it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.display import au_title, signed
from analysis.plots.theme import (
    AGAINST_COLOUR,
    FOR_COLOUR,
    GREY,
    INK,
    NUMBER_BOX,
    WIDTH,
    broken,
    heading,
    new_figure,
)
from analysis.records import Explained, Step, as_record, interval_of, number, waterfall_steps
from analysis.rounding import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def waterfall(explanation: Explained, *, top: int = 8) -> Figure:
    """Draw how the Action Units of one face add up to its answer.

    Parameters
    ----------
    explanation : FaceExplanation or mapping
        An explanation, or its ``to_dict()`` record.
    top : int, default 8
        How many Action Units get a bar of their own.

    Returns
    -------
    matplotlib.figure.Figure
        Bars from the baseline's centred logit (top) to the face's (bottom), each with its signed number; a
        thin line shows the interval of a contribution where the record gives one.
    """
    record = as_record(explanation)
    steps = waterfall_steps(record, top)
    ends = [interval_of(step.item, "contribution") for step in steps]
    reaches = [(step.start + low, step.start + high) for step, (low, high) in zip(steps, ends, strict=True)]
    with new_figure((WIDTH, 1.3 + 0.33 * len(steps))) as (figure, (axes,)):
        for row, (step, reach) in enumerate(zip(steps, reaches, strict=True)):
            axes.barh(row, step.change, left=step.start, height=0.62, color=_step_colour(step))
            if row + 1 < len(steps):
                axes.plot([step.end, step.end], [row, row + 1], color=GREY, linewidth=0.7)
            if np.isfinite(reach).all():
                _whisker(axes, reach, row)
            rightmost = np.nanmax([step.start, step.end, reach[1]])
            axes.annotate(
                signed(step.change),
                (rightmost, row),
                (4, 0),
                textcoords="offset points",
                va="center",
                bbox=NUMBER_BOX,
            )
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_yticks(range(len(steps)), labels=[_step_label(step) for step in steps])
        axes.invert_yaxis()
        axes.grid(axis="x")
        levels = [0.0, *(step.start for step in steps), *(step.end for step in steps)]
        levels += [end for reach in reaches for end in reach if np.isfinite(end)]
        room = 0.12 * (max(levels) - min(levels) or 1.0)
        axes.set_xlim(min(levels) - room, max(levels) + room)
        axes.set_xlabel(f"centred logit of {record['target']}{_level_words(record, ends)}")
        axes.set_title(f"Why {record['target']} ({percent(record['probabilities'][record['target']])})")
    return figure


def contrast(explanation: Explained, *, top: int = 12) -> Figure:
    """Draw what sets the answer for one face apart from its rival.

    Parameters
    ----------
    explanation : FaceExplanation or mapping
        An explanation, or its ``to_dict()`` record.
    top : int, default 12
        How many Action Units get a bar of their own; the rest are summed in one.

    Returns
    -------
    matplotlib.figure.Figure
        A bar for each AU: what it adds to log(p_target / p_rival), to the right for the target, to the left
        for the rival; with its interval where the record gives one.
    """
    record = as_record(explanation)
    items = sorted(record["aus"], key=lambda item: -abs(number(item["contrast"])))
    own, rest = (items, []) if len(items) <= top + 1 else (items[:top], items[top:])
    labels = [f"{au_title(item['au'])}{_amount(item)}" for item in own]
    values = [number(item["contrast"]) for item in own]
    ends = [interval_of(item, "contrast") for item in own]
    if rest:
        labels.append(f"{len(rest)} other AUs together")
        values.append(sum(number(item["contrast"]) for item in rest))
        ends.append((np.nan, np.nan))
    target, rival = record["target"], record["rival"]
    with new_figure((WIDTH, 1.35 + 0.28 * len(values))) as (figure, (axes,)):
        for row, (value, reach) in enumerate(zip(values, ends, strict=True)):
            axes.barh(row, value, height=0.62, color=FOR_COLOUR if value >= 0 else AGAINST_COLOUR)
            if np.isfinite(reach).all():
                _whisker(axes, reach, row)
            place = np.nanmax([value, reach[1]]) if value >= 0 else np.nanmin([value, reach[0]])
            axes.annotate(
                signed(value),
                (place, row),
                (4 if value >= 0 else -4, 0),
                textcoords="offset points",
                va="center",
                ha="left" if value >= 0 else "right",
            )
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_yticks(range(len(values)), labels=labels)
        axes.set_ylim(len(values) - 0.4, -0.6)
        far = 1.35 * max((abs(end) for end in (*values, *np.ravel(ends)) if np.isfinite(end)), default=1.0)
        axes.set_xlim(-(far or 1.0), far or 1.0)
        axes.grid(axis="x")
        words = f"← {rival}    log-odds    {target} →{_level_words(record, ends)}"
        axes.set_xlabel(broken(words, 5.0, 9))
        shares = (percent(record["probabilities"][name]) for name in (target, rival))
        heading(figure, f"Why {target} ({next(shares)}) and not {rival} ({next(shares)})")
    return figure


def _whisker(axes: Axes, reach: tuple[float, float], row: int) -> None:
    axes.plot(reach, [row, row], color="white", linewidth=3.2, solid_capstyle="butt", zorder=3)
    axes.plot(reach, [row, row], color=INK, linewidth=1.1, marker="|", markersize=5, zorder=4)


def _level_words(record: Mapping[str, Any], ends: Sequence[tuple[float, float]]) -> str:
    if not any(np.isfinite(end).all() for end in ends):
        return ""
    level = record.get("level")
    return f"; thin line: {100 * level:g} % interval" if level else "; thin line: interval"


def _step_colour(step: Step) -> str:
    if step.kind in ("baseline", "logit", "residual"):
        return GREY
    return FOR_COLOUR if step.change >= 0 else AGAINST_COLOUR


def _step_label(step: Step) -> str:
    return step.label + (_amount(step.item) if step.item else "")


def _amount(item: Mapping[str, Any]) -> str:
    return "" if item.get("value") is None else f" = {float(item['value']):.1f}"
