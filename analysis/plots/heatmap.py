"""Numbers as colours, cell by cell: what coefficients, correlations and confusions are drawn by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analysis.plots.theme import SMALL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap


def heatmap(
    axes: Axes,
    values: np.ndarray,
    limits: tuple[float, float],
    colours: Colormap,
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    texts: Sequence[Sequence[str]] | None = None,
    size: float = SMALL,
    bar: bool = False,
) -> None:
    """Draw a grid of numbers as colours.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    values : (R, C) float64 ndarray
        NaN leaves a cell empty.
    limits : (float, float)
        The numbers at either end of the colours.
    colours : matplotlib.colors.Colormap
    rows, columns : sequence of str
        The R and C names.
    texts : (R, C) nested sequence of str, optional
        What stands in the cells.
    size : float
        Of the texts, in points.
    bar : bool
        Whether a colour bar stands beside the grid.
    """
    import seaborn as sns

    sns.heatmap(
        values,
        vmin=limits[0],
        vmax=limits[1],
        cmap=colours,
        annot=None if texts is None else np.array(texts, dtype=object),
        fmt="",
        annot_kws={"fontsize": size, "linespacing": 1.1},
        cbar=bar,
        cbar_kws={"fraction": 0.04, "pad": 0.03},
        xticklabels=False,
        yticklabels=False,
        ax=axes,
    )
    axes.set_xticks(np.arange(len(columns)) + 0.5, labels=columns)
    axes.set_yticks(np.arange(len(rows)) + 0.5, labels=rows)
    axes.tick_params(length=0)
