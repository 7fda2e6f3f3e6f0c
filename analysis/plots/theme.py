"""One look for every figure: size, type, colours that colour-blind readers can tell apart, model styles."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

FOR_COLOUR = "#0b5cad"
AGAINST_COLOUR = "#b8540a"
INK = "#1b1f24"
GREY = "#6b7280"
PALE = "#e8ebef"
RULE = "#d5d9e0"

WIDTH, HEIGHT = 7.0, 10.2
"""Inches of a printed page between its margins; text of 8 to 9 points is read there."""

SMALL, TINY = 8, 7

_THEME = {
    "font.size": 9,
    "font.family": "sans-serif",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.edgecolor": RULE,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.titlesize": 10,
    "figure.titleweight": "bold",
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": SMALL,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
}


class Style(NamedTuple):
    """How one model is drawn wherever it appears: by colour, by marker and by line."""

    colour: str
    marker: str
    line: str | tuple[int, tuple[int, ...]]


# The colours are those of Okabe & Ito (2008), Color Universal Design.
_STYLES = (
    Style("#0072b2", "o", "-"),
    Style("#d55e00", "s", "--"),
    Style("#009e73", "^", "-."),
    Style("#cc79a7", "D", ":"),
    Style("#000000", "v", (0, (5, 1, 1, 1, 1, 1))),
    Style("#e69f00", "P", (0, (8, 2))),
    Style("#56b4e9", "X", (0, (1, 2))),
)


def style_of(place: int) -> Style:
    """Return the style of the model at a place, from 0; after seven they come again."""
    return _STYLES[place % len(_STYLES)]


@contextmanager
def new_figure(
    size: tuple[float, float],
    rows: int = 1,
    columns: int = 1,
    *,
    sharex: bool = False,
    sharey: bool = False,
) -> Iterator[tuple[Figure, list[Axes]]]:
    """Make a figure in the theme and its axes, row by row, without pyplot; no axes where `rows` is 0."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_THEME):
        figure = Figure(figsize=size, layout="constrained")
        if not rows:
            yield figure, []
        else:
            grid = figure.subplots(rows, columns, sharex=sharex, sharey=sharey, squeeze=False)
            yield figure, list(grid.ravel())


def heading(figure: Figure, text: str, characters: int | None = None) -> None:
    """Set the figure's heading, flush left and broken to its width."""
    fits = characters or int(12.5 * figure.get_figwidth())
    lines = "\n".join(part for line in text.splitlines() for part in textwrap.wrap(line, fits) or [""])
    figure.suptitle(lines, x=0.01, ha="left")


def broken(text: str, inches: float, points: float = SMALL) -> str:
    """Break a text into lines that fit a width at a type size."""
    return "\n".join(textwrap.wrap(str(text), max(6, int(inches * 72 / (0.54 * points))))) or str(text)


def shortened(text: str, characters: int) -> str:
    """Cut a long name in its middle, so that names that differ at their ends still differ."""
    text = str(text)
    if len(text) <= characters:
        return text
    head = (characters - 1) // 2
    return f"{text[:head]}…{text[len(text) - (characters - 1 - head) :]}"


def blank(axes: Sequence[Axes]) -> None:
    """Empty the axes that a grid has beyond its panels."""
    for spare in axes:
        spare.set_axis_off()


NUMBER_BOX = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6}
"""Behind a number that may stand on a line."""


def tilted(labels: Sequence[str]) -> dict[str, Any]:
    """Return how tick labels under an axis are turned, where they are too long to lie flat."""
    if max((len(label) for label in labels), default=0) <= 3:
        return {}
    return {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}


def diverging() -> Colormap:
    """Return the colour map from against (orange) over nothing (white) to for (blue)."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("against-for", [AGAINST_COLOUR, "#ffffff", FOR_COLOUR])


def sequential() -> Colormap:
    """Return the colour map from white to blue, for shares."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("share", ["#ffffff", FOR_COLOUR])


def clear_of(low: ArrayLike, high: ArrayLike, value: float = 0.0) -> np.ndarray:
    """Tell which intervals leave a value out; an interval that is not known does not."""
    above, below = np.asarray(low, dtype=float) > value, np.asarray(high, dtype=float) < value
    return np.asarray(above | below)
