"""OpenFace 2 as an AU backend: its FaceLandmarkImg measures the faces that our detectors found.

Its installation or Docker image is found by `feat_pipeline.extract.backends.openface_tool`. Folders and
videos go through OpenFace's own face detection and tracking by `feat-pipeline openface` instead.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.autable import LANDMARK_COLUMNS, POSE_COLUMNS
from feat_pipeline.extract import FaceAUs
from feat_pipeline.extract.backends.openface_pictures import (
    AU_COLUMNS,
    GAZE,
    GAZE_COLUMNS,
    MEASURED,
    PRESENT_COLUMNS,
    Pictures,
)
from feat_pipeline.extract.backends.openface_tool import STALLED_S, OpenFaceError, find_openface
from feat_pipeline.faces.align import invert, landmark_matrix, transform_points

if TYPE_CHECKING:
    import pandas as pd

    from feat_pipeline.detect import Detection

#: Box of the 68 landmarks in an upright crop (see `feat_pipeline.faces.align.landmark_matrix`), in its sides,
#: and in MTCNN's box, in its width and height: medians of 226 photos. OpenFace moves MTCNN's boxes likewise.
CROP_XYXY = (0.190, 0.272, 0.808, 0.863)
BOX_XYXY = (-0.001, 0.242, 1.022, 1.050)
#: Least overlap, shared area relative to the union, of a detected face and the one that OpenFace measured.
MIN_OVERLAP = 0.1
CONFIDENCE = "openface_confidence"


class OpenFaceExtractor:
    """Measures faces with OpenFace 2, which must be on this machine.

    Parameters
    ----------
    binary_dir : path, optional
        Folder of FaceLandmarkImg; by default that of OPENFACE_DIR, else that on the PATH, else the Docker
        image ``algebr/openface``.
    docker : bool
        Take the image, whatever is installed.
    gaze : bool
        Whether the table holds the direction of gaze, too.
    stalled_s : float
        Seconds without output after which a run is taken to hang.

    Raises
    ------
    UnavailableError
        OpenFace is not on this machine.

    Notes
    -----
    AUs are OpenFace's static intensities, 0 to 5; `AU12_present` and so on are its presences, 0 or 1, and
    `openface_confidence` is its own of the landmarks. A face that OpenFace loses, or whose picture breaks it,
    has NaN throughout. Every call starts the program, which takes seconds: hand it many frames at once.
    """

    name = "openface"
    scale = "r"
    au_columns: tuple[str, ...] = AU_COLUMNS

    def __init__(
        self,
        *,
        binary_dir: str | os.PathLike[str] | None = None,
        docker: bool = False,
        gaze: bool = False,
        stalled_s: float = STALLED_S,
    ) -> None:
        self._tool = find_openface(binary_dir, docker=docker)
        self._stalled_s = stalled_s
        self._flags = (*MEASURED, *GAZE) if gaze else MEASURED
        self.version: str = self._tool.version
        self.extra_columns: tuple[str, ...] = (
            *PRESENT_COLUMNS, CONFIDENCE, *(GAZE_COLUMNS if gaze else ())
        )  # fmt: skip

    @classmethod
    def check(cls) -> str:
        """Return the version without running OpenFace, or raise `UnavailableError`."""
        return find_openface().version

    def extract(self, frames: list[np.ndarray], detections: list[list[Detection]]) -> list[list[FaceAUs]]:
        """Measure every detected face.

        Parameters
        ----------
        frames : list of ndarray of uint8, shape (height, width, 3), RGB
        detections : list of list of Detection, one list per frame

        Returns
        -------
        list of list of FaceAUs
            As the detections.

        Raises
        ------
        OpenFaceError
            OpenFace breaks on all of the frames.
        """
        tight = [
            [tight_box(found, frame.shape) for found in of_frame]
            for frame, of_frame in zip(frames, detections, strict=True)
        ]
        with tempfile.TemporaryDirectory(prefix="feat-openface-") as work:
            pictures = Pictures(Path(work), self._tool, self._flags, self._stalled_s)
            looked_at = 0
            for number, boxes in enumerate(tight):
                usable = [box for box in boxes if box is not None]
                if usable:
                    pictures.add(number, frames[number], np.stack(usable))
                    looked_at += 1
            rows = pictures.look()
        if looked_at and len(pictures.failures) == looked_at:
            raise OpenFaceError(next(iter(pictures.failures.values())))
        return [
            self._faces(rows[rows["number"] == number], of_frame, tight[number])
            for number, of_frame in enumerate(detections)
        ]

    def _faces(
        self, rows: pd.DataFrame, found: list[Detection], tight: list[np.ndarray | None]
    ) -> list[FaceAUs]:
        landmarks = landmarks_of(rows)
        taken = match(landmarks, tight)
        faces = []
        for number, detection in enumerate(found):
            row = taken.get(number)
            values: dict[str, Any] = {} if row is None else rows.iloc[row].to_dict()
            values[CONFIDENCE] = values.get("confidence", np.nan)
            points = np.full((68, 2), np.nan) if row is None else landmarks[row]
            faces.append(
                FaceAUs(
                    box_xyxy=np.asarray(detection.box_xyxy, np.float32),
                    confidence=float(detection.confidence),
                    landmarks=points.astype(np.float32),
                    pose_rad=np.array([values.get(name, np.nan) for name in POSE_COLUMNS], np.float32),
                    aus={name: float(values.get(name, np.nan)) for name in AU_COLUMNS},
                    extra={name: float(values.get(name, np.nan)) for name in self.extra_columns},
                )
            )
        return faces


def tight_box(found: Detection, shape: tuple[int, ...]) -> np.ndarray | None:
    """Box around the landmarks that OpenFace begins with, shape (4,) px, of a detected face.

    It follows from the detector's points where there are any. None where it would be a dot.
    """
    if found.points is not None:
        matrix = landmark_matrix(np.asarray(found.points, np.float64), 1)
        if np.isfinite(matrix).all() and abs(np.linalg.det(matrix[:, :2])) > 0:
            x0, y0, x1, y1 = CROP_XYXY
            corners = transform_points(invert(matrix), np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]))
            box = _upright(corners)
            if _is_usable(box, shape):
                return box
    first, last = np.asarray(found.box_xyxy, np.float64).reshape(2, 2)
    size = last - first
    box = np.concatenate([first + size * BOX_XYXY[:2], first + size * BOX_XYXY[2:]])
    return box if _is_usable(box, shape) else None


def landmarks_of(rows: pd.DataFrame) -> np.ndarray:
    """Landmarks of OpenFace's rows, (n, 68, 2) px from the picture's corner.

    OpenFace counts from the centre of the first pixel.
    """
    if not len(rows):
        return np.empty((0, 68, 2))
    values = rows[list(LANDMARK_COLUMNS)].to_numpy(np.float64)
    return values.reshape(len(rows), 2, 68).transpose(0, 2, 1) + 0.5


def match(landmarks: np.ndarray, tight: list[np.ndarray | None]) -> dict[int, int]:
    """Pair detected faces with measured ones so that their boxes overlap the most in all.

    Parameters
    ----------
    landmarks : ndarray of float, shape (n, 68, 2), px
    tight : list of ndarray of float, shape (4,), or None

    Returns
    -------
    dict of int to int
        Number of the detected face to number of the measured one, each at most once.
    """
    from scipy.optimize import linear_sum_assignment

    overlaps = np.zeros((len(tight), len(landmarks)))
    for row, box in enumerate(tight):
        for place, points in enumerate(landmarks):
            if box is not None and np.isfinite(points).all():
                overlaps[row, place] = _overlap(box, np.concatenate([points.min(0), points.max(0)]))
    pairs = zip(*linear_sum_assignment(-overlaps), strict=True)
    return {int(row): int(place) for row, place in pairs if overlaps[row, place] >= MIN_OVERLAP}


def _upright(corners: np.ndarray) -> np.ndarray:
    """Upright box about the middle of a turned rectangle, (4, 2) -> (4,), of its width and height."""
    middle = corners.mean(0)
    width, height = (float(np.linalg.norm(corners[i] - corners[i + 1])) for i in (0, 1))
    half = np.array([width, height]) / 2
    return np.concatenate([middle - half, middle + half])


def _is_usable(box: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Whether a box is finite, has a few px and lies in the picture, at least in part."""
    if not np.isfinite(box).all():
        return False
    size = box[2:] - box[:2]
    inside = np.minimum(box[2:], shape[1::-1]) - np.maximum(box[:2], 0)
    return bool((size >= 4).all() and (inside > 0).all() and (size < 1e5).all())


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    shared = np.prod(np.maximum(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0))
    areas = np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2])
    return float(shared / (areas - shared)) if shared else 0.0
