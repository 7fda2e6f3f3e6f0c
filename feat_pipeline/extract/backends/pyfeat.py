"""py-feat's three detectors as AU extractors.

What they say of a face is theirs; where a face is, is said by this project's detector, so that they measure
the same faces as every other backend. Of py-feat's own face detector nothing is used but the constructor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from analysis.facs import BACKEND_AUS, column
from feat_pipeline.errors import UnavailableError
from feat_pipeline.extract import FaceAUs
from feat_pipeline.extract.backends.pyfeat_guard import untouched
from feat_pipeline.extract.backends.pyfeat_pose import pose_of_angles, pose_of_mesh
from feat_pipeline.faces.align import MESH_68
from feat_pipeline.weights.pyfeat import MULTITASK, installed_version, resources

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    import torch

    from feat_pipeline.detect import Detection

BATCH = 16
#: A face whose box is smaller cannot be measured, px.
SMALLEST_BOX = 4.0
#: A crop is cut out of the picture with this margin around the box; py-feat's are up to 1.25 boxes wide.
MARGIN = 1.5
#: Crops of larger faces are shrunk first, as py-feat's ``output_size`` would; its networks see 256 px.
LARGEST_CROP = 512

_GAZE = ("gaze_pitch", "gaze_yaw", "gaze_angle")
_EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")


class _Cut(NamedTuple):
    """The surroundings of one box: px of the picture = (px of the cut) x factor + origin."""

    rgb: np.ndarray
    box_xyxy: np.ndarray
    origin: tuple[int, int]
    factor: int


class _GivenBox:
    """Stands where the detector had its face finder, and finds the box that it is given."""

    box_xyxy: np.ndarray

    def __call__(self, images: torch.Tensor) -> list[list[list[float]]]:
        # py-feat counts from the centre of the first pixel.
        return [[[*(self.box_xyxy - 0.5).tolist(), 1.0]]]


class _PyfeatExtractor:
    """What the three have in common.

    Parameters
    ----------
    device : str
        As py-feat takes it: 'cpu', 'cuda', 'mps', or 'auto' for the best that is there.

    Raises
    ------
    UnavailableError
        py-feat, a part of it or a file of weights is missing.

    Notes
    -----
    Nothing is downloaded. ``extra_columns`` are py-feat's own emotions and gaze under its names: gaze in
    radians, up and to the person's right.
    """

    name: str
    scale = "p"
    uses_gpu = True
    extra_columns: tuple[str, ...] = (*_EMOTIONS, *_GAZE)

    def __init__(self, device: str = "auto") -> None:
        self.version: str = self.check()
        self.au_columns: tuple[str, ...] = tuple(column(n, self.scale) for n in BACKEND_AUS["pyfeat"])
        self._finder = _GivenBox()
        try:
            with untouched():
                self._detector = self._build(device)
        except Exception as error:  # damaged weights raise nearly anything
            reason = " ".join(str(error).split()) or type(error).__name__
            raise UnavailableError(
                f"{self.name}: py-feat {self.version} cannot load it ({reason[:300]}); where that names "
                "torchvision, install torch and torchvision from one index, else remove the folders "
                f"models--py-feat--… in {resources()} and run: feat-pipeline models fetch {self.name}"
            ) from error

    @classmethod
    def check(cls) -> str:
        """Return the version of py-feat and of its weights, without importing py-feat.

        Raises
        ------
        UnavailableError
            One is missing; the message says what mends it.
        """
        return installed_version(cls.name)

    def extract(self, frames: list[np.ndarray], detections: list[list[Detection]]) -> list[list[FaceAUs]]:
        """Measure every detected face.

        Parameters
        ----------
        frames : list of ndarray of uint8, shape (height, width, 3), RGB
        detections : list of list of Detection, one list per frame

        Returns
        -------
        list of list of FaceAUs
            As the detections; a face that cannot be measured has NaN throughout.

        Raises
        ------
        Exception
            py-feat's own, where it fails on every face.
        """
        flat = [
            (frame, found) for frame, of_frame in zip(frames, detections, strict=True) for found in of_frame
        ]
        faces = [nothing(found, self) for _, found in flat]
        cuts = [_cut(frame, np.asarray(found.box_xyxy, np.float64)) for frame, found in flat]
        usable = [i for i, cut in enumerate(cuts) if cut is not None]
        failures: list[Exception] = []
        for start in range(0, len(usable), BATCH):
            self._fill(faces, [(i, cuts[i]) for i in usable[start : start + BATCH]], failures)
        if usable and len(failures) == len(usable):
            raise failures[0]
        answers = iter(faces)
        return [[next(answers) for _ in of_frame] for of_frame in detections]

    def _fill(self, faces: list[FaceAUs], batch: list[Any], failures: list[Exception]) -> None:
        """Put what is measured of a batch into its places; of one that fails, each face alone."""
        try:
            landmarks, poses, frame = self._look([cut for _, cut in batch])
        except Exception as error:  # such as a hull of landmarks that coincide
            if len(batch) > 1:
                for one in batch:
                    self._fill(faces, [one], failures)
            else:
                failures.append(error)
            return
        aus = np.clip(frame[[f"AU{c[2:4]}" for c in self.au_columns]].to_numpy(np.float64), 0.0, 1.0)
        extra = frame[list(self.extra_columns)].to_numpy(np.float64)
        for row, (place, _) in enumerate(batch):
            if not np.isfinite(np.concatenate([aus[row], poses[row], landmarks[row].ravel()])).all():
                continue
            face = faces[place]
            faces[place] = FaceAUs(
                box_xyxy=face.box_xyxy,
                confidence=face.confidence,
                landmarks=landmarks[row].astype(np.float32),
                pose_rad=poses[row].astype(np.float32),
                aus=dict(zip(self.au_columns, aus[row].tolist(), strict=True)),
                extra=dict(zip(self.extra_columns, extra[row].tolist(), strict=True)),
            )

    def _look(self, cuts: list[_Cut]) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
        """Landmarks (n, 68, 2) px of the picture, pose (n, 3) rad and py-feat's own row of each face."""
        import torch

        with torch.inference_mode():
            found = []
            for cut in cuts:
                self._finder.box_xyxy = cut.box_xyxy
                image = torch.from_numpy(np.ascontiguousarray(cut.rgb.transpose(2, 0, 1)))[None]
                found += self._crop(image)
            frame = self._detector.forward(found, _placement(cuts))
            return *self._read(frame, found), frame

    def _crop(self, image: torch.Tensor) -> list[dict[str, Any]]:
        return self._detector.detect_faces(image)

    def _read(self, frame: pd.DataFrame, found: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
        return _points(frame, range(68), ("x", "y")), _angles(frame)

    def _build(self, device: str) -> Any:
        raise NotImplementedError


class PyfeatV2Extractor(_PyfeatExtractor):
    """py-feat's Detectorv2: one network for AUs, mesh, pose, gaze, emotions, valence and arousal.

    AUs are its scores, 0 to 1. Takes what `_PyfeatExtractor` takes.
    """

    name = "pyfeat"
    extra_columns = (
        *("Neutral", "Happy", "Sad", "Surprise", "Fear", "Disgust", "Anger", "valence", "arousal"),
        *_GAZE,
    )

    def _build(self, device: str) -> Any:
        from feat.detector_v2 import Detectorv2

        # Half precision, its default on a GPU, would make a face's numbers depend on the machine.
        detector = Detectorv2(
            device=device, identity_model=None, multitask_weights=str(MULTITASK.found), amp=False
        )
        detector.face_detector = self._finder
        return detector

    def _read(self, frame: pd.DataFrame, found: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
        # Not its own choice of 68, whose chin is point 10 of the jaw and not 8.
        return _points(frame, MESH_68, ("mesh_x", "mesh_y")), _angles(frame)


class PyfeatV1Extractor(_PyfeatExtractor):
    """py-feat's Detectorv1: gradient-boosted trees on histograms of gradients and landmarks.

    AUs are probabilities. Takes what `_PyfeatExtractor` takes.
    """

    name = "pyfeat-v1"
    _au_model = "xgb"

    def _build(self, device: str) -> Any:
        from feat import detector as module
        from feat.utils.face_pose_mlp import pose_from_landmarks_mlp

        module._patch_xgboost_setstate_for_skops()  # undone after each constructor, needed by the next
        detector = module.Detectorv1(
            au_model=self._au_model,
            emotion_model="resmasknet",
            identity_model=None,
            gaze_model="l2cs",
            device=device,
        )
        detector.facepose_detector = self._finder
        _load_pose(pose_from_landmarks_mlp, detector.device)
        return detector


class PyfeatV1SvmExtractor(PyfeatV1Extractor):
    """Detectorv1 with support vector machines, which say present or absent: AUs are 0 or 1."""

    name = "pyfeat-v1-svm"
    scale = "c"
    _au_model = "svm"


class PyfeatMPExtractor(_PyfeatExtractor):
    """py-feat's MPDetector: MediaPipe's mesh and blendshapes, and a regression from them to AUs, 0 to 1.

    That regression explains .24 of the variance of Detectorv1's AUs. Takes what `_PyfeatExtractor` takes.
    """

    name = "pyfeat-mp"
    extra_columns = _GAZE

    def _build(self, device: str) -> Any:
        from feat.MPDetector import MPDetector
        from feat.utils.blendshape_to_au import pls_predict_batch

        detector = MPDetector(identity_model=None, emotion_model=None, gaze_model="l2cs", device=device)
        detector.face_detector = self._finder
        pls_predict_batch(np.zeros((1, 52), np.float32))  # loads its weights while the hub is not asked
        return detector

    def _crop(self, image: torch.Tensor) -> list[dict[str, Any]]:
        return self._detector.detect_faces(image, face_size=self._detector.face_size)

    def _read(self, frame: pd.DataFrame, found: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
        mesh = _points(frame, range(478), ("x", "y", "z"))
        widths = frame["FaceRectWidth"].to_numpy(np.float64)
        mesh[..., 2] *= widths[:, None] / self._detector.face_size
        return mesh[:, MESH_68, :2], pose_of_mesh(mesh)


def nothing(found: Detection, extractor: _PyfeatExtractor) -> FaceAUs:
    """Return a face of which nothing could be measured."""
    return FaceAUs(
        box_xyxy=np.asarray(found.box_xyxy, np.float32),
        confidence=float(found.confidence),
        landmarks=np.full((68, 2), np.nan, np.float32),
        pose_rad=np.full(3, np.nan, np.float32),
        aus=dict.fromkeys(extractor.au_columns, float("nan")),
        extra=dict.fromkeys(extractor.extra_columns, float("nan")),
    )


def _cut(frame_rgb: np.ndarray, box_xyxy: np.ndarray) -> _Cut | None:
    """Cut the surroundings of a box out of its picture; None where there is nothing to see.

    py-feat takes whole pictures as 32-bit floats, three copies of each; a crop is all that it looks at.
    """
    import cv2

    height, width = frame_rgb.shape[:2]
    if not np.isfinite(box_xyxy).all():
        return None
    x0, y0, x1, y1 = box_xyxy
    if min(x1 - x0, y1 - y0) < SMALLEST_BOX or x1 <= 0 or y1 <= 0 or x0 >= width or y0 >= height:
        return None
    reach = MARGIN * max(x1 - x0, y1 - y0) / 2
    left, top = (max(0, int(np.floor(c - reach))) for c in ((x0 + x1) / 2, (y0 + y1) / 2))
    right = min(width, int(np.ceil((x0 + x1) / 2 + reach)))
    bottom = min(height, int(np.ceil((y0 + y1) / 2 + reach)))
    cut = frame_rgb[top:bottom, left:right]
    factor = max(1, int(max(x1 - x0, y1 - y0) // LARGEST_CROP))
    if factor > 1 and min(cut.shape[:2]) >= factor:
        rows, columns = (side // factor for side in cut.shape[:2])
        cut = cv2.resize(
            cut[: rows * factor, : columns * factor], (columns, rows), interpolation=cv2.INTER_AREA
        )
    else:
        factor = 1
    return _Cut(cut, (box_xyxy - np.array([left, top] * 2)) / factor, (left, top), factor)


def _placement(cuts: list[_Cut]) -> dict[str, Any]:
    """Tell py-feat where its pictures lie in ours, in the terms of its own padding and scaling."""
    import torch

    factors = np.array([cut.factor for cut in cuts], np.float64)
    origins = np.array([cut.origin for cut in cuts], np.float64) / factors[:, None]
    # It computes (px - padding) / scale; our px lie half a pixel further, see _GivenBox.
    left, top = (torch.from_numpy(-(0.5 + origins[:, axis])) for axis in (0, 1))
    nothing_more = torch.zeros(len(cuts))
    return {
        "Image": torch.empty((len(cuts), 3, 1, 1)),
        "Padding": {"Left": left, "Top": top, "Right": nothing_more, "Bottom": nothing_more},
        "Scale": torch.from_numpy(1 / factors),
    }


def _points(frame: pd.DataFrame, numbers: Sequence[int], axes: tuple[str, ...]) -> np.ndarray:
    """Points of a `Fex`, shape (n, points, axes)."""
    columns = [f"{axis}_{i}" for i in numbers for axis in axes]
    return frame[columns].to_numpy(np.float64).reshape(len(frame), len(numbers), len(axes)).copy()


def _angles(frame: pd.DataFrame) -> np.ndarray:
    return pose_of_angles(*(frame[name].to_numpy(np.float64) for name in ("Pitch", "Roll", "Yaw")))


def _load_pose(pose_from_landmarks: Callable[..., object], device: torch.device) -> None:
    """Load Detectorv1's pose network while the hub is not asked; py-feat would do without it, silently."""
    import torch

    if pose_from_landmarks(torch.rand((1, 68, 2), device=device)) is None:
        raise UnavailableError("its network for the head's pose, pose_mlp_v2, cannot be read")
