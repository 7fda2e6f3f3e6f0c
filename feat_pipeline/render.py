"""Boxes, emotions and reasons drawn on a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from analysis.explain.rationale import SMALLEST, reason

if TYPE_CHECKING:
    from feat_pipeline.predict import FacePrediction

REASONS = 2
SMALLEST_SIDE_PX = 480  # smaller pictures are enlarged, or no letter would be legible on them
NOT_MEASURED = "not measured"

Box = tuple[float, float, float, float]

# Okabe & Ito's colour-blind safe palette (https://jfly.uni-koeln.de/color/).
_COLOURS = {
    "angry": (213, 94, 0),
    "disgust": (0, 158, 115),
    "fear": (204, 121, 167),
    "happy": (240, 228, 66),
    "sad": (86, 180, 233),
    "surprise": (230, 159, 0),
    "neutral": (220, 220, 220),
}
_OTHER_COLOUR = (160, 160, 160)
_INK = (20, 20, 20)


@dataclass(frozen=True)
class _Label:
    """The lines of one face's label and the px they need."""

    lines: tuple[str, ...]
    fonts: tuple[ImageFont.FreeTypeFont, ...]
    width: float
    height: float
    pad: float


def annotate(
    frame_rgb: np.ndarray, predictions: Sequence[FacePrediction], *, model: str | None = None
) -> np.ndarray:
    """Draw every face's box, its likeliest emotion with the probability, and the AUs that spoke for it most.

    Parameters
    ----------
    frame_rgb : ndarray of uint8, shape (height, width, 3)
        RGB picture; it is not changed.
    predictions : sequence of FacePrediction
        Faces of this picture.
    model : str, optional
        The model to show; by default the first of each face.

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
        RGB. Larger than the picture, of the same shape, where its longer side is below 480 px.
    """
    enlarge = max(1.0, SMALLEST_SIDE_PX / max(frame_rgb.shape[:2]))
    image = Image.fromarray(frame_rgb)
    size = (max(1, round(image.width * enlarge)), max(1, round(image.height * enlarge)))
    image = image.resize(size, Image.Resampling.BICUBIC) if enlarge > 1 else image
    boxes: list[Box] = [tuple(float(v) * enlarge for v in face.box_xyxy) for face in predictions]
    draw = ImageDraw.Draw(image)
    stroke = max(2, round(max(size) / 400))
    for face, box in zip(predictions, boxes, strict=True):
        draw.rectangle(box, outline=_INK, width=stroke + 2)
        draw.rectangle(box, outline=_colour(face, model), width=stroke)
    for face, (label, place) in zip(predictions, _layout(predictions, boxes, size, model), strict=True):
        _draw_label(draw, label, place, _colour(face, model))
    return np.asarray(image)


def label_lines(face: FacePrediction, model: str | None = None) -> tuple[str, ...]:
    """Return the text of a face's label: emotion and probability, then one line per reason."""
    name = model or next(iter(face.probabilities), "")
    emotion = face.label(name)
    if not emotion:
        return (NOT_MEASURED,)
    head = f"{emotion} {round(100 * face.probabilities[name][emotion])} %"
    explanation = face.explanations.get(name)
    if explanation is None:
        return (head,)
    table = explanation.table
    reasons = table[table["contribution"] >= SMALLEST].nlargest(REASONS, "contribution")
    columns = (reasons[name] for name in ("au", "value", "baseline", "contribution"))
    return (head, *(reason(*row) for row in zip(*columns, strict=True)))


def _layout(
    predictions: Sequence[FacePrediction], boxes: list[Box], size: tuple[int, int], model: str | None
) -> list[tuple[_Label, Box]]:
    """Find a place for every label, those of large faces first."""
    text_px = _text_px(boxes, size)
    all_boxes = np.array(boxes).reshape(-1, 4)
    chosen: dict[int, tuple[_Label, Box]] = {}
    for number in np.argsort(-_areas(all_boxes), kind="stable").tolist():
        others = np.delete(all_boxes, number, axis=0)
        taken = np.array([place for _, place in chosen.values()]).reshape(-1, 4)
        lines = label_lines(predictions[number], model)
        chosen[number] = _place(lines, text_px, boxes[number], others, taken, size)
    return [chosen[number] for number in range(len(boxes))]


def _text_px(boxes: list[Box], size: tuple[int, int]) -> float:
    """Letters in proportion to the faces, between limits that the picture sets."""
    unit = (size[0] * size[1]) ** 0.5
    face_px = float(np.median([box[3] - box[1] for box in boxes])) if boxes else 0.0
    return max(15.0, min(0.024 * unit, max(0.011 * unit, 0.14 * face_px)))


def _place(
    lines: tuple[str, ...],
    text_px: float,
    box: Box,
    others: np.ndarray,
    taken: np.ndarray,
    size: tuple[int, int],
) -> tuple[_Label, Box]:
    """Choose the label, whole or its first line only, and the place that cover the least."""
    x0, y0, x1, y1 = box
    own = np.array([box, (x0, y0 + 0.2 * (y1 - y0), x1, y1)])  # the whole face, and brows to chin
    options: list[tuple[float, _Label, Box]] = []
    for shown in dict.fromkeys((lines, lines[:1])):
        label = _measure(shown, text_px, size)
        places = _candidates(label, box, size)
        hidden = _shares(places, own) @ (1, 2) + 3 * _shares(places, others).sum(axis=1)
        hidden += 4 * _overlaps(places, taken).sum(axis=1) / (label.width * label.height)
        cost = hidden + 0.01 * np.arange(len(places)) + (0.2 if shown != lines else 0)
        best = int(cost.argmin())
        options.append((float(cost[best]), label, tuple(places[best].tolist())))
    _, label, place = min(options, key=lambda option: option[0])
    return label, place


def _candidates(label: _Label, box: Box, size: tuple[int, int]) -> np.ndarray:
    """Places around and in a face box, the preferred ones first, moved into the picture: shape (n, 4)."""
    x0, y0, x1, y1 = box
    w, h = label.width, label.height
    middle = (y0 + y1 - h) / 2
    corners = np.array([
        (x0, y1), (x0, y0 - h), (x1 - w, y1), (x1 - w, y0 - h),
        (x0, y0), (x1 - w, y0), (x1, middle), (x0 - w, middle),
        (x1, y0), (x0 - w, y0), (x1, y1 - h), (x0 - w, y1 - h),
    ])  # fmt: skip
    extent = np.array([w, h])
    corners = np.clip(corners, 0, np.maximum(size - extent, 0))
    return np.hstack([corners, corners + extent])


def _measure(lines: tuple[str, ...], text_px: float, size: tuple[int, int]) -> _Label:
    while True:
        fonts = tuple(_font(text_px * (1.25 if n == 0 else 1.0)) for n in range(len(lines)))
        pad = text_px * 0.3
        width = max(font.getlength(line) for font, line in zip(fonts, lines, strict=True)) + 2 * pad
        height = sum(font.size * 1.2 for font in fonts) + 2 * pad
        if (width <= size[0] and height <= size[1]) or text_px < 5:
            return _Label(lines, fonts, width, height, pad)
        text_px *= 0.9


def _font(px: float) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(px)  # type: ignore[return-value]


def _draw_label(draw: ImageDraw.ImageDraw, label: _Label, place: Box, colour: tuple[int, int, int]) -> None:
    x0, y0, x1, y1 = place
    draw.rectangle(place, fill=_INK)
    head = label.pad + label.fonts[0].size * 1.2
    draw.rectangle((x0, y0, x1, min(y1, y0 + head)), fill=colour)
    y = y0 + label.pad * 0.7
    for number, (line, font) in enumerate(zip(label.lines, label.fonts, strict=True)):
        draw.text((x0 + label.pad, y), line, font=font, fill=_INK if number == 0 else (255, 255, 255))
        y += font.size * 1.2 + (label.pad * 0.4 if number == 0 else 0)


def _colour(face: FacePrediction, model: str | None) -> tuple[int, int, int]:
    return _COLOURS.get(face.label(model), _OTHER_COLOUR)


def _areas(boxes: np.ndarray) -> np.ndarray:
    """Return the areas of boxes, shape (..., 4); 0 where the left edge is right of the right one."""
    return np.maximum(boxes[..., 2:] - boxes[..., :2], 0).prod(axis=-1)


def _overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the common areas of boxes, shapes (n, 4) and (m, 4) -> (n, m)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    return _areas(np.concatenate([low, high], axis=-1))


def _shares(covers: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return which share of each box is covered, shapes (n, 4) and (m, 4) -> (n, m)."""
    return _overlaps(covers, boxes) / np.maximum(_areas(boxes), 1.0)
