"""An emoji drawn from a face's own Action Units: it shows how strong they are, and not only a class."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from feat_pipeline.errors import UsageError
from feat_pipeline.render.expression import (
    EYE_HALF_WIDTH,
    EYE_X,
    EYE_Y,
    MOUTH_Y,
    Brow,
    Expression,
    Eye,
    Mouth,
    expression,
)
from feat_pipeline.render.palette import RGB

LARGEST_PX = 2048

_LIGHT, _DEEP, _RIM = (255, 225, 96), (250, 178, 32), (206, 132, 16)
_GREY_LIGHT, _GREY_DEEP, _GREY_RIM = (228, 231, 235), (186, 191, 199), (140, 146, 156)
_LINE: RGB = (74, 44, 18)
_HAIR: RGB = (96, 56, 18)
_INSIDE: RGB = (92, 24, 26)
_TONGUE: RGB = (226, 92, 92)
_LIPS: RGB = (206, 84, 66)
_BLUSH: RGB = (240, 96, 66)
_WHITE: RGB = (255, 255, 255)
_IRIS: RGB = (58, 36, 22)
_CREASE: RGB = (168, 98, 10)

_RIM_WIDTH = 0.035
_STEPS = 25  # points of a curve


def draw_emoji(aus: Mapping[str, float], size_px: int, roll_deg: float = 0.0) -> np.ndarray:
    """Draw the face that AUs make: brows, lids, cheeks, nose and lips, each as strong as its AUs.

    Parameters
    ----------
    aus : mapping of str to float
        AU column, such as ``AU12_r``, to its value on its scale. An AU that is absent or has no value draws
        nothing; where none has a value, the face is grey and at rest.
    size_px : int
        Side of the picture, 1 to 2048; the disc of the face fills it.
    roll_deg : float
        By how much the face is turned, from the x axis towards the y axis: clockwise as one sees it.

    Returns
    -------
    ndarray of uint8, shape (size_px, size_px, 4)
        RGBA, alpha not multiplied in; edges are smooth.

    Raises
    ------
    UsageError
        `size_px` is out of range.
    """
    if not 1 <= size_px <= LARGEST_PX:
        raise UsageError(f"size_px: expected 1 to {LARGEST_PX}, got {size_px}")
    face = expression(aus)
    finer = 3 if size_px <= 400 else 2  # drawn larger and averaged, which makes the edges smooth
    skin = _disc(size_px, face.measured).resize((size_px * finer,) * 2, Image.Resampling.BILINEAR)
    canvas = _Canvas(skin, roll_deg if math.isfinite(roll_deg) else 0.0)
    _draw_skin(canvas, face)
    for flip in (-1, 1):
        _draw_eye(canvas, face.eye, flip)
        _draw_brow(canvas, face.brow, flip)
    _draw_mouth(canvas, face.mouth)
    return np.dstack([np.asarray(canvas.image.reduce(finer)), _disc_alpha(size_px)])


class _Canvas:
    """A square picture that is drawn on in radii of the disc, from its centre."""

    def __init__(self, image: Image.Image, roll_deg: float) -> None:
        self.image = image
        self._draw = ImageDraw.Draw(image, "RGBA")  # on RGB it blends
        turn = math.radians(roll_deg)
        self._unit = _radius(image.width)
        self._matrix = self._unit * np.array(
            [[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]]
        )

    def fill(self, points: np.ndarray, colour: RGB, opacity: float = 1.0) -> None:
        """Fill a polygon, shape (n, 2)."""
        if opacity > 0.01:
            self._draw.polygon(self._px(points), fill=(*colour, round(255 * min(1.0, opacity))))

    def stroke(self, points: np.ndarray, width: float, colour: RGB, opacity: float = 1.0) -> None:
        """Draw a line of one width with round ends along points, shape (n, 2)."""
        self.brush(points, np.full(len(points), width), colour, opacity)

    def brush(self, points: np.ndarray, widths: np.ndarray, colour: RGB, opacity: float = 1.0) -> None:
        """Draw a line along points, shape (n, 2), with round ends and a width at each point."""
        along = np.gradient(points, axis=0)
        along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
        side = np.column_stack([-along[:, 1], along[:, 0]]) * widths[:, None] / 2
        first = _arc(points[0], widths[0] / 2, math.atan2(*side[0, ::-1]))
        last = _arc(points[-1], widths[-1] / 2, math.atan2(*-side[-1, ::-1]))
        self.fill(np.concatenate([points - side, last, (points + side)[::-1], first]), colour, opacity)

    def _px(self, points: np.ndarray) -> list[tuple[float, float]]:
        # Pillow counts from the centre of the first pixel.
        placed = points @ self._matrix + (self.image.width - 1) / 2
        return list(map(tuple, placed.tolist()))


def _arc(centre: np.ndarray, radius: float, start: float) -> np.ndarray:
    turns = start + np.linspace(0, math.pi, 9)
    return centre + radius * np.column_stack([np.cos(turns), np.sin(turns)])


def _ellipse(centre: tuple[float, float], half: tuple[float, float]) -> np.ndarray:
    turns = np.linspace(0, 2 * math.pi, 2 * _STEPS, endpoint=False)
    return np.column_stack([centre[0] + half[0] * np.cos(turns), centre[1] + half[1] * np.sin(turns)])


def _curve(*points: tuple[float, float]) -> np.ndarray:
    """Return a Bezier curve of three or four points, shape (n, 2)."""
    return _bernstein(len(points)) @ np.array(points)


@lru_cache(maxsize=2)
def _bernstein(points: int) -> np.ndarray:
    t, n = np.linspace(0, 1, _STEPS), points - 1
    return np.column_stack([math.comb(n, k) * t**k * (1 - t) ** (n - k) for k in range(points)])


def _mirrored(points: np.ndarray, flip: int) -> np.ndarray:
    return points * (flip, 1)


def _draw_skin(canvas: _Canvas, face: Expression) -> None:
    """Blush, folds and wrinkles, under eyes and mouth."""
    corner = (face.mouth.half_width, MOUTH_Y + face.mouth.corner)
    for flip in (-1, 1):

        def crease(points: np.ndarray, opacity: float, width: float = 0.03, flip: int = flip) -> None:
            canvas.stroke(_mirrored(points, flip), width, _CREASE, 0.85 * opacity)

        swell = 1 + 0.35 * face.puff
        for share in np.linspace(1, 0.2, 9):
            blush = _ellipse((0.60, 0.20), (0.21 * swell * share, 0.15 * swell * share))
            canvas.fill(_mirrored(blush, flip), _BLUSH, 0.09 * max(face.cheek, face.puff))
        low = EYE_Y + 0.20
        crease(_curve((0.20, low), (0.38, low + 0.09 - 0.03 * face.pouch), (0.57, low - 0.05)), face.pouch)
        crease(_curve((0.15, 0.13), (0.30, 0.17), (corner[0] + 0.10, corner[1] + 0.01)), face.fold)
        crease(_curve((0.06, 0.17), (0.15, 0.19), (0.13, 0.08)), face.wrinkle)  # the wing of the nose
        x, y = corner
        crease(_curve((x + 0.07, y - 0.09), (x + 0.125, y), (x + 0.06, y + 0.09)), face.dimple, 0.04)
        crease(_curve((0.055, -0.47), (0.035, -0.40), (0.05, -0.31)), face.frown, 0.035)
    for row in range(3):
        y, half = -0.17 + 0.075 * row, 0.10 - 0.018 * row
        line = _curve((-half, y - 0.02), (0.0, y + 0.04), (half, y - 0.02))
        canvas.stroke(line, 0.03, _CREASE, 0.85 * face.wrinkle)
    low = MOUTH_Y + max(face.mouth.lower, face.mouth.corner) + 0.17
    canvas.stroke(_curve((-0.13, low), (0.0, low - 0.09), (0.13, low)), 0.03, _CREASE, 0.85 * face.chin)


def _draw_brow(canvas: _Canvas, brow: Brow, flip: int) -> None:
    points = _through(brow.inner, brow.middle, brow.outer)
    widths = np.interp(np.linspace(0, 1, len(points)), (0, 0.45, 1), (0.085, 0.085, 0.045))
    canvas.brush(_mirrored(points, flip), widths, _HAIR)


def _through(
    first: tuple[float, float], middle: tuple[float, float], last: tuple[float, float]
) -> np.ndarray:
    """Return a curve that passes its middle point halfway."""
    control = 2 * np.array(middle) - (np.array(first) + np.array(last)) / 2
    return _curve(first, (float(control[0]), float(control[1])), last)


def _draw_eye(canvas: _Canvas, eye: Eye, flip: int) -> None:
    centre = np.array([flip * EYE_X, EYE_Y])
    x = np.linspace(-1, 1, 2 * _STEPS) * EYE_HALF_WIDTH
    upper, lower = _lid(x, eye.upper), _lid(x, eye.lower)
    opening = np.concatenate([np.column_stack([x, upper]), np.column_stack([x, lower])[::-1]])
    canvas.fill(centre + opening, _WHITE)
    gaze = np.array(eye.gaze)
    iris = np.array([0.0, 0.01 + 0.3 * (eye.upper + eye.lower)]) + gaze
    spark = 0.034 * min(1.0, max(0.0, (eye.lower - eye.upper) / 0.18 - 0.3))  # none between narrow lids
    for shape, colour in (
        (_ellipse((iris[0], iris[1]), (0.112, 0.118)), _IRIS),
        (_ellipse((iris[0] - 0.04, iris[1] - 0.045), (spark, spark)), _WHITE),
    ):
        seen = shape.copy()
        seen[:, 1] = np.clip(shape[:, 1], _lid(shape[:, 0], eye.upper), _lid(shape[:, 0], eye.lower))
        canvas.fill(centre + seen, colour)
    canvas.stroke(centre + np.column_stack([x, lower]), 0.025, _LINE)
    canvas.stroke(centre + np.column_stack([x, upper]), 0.05, _LINE)


def _lid(x: np.ndarray, height: float) -> np.ndarray:
    """Height of a lid over the eye's width; at its ends the eye's corners."""
    return height * np.clip(1 - (x / EYE_HALF_WIDTH) ** 2, 0, 1) ** 0.6


def _draw_mouth(canvas: _Canvas, mouth: Mouth) -> None:
    upper, lower = (_lip(mouth, middle) for middle in (mouth.upper, mouth.lower))
    gap = lower[:, 1] - upper[:, 1]
    place = np.array([0.0, MOUTH_Y])
    lips = 0.13 * mouth.pucker
    if lips:
        for lip in (upper, lower):
            canvas.stroke(place + lip, 0.05 + lips, _LIPS)
    canvas.fill(place + np.concatenate([upper, lower[::-1]]), _INSIDE)
    x = upper[:, 0] / mouth.half_width
    tongue = np.clip(1 - (x / 0.72) ** 2, 0, 1) * np.clip(gap - 0.16, 0, None) * 0.75
    canvas.fill(place + _between(lower - _down(tongue), lower), _TONGUE)
    upper_teeth = np.clip(mouth.teeth * np.minimum(0.52 * gap, 0.15), 0, gap)
    canvas.fill(place + _between(upper, upper + _down(upper_teeth)), _WHITE)
    lower_teeth = np.clip(mouth.below * np.minimum(0.3 * gap, 0.09), 0, gap)
    canvas.fill(place + _between(lower - _down(lower_teeth), lower), _WHITE)
    width = 0.055 - 0.025 * mouth.thin
    for lip in (upper, lower):
        canvas.stroke(place + lip, width, _LINE)
    x_end = 0.7 * mouth.half_width
    for side in (-1, 1):  # the skin around lips that are pressed together bulges
        y = float(upper[len(upper) // 2, 1]) + side * 0.10
        bulge = _curve((-x_end, y - side * 0.015), (0.0, y + side * 0.03), (x_end, y - side * 0.015))
        canvas.stroke(place + bulge, 0.026, _CREASE, 0.8 * mouth.thin * (1 - min(1.0, 12 * float(gap.max()))))


def _lip(mouth: Mouth, middle: float) -> np.ndarray:
    """Return the inner edge of a lip from corner to corner: at its middle as high as told."""
    control = (middle - 0.25 * mouth.corner) / 0.75
    x = mouth.half_width * (0.25 + 0.75 * mouth.square)
    return _curve(
        (-mouth.half_width, mouth.corner), (-x, control), (x, control), (mouth.half_width, mouth.corner)
    )


def _down(heights: np.ndarray) -> np.ndarray:
    return np.column_stack([np.zeros(len(heights)), heights])


def _between(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.concatenate([above, below[::-1]])


def _radius(side: int) -> float:
    return side * 0.496


@lru_cache(maxsize=8)
def _disc(side: int, measured: bool) -> Image.Image:
    """Draw a ball lit from above; grey where nothing was measured."""
    light, deep, rim = (_LIGHT, _DEEP, _RIM) if measured else (_GREY_LIGHT, _GREY_DEEP, _GREY_RIM)
    places = _places(side)
    depth = np.clip(np.hypot(places[None, :], places[:, None] + 0.55) / 1.55, 0, 1)[..., None] ** 2
    picture = np.array(light, np.float32) * (1 - depth) + np.array(deep, np.float32) * depth
    distance = np.hypot(places[None, :], places[:, None])[..., None]
    edge = np.clip((distance - (1 - 2 * _RIM_WIDTH)) / _RIM_WIDTH, 0, 1)
    picture += (np.array(rim, np.float32) - picture) * edge
    return Image.fromarray(np.round(picture).astype(np.uint8))


@lru_cache(maxsize=8)
def _disc_alpha(side: int) -> np.ndarray:
    places = _places(side)
    inside_px = (1 - np.hypot(places[None, :], places[:, None])) * _radius(side)
    return np.round(255 * np.clip(inside_px + 0.5, 0, 1)).astype(np.uint8)


def _places(side: int) -> np.ndarray:
    """Where the pixels of a row lie, in radii from the centre."""
    return (np.arange(side, dtype=np.float32) - (side - 1) / 2) / _radius(side)
