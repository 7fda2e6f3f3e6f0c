"""Where a face is to be covered: from the hair line to the chin and from ear to ear, turned with the head."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from feat_pipeline.predict import FacePrediction

_BROWS = slice(17, 27)
_EYES = slice(36, 42), slice(42, 48)
#: The hair line lies as far above the brows as half the way from these to the chin: the face's thirds.
_FOREHEAD, _BELOW_CHIN, _BESIDE = 0.55, 0.05, 0.06
#: An ellipse with these extents would cut the corners of the jaw off.
_ROUNDER = 1.14
#: Of the detector's box: cheek to cheek, brows or forehead to chin. The hair line lies above it.
_ABOVE_BOX, _BESIDE_BOX, _BELOW_BOX = 0.16, 0.04, 0.03


@dataclass(frozen=True)
class FaceOutline:
    """An ellipse over a face.

    Parameters
    ----------
    centre : (x, y)
        Px.
    half : (across, along)
        Its half axes, across the face and from hair line to chin, px.
    roll_rad : float
        How far it is turned, from the x axis towards the y axis.
    """

    centre: tuple[float, float]
    half: tuple[float, float]
    roll_rad: float

    @property
    def radius(self) -> float:
        """Of the circle around it, px."""
        return max(self.half)


def outline_of(face: FacePrediction) -> FaceOutline:
    """Return the ellipse that covers a face, from its landmarks and its box together.

    A face whose landmarks are missing, or lie elsewhere than its box, is covered by its box, widened to
    the hair line.
    """
    box = np.asarray(face.box_xyxy, np.float64)
    points = np.asarray(face.landmarks, np.float64)
    trusted = _fits(points, box)
    roll = _roll(face, points if trusted else None)
    turn = np.array([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]])  # picture to head
    marks = [_box_marks(box) @ turn]
    if trusted:
        marks.append(_face_marks(points @ turn))
    seen = np.concatenate(marks)
    low, high = seen.min(0), seen.max(0)
    centre = turn @ ((low + high) / 2)
    across, along = (high - low) / 2 * _ROUNDER
    return FaceOutline((float(centre[0]), float(centre[1])), (float(across), float(along)), roll)


def _fits(points: np.ndarray, box: np.ndarray) -> bool:
    if points.shape != (68, 2) or not np.isfinite(points).all():
        return False
    low, high = points.min(0), points.max(0)
    size, side = float((high - low).max()), float((box[2:] - box[:2]).max())
    off = np.abs((low + high) / 2 - (box[:2] + box[2:]) / 2).max()
    return 0.4 * side < size < 2.5 * side and bool(off < 0.6 * side)


def _roll(face: FacePrediction, points: np.ndarray | None) -> float:
    if points is not None:
        one, other = (points[eye].mean(0) for eye in _EYES)
        return math.atan2(other[1] - one[1], other[0] - one[0])
    tilt = float(face.pose_rad[2])
    return tilt if math.isfinite(tilt) else 0.0


def _box_marks(box: np.ndarray) -> np.ndarray:
    """Return the middles of the sides of the box, widened; its corners are no face."""
    (x0, y0, x1, y1), (w, h) = box, np.maximum(box[2:] - box[:2], 1.0)
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    return np.array(
        [
            (x0 - _BESIDE_BOX * w, y),
            (x1 + _BESIDE_BOX * w, y),
            (x, y0 - _ABOVE_BOX * h),
            (x, y1 + _BELOW_BOX * h),
        ]
    )


def _face_marks(upright: np.ndarray) -> np.ndarray:
    """Return the outermost places of an upright head, and the hair line above them."""
    brows, chin = upright[_BROWS, 1].min(), upright[:, 1].max()
    height, width = chin - brows, np.ptp(upright[:, 0])
    (left, _), (right, _) = upright.min(0), upright.max(0)
    middle = (left + right) / 2
    return np.array(
        [
            (left - _BESIDE * width, (brows + chin) / 2),
            (right + _BESIDE * width, (brows + chin) / 2),
            (middle, brows - _FOREHEAD * height),
            (middle, chin + _BELOW_CHIN * height),
        ]
    )
