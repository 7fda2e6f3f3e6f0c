"""The AU network that ships with the package: landmarks, head pose and AU intensities of face crops."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from feat_pipeline.errors import UnavailableError
from feat_pipeline.extract import FaceAUs
from feat_pipeline.extract.backends.evidence import head_evidence, measure_evidence
from feat_pipeline.faces.align import (
    box_matrix,
    euler_rad,
    invert,
    landmark_matrix,
    rotation_rad,
    transform_points,
    warp,
)
from feat_pipeline.weights.onnx_session import open_session
from feat_pipeline.weights.shipped import models_dir

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feat_pipeline.detect import Detection

SIZE = 96
BATCH = 32
#: A face is looked at again while its landmarks move a corner of its crop by more than this, px of the crop.
STILL_PX, MOST_PASSES = 4.0, 3
#: A face whose landmarks leave a crop this small cannot be measured, px.
SMALLEST_CROP = 4.0


class EmbeddedExtractor:
    """Measures faces with the network in ``models/embedded``.

    Parameters
    ----------
    directory : path, optional
        Folder of ``network.onnx`` and ``embedded.json``; by default the ones that ship.
    threads : int
        Threads of the network; 0 takes all cores. One leaves the others to the detector, which runs beside.

    Raises
    ------
    UnavailableError
        A file is missing or damaged.

    Notes
    -----
    A crop is cut around the detector's points, or its box where it gives none, and again around the
    network's own landmarks until the crop stands still. How each AU follows from the network's outputs
    stands in ``embedded.json`` and the model card.
    """

    name = "embedded"
    scale = "r"
    extra_columns = ()

    def __init__(self, directory: str | Path | None = None, threads: int = 1) -> None:
        folder = Path(directory) if directory is not None else models_dir() / "embedded"
        try:
            self._formulas = json.loads((folder / "embedded.json").read_text(encoding="utf-8"))
            self._session = open_session(folder / "network.onnx", threads)
        except Exception as error:
            raise UnavailableError(
                f"embedded backend: {folder} must hold network.onnx and embedded.json ({error}); "
                "install the package again"
            ) from error
        self.version: str = self._formulas["version"]
        self.au_columns: tuple[str, ...] = tuple(self._formulas["aus"])
        self.low_validity: tuple[str, ...] = tuple(
            column for column, au in self._formulas["aus"].items() if au["validity"] == "low"
        )

    def extract(self, frames: list[np.ndarray], detections: list[list[Detection]]) -> list[list[FaceAUs]]:
        """Measure every detected face.

        Parameters
        ----------
        frames : list of ndarray of uint8, shape (height, width, 3), RGB
        detections : list of list of Detection, one list per frame

        Returns
        -------
        list of list of FaceAUs
            As the detections; a face that cannot be measured has NaN landmarks, pose and AUs.
        """
        answers = (face for batch in _batches(frames, detections) for face in self._measure_batch(batch))
        return [[next(answers) for _ in of_frame] for of_frame in detections]

    def evidence(self, frames: list[np.ndarray], detections: list[list[Detection]]) -> dict[str, np.ndarray]:
        """Return what the AU formulas add up, by name, for faces in the order of the detections.

        Parameters
        ----------
        frames, detections
            As for `extract`.

        Returns
        -------
        dict of str to ndarray of float64, shape (n,)
            See `feat_pipeline.extract.backends.evidence`.
        """
        parts = [self._look(batch)[-1] for batch in _batches(frames, detections)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}

    def _measure_batch(self, flat: Sequence[tuple[np.ndarray, Detection]]) -> list[FaceAUs]:
        landmarks, poses, evidence = self._look(flat)
        aus = {column: intensity(formula, evidence) for column, formula in self._formulas["aus"].items()}
        faces = []
        for i, (_, found) in enumerate(flat):
            good = bool(np.isfinite(landmarks[i]).all())
            faces.append(
                FaceAUs(
                    box_xyxy=np.asarray(found.box_xyxy, np.float32),
                    confidence=float(found.confidence),
                    landmarks=landmarks[i].astype(np.float32),
                    pose_rad=poses[i].astype(np.float32),
                    aus={
                        column: float(values[i]) if good else float("nan") for column, values in aus.items()
                    },
                )
            )
        return faces

    def _look(
        self, flat: Sequence[tuple[np.ndarray, Detection]]
    ) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """Landmarks (n, 68, 2) px, pose (n, 3) rad and evidence of up to `BATCH` faces."""
        frames = [frame for frame, _ in flat]
        matrices = np.stack([_first_matrix(found) for _, found in flat])
        usable = np.array([_usable(matrix) for matrix in matrices])
        matrices[~usable] = np.eye(2, 3)
        seen = self._run(frames, matrices)
        for _ in range(MOST_PASSES - 1):
            better = np.stack([_matrix_of(m, inside) for m, inside in zip(matrices, seen[0], strict=True)])
            usable &= [_usable(matrix) for matrix in better]
            again = np.flatnonzero(usable & (_moved(matrices, better) > STILL_PX))
            if not len(again):
                break
            matrices[again] = better[again]
            for whole, part in zip(seen, self._run([frames[i] for i in again], matrices[again]), strict=True):
                whole[again] = part
        points, blendshapes, rotations, crops = seen
        names = tuple(self._formulas["blendshapes"])
        evidence = measure_evidence(points, blendshapes, rotations, crops, names)
        landmarks = np.stack([_in_picture(m, p) for m, p in zip(matrices, points, strict=True)])
        poses = np.stack([_pose(m, r) for m, r in zip(matrices, rotations, strict=True)])
        evidence |= head_evidence(poses)
        landmarks[~usable], poses[~usable] = np.nan, np.nan
        return landmarks, poses, evidence

    def _run(
        self, frames: Sequence[np.ndarray], matrices: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Points (n, 68, 3) in sides of the crop, blendshapes (n, b), rotations (n, 3, 3) and the crops."""
        import cv2

        crops = np.stack(
            [
                cv2.cvtColor(warp(frame, matrix, SIZE), cv2.COLOR_RGB2GRAY)
                for frame, matrix in zip(frames, matrices, strict=True)
            ]
        )
        points, blendshapes, rotation = self._session.run(None, {"crop": crops[:, None].astype(np.float32)})
        return points, blendshapes, _to_rotation(rotation), crops


def intensity(formula: dict[str, Any], evidence: dict[str, np.ndarray]) -> np.ndarray:
    """AU intensity, 0 to 5, of an entry of ``embedded.json``.

    Parameters
    ----------
    formula : dict
        ``terms`` maps evidence to ``[mean, sd, weight]``; ``scores`` and ``intensities`` are the knots of the
        monotone, piecewise linear calibration of the weighted sum.
    evidence : dict of str to ndarray, shape (n,)

    Returns
    -------
    ndarray of float64, shape (n,)
    """
    score = sum(
        weight * (evidence[name] - mean) / sd for name, (mean, sd, weight) in formula["terms"].items()
    )
    return np.interp(score, formula["scores"], formula["intensities"])


def _batches(
    frames: list[np.ndarray], detections: list[list[Detection]]
) -> list[list[tuple[np.ndarray, Detection]]]:
    """Every face with its frame, in lists of up to `BATCH`."""
    flat = [(frame, found) for frame, of_frame in zip(frames, detections, strict=True) for found in of_frame]
    return [flat[start : start + BATCH] for start in range(0, len(flat), BATCH)]


def _first_matrix(found: Detection) -> np.ndarray:
    if found.points is not None:
        matrix = landmark_matrix(np.asarray(found.points, np.float64), SIZE)
        if _usable(matrix):
            return matrix
    return box_matrix(found.box_xyxy, SIZE)


def _matrix_of(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Matrix of the crop around landmarks (68, 3) that were seen in another crop."""
    return landmark_matrix(_in_picture(matrix, points), SIZE)


def _in_picture(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Landmarks (68, 3) in sides of the crop as picture px (68, 2)."""
    return transform_points(invert(matrix), points[:, :2] * SIZE)


def _moved(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """How far the farthest corner lies from its place in the other crop, (n, 2, 3) x 2 -> (n,) px."""
    corners = np.array([[0, 0], [SIZE, 0], [0, SIZE], [SIZE, SIZE]], float)
    moves = [
        transform_points(a, transform_points(invert(b), corners)) - corners
        for b, a in zip(before, after, strict=True)
    ]
    return np.linalg.norm(moves, axis=-1).max(-1)


def _usable(matrix: np.ndarray) -> bool:
    """Whether a crop matrix is finite and its crop neither a dot nor far beyond any picture."""
    if not np.isfinite(matrix).all():
        return False
    side = SIZE / max(float(np.hypot(matrix[0, 0], matrix[1, 0])), 1e-9)
    return SMALLEST_CROP < side < 1e5


def _to_rotation(six: np.ndarray) -> np.ndarray:
    """Two columns, made orthonormal, and their cross product (Zhou et al. 2019), (n, 6) -> (n, 3, 3)."""
    first = six[:, :3] / np.linalg.norm(six[:, :3], axis=1, keepdims=True)
    second = six[:, 3:] - (first * six[:, 3:]).sum(1, keepdims=True) * first
    second /= np.linalg.norm(second, axis=1, keepdims=True)
    return np.stack([first, second, np.cross(first, second)], axis=-1)


def _pose(matrix: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Euler angles in the picture, R = Rx Ry Rz as OpenFace writes them."""
    angle = -rotation_rad(matrix)
    cosine, sine = np.cos(angle), np.sin(angle)
    r = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]]) @ rotation
    return euler_rad(r[None])[0]
