"""Figures of the models' probabilities: whether they can be believed, and how well they sort the faces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis.display import sample_words
from analysis.facs import in_order
from analysis.plots.theme import (
    GREY,
    INK,
    PALE,
    SMALL,
    TINY,
    WIDTH,
    Style,
    blank,
    broken,
    heading,
    new_figure,
    shortened,
    style_of,
)
from analysis.results import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def calibration(comparison: Result) -> Figure:
    """Draw the reliability diagram of each model.

    Parameters
    ----------
    comparison : Comparison
        Anything with its ``facts`` and its table ``calibration``.

    Returns
    -------
    matplotlib.figure.Figure
        How often an answer was right against how sure the model was, with intervals; grey bars from the
        bottom show where the faces lie. On the diagonal the probabilities mean what they say.
    """
    table, facts = comparison.tables["calibration"], comparison.facts
    models = list(facts["models"])
    columns = min(3, len(models))
    lines = -(-len(models) // columns)
    side = min(3.4, (WIDTH - 0.5) / columns)
    size = (0.5 + side * columns, 1.0 + (side + 0.15) * lines)
    with new_figure((max(5.2, size[0]), size[1]), lines, columns, sharex=True, sharey=True) as (figure, grid):
        for place, (axes, model) in enumerate(zip(grid, models, strict=False)):
            _reliability(axes, table[table["model"] == model], style_of(place))
            axes.set_title(broken(model, side - 0.1, 10.5), fontsize=9)
        blank(grid[len(models) :])
        words = "probability of the answer given, %; below the diagonal the model is too sure"
        figure.supxlabel(broken(words, figure.get_figwidth() - 0.2, 9), fontsize=9)
        figure.supylabel("answers that were right, %", fontsize=9)
        heading(figure, f"Do the probabilities mean what they say? {sample_words(facts)}")
    return figure


def _reliability(axes: Axes, part: pd.DataFrame, style: Style) -> None:
    predicted, observed, low, high = (
        100 * part[key].to_numpy(dtype=float) for key in ("predicted", "observed", "low", "high")
    )
    counts = part["n"].to_numpy(dtype=float)
    if len(counts):
        axes.bar(predicted, 22 * counts / counts.max(), width=4, color=PALE, edgecolor=GREY, linewidth=0.5)
    axes.plot([0, 100], [0, 100], color=INK, linewidth=0.8)
    axes.vlines(predicted, low, high, color=style.colour, linewidth=1.4)
    axes.plot(predicted, observed, style.marker, color=style.colour, markersize=5)
    axes.set_xlim(-3, 103)
    axes.set_ylim(-3, 103)
    axes.set_xticks([0, 25, 50, 75, 100])
    axes.set_yticks([0, 25, 50, 75, 100])
    axes.set_aspect("equal")
    axes.tick_params(labelsize=SMALL)
    axes.grid(True)


def roc(comparison: Result) -> Figure:
    """Draw the receiver operating characteristic of each emotion against all others.

    Parameters
    ----------
    comparison : Comparison
        Anything with its ``facts`` and its tables ``roc`` and ``per_class``.

    Returns
    -------
    matplotlib.figure.Figure
        One panel an emotion with the area under each model's curve; the last place holds the legend.
    """
    table, facts = comparison.tables["roc"], comparison.facts
    models, emotions = list(facts["models"]), in_order(facts["classes"])
    areas = comparison.tables["per_class"].set_index(["model", "emotion"])["auc"].to_dict()
    columns = 4 if len(emotions) > 2 else len(emotions) + 1
    lines = -(-(len(emotions) + 1) // columns)
    side = (WIDTH - 0.3) / columns
    with new_figure((WIDTH, 0.8 + (side + 0.14) * lines), lines, columns, sharex=True, sharey=True) as (
        figure,
        grid,
    ):
        for axes, emotion in zip(grid, emotions, strict=False):
            for place, model in enumerate(models):
                part = table[(table["model"] == model) & (table["emotion"] == emotion)]
                style = style_of(place)
                axes.plot(part["fpr"], part["tpr"], color=style.colour, linestyle=style.line, linewidth=1.4)
                area = areas.get((model, emotion), np.nan)
                text = f"{area:.2f}" if np.isfinite(area) else "–"
                axes.text(
                    0.98,
                    0.05 + 0.1 * (len(models) - 1 - place),
                    text,
                    ha="right",
                    fontsize=TINY,
                    color=style.colour,
                )
            axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.7)
            axes.set_title(broken(emotion, side - 0.1, 10), fontsize=SMALL + 0.5)
            axes.set_xticks([0, 0.5, 1], labels=["0", ".5", "1"])
            axes.set_yticks([0, 0.5, 1], labels=["0", ".5", "1"])
            axes.tick_params(labelsize=SMALL, labelbottom=True)
            axes.set_aspect("equal")
            axes.grid(True)
        blank(grid[len(emotions) :])
        _legend(grid[len(emotions)], models)
        figure.supxlabel("share of the other faces named so too", fontsize=9)
        figure.supylabel("share of its faces\nnamed so", fontsize=9)
        heading(figure, f"How well each emotion is told from the others: {sample_words(facts)}")
    return figure


def _legend(axes: Axes, models: list[str]) -> None:
    for place, model in enumerate(models):
        style = style_of(place)
        axes.plot([], [], color=style.colour, linestyle=style.line, label=shortened(model, 22))
    axes.legend(
        loc="upper left",
        borderaxespad=0,
        handlelength=2.4,
        fontsize=TINY + 0.5,
        title="number: area under\nthe line, from top",
        title_fontsize=TINY + 0.5,
        alignment="left",
    )
