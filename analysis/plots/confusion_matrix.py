"""Confusion matrices: what is taken for what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.display import sample_words
from analysis.facs import in_order
from analysis.plots.heatmap import heatmap
from analysis.plots.theme import (
    HEIGHT,
    SMALL,
    TINY,
    WIDTH,
    blank,
    broken,
    heading,
    new_figure,
    sequential,
    shortened,
    tilted,
)
from analysis.results import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def confusion(comparison: Result) -> Figure:
    """Draw the confusion matrices of the models side by side.

    Parameters
    ----------
    comparison : Comparison
        Anything with its ``facts`` and its table ``confusion``.

    Returns
    -------
    matplotlib.figure.Figure
        A row is what the faces show, a column what the model said; each cell holds the share of its row in
        per cent and the number of faces.
    """
    table, facts = comparison.tables["confusion"], comparison.facts
    models, emotions = list(facts["models"]), in_order(facts["classes"])
    columns = min(2, len(models))
    lines = -(-len(models) // columns)
    names = [shortened(name, 16) for name in emotions]
    margin = 0.35 + 0.06 * max(map(len, names))
    cell = min(0.62, (WIDTH - margin) / columns / len(emotions) - 0.02)
    height = 0.6 + lines * (0.42 + 0.85 * cell * len(emotions)) + (0.2 + 0.045 * max(map(len, names))) * lines
    width = min(WIDTH, margin + columns * (cell * len(emotions) + 0.15))
    with new_figure((max(width, 4.2), min(height, HEIGHT)), lines, columns, sharey=True) as (figure, grid):
        for axes, model in zip(grid, models, strict=False):
            part = table[table["model"] == model]
            _matrix(axes, part, emotions, names)
            axes.set_xticklabels(names, **tilted(names))
            axes.tick_params(labelsize=SMALL)
            axes.set_title(broken(model, 0.85 * cell * len(emotions), 9), fontsize=9)
        blank(grid[len(models) :])
        figure.supylabel("labelled", fontsize=9)
        figure.supxlabel("named by the model; per cent of the row, number of faces below", fontsize=9)
        heading(figure, f"What is taken for what: {sample_words(facts)}")
    return figure


def _matrix(axes: Axes, part: pd.DataFrame, emotions: list[str], names: list[str]) -> None:
    share, count = (
        part.pivot(index="actual", columns="predicted", values=value)
        .reindex(index=emotions, columns=emotions)
        .to_numpy(dtype=float)
        for value in ("share", "n")
    )
    texts = [
        [f"{100 * value:.0f}\n{held:,.0f}" if held > 0 else "" for value, held in zip(*row, strict=True)]
        for row in zip(share, count, strict=True)
    ]
    heatmap(axes, share, (0, 1), sequential(), rows=names, columns=names, texts=texts, size=TINY)
    for text in axes.texts:
        right = text.get_position()[0] == text.get_position()[1]
        text.set_fontweight("bold" if right else "normal")
