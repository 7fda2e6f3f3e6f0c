"""Estimates with intervals, one panel an emotion: the shape that forest plots and their kin share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from analysis.plots.theme import (
    AGAINST_COLOUR,
    FOR_COLOUR,
    GREY,
    INK,
    SMALL,
    WIDTH,
    blank,
    broken,
    heading,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PER_ROW = 8
_REACH = 2.0
"""An interval may reach this many times as far as the largest estimate before it is cut."""


class Panel(NamedTuple):
    """One panel: its name, and for each row the estimate, its interval and whether it is drawn as certain."""

    name: str
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    clear: np.ndarray


def interval_panels(
    rows: Sequence[str],
    panels: Sequence[Panel],
    *,
    title: str,
    xlabel: str,
    log: bool = False,
) -> Figure:
    """Draw estimates and intervals beside each other on one axis.

    Parameters
    ----------
    rows : sequence of str, length R
        Names of the rows, from top to bottom.
    panels : sequence of Panel
        With arrays of length R; NaN where a row has no estimate.
    title, xlabel : str
        Heading of the figure and name of its axis.
    log : bool
        Whether the axis is logarithmic with 1 as the value of no effect; else it is linear with 0.

    Returns
    -------
    matplotlib.figure.Figure
        A filled mark where `clear`, blue above and orange below no effect; a hollow grey one elsewhere. An
        arrow where an interval leaves the panel.
    """
    columns = min(len(panels), PER_ROW)
    lines = -(-len(panels) // columns)
    names_width = 0.25 + 0.062 * max(len(row) for row in rows)
    width = WIDTH if columns > 2 else min(WIDTH, names_width + 2.3 * columns)
    panel_width = (width - names_width) / columns
    height = 0.85 + lines * (0.6 + 0.165 * len(rows))
    with new_figure((width, height), lines, columns, sharex=True, sharey=True) as (figure, grid):
        left, right = _limits(panels, log)
        for place, axes in enumerate(grid[: len(panels)]):
            _panel(axes, panels[place], (left, right), log)
            axes.set_title(broken(panels[place].name, panel_width, SMALL + 1.5), fontsize=SMALL + 0.5)
            axes.tick_params(axis="both", labelsize=SMALL)
            axes.tick_params(axis="x", labelbottom=place >= len(panels) - columns)
        grid[0].set_yticks(range(len(rows)), labels=list(rows))
        grid[0].set_ylim(len(rows) - 0.4, -0.6)
        grid[0].set_xlim(left, right)
        _ticks(grid[0], log, panel_width)
        blank(grid[len(panels) :])
        figure.supxlabel(broken(xlabel, width - 0.2, 9), fontsize=9)
        figure.get_layout_engine().set(wspace=0.0, w_pad=0.02)
        heading(figure, title)
    return figure


def _limits(panels: Sequence[Panel], log: bool) -> tuple[float, float]:
    """Hold every estimate; intervals may leave the axis where a few would squeeze all the others."""
    with np.errstate(divide="ignore", invalid="ignore"):
        values, ends = (
            np.concatenate([np.log(part) if log else part for part in parts])
            for parts in (
                [panel.value for panel in panels],
                [end for panel in panels for end in (panel.low, panel.high)],
            )
        )
    values, ends = values[np.isfinite(values)], ends[np.isfinite(ends)]
    lowest, highest = values.min(initial=0.0), values.max(initial=0.0)
    reach = _REACH * max(-lowest, highest)
    lowest = min(lowest, max(ends.min(initial=0.0), -reach))
    highest = max(highest, min(ends.max(initial=0.0), reach))
    room = 0.06 * ((highest - lowest) or 1.0)
    edges = np.array([lowest - room, highest + room])
    left, right = np.exp(edges) if log else edges
    return float(left), float(right)


def _panel(axes: Axes, panel: Panel, limits: tuple[float, float], log: bool) -> None:
    none = 1.0 if log else 0.0
    axes.set_xscale("log" if log else "linear")
    rows = np.arange(len(panel.value))
    known = np.isfinite(panel.value)
    side = np.where(panel.value >= none, FOR_COLOUR, AGAINST_COLOUR)
    colours = np.where(panel.clear, side, GREY)
    spanned = known & ~(np.isnan(panel.low) | np.isnan(panel.high))
    low, high = np.maximum(panel.low, limits[0]), np.minimum(panel.high, limits[1])
    axes.axvline(none, color=INK, linewidth=0.8)
    axes.hlines(rows[spanned], low[spanned], high[spanned], color=colours[spanned], linewidth=1.3)
    for cut, mark, edge in (
        (panel.low < limits[0], "<", limits[0]),
        (panel.high > limits[1], ">", limits[1]),
    ):
        there = cut & spanned
        axes.scatter(
            np.full(there.sum(), edge), rows[there], marker=mark, s=14, color=colours[there], clip_on=False
        )
    for drawn, face in ((known & panel.clear, None), (known & ~panel.clear, "white")):
        axes.scatter(
            panel.value[drawn],
            rows[drawn],
            s=16,
            zorder=3,
            facecolor=colours[drawn] if face is None else face,
            edgecolor=colours[drawn],
        )
    axes.grid(True)


def _ticks(axes: Axes, log: bool, panel_width: float) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

    if log:
        left, right = axes.get_xlim()
        ticks = _log_ticks(left, right, max(2, int(panel_width / 0.25)))
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(
            MaxNLocator(max(2, int(panel_width / 0.33)), steps=[1, 2, 5, 10], min_n_ticks=2)
        )
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−")))


def _log_ticks(left: float, right: float, most: int) -> list[float]:
    decades = np.arange(np.floor(np.log10(left)), np.ceil(np.log10(right)) + 1)
    choices = [np.outer(10**decades, steps).ravel() for steps in ((1, 2, 5), (1, 3), (1,))]
    choices += [10 ** decades[decades % apart == 0] for apart in (2, 3, 6)]
    within = [[float(tick) for tick in choice if left <= tick <= right] for choice in choices]
    return next((ticks for ticks in within if len(ticks) <= most), [1.0])
