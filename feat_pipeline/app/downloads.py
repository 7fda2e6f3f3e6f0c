"""What people take away of a photo: its AU table, its explanations, its report."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from analysis import filenames
from feat_pipeline.app.limits import RefusedError
from feat_pipeline.output.folder import OutputFolder, slug
from feat_pipeline.output.predictions_write import PredictionsWriter, face_place
from feat_pipeline.output.runlog import RunLog
from feat_pipeline.predict import predictions_table

if TYPE_CHECKING:
    from feat_pipeline.app.service import PhotoAnswer
    from feat_pipeline.predict import Predictor


class Download(NamedTuple):
    """A file to take away: its name, its kind (MIME) and its content."""

    name: str
    kind: str
    content: bytes


def make_download(what: object, answer: PhotoAnswer, predictor: Predictor) -> Download:
    """Make one of the files.

    Parameters
    ----------
    what : {'csv', 'json', 'html'}
        The AU table of all its faces as `feat-pipeline extract` writes it; what every model says of every
        face and why, the explanations as `feat-pipeline predict` writes them; the report.
    answer : PhotoAnswer
    predictor : Predictor
        What answered.

    Raises
    ------
    RefusedError
        There is no such file.
    """
    makers: dict[str, tuple[str, Callable[[PhotoAnswer, Predictor], bytes]]] = {
        "csv": ("text/csv", _table),
        "json": ("application/json", _explanations),
        "html": ("text/html", _report),
    }
    if not isinstance(what, str) or what not in makers:
        raise RefusedError("There is no such file; choose CSV, JSON or HTML.")
    kind, maker = makers[what]
    return Download(f"{slug(answer.name)}.{what}", kind, maker(answer, predictor))


def _table(answer: PhotoAnswer, predictor: Predictor) -> bytes:
    table = predictions_table([face.prediction for face in answer.faces], predictor.extractor)
    with tempfile.TemporaryDirectory() as folder:
        return table.write(Path(folder, filenames.AUS_CSV)).read_bytes()


def _explanations(answer: PhotoAnswer, predictor: Predictor) -> bytes:
    faces = []
    for face in answer.faces:
        prediction = face.prediction
        reasons = {name: found.to_dict() for name, found in prediction.explanations.items()}
        faces.append(
            {**face_place(prediction), "probabilities": prediction.probabilities, "explanations": reasons}
        )
    return (json.dumps({"photo": answer.name, "faces": faces}, indent=1, ensure_ascii=False) + "\n").encode()


def _report(answer: PhotoAnswer, predictor: Predictor) -> bytes:
    from analysis.report import build_report

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "result")
        _lay_out(folder, answer, predictor)
        title = f"Faces of {answer.name}"
        return build_report(folder, folder / filenames.REPORT, title=title).read_bytes()


def _lay_out(path: Path, answer: PhotoAnswer, predictor: Predictor) -> None:
    """Write what `feat-pipeline predict` would have written."""
    extractor = predictor.extractor
    log = RunLog(
        "app",
        {"photo": answer.name},
        backend={"name": extractor.name, "version": extractor.version, "scale": extractor.scale},
        models=list(predictor.models),
    )
    folder = OutputFolder(path, ())
    writer = PredictionsWriter(folder, predictor.models)
    for face in answer.faces:
        with Image.open(io.BytesIO(face.picture)) as picture:
            writer.add(face.prediction, face_id=face.prediction.face, crop_rgb=np.asarray(picture))
    writer.finish()
    log.tally.frames, log.tally.faces = 1, len(answer.faces)
    log.write(folder)
