"""Boxes, emotions and reasons drawn on a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from feat_pipeline.render.covers import hide_faces
from feat_pipeline.render.labels import answers_of, label_rows
from feat_pipeline.render.labels_placing import LINE, Box, Placed, place_labels, text_px
from feat_pipeline.render.outline import outline_of
from feat_pipeline.render.palette import INK, RGB, WHITE, colour_of, font

if TYPE_CHECKING:
    from feat_pipeline.predict import FacePrediction
    from feat_pipeline.render.labels_keeping import KeptPlaces

SMALLEST_SIDE_PX = 480  # smaller pictures are enlarged, or no letter would be legible on them
_SHORT_SIDE_PX, _MOST_ENLARGED, _MOST_PX = 120, 4.0, 4_000_000


def annotate(
    frame_rgb: np.ndarray,
    predictions: Sequence[FacePrediction],
    *,
    model: str | None = None,
    models: Sequence[str] | None = None,
    hide: str | None = None,
    emoji_set: Mapping[str, np.ndarray] | None = None,
    keep: KeptPlaces | None = None,
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
    models : sequence of str, optional
        Several models to show one below the other instead. Where they name different emotions the label says
        so, and the box has the colours of both.
    hide : {'blur', 'pixelate', 'emoji'}, optional
        Faces are covered as `hide_faces` does it, before anything is drawn.
    emoji_set : mapping of str to ndarray, optional
        As for `hide_faces`.
    keep : KeptPlaces, optional
        Of a film: its labels stay where they are from frame to frame. Faces have a ``face_id`` there.

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
        RGB. Larger than the picture, of the same shape, where its longer side is below 480 px or its shorter
        below 120 px. No label lies over another one, and none has letters below 13 px: where there is no
        room a label is shorter, down to the face's number, and at last left out.

    Raises
    ------
    UsageError
        `hide` is unknown.
    """
    if hide is not None:
        frame_rgb = hide_faces(frame_rgb, predictions, hide, emoji_set=emoji_set, model=model)
    enlarge = _enlargement(*frame_rgb.shape[1::-1])
    image = Image.fromarray(frame_rgb)
    size = (max(1, round(image.width * enlarge)), max(1, round(image.height * enlarge)))
    image = image.resize(size, Image.Resampling.BICUBIC) if enlarge > 1 else image
    shown = list(models) if models else [model] if model else None
    boxes = [_box(face, enlarge, covered=hide == "emoji") for face in predictions]
    draw = ImageDraw.Draw(image)
    stroke = max(2, round((size[0] * size[1]) ** 0.5 / 350))
    if hide != "emoji":  # which needs no frame
        for face, box in zip(predictions, boxes, strict=True):
            _draw_box(draw, box, _colours(face, shown), stroke)
    letters_px = text_px([_box(face, enlarge, covered=False) for face in predictions], size)
    rows = [label_rows(face, shown) for face in predictions]
    if keep is None or not predictions:
        placed = place_labels(rows, boxes, size, letters_px)
    else:
        keys = [getattr(face, "face_id", face.face) for face in predictions]
        placed = keep.place(predictions[0].time_s, keys, rows, boxes, size, letters_px)
    for face, box, label in zip(predictions, boxes, placed, strict=True):
        if label is not None and label.away:
            _draw_leader(draw, label, box, _colours(face, shown)[0])
    for label in filter(None, placed):
        _draw_label(draw, label)
    return np.asarray(image)


def _enlargement(width: int, height: int) -> float:
    long, short = max(width, height), min(width, height)
    tall = min(_SHORT_SIDE_PX / short, _MOST_ENLARGED, (_MOST_PX / (width * height)) ** 0.5)
    return max(1.0, SMALLEST_SIDE_PX / long, tall)


def _box(face: FacePrediction, enlarge: float, *, covered: bool) -> Box:
    """Return the detector's box, or that of what covers the face."""
    if covered:
        region = outline_of(face)
        (x, y), radius = region.centre, region.radius
        return tuple(v * enlarge for v in (x - radius, y - radius, x + radius, y + radius))  # type: ignore[return-value]
    return tuple(float(v) * enlarge for v in face.box_xyxy)  # type: ignore[return-value]


def _colours(face: FacePrediction, models: Sequence[str] | None) -> list[RGB]:
    """Colours of the different emotions that the models name, at least one."""
    return [colour_of(emotion) for emotion in answers_of(face, models) or [""]]


def _draw_box(draw: ImageDraw.ImageDraw, box: Box, colours: Sequence[RGB], stroke: int) -> None:
    """Outline a face; several colours take turns."""
    draw.rectangle(box, outline=INK, width=stroke + 2)
    draw.rectangle(box, outline=colours[0], width=stroke)
    if len(colours) == 1:
        return
    x0, y0, x1, y1 = box
    dash = max(4.0 * stroke, (x1 - x0 + y1 - y0) / 12)
    for start, end, at, across in ((x0, x1, (y0, y1), False), (y0, y1, (x0, x1), True)):
        for number, low in enumerate(np.arange(start, end, dash).tolist()):
            colour = colours[number % len(colours)]
            high = min(low + dash, end)
            for side, edge in enumerate(at):
                inner = edge + stroke - 1 if side == 0 else edge - stroke + 1
                near, far = sorted((edge, inner))
                draw.rectangle((near, low, far, high) if across else (low, near, high, far), fill=colour)


def _draw_leader(draw: ImageDraw.ImageDraw, placed: Placed, face: Box, colour: RGB) -> None:
    """Join a label to its face by a line; drawn before all labels, so that it crosses none."""
    x0, y0, x1, y1 = placed.box
    start = [min(max((face[i] + face[i + 2]) / 2, low), high) for i, low, high in ((0, x0, x1), (1, y0, y1))]
    end = [min(max(at, face[i]), face[i + 2]) for i, at in enumerate(start)]
    width = max(2, round(placed.label.text_px / 8))
    for line, thick in ((INK, width + 2), (colour, width)):
        draw.line((*start, *end), fill=line, width=thick)


def _draw_label(draw: ImageDraw.ImageDraw, placed: Placed) -> None:
    x0, y0, x1, y1 = placed.box
    label = placed.label
    draw.rectangle(placed.box, fill=INK)
    y = y0 + label.pad / 2
    top = y0
    for row in label.rows:
        px = label.letters_px(row)
        bottom = y + LINE * px
        if row.ground != INK:
            draw.rectangle((x0, top, x1, y1 if row is label.rows[-1] else bottom), fill=row.ground)
        ink = WHITE if row.ground == INK else INK
        letters = font(round(px, 1), bold=row.head)
        draw.text(
            (x0 + label.pad, (y + bottom) / 2 + (0 if row.head else 0.06 * px)),
            row.text,
            font=letters,
            fill=ink,
            anchor="lm",
        )
        y = top = bottom
