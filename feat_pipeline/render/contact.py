"""Contact sheets: every face small, with its number, emotion and probability."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from analysis.plots.theme import shortened
from feat_pipeline.render.labels import answers_of, label_heads
from feat_pipeline.render.palette import GREY, INK, PALE, WHITE, font

if TYPE_CHECKING:
    from feat_pipeline.predict import FacePrediction

FACES_A_PAGE = 48

_SIDE, _GAP, _MARGIN, _MOST_COLUMNS = 160, 14, 20, 8
_LETTERS_PX, _SMALL_PX = 15, 12
_BAND, _FOOT, _HEAD = 22, 18, 24


def contact_sheet(
    predictions: Sequence[FacePrediction],
    *,
    numbers: Sequence[int] | None = None,
    models: Sequence[str] | None = None,
) -> np.ndarray:
    """Lay out faces in rows, each with its number, its emotion with the probability, and its file.

    Parameters
    ----------
    predictions : sequence of FacePrediction
        Of any photos; a page of `FACES_A_PAGE` is still easy to look through.
    numbers : sequence of int, optional
        One for each face; by default from 0.
    models : sequence of str, optional
        Models whose answers stand one below the other, named at the head of the sheet; by default the first
        of each face alone. Faces on which they disagree are marked by ≠.

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
        RGB, on white.
    """
    told = [label_heads(face, models) for face in predictions]
    bands = max((len(heads) for heads in told), default=1)
    columns = min(_MOST_COLUMNS, max(3, math.ceil(math.sqrt(len(predictions) * 1.3))))
    rows = math.ceil(len(predictions) / columns)
    step_x, step_y = _SIDE + _GAP, _SIDE + bands * _BAND + _FOOT + _GAP
    top = _MARGIN + _HEAD
    width, height = 2 * _MARGIN + columns * step_x - _GAP, top + rows * step_y + _MARGIN - _GAP
    sheet = Image.new("RGB", (width, max(height, top + _MARGIN)), WHITE)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, _MARGIN), _headline(predictions, models), font=font(_LETTERS_PX), fill=INK)
    for place, (face, heads) in enumerate(zip(predictions, told, strict=True)):
        x, y = _MARGIN + place % columns * step_x, top + place // columns * step_y
        sheet.paste(Image.fromarray(face.crop_rgb).resize((_SIDE, _SIDE)), (x, y))
        _chip(draw, (x, y), f"{numbers[place] if numbers is not None else place}", "la")
        if len(answers_of(face, models)) > 1:
            _chip(draw, (x + _SIDE - 1, y), "≠", "ra")
        for band in range(bands):
            at = y + _SIDE + band * _BAND
            head = heads[band] if band < len(heads) else None
            draw.rectangle((x, at, x + _SIDE - 1, at + _BAND - 1), fill=head.ground if head else PALE)
            if head:
                letters = font(_LETTERS_PX, bold=True)
                draw.text((x + 6, at + _BAND / 2), head.text, font=letters, fill=INK, anchor="lm")
        name = _fitted(Path(face.input).name, _SIDE)
        at = y + _SIDE + bands * _BAND + 3
        draw.text((x, at), name, font=font(_SMALL_PX), fill=GREY)
    return np.asarray(sheet)


def _headline(predictions: Sequence[FacePrediction], models: Sequence[str] | None) -> str:
    count = f"{len(predictions)} {'face' if len(predictions) == 1 else 'faces'}"
    return f"{count}; from above: {', '.join(models)}" if models and len(models) > 1 else count


def _chip(draw: ImageDraw.ImageDraw, corner: tuple[int, int], text: str, anchor: str) -> None:
    """Write a number on a dark ground into a corner, left or right as the anchor says."""
    letters = font(_LETTERS_PX, bold=True)
    width = letters.getlength(text) + 10
    left = corner[0] if anchor == "la" else corner[0] - width
    draw.rectangle((left, corner[1], left + width, corner[1] + _BAND - 2), fill=INK)
    draw.text((left + 5, corner[1] + (_BAND - 2) / 2), text, font=letters, fill=WHITE, anchor="lm")


def _fitted(name: str, width: float) -> str:
    """Cut a file's name in its middle until it fits."""
    letters, text = font(_SMALL_PX), "".join(c if c.isprintable() else "?" for c in name)
    characters = len(text)
    while characters > 4 and letters.getlength(shortened(text, characters)) > width:
        characters -= 1
    return shortened(text, characters)
