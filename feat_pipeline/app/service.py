"""What is measured for the page: one predictor for everybody, one picture after another."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from feat_pipeline.app.limits import SMALLEST_FACE_PX, Limits, RefusedError, sentence, shown_name
from feat_pipeline.detect import DEFAULT_DETECTOR
from feat_pipeline.errors import InputError
from feat_pipeline.faces.crops import FaceCrops
from feat_pipeline.models import SHIPPED
from feat_pipeline.predict import FacePrediction, Predictor
from feat_pipeline.render.encode import jpeg
from feat_pipeline.sources.frame import Frame, PathLike
from feat_pipeline.sources.kinds import kind_of
from feat_pipeline.sources.photos import read_photo

SHOWN_PX = 1400
"""Longest side of the photo as the page shows it."""
FACE_PX = 320
SMALL_PX = 48
"""Pictures whose shorter side is below this rarely hold a face that the detector finds."""

NO_FACE = (
    "No face was found in this picture. Faces have to be upright, seen from the front or slightly from the "
    f"side, and at least about {SMALLEST_FACE_PX} pixels high; turn or crop the picture and try again."
)
GIF = "This is a GIF; send it under Video, or save one of its pictures as JPEG or PNG."
VIDEO = "This is a video; send it under Video."
FAILED = "Something went wrong here while this was looked at; try again, or try another one."

_MANY_PICTURES = ("PNG", "WEBP", "TIFF")  # the second picture of a phone's JPEG is a preview


@dataclass(frozen=True, eq=False)
class Face:
    """One face as the page shows it.

    Parameters
    ----------
    prediction : FacePrediction
        What `Predictor.predict` said.
    picture : bytes
        JPEG with sides of `FACE_PX`, the face with a margin.
    """

    prediction: FacePrediction
    picture: bytes


@dataclass(frozen=True, eq=False)
class PhotoAnswer:
    """A photo with its faces.

    Parameters
    ----------
    name : str
        The file's name, without folders.
    size : (int, int)
        Width and height, px.
    picture : bytes
        JPEG, shrunk to at most `SHOWN_PX`.
    faces : tuple of Face
        Left to right.
    notes : tuple of str
        What its sender has to know besides, whole sentences.
    """

    name: str
    size: tuple[int, int]
    picture: bytes
    faces: tuple[Face, ...]
    notes: tuple[str, ...] = ()


class FaceService:
    """Measures what people send, one at a time.

    Parameters
    ----------
    limits : Limits
    detector : str
        Name out of ``feat_pipeline.detect.DETECTORS``.
    models : sequence of str or path
        See `Predictor`; the first with coefficients explains.

    Attributes
    ----------
    predictor : Predictor
        Shared; nobody but this class calls it.

    Raises
    ------
    InputError, AnalysisError, UsageError, UnavailableError
        See `Predictor`.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        detector: str = DEFAULT_DETECTOR,
        models: tuple[PathLike, ...] = SHIPPED,
    ) -> None:
        self.limits = limits or Limits()
        self.predictor = Predictor(models=models, detector=detector)
        self.lock = threading.Lock()
        self.video_lock = threading.Lock()
        self._spec: dict[str, Any] = {"models": models, "detector": detector}

    @cached_property
    def video_predictor(self) -> Predictor:
        """A predictor of its own for videos, under `video_lock`: photos need not wait for them."""
        return Predictor(**self._spec)

    def photo(self, path: Path, name: object) -> PhotoAnswer:
        """Answer for one photo.

        Parameters
        ----------
        path : Path
            The file.
        name : object
            What its sender calls it.

        Raises
        ------
        RefusedError
            It cannot be read, is too large, or holds no face.
        """
        shown = shown_name(name) or "photo"
        rgb = self._read(path)
        notes = _notes(path)
        predictions = self.predict(Frame(rgb, shown))
        if not predictions:
            raise RefusedError(_too_small(rgb) or NO_FACE)
        if len(predictions) > self.limits.faces:
            notes.append(
                f"{len(predictions)} faces were found; the {self.limits.faces} largest are answered for."
            )
            predictions = _largest(predictions, self.limits.faces)
        pictures = FaceCrops([rgb] * len(predictions), [face.box_xyxy for face in predictions])
        faces = zip(predictions, pictures.around(FACE_PX), strict=True)
        height, width = rgb.shape[:2]
        return PhotoAnswer(
            shown,
            (width, height),
            jpeg(_shrunk(rgb, SHOWN_PX)),
            tuple(Face(prediction, jpeg(crop)) for prediction, crop in faces),
            tuple(notes),
        )

    def camera_picture(self, path: Path) -> tuple[np.ndarray, list[FacePrediction]]:
        """Read and predict one picture of a camera: RGB, and its faces, of which there may be none.

        Raises
        ------
        RefusedError
            It cannot be read.
        """
        rgb = self._read(path)
        return rgb, self.predict(Frame(rgb, "camera"))

    def predict(self, frame: Frame) -> list[FacePrediction]:
        """Predict the faces of a frame; everybody waits for everybody.

        Raises
        ------
        RefusedError
            The detector or the extractor failed on it.
        """
        with self.lock:
            try:
                return self.predictor.predict(frame)
            except InputError as error:
                print(f"feat-pipeline: {error}", file=sys.stderr)
                raise RefusedError(FAILED) from None

    def _read(self, path: Path) -> np.ndarray:
        try:
            return read_photo(path, max_pixels=self.limits.photo_pixels)
        except InputError as error:
            raise RefusedError(_sentence(str(error), path)) from None


def _sentence(reason: str, path: Path) -> str:
    """Tell why a photo cannot be read, and what to do with those kinds that phones and chats hand out."""
    kind = kind_of(path)
    if kind is not None and kind.holds == "video":
        return GIF if kind.name == "GIF" else VIDEO
    return sentence(reason, path, "picture")


def _notes(path: Path) -> list[str]:
    """Say so where a file holds more pictures than the one that is looked at."""
    try:
        with Image.open(path) as image:
            count = getattr(image, "n_frames", 1) if image.format in _MANY_PICTURES else 1
    except Exception:  # by now it was read; a second opinion on it is worth no refusal
        return []
    return [f"This file holds {count} pictures; only the first was looked at."] if count > 1 else []


def _too_small(rgb: np.ndarray) -> str:
    height, width = rgb.shape[:2]
    if min(width, height) >= SMALL_PX:
        return ""
    return f"This picture is only {width} × {height} pixels, too small to find a face in; send a larger one."


def _largest(predictions: list[FacePrediction], count: int) -> list[FacePrediction]:
    """Keep the largest faces, in their order."""
    boxes = np.array([face.box_xyxy for face in predictions])
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return [predictions[i] for i in sorted(np.argsort(-areas, kind="stable")[:count])]


def _shrunk(rgb: np.ndarray, side: int) -> np.ndarray:
    image = Image.fromarray(rgb)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return np.asarray(image)
