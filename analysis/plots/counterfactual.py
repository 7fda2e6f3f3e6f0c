"""What would change an answer: the Action Units before and after, one panel for each way."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from analysis.display import au_title, scale_of
from analysis.facs import SCALE_RANGES, SCALES
from analysis.plots.theme import FOR_COLOUR, GREY, INK, SMALL, TINY, WIDTH, heading, new_figure
from analysis.records import Explained, as_record
from analysis.rounding import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MEANING = {
    "least squares": "smallest change\nin all",
    "fewest AUs": "fewest AUs",
    "one AU": "one AU alone",
}


def counterfactual(found: Explained, *, top: int = 20) -> Figure:
    """Draw the smallest changes of AUs that turn the answer into another.

    Parameters
    ----------
    found : Counterfactual or mapping
        What `analysis.explain.counterfactual.counterfactual` found, or its ``to_dict()`` record.
    top : int, default 20
        How many AUs are drawn; of more, those that change most. The heading says so.

    Returns
    -------
    matplotlib.figure.Figure
        One panel for each way, on the AUs' whole scale: a ring where the AU is, an arrow to the dot where it
        would have to be. A way that does not exist says so.
    """
    record = as_record(found)
    ways = list(record["ways"])
    sizes: dict[str, float] = {}
    for way in ways:
        for change in way["changes"]:
            size = abs(change["after"] - change["before"])
            sizes[change["au"]] = max(size, sizes.get(change["au"], 0.0))
    order = sorted(sizes, key=lambda au: -sizes[au])[:top]
    title = f"What would make it {record['target']} instead of {record['answer']}"
    if len(order) < len(sizes):
        title += f": the {len(order)} largest of {len(sizes)} changes"
    height = 1.5 + 0.24 * max(2, len(order))
    with new_figure((WIDTH, height), 1, len(ways), sharex=True, sharey=True) as (figure, grid):
        for axes, way in zip(grid, ways, strict=True):
            _way(axes, way, order, record["target"])
        grid[0].set_yticks(range(len(order)), labels=[au_title(au) for au in order], fontsize=SMALL)
        grid[0].set_ylim(max(2, len(order)) - 0.4, -0.6)
        if order:
            suffix = scale_of(order)
            full = SCALE_RANGES[suffix][1]
            grid[0].set_xlim(-0.04 * full, 1.04 * full)
            figure.supxlabel(f"{SCALES[suffix]}; ring: as it is, dot: as it would have to be", fontsize=9)
        heading(figure, title)
    return figure


def _way(axes: Axes, way: Mapping[str, Any], order: list[str], target: str) -> None:
    axes.set_title(MEANING.get(way["kind"], way["kind"]), fontsize=SMALL + 0.5, pad=16)
    axes.tick_params(axis="x", labelsize=SMALL)
    if not way["exists"]:
        text = "\n".join(textwrap.wrap(str(way["text"]), 24))
        axes.tick_params(axis="x", bottom=False, labelbottom=False)
        axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=SMALL)
        return
    reached = percent(way["probabilities"][target])
    axes.text(0, 1.015, f"then {target} {reached}", transform=axes.transAxes, fontsize=TINY, color=GREY)
    axes.grid(True)
    for change in way["changes"]:
        if change["au"] not in order:
            continue
        row, before, after = order.index(change["au"]), change["before"], change["after"]
        axes.annotate(
            "",
            (after, row),
            (before, row),
            arrowprops={"arrowstyle": "-|>", "color": FOR_COLOUR, "shrinkA": 2, "shrinkB": 2, "lw": 1.2},
        )
        axes.scatter([before], [row], s=22, facecolor="white", edgecolor=INK, zorder=3)
        axes.scatter([after], [row], s=22, color=FOR_COLOUR, zorder=3)
