"""Figures of whether an inference can be trusted: its checks, collinearity and correlations."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.display import au_title, sample_words
from analysis.facs import short_name
from analysis.plots.heatmap import heatmap
from analysis.plots.theme import (
    AGAINST_COLOUR,
    FOR_COLOUR,
    GREY,
    INK,
    NUMBER_BOX,
    SMALL,
    TINY,
    WIDTH,
    diverging,
    heading,
    new_figure,
    shortened,
)
from analysis.results import Result
from analysis.rounding import compact

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_VIF_SHOWN = 25.0
_NAMED = 20
_LINE = 0.19
_WRITTEN = 12
"""Up to this many AUs the correlations are written into their cells."""


def diagnostics_panel(inference: Result) -> Figure:
    """Draw the checks of an inference, the variance inflation of each AU and the AUs' correlations.

    Parameters
    ----------
    inference : Inference
        Anything with its ``facts`` and its tables ``checks``, ``collinearity`` and ``correlations``.

    Returns
    -------
    matplotlib.figure.Figure
        Above, each check with 'passed', 'FAILED' or 'note' in words; below left, a bar for each AU,
        hatched above the limit of `analysis.inference.diagnostics`; below right, the correlations.
    """
    checks, collinearity = inference.tables["checks"], inference.tables["collinearity"]
    lines = [
        (check, "\n".join(textwrap.wrap(str(check["meaning"]), 44))) for check in checks.to_dict("records")
    ]
    above, below = (
        0.25 + _LINE * sum(_heights(lines)),
        1.1 + 0.165 * len(collinearity),
    )
    with new_figure((WIDTH, 0.5 + above + below), 0) as (figure, _):
        top, bottom = figure.subfigures(2, 1, height_ratios=[above, below])
        _checks(top.subplots(), lines)
        left, right = bottom.subplots(1, 2)
        _inflation(left, collinearity)
        _correlations(right, inference.tables["correlations"], labelled_rows=False)
        heading(figure, f"Can the coefficients be trusted? {sample_words(inference.facts)}")
    return figure


def correlation_heatmap(inference: Result) -> Figure:
    """Draw the correlations of the Action Units.

    Parameters
    ----------
    inference : Inference
        Anything with its ``facts`` and its table ``correlations``.

    Returns
    -------
    matplotlib.figure.Figure
        Blue where two AUs rise together, orange where one falls as the other rises.
    """
    correlations = inference.tables["correlations"]
    side = min(WIDTH, 2.8 + 0.22 * len(correlations))
    with new_figure((side, 0.86 * side)) as (figure, (axes,)):
        _correlations(axes, correlations, labelled_rows=True)
        heading(figure, f"Which Action Units go together: {sample_words(inference.facts)}")
    return figure


def _checks(axes: Axes, lines: list[tuple[dict[str, Any], str]]) -> None:
    heights = _heights(lines)
    axes.set_axis_off()
    axes.set_ylim(sum(heights) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    row = 0
    for (check, meaning), height in zip(lines, heights, strict=True):
        colour, marker, word = _outcome(check)
        axes.scatter([0.008], [row], marker=marker, s=26, color=colour, clip_on=False)
        axes.text(0.025, row, word, va="center", color=colour, fontweight="bold", fontsize=SMALL)
        axes.text(0.1, row, shortened(check["check"], 38), va="center", fontsize=SMALL)
        figures = f"{compact(check['value'])}  (limit {compact(check['limit'])})"
        axes.text(0.41, row, figures, va="center", fontsize=SMALL)
        axes.text(0.64, row - 0.28, meaning, va="top", fontsize=TINY, color=GREY, linespacing=1.25)
        row += height


def _heights(lines: list[tuple[dict[str, Any], str]]) -> list[int]:
    """Count the rows that each check takes; its meaning stands in smaller type, two lines to a row."""
    return [-(-2 * (text.count("\n") + 1) // 3) for _, text in lines]


def _outcome(check: dict[str, Any]) -> tuple[str, str, str]:
    if bool(check["passed"]):
        return FOR_COLOUR, "o", "passed"
    return (AGAINST_COLOUR, "X", "FAILED") if check.get("decides", True) else (INK, "s", "note")


def _inflation(axes: Axes, collinearity: pd.DataFrame) -> None:
    from analysis.inference.diagnostics import VIF_LIMIT

    values = collinearity["vif"].to_numpy(dtype=float)
    rows = np.arange(len(values))
    known = np.nan_to_num(values, nan=0.0, posinf=np.inf)
    drawn = np.minimum(known, _VIF_SHOWN)
    high = known > VIF_LIMIT
    axes.barh(rows[~high], drawn[~high], height=0.62, color=GREY)
    axes.barh(rows[high], drawn[high], height=0.62, color=AGAINST_COLOUR, hatch="////", edgecolor="white")
    for row, value in enumerate(values):
        text = "?" if np.isnan(value) else "∞" if np.isinf(value) else f"{value:.1f}"
        axes.annotate(
            text,
            (drawn[row], row),
            (3, 0),
            textcoords="offset points",
            va="center",
            fontsize=TINY,
            bbox=NUMBER_BOX,
        )
    axes.axvline(1, color=GREY, linewidth=0.8)
    axes.axvline(VIF_LIMIT, color=INK, linewidth=0.8, linestyle="--")
    axes.set_yticks(rows, labels=[au_title(au) for au in collinearity["au"]], fontsize=SMALL)
    axes.set_ylim(len(values) - 0.4, -0.6)
    axes.set_xlim(0, 1.18 * max(drawn.max(initial=0), 1.2 * VIF_LIMIT))
    axes.tick_params(axis="x", labelsize=SMALL)
    axes.set_title(f"Variance inflation factor; line: {VIF_LIMIT:g}", fontsize=SMALL + 0.5)


def _correlations(axes: Axes, correlations: pd.DataFrame, *, labelled_rows: bool) -> None:
    names = [str(au) for au in correlations["au"]]
    r = correlations[names].to_numpy(dtype=float)
    short = [short_name(name) for name in names]
    written = labelled_rows and len(names) <= _WRITTEN
    heatmap(
        axes,
        r,
        (-1, 1),
        diverging(),
        rows=[au_title(name) for name in names] if labelled_rows else short,
        columns=short,
        texts=[[f"{value:.2f}".replace("-", "−") for value in row] for row in r] if written else None,
        size=TINY,
        bar=True,
    )
    size = SMALL if len(names) <= 20 else TINY
    axes.tick_params(labelsize=size)
    axes.tick_params(axis="x", rotation=90)
    axes.collections[0].colorbar.ax.tick_params(labelsize=TINY)
    if not labelled_rows:
        axes.set_title("Correlation of the AUs", fontsize=SMALL + 0.5)
        if len(names) > _NAMED:
            axes.set_xticks([])  # the rows name them in the same order
