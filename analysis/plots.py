"""Results to figures: pure functions, one theme, colours that colour-blind readers can tell apart.

Nothing here estimates anything. Every function returns a fresh `matplotlib.figure.Figure` made without
pyplot, so that no global state is touched and nothing has to be closed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.display import (
    Step,
    as_record,
    au_number,
    au_title,
    coefficient_grid,
    in_order,
    scale_of,
    signed,
    term_titles,
    waterfall_steps,
)
from analysis.facs import SCALE_RANGES, SCALES, parse_column
from analysis.rationale import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FOR_COLOUR = "#0b5cad"
AGAINST_COLOUR = "#b8540a"
INK = "#1b1f24"
GREY = "#6b7280"
RULE = "#d5d9e0"


_THEME = {
    "font.size": 9,
    "font.family": "sans-serif",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": RULE,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
}


def coefficient_heatmap(
    model: Any, *, title: str = "What each Action Unit says about each emotion"
) -> Figure:
    """Draw the class-centred coefficients of a model as an AU x emotion heatmap.

    Parameters
    ----------
    model : MultinomialLogit or pandas.DataFrame
        A fitted model, or its tidy ``coefficients()`` table.
    title : str
        Heading of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        One cell per term and emotion with its signed number: blue speaks for the emotion, orange against it.
    """
    coefficients = model.coefficients() if hasattr(model, "coefficients") else model
    coef, _ = coefficient_grid(coefficients)
    titles = term_titles(coefficients, coef.index)
    bound = float(np.nanmax(np.abs(coef.to_numpy()))) or 1.0
    size = (2.9 + 0.78 * coef.shape[1], 1.5 + 0.27 * coef.shape[0])
    with _figure(size) as (figure, axes):
        image = axes.imshow(coef.to_numpy(), cmap=_diverging(), vmin=-bound, vmax=bound, aspect="auto")
        axes.set_xticks(range(coef.shape[1]), labels=list(coef.columns))
        axes.set_yticks(range(coef.shape[0]), labels=titles)
        axes.tick_params(length=0)
        axes.xaxis.tick_top()
        for (row, column), value in np.ndenumerate(coef.to_numpy()):
            if np.isfinite(value):
                ink = "white" if abs(value) > 0.62 * bound else INK
                axes.text(column, row, signed(value), ha="center", va="center", color=ink, fontsize=8)
        axes.set_title(title, pad=12)
        axes.spines[:].set_visible(False)
        bar = figure.colorbar(image, ax=axes, fraction=0.035, pad=0.03)
        bar.set_label("change of the centred logit per unit of the term")
        bar.outline.set_visible(False)
    return figure


def waterfall(explanation: Any, *, top: int = 8) -> Figure:
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
        Bars from the baseline's centred logit (top) to the face's (bottom), each with its signed number.
    """
    record = as_record(explanation)
    steps = waterfall_steps(record, top)
    with _figure((7.2, 1.3 + 0.33 * len(steps))) as (figure, axes):
        for row, step in enumerate(steps):
            axes.barh(row, step.change, left=step.start, height=0.62, color=_step_colour(step))
            if row + 1 < len(steps):
                axes.plot([step.end, step.end], [row, row + 1], color=GREY, linewidth=0.7)
            rightmost = max(step.start, step.end)
            axes.annotate(
                signed(step.change), (rightmost, row), (4, 0), textcoords="offset points", va="center"
            )
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_yticks(range(len(steps)), labels=[_step_label(step) for step in steps])
        axes.invert_yaxis()
        axes.grid(axis="x")
        levels = [0.0, *(step.start for step in steps), *(step.end for step in steps)]
        room = 0.12 * (max(levels) - min(levels) or 1.0)
        axes.set_xlim(min(levels) - room, max(levels) + room)
        axes.set_xlabel(f"centred logit of {record['target']}")
        axes.set_title(f"Why {record['target']} ({percent(record['probabilities'][record['target']])})")
    return figure


def au_bars(
    aus: Mapping[str, float], *, baseline: Mapping[str, float] | None = None, title: str = "Action Units"
) -> Figure:
    """Draw the Action Units of one face as bars on their full scale.

    Parameters
    ----------
    aus : mapping of str to float
        AU column to value, such as ``{'AU12_r': 3.4}``. NaN is written 'not measured', never drawn as zero.
    baseline : mapping of str to float, optional
        The usual value of each AU, drawn as a tick.
    title : str
        Heading of the figure.

    Returns
    -------
    matplotlib.figure.Figure
    """
    columns = sorted(aus, key=au_number)
    suffix = scale_of(columns)
    with _figure((6.4, 1.2 + 0.27 * len(columns))) as (figure, axes):
        axes.set_xlim(0, SCALE_RANGES[suffix][1] * 1.1)
        for row, column in enumerate(columns):
            value = float(aus[column])
            if np.isfinite(value):
                axes.barh(row, value, height=0.62, color=FOR_COLOUR)
                usual = float((baseline or {}).get(column, np.nan))
                place = max(value, usual) if np.isfinite(usual) else value
                axes.annotate(f"{value:.1f}", (place, row), (4, 0), textcoords="offset points", va="center")
                if np.isfinite(usual):
                    axes.plot([usual, usual], [row - 0.42, row + 0.42], color=INK, linewidth=1.4)
            else:
                axes.annotate("not measured", (0, row), (4, 0), textcoords="offset points", va="center")
        axes.set_yticks(range(len(columns)), labels=[au_title(column) for column in columns])
        axes.set_ylim(len(columns) - 0.4, -0.6)
        axes.grid(axis="x")
        axes.set_xlabel(SCALES[suffix] + ("; tick: usual value" if baseline else ""))
        axes.set_title(title)
    return figure


def probability_bars(probabilities: Mapping[str, Mapping[str, float]]) -> Figure:
    """Draw the probabilities of every emotion, one panel per model.

    Parameters
    ----------
    probabilities : mapping of str to mapping of str to float
        Model to emotion to probability in 0..1.

    Returns
    -------
    matplotlib.figure.Figure
    """
    emotions = list(dict.fromkeys(name for row in probabilities.values() for name in row))
    panels = len(probabilities)
    with _figure((1.2 + 2.6 * panels, 1.1 + 0.28 * len(emotions)), panels) as (figure, all_axes):
        for axes, (model, row) in zip(np.atleast_1d(all_axes), probabilities.items(), strict=True):
            values = [100 * float(row.get(emotion, np.nan)) for emotion in emotions]
            best = int(np.nanargmax(values))
            colours = [FOR_COLOUR if place == best else GREY for place in range(len(values))]
            bars = axes.barh(range(len(values)), values, height=0.62, color=colours)
            axes.bar_label(bars, [f"{value:.0f} %" for value in values], padding=4)
            axes.set_yticks(range(len(values)), labels=emotions)
            axes.get_yticklabels()[best].set_fontweight("bold")
            axes.set_ylim(len(values) - 0.4, -0.6)
            axes.set_xlim(0, 118)
            axes.set_xticks([0, 50, 100])
            axes.set_xlabel("probability, %")
            axes.set_title(model)
    return figure


def au_profile(table: Any, labels: Sequence[str]) -> Figure:
    """Draw each label's Action Units: the mean as a dot, the middle half of the faces as a line.

    Parameters
    ----------
    table : AUTable or pandas.DataFrame
        n faces; the AU columns are used, NaN rows are left out AU by AU.
    labels : sequence of str, length n
        The group of each face, such as its emotion.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per label, all on one scale, with the number of faces in its heading.

    Raises
    ------
    ValueError
        If the labels are not as many as the faces.
    """
    frame = table.aus if hasattr(table, "aus") else table
    if len(labels) != len(frame):
        raise ValueError(f"labels: expected one for each of {len(frame)} faces, got {len(labels)}")
    columns = sorted((c for c in frame.columns if parse_column(str(c))), key=au_number)
    groups = np.asarray(labels, dtype=object)
    names = in_order(groups)
    suffix = scale_of(columns)
    with _figure((2.3 + 1.35 * len(names), 1.3 + 0.26 * len(columns)), len(names), share=True) as (
        figure,
        all_axes,
    ):
        for axes, name in zip(np.atleast_1d(all_axes), names, strict=True):
            part = frame.loc[groups == name, columns]
            rows = np.arange(len(columns))
            low, high = part.quantile(0.25), part.quantile(0.75)
            axes.hlines(rows, low, high, color=GREY, linewidth=2.2)
            axes.plot(part.mean(), rows, "o", color=FOR_COLOUR, markersize=4.5)
            axes.set_xlim(-0.03 * SCALE_RANGES[suffix][1], SCALE_RANGES[suffix][1])
            axes.set_ylim(len(columns) - 0.4, -0.6)
            axes.set_yticks(rows, labels=[au_title(column) for column in columns])
            axes.grid(True)
            axes.set_title(f"{name}\n{len(part)} faces", fontsize=9)
        figure.supxlabel(f"{SCALES[suffix]}; dot: mean, line: middle half of the faces", fontsize=9)
    return figure


@contextmanager
def _figure(size: tuple[float, float], panels: int = 1, share: bool = False) -> Iterator[tuple[Figure, Any]]:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_THEME):
        figure = Figure(figsize=size, layout="constrained")
        axes: Axes | np.ndarray = figure.subplots(1, panels, sharey=share)
        yield figure, axes


def _diverging() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("against-for", [AGAINST_COLOUR, "#ffffff", FOR_COLOUR])


def _step_colour(step: Step) -> str:
    if step.kind in ("baseline", "logit", "residual"):
        return GREY
    return FOR_COLOUR if step.change >= 0 else AGAINST_COLOUR


def _step_label(step: Step) -> str:
    if step.item is None or step.item.get("value") is None:
        return step.label
    return f"{step.label} = {float(step.item['value']):.1f}"
