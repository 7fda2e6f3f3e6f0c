"""MediaPipe's face landmarker: 478 points, 52 blendshapes and, by them, proxies of AUs.

Landmarks: Grishchenko et al. 2020, 'Attention Mesh', arXiv:2006.10962. Which blendshapes stand for which AU,
and how far each proxy may be trusted, is in `analysis.facs.BLENDSHAPE_PROXIES`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.facs import BLENDSHAPE_PROXIES, column
from feat_pipeline.extract import FaceAUs
from feat_pipeline.faces.align import (
    MESH_68,
    box_matrix,
    euler_rad,
    invert,
    landmark_matrix,
    rotation_rad,
    transform_points,
    warp,
)
from feat_pipeline.weights.mediapipe import (
    bundle_version,
    check_package,
    fetch,
    find_bundle,
    open_task,
    picture,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from feat_pipeline.detect import Detection

__all__ = ["BLENDSHAPES", "MediapipeExtractor", "fetch", "proxy_aus"]

#: As the landmarker orders them; left and right are the person's.
BLENDSHAPES = (
    "_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft",
    "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight",
    "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight",
    "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight",
    "mouthFrownLeft", "mouthFrownRight", "mouthFunnel", "mouthLeft", "mouthLowerDownLeft",
    "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft",
    "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight",
)  # fmt: skip

SIZE = 320
#: The landmarker's own detector wants room around a face: 1.3 times the crop of `box_matrix` and
#: `landmark_matrix` finds the most of FER2013's crops, and all of dlib's group photos.
ROOM = 1.3
#: A face is known to be there, so that the landmarker's detector need not be sure of it.
MIN_DETECTION = 0.2
MOST_FACES = 3
#: Least overlap, shared area relative to the union, of a detected box and the box of the mesh that is its.
MIN_OVERLAP = 0.1
SMALLEST_CROP, LARGEST_CROP = 4.0, 1e5
LOW_AUC = 0.75
#: MediaPipe's camera looks along -z with y up; OpenFace's along +z with y down.
FLIP = np.diag([1.0, -1.0, -1.0])


class MediapipeExtractor:
    """Measures faces with Google's ``face_landmarker.task``. One object serves one thread.

    Parameters
    ----------
    model : path, optional
        The bundle; by default the file that FEAT_MEDIAPIPE_MODEL names, else the one that
        ``feat-pipeline models fetch mediapipe`` got.

    Raises
    ------
    UnavailableError
        The package or the bundle is missing or damaged.

    Notes
    -----
    Each face is cut out with room around it, upright where the detector gives points, and shown to the
    landmarker. Of the faces that it finds in the crop, the one whose mesh lies over the detected box counts;
    a face that it does not find has NaN throughout. The crop's middle takes the place of the camera's axis
    for the head pose.
    """

    name = "mediapipe"
    scale = "p"
    au_columns: tuple[str, ...] = tuple(column(number, "p") for number in BLENDSHAPE_PROXIES)
    extra_columns: tuple[str, ...] = BLENDSHAPES
    low_validity: tuple[str, ...] = tuple(
        column(number, "p") for number, proxy in BLENDSHAPE_PROXIES.items() if (proxy.auc or 1.0) < LOW_AUC
    )

    def __init__(self, model: str | os.PathLike[str] | None = None) -> None:
        check_package()
        bundle = find_bundle(model)
        self.version: str = bundle_version(bundle)
        self._landmarker = open_task(
            self,
            "FaceLandmarker",
            bundle.read_bytes(),
            num_faces=MOST_FACES,
            min_face_detection_confidence=MIN_DETECTION,
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
        )

    @classmethod
    def check(cls) -> str:
        """Return the version without importing MediaPipe, or raise `UnavailableError`."""
        check_package()
        return bundle_version(find_bundle())

    def extract(self, frames: list[np.ndarray], detections: list[list[Detection]]) -> list[list[FaceAUs]]:
        """Measure every detected face.

        Parameters
        ----------
        frames : list of ndarray of uint8, shape (height, width, 3), RGB
        detections : list of list of Detection, one list per frame

        Returns
        -------
        list of list of FaceAUs
            As the detections; `extra` holds the blendshapes, 0 to 1. A face that the landmarker does not find
            has NaN landmarks, pose, AUs and blendshapes.
        """
        return [
            [self._measure(frame, found) for found in of_frame]
            for frame, of_frame in zip(frames, detections, strict=True)
        ]

    def _measure(self, frame: np.ndarray, found: Detection) -> FaceAUs:
        shapes: Mapping[str, float] = dict.fromkeys(BLENDSHAPES, float("nan"))
        landmarks, pose = np.full((68, 2), np.nan), np.full(3, np.nan)
        matrix = _crop_matrix(found)
        if matrix is not None:
            answer = self._landmarker.detect(picture(np.ascontiguousarray(warp(frame, matrix, SIZE))))
            back = invert(matrix)
            meshes = [_mesh(points, back) for points in answer.face_landmarks]
            best = _best(meshes, np.asarray(found.box_xyxy, np.float64))
            if best is not None:
                landmarks = meshes[best][MESH_68]
                shapes = {one.category_name: float(one.score) for one in answer.face_blendshapes[best]}
                pose = _pose(matrix, answer.facial_transformation_matrixes[best])
        return FaceAUs(
            box_xyxy=np.asarray(found.box_xyxy, np.float32),
            confidence=float(found.confidence),
            landmarks=landmarks.astype(np.float32),
            pose_rad=pose.astype(np.float32),
            aus=proxy_aus(shapes),
            extra={name: shapes[name] for name in BLENDSHAPES},
        )


def proxy_aus(shapes: Mapping[str, float]) -> dict[str, float]:
    """Return AU proxies, 0 to 1, by column, of blendshapes by name; NaN where one is NaN."""
    aus = {}
    for number, proxy in BLENDSHAPE_PROXIES.items():
        values = [min(1.0, max(0.0, shapes[name])) for name in proxy.blendshapes]
        value = float(np.max(values) if proxy.one_of else np.mean(values))
        aus[column(number, "p")] = (
            value if np.isfinite([shapes[n] for n in proxy.blendshapes]).all() else np.nan
        )
    return aus


def _crop_matrix(found: Detection) -> np.ndarray | None:
    """Matrix of the crop around a face, or None where it would be a dot or lie beyond any picture."""
    if found.points is not None:
        matrix = _with_room(landmark_matrix(np.asarray(found.points, np.float64), SIZE))
        if _usable(matrix):
            return matrix
    matrix = _with_room(box_matrix(found.box_xyxy, SIZE))
    return matrix if _usable(matrix) else None


def _with_room(matrix: np.ndarray) -> np.ndarray:
    """Shrink what a crop shows about its middle, so that it shows more."""
    middle = np.full((2, 1), SIZE / 2)
    return np.hstack([matrix[:, :2] / ROOM, (matrix[:, 2:] - middle) / ROOM + middle])


def _usable(matrix: np.ndarray) -> bool:
    if not np.isfinite(matrix).all():
        return False
    side = SIZE / max(float(np.hypot(matrix[0, 0], matrix[1, 0])), 1e-9)
    return ROOM * SMALLEST_CROP < side < LARGEST_CROP


def _mesh(points: Any, back: np.ndarray) -> np.ndarray:
    """Landmarks relative to the crop's sides as picture px, (478, 2)."""
    return transform_points(back, SIZE * np.array([(point.x, point.y) for point in points]))


def _best(meshes: list[np.ndarray], box: np.ndarray) -> int | None:
    """Which mesh lies over the box; None where none does."""
    overlaps = []
    for mesh in meshes:
        first, last = mesh.min(0), mesh.max(0)
        centre = (first + last) / 2
        wide, high = np.maximum(np.minimum(last, box[2:]) - np.maximum(first, box[:2]), 0)
        union = np.prod(last - first) + np.prod(box[2:] - box[:2]) - wide * high
        inside = bool(((centre > box[:2]) & (centre < box[2:])).all())
        overlaps.append(wide * high / union if inside else 0.0)
    if not overlaps or max(overlaps) < MIN_OVERLAP:
        return None
    return int(np.argmax(overlaps))


def _pose(matrix: np.ndarray, transformation: ArrayLike) -> np.ndarray:
    """OpenFace's angles in the picture, (3,) rad, of the transformation (4, 4) seen in an upright crop."""
    linear = np.asarray(transformation, np.float64)[:3, :3]
    rotation = FLIP @ (linear / np.cbrt(np.linalg.det(linear))) @ FLIP
    angle = -rotation_rad(matrix)
    cosine, sine = np.cos(angle), np.sin(angle)
    return euler_rad((np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]]) @ rotation)[None])[0]
