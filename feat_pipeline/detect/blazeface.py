"""BlazeFace, the face detector inside Google's face landmarker bundle.

Bazarevsky et al. 2019, 'BlazeFace: sub-millisecond neural face detection on mobile GPUs', arXiv:1907.05047.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator

import numpy as np

from feat_pipeline.detect import Detection, check_frame, check_range, shrink, to_detections
from feat_pipeline.weights.mediapipe import DETECTOR, check_package, find_bundle, open_task, picture

#: The network sees 128 x 128 px; smaller faces than this part of what it is shown escape it.
_LEAST_PART = 0.2
_MOST_OVERLAP = 0.3
#: Of the smaller box: a part of a face, seen in a tile that cuts it, is no face of its own.
_MOST_COVERED = 0.6


class BlazefaceDetector:
    """MediaPipe's `FaceDetector` with the short-range network. One object serves one thread.

    It is made for a face near the camera and misses what is narrower than a fifth of the picture: of the 43
    faces of dlib's group photos it finds 11. So it is shown the whole picture and then overlapping tiles,
    each half as wide as before, until the smallest wanted face is a fifth of a tile; then it finds them all.
    Half the size takes four times as long.

    Parameters
    ----------
    model : str or path-like, optional
        ``face_landmarker.task``; without it, that of FEAT_MEDIAPIPE_MODEL, else the fetched one.
    min_confidence : float
        Least score of a face. On tiles of dlib's group photos no face scored under .84, and nothing else over
        .746.
    min_face_px : int
        Smallest face looked for, in the picture or its shrunk copy.
    max_side_px : int
        A picture with a longer side is searched on a copy shrunk to this.

    Raises
    ------
    UsageError
        An option lies outside of its range.
    UnavailableError
        MediaPipe or the bundle is missing or damaged.
    """

    name = "blazeface"

    def __init__(
        self,
        *,
        model: str | os.PathLike[str] | None = None,
        min_confidence: float = 0.75,
        min_face_px: int = 30,
        max_side_px: int = 640,
    ) -> None:
        check_range(self.name, "min_confidence", min_confidence, 0.05, 1)
        check_range(self.name, "min_face_px", min_face_px, 10, 10_000)
        check_range(self.name, "max_side_px", max_side_px, 20, 100_000)
        self.model = model
        self.min_confidence = min_confidence
        self.min_face_px = min_face_px
        self.max_side_px = max_side_px
        check_package()
        with zipfile.ZipFile(find_bundle(model)) as bundle:
            network = bundle.read(DETECTOR)
        self._net = open_task(self, "FaceDetector", network, min_detection_confidence=min_confidence)

    @classmethod
    def check(cls) -> None:
        """Raise `UnavailableError` where the detector cannot run; MediaPipe is not imported."""
        check_package()
        find_bundle()

    def detect(self, frame_rgb: np.ndarray) -> list[Detection]:
        """Find faces.

        Parameters
        ----------
        frame_rgb : ndarray of uint8, shape (height, width, 3)
            RGB picture.

        Returns
        -------
        list of Detection
            Sorted left to right, without points: of the mouth the network finds the centre only.

        Raises
        ------
        InputError
            The picture has another type or shape.
        """
        check_frame(frame_rgb)
        small, scale = shrink(frame_rgb, self.max_side_px)
        found = [face for tile in _tiles(small.shape, self.min_face_px) for face in self._look(small, *tile)]
        rows = _suppress(np.array(found, np.float64).reshape(-1, 5))
        return to_detections(rows[:, :4] / np.tile(scale, 2), rows[:, 4].clip(0, 1), None, frame_rgb.shape)

    def _look(
        self, rgb: np.ndarray, left: int, top: int, side: int
    ) -> Iterator[tuple[float, float, float, float, float]]:
        """Boxes in px of the picture, and scores, of the faces in one square of it."""
        answer = self._net.detect(picture(np.ascontiguousarray(rgb[top : top + side, left : left + side])))
        for face in answer.detections:
            box = face.bounding_box
            x0, y0 = left + box.origin_x, top + box.origin_y
            yield x0, y0, x0 + box.width, y0 + box.height, face.categories[0].score


def _tiles(shape: tuple[int, ...], min_face_px: int) -> Iterator[tuple[int, int, int]]:
    """Left, top and side of the squares to look at: the whole, then tiles that overlap by half."""
    height, width = shape[:2]
    side = max(height, width)
    yield 0, 0, side
    while _LEAST_PART * side > min_face_px:
        side = -(-side // 2)
        for top in _starts(height, side):
            for left in _starts(width, side):
                yield left, top, side


def _starts(length: int, side: int) -> np.ndarray:
    """First px of tiles of one side, evenly laid over a length."""
    last = max(0, length - side)
    return np.linspace(0, last, 1 + -(-2 * last // side)).astype(int)


def _suppress(rows: np.ndarray) -> np.ndarray:
    """Sort boxes by score and drop each that a better one covers."""
    kept: list[np.ndarray] = []
    for row in rows[np.argsort(-rows[:, 4], kind="stable")]:
        if all(not _covers(other, row) for other in kept):
            kept.append(row)
    return np.array(kept).reshape(-1, 5)


def _covers(one: np.ndarray, other: np.ndarray) -> bool:
    first, last = np.maximum(one[:2], other[:2]), np.minimum(one[2:4], other[2:4])
    shared = float(np.prod(np.maximum(last - first, 0)))
    areas = [float(np.prod(row[2:4] - row[:2])) for row in (one, other)]
    return shared > _MOST_OVERLAP * (sum(areas) - shared) or shared > _MOST_COVERED * min(areas)
