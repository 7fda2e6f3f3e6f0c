"""Colours and letters of everything drawn on pictures; the figures of reports use the same."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import ImageFont

from analysis.plots import theme

if TYPE_CHECKING:
    from feat_pipeline.predict import FacePrediction

RGB = tuple[int, int, int]


def _rgb(text: str) -> RGB:
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


INK, GREY, PALE, RULE = (_rgb(c) for c in (theme.INK, theme.GREY, theme.PALE, theme.RULE))
FOR, AGAINST = _rgb(theme.FOR_COLOUR), _rgb(theme.AGAINST_COLOUR)
WHITE: RGB = (255, 255, 255)

# Okabe & Ito's colour-blind safe palette (https://jfly.uni-koeln.de/color/).
_EMOTIONS: dict[str, RGB] = {
    "angry": (213, 94, 0),
    "disgust": (0, 158, 115),
    "fear": (204, 121, 167),
    "happy": (240, 228, 66),
    "sad": (86, 180, 233),
    "surprise": (230, 159, 0),
    "neutral": (220, 220, 220),
}
_OTHER: RGB = (160, 160, 160)


def colour_of(emotion: str) -> RGB:
    """Return the colour of an emotion; grey where it has none, or where there is no answer."""
    return _EMOTIONS.get(emotion, _OTHER)


def colour_of_face(face: FacePrediction, model: str | None = None) -> RGB:
    """Return the colour of a face's likeliest emotion by one model, by default its first."""
    return colour_of(face.label(model))


@lru_cache(maxsize=256)
def font(px: float, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans, which the installed matplotlib brings, at a size in px.

    It knows the letters of most European languages; Pillow's own font, taken where matplotlib has none, knows
    those of ASCII only.
    """
    file = _font_folder() / f"DejaVuSans{'-Bold' if bold else ''}.ttf"
    if file.is_file():
        return ImageFont.truetype(file, px)
    return ImageFont.load_default(px)  # type: ignore[return-value]


@lru_cache(maxsize=1)
def _font_folder() -> Path:
    found = importlib.util.find_spec("matplotlib")  # found and not imported: that takes a third of a second
    return Path(found.origin if found and found.origin else "matplotlib").parent / "mpl-data/fonts/ttf"
