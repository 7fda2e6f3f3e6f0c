"""Faces covered by blur, blocks or emoji, so that neither who they are nor what they show can be read off."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from feat_pipeline.errors import UsageError
from feat_pipeline.render.emoji import draw_emoji
from feat_pipeline.render.outline import FaceOutline, outline_of

if TYPE_CHECKING:
    from feat_pipeline.predict import FacePrediction

HIDINGS = ("blur", "pixelate", "emoji")

#: Mean colours that are left of the square around a face, a side. What a face shows does not survive them,
#: and as nothing else is left, neither can a clever program bring it back.
CELLS = 6
_LARGEST_EMOJI_PX = 1024


def hide_faces(
    frame_rgb: np.ndarray,
    predictions: Sequence[FacePrediction],
    how: str,
    *,
    emoji_set: Mapping[str, np.ndarray] | None = None,
    model: str | None = None,
) -> np.ndarray:
    """Cover every face of a picture, those too that could not be measured.

    Parameters
    ----------
    frame_rgb : ndarray of uint8, shape (height, width, 3)
        RGB picture; it is not changed.
    predictions : sequence of FacePrediction
        Faces of this picture.
    how : {'blur', 'pixelate', 'emoji'}
        Blur and blocks leave 6 x 6 mean colours of the square around a face. An emoji is drawn from the
        face's AUs and turned with the head; a grey one stands for a face that was not measured.
    emoji_set : mapping of str to ndarray of uint8, shape (h, w, 4), optional
        RGBA pictures by emotion, to be laid on instead; see `read_emoji_set`. The face behind them is in
        blocks, as they may be transparent. Of an emotion that has none, the emoji is drawn.
    model : str, optional
        Whose emotions choose out of `emoji_set`; by default the first of each face.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        RGB.

    Raises
    ------
    UsageError
        `how` is unknown.

    Notes
    -----
    Only faces among `predictions` can be covered: one that the detector missed stays as it is.
    """
    if how not in HIDINGS:
        raise UsageError(f"hide: expected one of {', '.join(HIDINGS)}, got {how!r}")
    hidden = np.array(frame_rgb)
    # The largest last: they stand in front.
    for face, region in sorted(
        ((face, outline_of(face)) for face in predictions), key=lambda pair: pair[1].radius
    ):
        if how != "emoji":
            _spread(frame_rgb, hidden, region, smooth=how == "blur")
            continue
        picture = (emoji_set or {}).get(face.label(model))
        if picture is not None:
            _spread(frame_rgb, hidden, region, smooth=False)
            _paste(hidden, _turned(picture, region), region.centre)
        else:
            _paste(hidden, _drawn(face, region), region.centre)
    return hidden


def _spread(frame_rgb: np.ndarray, hidden: np.ndarray, region: FaceOutline, *, smooth: bool) -> None:
    """Replace what is inside a region by the mean colours of a few cells."""
    import cv2

    window = _window(region.centre, region.radius, frame_rgb.shape)
    if window is None:
        return
    (left, top, right, bottom), (x, y) = window, region.centre
    side = 2 * region.radius
    part = frame_rgb[top:bottom, left:right]
    columns, rows = (
        max(1, min(math.ceil(CELLS * size / side), size)) for size in (right - left, bottom - top)
    )
    means = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    size = (right - left, bottom - top)
    spread = cv2.resize(means, size, interpolation=cv2.INTER_CUBIC if smooth else cv2.INTER_NEAREST)
    if smooth:
        spread = cv2.GaussianBlur(spread, (0, 0), max(0.5, side / CELLS / 2.5))
    mask = np.zeros(part.shape[:2], np.uint8)
    fine = 16  # parts of a pixel
    cv2.ellipse(
        mask,
        (round((x - left - 0.5) * fine), round((y - top - 0.5) * fine)),
        (round(region.half[0] * fine), round(region.half[1] * fine)),
        math.degrees(region.roll_rad),
        0,
        360,
        255,
        -1,
        cv2.LINE_AA,
        4,
    )
    _blend(hidden[top:bottom, left:right], spread, mask)


def _drawn(face: FacePrediction, region: FaceOutline) -> np.ndarray:
    side = max(1, round(2 * region.radius))
    picture = draw_emoji(face.aus, min(side, _LARGEST_EMOJI_PX), math.degrees(region.roll_rad))
    return _resized(picture, side / len(picture))


def _turned(picture: np.ndarray, region: FaceOutline) -> np.ndarray:
    """Scale a picture into the circle's square and turn it with the head."""
    fitted = _resized(picture, 2 * region.radius / max(picture.shape[:2]))
    turned = Image.fromarray(fitted).convert("RGBa")  # alpha multiplied in: no dark seams
    turned = turned.rotate(-math.degrees(region.roll_rad), Image.Resampling.BICUBIC, expand=True)
    return np.asarray(turned.convert("RGBA"))


def _resized(picture: np.ndarray, scale: float) -> np.ndarray:
    size = tuple(max(1, round(length * scale)) for length in picture.shape[1::-1])
    if size == picture.shape[1::-1]:
        return picture
    return np.asarray(Image.fromarray(picture).resize((size[0], size[1]), Image.Resampling.LANCZOS))


def _paste(hidden: np.ndarray, picture: np.ndarray, centre: tuple[float, float]) -> None:
    """Lay an RGBA picture over another, centred; what reaches beyond its border is cut off."""
    left, top = (round(at - size / 2) for at, size in zip(centre, picture.shape[1::-1], strict=True))
    height, width = hidden.shape[:2]
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(width, left + picture.shape[1]), min(height, top + picture.shape[0])
    if x0 < x1 and y0 < y1:
        part = picture[y0 - top : y1 - top, x0 - left : x1 - left]
        _blend(hidden[y0:y1, x0:x1], part[..., :3], part[..., 3])


def _blend(target: np.ndarray, colours: np.ndarray, mask: np.ndarray) -> None:
    share = mask[..., None].astype(np.uint16)
    target[:] = ((colours * share + target * (255 - share) + 127) // 255).astype(np.uint8)


def _window(
    centre: tuple[float, float], radius: float, shape: tuple[int, ...]
) -> tuple[int, int, int, int] | None:
    """Return the square around a circle inside the picture: left, top, right, bottom; None where outside."""
    left, top = (max(0, math.floor(at - radius)) for at in centre)
    right, bottom = (min(size, math.ceil(at + radius)) for at, size in zip(centre, shape[1::-1], strict=True))
    return (left, top, right, bottom) if left < right and top < bottom else None
