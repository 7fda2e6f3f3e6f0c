"""Figures of the Action Units of faces and of the models' answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from analysis.display import au_number, au_title, scale_of
from analysis.facs import SCALE_RANGES, SCALES, in_order, parse_column
from analysis.plots.theme import FOR_COLOUR, GREY, INK, new_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.aumatrix import MeasuredAUs


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
    with new_figure((6.4, 1.2 + 0.27 * len(columns))) as (figure, (axes,)):
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
    size = (1.2 + 2.6 * panels, 1.1 + 0.28 * len(emotions))
    with new_figure(size, columns=panels) as (figure, grid):
        for axes, (model, row) in zip(grid, probabilities.items(), strict=True):
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


def au_profile(table: MeasuredAUs | pd.DataFrame, labels: Sequence[str]) -> Figure:
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
    import pandas as pd
    import seaborn as sns

    frame = table if isinstance(table, pd.DataFrame) else table.frame
    if len(labels) != len(frame):
        raise ValueError(f"labels: expected one for each of {len(frame)} faces, got {len(labels)}")
    columns = sorted((c for c in frame.columns if parse_column(str(c))), key=au_number)
    groups = np.asarray(labels, dtype=object)
    names = in_order(groups)
    suffix = scale_of(columns)
    size = (2.3 + 1.35 * len(names), 1.3 + 0.26 * len(columns))
    with new_figure(size, columns=len(names), sharey=True) as (figure, grid):
        for axes, name in zip(grid, names, strict=True):
            part = frame.loc[groups == name, columns]
            sns.pointplot(
                part,
                order=columns,
                orient="y",
                errorbar=("pi", 50),
                linestyle="none",
                color=FOR_COLOUR,
                markersize=4.5,
                err_kws={"color": GREY, "linewidth": 2.2, "zorder": 1},
                ax=axes,
            )
            axes.set_xlim(-0.03 * SCALE_RANGES[suffix][1], SCALE_RANGES[suffix][1])
            axes.set_ylim(len(columns) - 0.4, -0.6)
            axes.set_yticks(range(len(columns)), labels=[au_title(column) for column in columns])
            axes.grid(True)
            axes.set_title(f"{name}\n{len(part)} face{'s' if len(part) != 1 else ''}", fontsize=9)
        figure.supxlabel(f"{SCALES[suffix]}; dot: mean, line: middle half of the faces", fontsize=9)
    return figure
