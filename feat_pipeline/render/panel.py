"""One face's Action Units as bars, and what they say, on a strip that stands beside or over a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from analysis.explain.rationale import SMALLEST
from analysis.facs import AUS, parse_column
from analysis.rounding import percent
from feat_pipeline.errors import UsageError
from feat_pipeline.render.emoji import draw_emoji
from feat_pipeline.render.expression import intensities
from feat_pipeline.render.labels import NOT_MEASURED, strongest
from feat_pipeline.render.palette import AGAINST, FOR, GREY, INK, PALE, RGB, RULE, WHITE, colour_of, font

if TYPE_CHECKING:
    from analysis.explain import FaceExplanation
    from feat_pipeline.predict import FacePrediction

SMALLEST_HEIGHT = 120
LETTER_PX, LETTERS = 12.0, 45
"""Letters are a 45th of the strip, and never smaller than this."""

_NO_FACE = "no face"
_WIDTH = 23.0  # everything below is in letters
_HEAD, _ROW, _PAD = 4.0, 1.42, 0.7
_NAME, _VALUE, _GAIN = 0.6, 18.6, 22.4
_BAR = 12.0, 16.6
_FOR, _AGAINST = 2, 1
#: Where not all AUs have room the first of these are shown, by number: no bar jumps between frames.
_IMPORTANT = (12, 6, 4, 25, 1, 2, 5, 7, 15, 26, 9, 17, 10, 20, 23, 14, 24, 43, 45, 27, 16, 11, 18, 28, 22)
_FACE_REGIONS = ("brow", "eye", "nose", "cheek", "mouth", "jaw")
_GAZE = range(61, 65)


def draw_panel(face: FacePrediction | None, *, height: int, model: str | None = None) -> np.ndarray:
    """Draw the AUs of one face as bars, its emotion, and the reasons for it and against it.

    Parameters
    ----------
    face : FacePrediction or None
        None where a frame has none.
    height : int
        Of the strip, px; 120 or more.
    model : str, optional
        The model to show; by default the face's first. One that gives no reasons has its probabilities
        shown instead.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        RGB. The width follows from the height alone and is even: 276 px for 360, 552 px for 1080. Bars that
        speak for the emotion are blue, those against it orange, others grey; beside them what they add.

    Raises
    ------
    UsageError
        The height is too small for letters that can be read.
    """
    if height < SMALLEST_HEIGHT:
        raise UsageError(f"height: expected {SMALLEST_HEIGHT} px or more, got {height}")
    strip = _Strip(height)
    if face is None:
        strip.head(_NO_FACE, "", PALE, None)
        return strip.picture()
    name = model or next(iter(face.probabilities), "")
    explanation = face.explanations.get(name)
    below = _below(face, name, explanation)
    _draw_head(strip, face, name)
    _draw_bars(strip, face, explanation, strip.lines_above(len(below)))
    strip.rule()
    for text, colour in below:
        strip.line(text, colour)
    return strip.picture()


class _Strip:
    """A white strip that is filled from above."""

    def __init__(self, height: int) -> None:
        self.unit = max(LETTER_PX, height / LETTERS)
        self._image = Image.new("RGB", (2 * round(_WIDTH * self.unit / 2), height), WHITE)
        self._draw = ImageDraw.Draw(self._image)
        self._y = 0.0

    def picture(self) -> np.ndarray:
        self._draw.rectangle((0, 0, self._image.width - 1, self._image.height - 1), outline=RULE)
        return np.asarray(self._image)

    def lines_above(self, lines: int) -> int:
        """Return how many rows fit above so many lines at the strip's foot."""
        left = self._image.height / self.unit - self._y - 2 * _PAD - lines * _ROW
        return max(0, int(left / _ROW))

    def head(self, title: str, further: str, colour: RGB, emoji: np.ndarray | None) -> None:
        u = self.unit
        self._draw.rectangle((0, 0, self._image.width, _HEAD * u), fill=colour)
        x = _PAD * u
        if emoji is not None:
            drawn = Image.fromarray(emoji)
            self._image.paste(drawn, (round(x), round(0.3 * u)), drawn)
            x += emoji.shape[1] + 0.6 * u
        self._write(x, 1.6 * u if further else 2 * u, title, 1.5, INK, bold=True)
        self._write(x, 3.05 * u, further, 0.95, INK)
        self._y = _HEAD + _PAD

    def bar(self, name: str, share: float, value: str, colour: RGB, gain: str) -> None:
        u, middle = self.unit, (self._y + _ROW / 2) * self.unit
        self._write(_NAME * u, middle, name, 0.86, INK)
        left, right = (x * u for x in _BAR)
        top, bottom = middle - 0.36 * u, middle + 0.36 * u
        self._draw.rectangle((left, top, right, bottom), fill=PALE)
        if share > 0:
            self._draw.rectangle((left, top, left + share * (right - left), bottom), fill=colour)
        self._write(_VALUE * u, middle, value, 0.86, INK, "rm")
        self._write(_GAIN * u, middle, gain, 0.86, colour, "rm", bold=True)
        self._y += _ROW

    def rule(self) -> None:
        y = (self._y + 0.4 * _PAD) * self.unit
        self._draw.line((0, y, self._image.width, y), fill=RULE, width=max(1, round(self.unit / 12)))
        self._y += _PAD

    def line(self, text: str, colour: RGB) -> None:
        u, middle = self.unit, (self._y + _ROW / 2) * self.unit
        self._write(_NAME * u, middle, text, 0.95, colour)
        self._y += _ROW

    def _write(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        colour: RGB,
        anchor: str = "lm",
        *,
        bold: bool = False,
    ) -> None:
        letters = font(size * self.unit, bold=bold)
        room = self._image.width - x - 0.3 * self.unit
        while anchor == "lm" and len(text) > 1 and letters.getlength(text) > room:
            text = text[:-2].rstrip() + "…"
        self._draw.text((x, y), text, font=letters, fill=colour, anchor=anchor)


def _draw_head(strip: _Strip, face: FacePrediction, name: str) -> None:
    emotion = face.label(name)
    emoji = draw_emoji(face.aus, round(3.4 * strip.unit))
    if not emotion:
        strip.head(NOT_MEASURED, name, PALE, emoji)
        return
    others = dict(face.probabilities[name])
    own = others.pop(emotion)  # in a film the label is steady: another emotion may be ahead for a moment
    further = ""
    if others:
        second = max(others, key=others.__getitem__)
        further = f"then {second} {percent(others[second])}"
    strip.head(f"{emotion} {percent(own)}", further, colour_of(emotion), emoji)


def _draw_bars(strip: _Strip, face: FacePrediction, explanation: FaceExplanation | None, rows: int) -> None:
    gains: dict[str, float] = {}
    if explanation is not None:
        gains = dict(zip(explanation.au_columns, explanation.contribution.tolist(), strict=True))
    shares = intensities(face.aus)
    for column in _shown(face, rows):
        number = parse_column(column)[0]  # type: ignore[index]
        value, gain = face.aus[column], gains.get(column, 0.0)
        told = abs(gain) >= SMALLEST
        colour = (FOR if gain > 0 else AGAINST) if told else GREY
        text = f"{value:.1f}" if math.isfinite(value) else "–"
        name = f"{number} {AUS[number].plain}" if number in AUS else str(number)
        strip.bar(name, shares.get(number, 0.0), text, colour, f"{gain:+.1f}" if told else "")


def _shown(face: FacePrediction, rows: int) -> Sequence[str]:
    columns: dict[int, str] = {}
    for column in face.aus:
        parsed = parse_column(column)
        if parsed is not None and parsed[0] in AUS and AUS[parsed[0]].region in _FACE_REGIONS:
            columns.setdefault(parsed[0], column)
    ranked = [n for n in _IMPORTANT if n in columns]
    ranked += sorted((n for n in columns if n not in ranked), key=lambda n: (n in _GAZE, n))
    return [columns[number] for number in sorted(ranked[:rows])]


def _below(face: FacePrediction, name: str, explanation: FaceExplanation | None) -> list[tuple[str, RGB]]:
    """Return what stands at the foot of the strip: the reasons, or else the probabilities."""
    if explanation is None:
        ranked = sorted(face.probabilities.get(name, {}).items(), key=lambda pair: -pair[1])
        lines = [(f"{emotion} {percent(share)}", INK) for emotion, share in ranked[:3]]
        return [(f"{name}, which names no reasons:", GREY), *lines] if lines else []
    speaks_for = [(f"+ {found.long()}", FOR) for found in strongest(explanation, _FOR)]
    against = strongest(explanation, _AGAINST, against=True)
    return speaks_for + [(f"– {found.long()}", AGAINST) for found in against]
