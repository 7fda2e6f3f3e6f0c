"""The files that `predict` fills face by face: they grow on the disk, so that memory does not."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from analysis import filenames
from analysis.prediction_columns import explanation_line, prediction_columns, prediction_row
from feat_pipeline.files import named_errors
from feat_pipeline.models.protocol import EmotionModel, is_explainable
from feat_pipeline.output.folder import OutputFolder
from feat_pipeline.predict import FacePrediction
from feat_pipeline.render.encode import jpeg


class GrowingFile:
    """A text file that is written bit by bit and appears whole, or not at all.

    Parameters
    ----------
    folder : OutputFolder
    name : str
        Of the file in the folder.

    Raises
    ------
    OutputError
        Here and later, where the file cannot be written.
    """

    def __init__(self, folder: OutputFolder, name: str) -> None:
        self._folder = folder
        self._stack = contextlib.ExitStack()
        self._file = self._stack.enter_context(folder.open(name))
        self.path = folder.path / name

    def write(self, text: str) -> None:
        """Add text."""
        with named_errors(self._folder.path):
            self._file.write(text)

    def finish(self) -> None:
        """Let the file take its place."""
        self._stack.close()

    def discard(self, error: BaseException) -> None:
        """Remove what was written, unless the file has taken its place."""
        self._stack.__exit__(type(error), error, error.__traceback__)


class PredictionsWriter:
    """Gathers the answers of one run: ``predictions.csv``, ``explanations.jsonl`` and pictures of faces.

    Parameters
    ----------
    folder : OutputFolder
    models : mapping of str to EmotionModel
    videos : bool
        Whether videos are among the inputs: rows have ``face_id`` and smoothed answers then, whose columns
        begin with ``smooth_``. Of a photo they are the answers themselves.

    Attributes
    ----------
    pictures : int
        Pictures of faces written so far.
    disagreements : int
        Faces so far on which several models disagree; ``agree`` tells it of each.
    """

    def __init__(
        self, folder: OutputFolder, models: Mapping[str, EmotionModel], *, videos: bool = False
    ) -> None:
        self._folder, self._models = folder, models
        classes = list(dict.fromkeys(str(c) for model in models.values() for c in model.classes_))
        self._columns = prediction_columns(classes, videos=videos, several_models=len(models) > 1)
        self._rows = GrowingFile(folder, filenames.PREDICTIONS)
        self._reasons = GrowingFile(folder, filenames.EXPLANATIONS)
        self._write_row(self._columns)
        self.pictures = 0
        self.disagreements = 0

    def add(
        self,
        face: FacePrediction,
        *,
        face_id: int,
        labels: Mapping[str, str] | None = None,
        smooth: Mapping[str, Mapping[str, float]] | None = None,
        explained: bool = True,
        crop_rgb: np.ndarray | None = None,
        annotated: str | None = None,
    ) -> None:
        """Add one face.

        Parameters
        ----------
        face : FacePrediction
            What the models say of its frame alone.
        face_id : int
        labels, smooth : mapping, optional
            Model to smoothed label, and to smoothed probability by emotion; by default the raw ones.
        explained : bool
            Whether its picture and its reasons are written too.
        crop_rgb : ndarray of uint8, shape (h, w, 3), optional
            Its picture, where it is another than `face.crop_rgb`.
        annotated : str, optional
            Name of the annotated copy that shows it.
        """
        picture = self._picture(face.crop_rgb if crop_rgb is None else crop_rgb) if explained else ""
        place = face_place(face)
        self.disagreements += face.agree is False
        for model in self._models:
            probabilities = face.probabilities.get(model, {})
            row = prediction_row(
                place,
                model,
                probabilities,
                picture,
                face_id=face_id,
                agree=face.agree,
                smooth_label=None if labels is None else labels.get(model, ""),
                smooth=None if smooth is None else smooth.get(model, {}),
            )
            self._write_row([_cell(name, row.get(name)) for name in self._columns])
            if explained and model in face.explanations:
                reasons = face.explanations[model]
                self._reasons.write(
                    explanation_line(place, model, reasons, picture=picture, annotated=annotated)
                )

    def finish(self) -> Path:
        """Let the files take their place, and save the regressions; return the table's path."""
        try:
            with named_errors(self._folder.path):  # so that a report needs nothing but this folder
                for name, model in self._models.items():
                    if is_explainable(model):
                        model.save(self._folder.path / filenames.MODEL_COPIES / name)
            self._rows.finish()
            self._reasons.finish()
        except BaseException as error:
            self._rows.discard(error)
            self._reasons.discard(error)
            raise
        return self._rows.path

    def _picture(self, crop_rgb: np.ndarray) -> str:
        name = f"faces/{self.pictures:06d}.jpg"
        self._folder.write(name, jpeg(crop_rgb))
        self.pictures += 1
        return name

    def _write_row(self, cells: Iterable[Any]) -> None:
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(cells)
        self._rows.write(line.getvalue())


def _cell(name: str, value: Any) -> Any:
    if isinstance(value, float):
        # a film's times need more digits: at six, frames of the second hour would be one
        return "" if np.isnan(value) else f"{value:.9g}" if name == "time_s" else f"{value:.6g}"
    return "" if value is None else value


def face_place(face: FacePrediction) -> dict[str, Any]:
    """Tell which face it is: the columns `PLACE` that ``predictions.csv`` begins with."""
    x0, y0, x1, y1 = (float(value) for value in face.box_xyxy)
    return {
        **{"input": face.input, "frame": face.frame, "time_s": face.time_s, "face": face.face},
        **{"x": x0, "y": y0, "w": x1 - x0, "h": y1 - y0, "confidence": float(face.confidence)},
    }
