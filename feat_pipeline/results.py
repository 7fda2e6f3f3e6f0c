"""Photos in, a folder of explained predictions out."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from feat_pipeline.models import DEFAULT_MODELS, model_name
from feat_pipeline.outputs import OutputFolder, named_errors, progress
from feat_pipeline.predict import FacePrediction, Predicted, Predictor
from feat_pipeline.records import explanation_line, prediction_columns, prediction_row
from feat_pipeline.runlog import RunLog
from feat_pipeline.sources import PathLike, Skipped, find_photos, read_frame

if TYPE_CHECKING:
    import pandas as pd

OUTPUTS = (
    "predictions.csv",
    "explanations.jsonl",
    "skipped.csv",
    "run.json",
    "faces/*.jpg",
    "annotated/*.jpg",
)

_SLUG_CHARACTERS = 40


@dataclass(frozen=True, eq=False)
class PredictResult:
    """What `predict_files` found.

    Parameters
    ----------
    predictions : DataFrame
        The content of ``predictions.csv``: one row per face and model.
    skipped : DataFrame
        Columns ``input, frame, reason``.
    run : dict
        Parameters, versions, counts and seconds.
    errors : list of Skipped
        The inputs that were skipped for an error; a picture without a face is none.
    """

    predictions: pd.DataFrame
    skipped: pd.DataFrame
    run: dict[str, Any]
    errors: list[Skipped]


def predict_files(
    paths: PathLike | Iterable[PathLike],
    *,
    out: PathLike,
    models: Sequence[PathLike] = DEFAULT_MODELS,
    detector: str = "mtcnn",
    annotate: bool = False,
    overwrite: bool = False,
) -> PredictResult:
    """Name and explain the emotion of every face in photos and folders.

    Parameters
    ----------
    paths : path or iterable of paths
        Photos and folders; folders are searched with their subfolders.
    out : path
        Folder that takes ``predictions.csv``, ``explanations.jsonl``, ``skipped.csv``, ``run.json``, pictures
        of the faces, copies of the regressions and, where asked for, annotated copies of the photos. When the
        work is interrupted, it takes what was done.
    models, detector
        See `Predictor`.
    annotate : bool
        Whether copies of the photos with boxes, emotions and reasons are written.
    overwrite : bool
        Whether results of an earlier run in ``out`` may be replaced.

    Returns
    -------
    PredictResult

    Raises
    ------
    InputError
        A path is missing, or a folder holds no photo.
    OutputError
        ``out`` cannot be written, or holds results and ``overwrite`` is false.
    UnavailableError, UsageError, AnalysisError
        See `Predictor`.
    """
    photos = _without_results(find_photos(paths), Path(out))
    copies = [f"models/{model_name(model)}/model.json" for model in models]
    folder = OutputFolder(out, (*OUTPUTS, *copies), overwrite=overwrite)
    predictor = Predictor(models=models, detector=detector)
    folder.clear()
    extractor = predictor.extractor
    log = RunLog(
        "predict",
        {"models": [str(model) for model in models], "detector": detector, "annotate": annotate},
        backend={"name": extractor.name, "version": extractor.version, "scale": extractor.scale},
        detector=detector,
        models=list(predictor.models),
    )
    sheet = _Sheet(folder, predictor, annotate)

    def finish() -> PredictResult:
        with folder.all_or_nothing():
            predictions = sheet.write()
            log.write(folder)
        return PredictResult(predictions, log.skipped_frame(), log.record(), log.errors)

    try:
        found = predictor.predict_many(map(read_frame, photos))
        for item in progress(found, total=len(photos), unit="photo"):
            if isinstance(item, Predicted):
                sheet.add(item)
            log.add(item.measured if isinstance(item, Predicted) else item)
    except BaseException as error:
        log.stop(error)
        finish()
        error.add_note(log.kept_in(folder))
        raise
    return finish()


class _Sheet:
    """Gathers rows and reasons, and writes pictures as they come."""

    def __init__(self, folder: OutputFolder, predictor: Predictor, annotate: bool) -> None:
        classes = dict.fromkeys(str(c) for model in predictor.models.values() for c in model.classes_)
        self._columns = prediction_columns(classes)
        self._folder = folder
        self._models = predictor.models
        self._annotate = annotate
        self._rows: list[dict[str, Any]] = []
        self._reasons: list[str] = []
        self._faces = 0
        self._frames = 0

    def add(self, item: Predicted) -> None:
        annotated = self._annotated(item) if self._annotate else None
        for face in item.faces:
            picture = f"faces/{self._faces:06d}.jpg"
            self._folder.write(picture, jpeg(face.crop_rgb))
            self._faces += 1
            place = _place(face)
            for model in self._models:
                self._rows.append(prediction_row(place, model, face.probabilities.get(model, {}), picture))
                if model in face.explanations:
                    explanation = face.explanations[model]
                    self._reasons.append(
                        explanation_line(place, model, explanation, picture=picture, annotated=annotated)
                    )
        self._frames += 1

    def write(self) -> pd.DataFrame:
        import pandas as pd

        with named_errors(self._folder.path):  # so that a report needs nothing but this folder
            for name, model in self._models.items():
                if hasattr(model, "coef_"):
                    model.save(self._folder.path / "models" / name)
        predictions = pd.DataFrame(self._rows, columns=self._columns)
        self._folder.write("predictions.csv", predictions.to_csv(index=False, float_format="%.6g"))
        self._folder.write("explanations.jsonl", "".join(self._reasons))
        return predictions

    def _annotated(self, item: Predicted) -> str:
        from feat_pipeline.render import annotate

        frame = item.measured.frame
        name = f"annotated/{self._frames:06d}_{slug(frame.path)}.jpg"
        self._folder.write(name, jpeg(annotate(frame.rgb, item.faces)))
        return name


def slug(path: str) -> str:
    """Return a file's name without its ending, made safe: letters, digits, ``_`` and ``-``, at most 40."""
    return re.sub(r"[^\w-]+", "_", Path(path).stem)[:_SLUG_CHARACTERS].strip("_") or "photo"


def jpeg(rgb: np.ndarray) -> bytes:
    """Encode a uint8 RGB picture of shape (height, width, 3)."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _place(face: FacePrediction) -> dict[str, Any]:
    x0, y0, x1, y1 = (float(value) for value in face.box_xyxy)
    return {
        **{"input": face.input, "frame": face.frame, "time_s": face.time_s, "face": face.face},
        **{"x": x0, "y": y0, "w": x1 - x0, "h": y1 - y0, "confidence": float(face.confidence)},
    }


def _without_results(photos: list[Path], out: Path) -> list[Path]:
    """Leave out the pictures that an earlier run wrote, where the results lie among the photos."""
    # realpath and not Path.resolve, which raises on links that lead in a circle
    written = [Path(os.path.realpath(out / name)) for name in ("faces", "annotated")]
    return [photo for photo in photos if Path(os.path.realpath(photo)).parent not in written]
