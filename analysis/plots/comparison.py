"""Figures that set models side by side: scores and recall."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.display import METRICS, sample_words
from analysis.facs import in_order
from analysis.plots.theme import (
    GREY,
    SMALL,
    TINY,
    WIDTH,
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

_NAME = 26


def score_intervals(comparison: Result) -> Figure:
    """Draw every score of every model with its interval, one panel a score.

    Parameters
    ----------
    comparison : Comparison
        Anything with its ``facts`` and its table ``scores``.

    Returns
    -------
    matplotlib.figure.Figure
        Each heading says whether more or less is better.
    """
    scores, facts = comparison.tables["scores"], comparison.facts
    models = list(facts["models"])
    metrics = list(dict.fromkeys(scores["metric"]))
    columns = min(3, len(metrics))
    lines = -(-len(metrics) // columns)
    height = 0.75 + lines * (0.7 + 0.2 * len(models))
    with new_figure((WIDTH, height), lines, columns, sharey=True) as (figure, grid):
        for axes, metric in zip(grid, metrics, strict=False):
            part = scores[scores["metric"] == metric].set_index("model").reindex(models)
            _score_panel(axes, part)
            words, better = METRICS.get(metric, (str(metric).replace("_", " "), ""))
            axes.set_title(words, fontsize=SMALL + 0.5, pad=14)
            axes.text(0, 1.02, better, transform=axes.transAxes, fontsize=TINY, color=GREY)
        grid[0].set_yticks(range(len(models)), labels=[shortened(name, _NAME) for name in models])
        grid[0].set_ylim(len(models) - 0.4, -0.6)
        for axes in grid:
            axes.tick_params(labelsize=SMALL)
        blank(grid[len(metrics) :])
        level = 100 * facts["level"]
        figure.supxlabel(f"line: {level:g} % interval from resampling {_resampled(facts)}", fontsize=9)
        heading(figure, f"Scores on the same faces: {sample_words(facts)}")
    return figure


def per_class_recall(comparison: Result) -> Figure:
    """Draw how many faces of each emotion each model found.

    Parameters
    ----------
    comparison : Comparison
        Anything with its ``facts`` and its table ``per_class``.

    Returns
    -------
    matplotlib.figure.Figure
        One row an emotion, one mark and interval a model.
    """
    table, facts = comparison.tables["per_class"], comparison.facts
    models, emotions = list(facts["models"]), in_order(facts["classes"])
    counts = table.drop_duplicates("emotion").set_index("emotion")["n"]
    step = 0.72 / len(models)
    with new_figure((WIDTH, 1.2 + len(emotions) * (0.2 + 0.13 * len(models)))) as (figure, (axes,)):
        for place, model in enumerate(models):
            part = table[table["model"] == model].set_index("emotion").reindex(emotions)
            rows = np.arange(len(emotions)) + (place - (len(models) - 1) / 2) * step
            style = style_of(place)
            axes.hlines(rows, 100 * part["recall_low"], 100 * part["recall_high"], color=style.colour)
            axes.scatter(
                100 * part["recall"],
                rows,
                s=26,
                marker=style.marker,
                color=style.colour,
                label=shortened(model, 40),
            )
        labels = [f"{broken(name, 1.5)}\n{counts.get(name, 0):,} faces" for name in emotions]
        axes.set_yticks(range(len(emotions)), labels=labels, fontsize=SMALL)
        axes.set_ylim(len(emotions) - 0.4, -0.6)
        for edge in range(1, len(emotions)):
            axes.axhline(edge - 0.5, color="#e8ebef", linewidth=0.8)
        axes.set_xlim(-2, 102)
        axes.grid(axis="x")
        axes.set_xlabel(f"recall: per cent of the emotion's faces that were named so; line: {_level(facts)}")
        figure.legend(loc="outside lower center", ncols=min(3, len(models)))
        heading(figure, f"Which emotions each model finds: {sample_words(facts)}")
    return figure


def _score_panel(axes: Axes, part: pd.DataFrame) -> None:
    for row, (value, low, high) in enumerate(part[["value", "low", "high"]].to_numpy(dtype=float)):
        if not np.isfinite(value):
            axes.text(0.5, row, "not known", transform=axes.get_yaxis_transform(), va="center", fontsize=TINY)
            continue
        style = style_of(row)
        axes.hlines(row, low, high, color=style.colour, linewidth=1.6)
        axes.plot(value, row, style.marker, color=style.colour, markersize=5)
        right = np.nanmax([value, high])
        axes.annotate(
            f"{value:.3f}", (right, row), (4, 0), textcoords="offset points", va="center", fontsize=TINY
        )
    left, right = axes.get_xlim()
    axes.set_xlim(left - 0.03 * (right - left), right + 0.32 * (right - left))
    axes.locator_params(axis="x", nbins=4)
    axes.grid(axis="x")


def _resampled(facts: Mapping[str, Any]) -> str:
    return "people" if facts.get("grouped") else "faces"


def _level(facts: Mapping[str, Any]) -> str:
    return f"{100 * facts['level']:g} % interval"
