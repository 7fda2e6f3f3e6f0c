"""Faces of the frames between two looks of the detector."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from analysis.boxes import box_iou
from feat_pipeline.detect import Detection
from feat_pipeline.faces.appearance import CutDetector, thumbnail
from feat_pipeline.sources.frame import Frame, Skipped

#: Two boxes are one face that moved where they share at least this part of their union.
SAME_FACE_IOU = 0.5

Found = list[Detection] | Skipped


def find_faces(frames: Sequence[Frame], detect: Callable[[Frame], Found], every_s: float) -> list[Found]:
    """Find the faces of consecutive frames of a video without looking at each of them.

    Parameters
    ----------
    frames : sequence of Frame
        n frames, those of a video in the order of time; photos are files of one frame, so that each is
        looked at.
    detect : callable
        The faces of a frame, or why there are none.
    every_s : float
        The longest time between two looks, in seconds; 0: every frame is looked at.

    Returns
    -------
    list of (list of Detection, or Skipped), length n

    Notes
    -----
    Where two looks see the same faces, each having moved by no more than `SAME_FACE_IOU` allows, the boxes
    and points between are interpolated over time, with the lower confidence of both. Where they do not, the
    frame in the middle is looked at too, and so on: a face that comes, goes or moves fast is found as if
    every frame had been looked at. A face that shows for less than `every_s` between two looks is missed.
    No face is interpolated across a hard cut.
    """
    found: list[Found | None] = [None] * len(frames)
    shots = _shots(frames) if every_s > 0 else np.zeros(len(frames), dtype=np.int64)

    def look(i: int) -> Found:
        if found[i] is None:
            found[i] = detect(frames[i])
        return found[i]  # type: ignore[return-value]

    def fill(a: int, b: int) -> None:
        if b - a < 2:
            return
        pairs = same_faces(look(a), look(b)) if shots[a] == shots[b] else None
        if pairs is None:
            middle = (a + b) // 2
            look(middle)
            fill(a, middle)
            fill(middle, b)
            return
        span = max(frames[b].time_s - frames[a].time_s, 1e-9)
        for i in range(a + 1, b):
            part = (frames[i].time_s - frames[a].time_s) / span
            found[i] = [_between(before, after, part) for before, after in pairs]

    last = 0
    for i in range(1, len(frames)):
        if frames[i].path != frames[last].path:
            last = i
        elif not _reaches(frames, last, i + 1, every_s):
            fill(last, i)
            last = i
    return [look(i) for i in range(len(frames))]


def _shots(frames: Sequence[Frame]) -> np.ndarray:
    """Return the number of each frame's shot, shape (n,)."""
    cuts = CutDetector()
    return np.cumsum([cuts.update(thumbnail(frame.rgb)) for frame in frames], dtype=np.int64)


def _reaches(frames: Sequence[Frame], last: int, i: int, every_s: float) -> bool:
    """Whether frame `i` is of the same file as frame `last`, and within `every_s` of it."""
    if every_s <= 0 or i == len(frames) or frames[i].path != frames[last].path:
        return False
    return frames[i].time_s - frames[last].time_s <= every_s


def same_faces(before: Found, after: Found) -> list[tuple[Detection, Detection]] | None:
    """Pair the faces of two looks, in the order of the first; None where they do not agree."""
    if isinstance(before, Skipped) or isinstance(after, Skipped) or len(before) != len(after):
        return None
    if not before:
        return []
    overlaps = box_iou(*(np.array([face.box_xyxy for face in look]) for look in (before, after)))
    best = overlaps.argmax(axis=1)
    if overlaps.max(axis=1).min() < SAME_FACE_IOU or len(set(best)) < len(before):
        return None
    return [(face, after[partner]) for face, partner in zip(before, best, strict=True)]


def _between(before: Detection, after: Detection, part: float) -> Detection:
    def mix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (a + np.float32(part) * (b - a)).astype(np.float32)

    points = None
    if before.points is not None and after.points is not None:
        points = mix(before.points, after.points)
    confidence = min(before.confidence, after.confidence)
    return Detection(mix(before.box_xyxy, after.box_xyxy), confidence, points)
