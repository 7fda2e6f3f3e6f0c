"""Face detectors behind one protocol and one registry.

A detector takes a frame (uint8 RGB) and returns the faces in it. Boxes and points are in px from the left
upper corner of the picture, so that the centre of its first pixel is (.5, .5).
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from feat_pipeline.errors import InputError, UnavailableError, UsageError
from feat_pipeline.registry import made_of, resolve_registered

DETECTORS: dict[str, str] = {
    "mtcnn": "feat_pipeline.detect.mtcnn:MtcnnDetector",
    "fast": "feat_pipeline.detect.fast:FastDetector",
    "haar": "feat_pipeline.detect.haar:HaarDetector",
    "yunet": "feat_pipeline.detect.yunet:YunetDetector",
    "blazeface": "feat_pipeline.detect.blazeface:BlazefaceDetector",
    "none": "feat_pipeline.detect.none:WholePicture",
}
DEFAULT_DETECTOR = "mtcnn"


@dataclass(frozen=True, eq=False)
class Detection:
    """One face.

    Parameters
    ----------
    box_xyxy : ndarray of float32, shape (4,)
        Left, top, right, bottom in px, within the picture.
    confidence : float
        0 to 1; comparable within one detector only.
    points : ndarray of float32, shape (5, 2), or None
        The person's right eye, left eye, nose tip, right and left corner of the mouth, in px: in an upright
        face, of each pair the one further left in the picture first. None where the detector finds no points.
    """

    box_xyxy: np.ndarray
    confidence: float
    points: np.ndarray | None = None


class FaceDetector(Protocol):
    """What every detector offers."""

    name: str

    def detect(self, frame_rgb: np.ndarray) -> list[Detection]:
        """Return the faces of a uint8 RGB picture of shape (height, width, 3), sorted left to right."""
        ...


@dataclass(frozen=True)
class DetectorStatus:
    """Whether a detector can run here, and if not, what mends it."""

    name: str
    available: bool
    mend: str = ""


def make_detector(name: str, **options: Any) -> FaceDetector:
    """Build a detector by its name in `DETECTORS`.

    Parameters
    ----------
    name : {"mtcnn", "fast", "haar", "yunet", "blazeface", "none"}
        The detector.
    **options
        Keyword arguments of its class.

    Returns
    -------
    FaceDetector

    Raises
    ------
    UsageError
        The name or an option is unknown, or an option has a wrong value.
    UnavailableError
        A file or package that the detector needs is missing.
    """
    if name not in DETECTORS:
        raise UsageError(f"detector: expected one of {', '.join(DETECTORS)}, got {name!r}")
    factory = _class_of(name)
    known = list(inspect.signature(factory).parameters)
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise UsageError(
            f"detector {name}: unknown option {', '.join(unknown)}; it takes {', '.join(known) or 'none'}"
        )
    detector: FaceDetector = made_of(factory, f"detector {name}", **options)
    if not hasattr(detector, "detect"):
        raise UnavailableError(f"detector {name}: {DETECTORS[name]} has no method detect; see FaceDetector")
    return detector


def _class_of(name: str) -> Any:
    try:
        return resolve_registered(DETECTORS[name])
    except ImportError as error:
        raise UnavailableError(f"detector {name}: {error}") from error


def available_detectors() -> list[DetectorStatus]:
    """Try every registered detector with its defaults, by its class's ``check()`` where it has one.

    Returns
    -------
    list of DetectorStatus
        In the order of `DETECTORS`.
    """
    statuses = []
    for name in DETECTORS:
        try:
            factory = _class_of(name)
            made_of(factory.check if hasattr(factory, "check") else factory, f"detector {name}")
        except UnavailableError as error:
            statuses.append(DetectorStatus(name, False, str(error)))
        else:
            statuses.append(DetectorStatus(name, True))
    return statuses


def check_frame(frame_rgb: np.ndarray) -> None:
    """Refuse what is no uint8 RGB picture of shape (height, width, 3).

    Raises
    ------
    InputError
        Another type or shape, or no pixels.
    """
    shape: tuple[int, ...] = getattr(frame_rgb, "shape", ())
    dtype = getattr(frame_rgb, "dtype", type(frame_rgb).__name__)
    if dtype != np.uint8 or len(shape) != 3 or shape[-1] != 3 or 0 in shape:
        raise InputError(
            f"frame_rgb: expected uint8 of shape (height, width, 3), got {dtype} of shape {shape}; "
            "feat_pipeline.sources.photos.from_array converts grey and RGBA pictures"
        )


def check_range(detector: str, option: str, value: float, low: float, high: float) -> None:
    """Refuse an option outside of [low, high].

    Raises
    ------
    UsageError
        Names the detector, its option and the range.
    """
    if not low <= value <= high:
        raise UsageError(f"detector {detector}: {option} must lie in {low} to {high}, got {value}")


def to_detections(
    boxes_xyxy: np.ndarray, confidences: np.ndarray, points: np.ndarray | None, shape: tuple[int, ...]
) -> list[Detection]:
    """Clip boxes to the picture, drop empty ones and sort left to right.

    Parameters
    ----------
    boxes_xyxy : ndarray, shape (n, 4)
        Boxes in px.
    confidences : ndarray, shape (n,)
        0 to 1.
    points : ndarray, shape (n, 5, 2), or None
        Points in px; they may lie outside of the picture.
    shape : tuple of int
        Height and width of the picture first.

    Returns
    -------
    list of Detection
    """
    height, width = shape[:2]
    boxes = np.clip(boxes_xyxy, 0, [width, height, width, height]).astype(np.float32)
    seen = np.flatnonzero((boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]))
    order = seen[np.lexsort((boxes[seen, 1], boxes[seen, 0]))]
    return [
        Detection(boxes[i], float(confidences[i]), None if points is None else points[i].astype(np.float32))
        for i in order
    ]


def shrink(frame_rgb: np.ndarray, max_side_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the picture with its longer side at most `max_side_px`, and its size relative to the original.

    Parameters
    ----------
    frame_rgb : ndarray of uint8, shape (height, width, 3)
        RGB picture.
    max_side_px : int
        Limit in px.

    Returns
    -------
    small_rgb : ndarray of uint8
    scale : ndarray of float, shape (2,)
        Width and height of the small picture divided by those of the original.
    """
    import cv2

    height, width = frame_rgb.shape[:2]
    longest = max(height, width)
    if longest <= max_side_px:
        return frame_rgb, np.ones(2)
    size = tuple(max(1, round(side * max_side_px / longest)) for side in (width, height))
    return cv2.resize(frame_rgb, size, interpolation=cv2.INTER_AREA), np.divide(size, (width, height))
