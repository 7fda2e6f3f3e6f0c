"""The faces on which models disagree, as a sheet of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.plots.theme import (
    GREY,
    PALE,
    SMALL,
    WIDTH,
    blank,
    broken,
    heading,
    new_figure,
    shortened,
    style_of,
)
from analysis.results import Result
from analysis.rounding import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Picture = str | Path | np.ndarray | None

_COLUMNS = 5


def disagreement_gallery(comparison: Result, pictures: Sequence[Picture], *, most: int = 15) -> Figure:
    """Draw the faces on which the models disagree most, with what each of them says.

    Parameters
    ----------
    comparison : Comparison
        Anything with its ``facts`` and its table ``disagreements``.
    pictures : sequence of path, (h, w, 3) uint8 RGB array or None
        One for each row of the table, in its order; fewer where the rest is not to be drawn.
    most : int, default 15
        How many faces are drawn.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there are more pictures than rows.
    OSError
        If a picture cannot be read.
    """
    table, models = comparison.tables["disagreements"], list(comparison.facts["models"])
    if len(pictures) > len(table):
        raise ValueError(f"pictures: expected at most {len(table)}, one for each row, got {len(pictures)}")
    shown = min(most, len(pictures))
    columns = min(_COLUMNS, max(1, shown))
    lines = max(1, -(-shown // columns))
    side = WIDTH / _COLUMNS
    height = 0.75 + lines * (side + 0.14 * (len(models) + 1.5))
    with new_figure((max(3.5, side * columns), height), lines, columns) as (figure, grid):
        for axes, picture, row in zip(grid, pictures[:shown], table.to_dict("records"), strict=False):
            _face(axes, picture, row, models)
        blank(grid[shown:])
        who = (f"{_letter(place)} {shortened(model, 30)}" for place, model in enumerate(models))
        figure.supxlabel(broken(", ".join(who), figure.get_figwidth() - 0.2, 9), fontsize=9)
        heading(figure, "Faces on which the models disagree" if shown else "No face to show")
    return figure


def _face(axes: Axes, picture: Picture, row: dict[str, Any], models: list[str]) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_box_aspect(1)
    axes.set_anchor("N")
    pixels = _pixels(picture)
    if pixels is None:
        axes.set_facecolor(PALE)
        axes.text(0.5, 0.5, "no picture", ha="center", va="center", color=GREY, fontsize=SMALL)
    else:
        axes.imshow(pixels)
    axes.set_title(f"labelled {shortened(row['label'], 14)}", fontsize=SMALL)
    for place, model in enumerate(models):
        sure = float(row.get(f"confidence_{model}") or np.nan)
        said = shortened(row[model], 14) + (f" {percent(sure)}" if np.isfinite(sure) else "")
        axes.annotate(
            f"{_letter(place)} {'✓' if row[model] == row['label'] else '✗'} {said}",
            (0, 0),
            (0, -9 - 10 * place),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize=SMALL,
            color=style_of(place).colour,
        )


def _letter(place: int) -> str:
    return chr(ord("A") + place)


def _pixels(picture: Picture) -> np.ndarray | None:
    if picture is None or isinstance(picture, np.ndarray):
        return picture
    from PIL import Image

    with Image.open(picture) as opened:
        opened.thumbnail((320, 320))
        return np.asarray(opened.convert("RGB"))
