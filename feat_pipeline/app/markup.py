"""Answers as HTML: the same words, bars and waterfalls that the reports show."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.display import au_title
from analysis.facs import SCALE_RANGES
from analysis.html.bars import au_groups, probability_rows
from analysis.html.environment import environment
from analysis.html.pictures import figure_uri
from analysis.html.why import explanation_view
from analysis.rounding import percent
from feat_pipeline.app.overlays import highlighted_regions, legend, overlays
from feat_pipeline.app.what_if import NOT_MEASURED
from feat_pipeline.output.folder import slug
from feat_pipeline.render.labels import NOT_MEASURED as NO_LABEL

if TYPE_CHECKING:
    from jinja2 import Environment

    from feat_pipeline.app.service import Face, PhotoAnswer
    from feat_pipeline.app.videos import VideoAnswer
    from feat_pipeline.predict import FacePrediction

_HERE = Path(__file__).parent


def render(template: str, **content: Any) -> str:
    """Fill one of the templates in; what is no markup is escaped."""
    return _environment().get_template(template).render(content)


def message(text: str, kind: str = "note") -> str:
    """Lay out one sentence: 'note', or 'sorry' for a refusal."""
    return render("message.html", text=text, kind=kind)


def picture(answer: PhotoAnswer, chosen: int = 0) -> str:
    """Lay out a photo with a button on every face, and the faces one by one below it."""
    width, height = answer.size
    marks = []
    for number, face in enumerate(answer.faces):
        x0, y0, x1, y1 = np.clip(face.prediction.box_xyxy / [width, height, width, height], 0, 1)
        place = {"left": 100 * x0, "top": 100 * y0, "width": 100 * (x1 - x0), "height": 100 * (y1 - y0)}
        marks.append({**_named(face.prediction, number), "place": place, "uri": data_uri(face.picture)})
    return render(
        "picture.html",
        uri=data_uri(answer.picture),
        name=answer.name,
        marks=marks,
        chosen=chosen,
        notes=answer.notes,
        size=answer.size,
    )


def face_panel(face: Face, number: int, count: int) -> str:
    """Lay out what both models say of a face, why, and its AUs."""
    prediction = face.prediction
    model, explanation = next(iter(prediction.explanations.items()), ("", None))
    low = explanation.low_validity if explanation else frozenset()
    regions = highlighted_regions(explanation) if explanation else {}
    usual = dict(zip(explanation.au_columns, explanation.baseline_values, strict=True)) if explanation else {}
    why = explanation_view({**explanation.to_dict(), "model": model}, set(low)) if explanation else None
    return render(
        "face.html",
        number=number + 1,
        count=count,
        calls=_calls(prediction),
        rows=probability_rows(_answers(prediction)),
        agree=len({prediction.label(name) for name in prediction.probabilities}) <= 1,
        uri=data_uri(face.picture),
        overlays={name: data_uri(png, "image/png") for name, png in overlays(prediction, regions).items()},
        legend=legend(regions),
        why=why,
        unmeasured="" if explanation else NOT_MEASURED,
        groups=au_groups(prediction.aus, usual, low),
        full=full_scale(prediction.aus),
    )


def comparison(faces: Sequence[tuple[str, Face]]) -> str:
    """Lay out two faces side by side: what both models say, and the AUs that differ, the most first.

    Parameters
    ----------
    faces : sequence of (str, Face)
        Two faces, with what each is called.
    """
    (_, first), (_, second) = faces
    sides: list[dict[str, Any]] = []
    for name, face in faces:
        answers = _answers(face.prediction)
        sides.append({"name": name, "uri": data_uri(face.picture), "calls": _calls(face.prediction)})
        sides[-1]["rows"] = probability_rows(answers)
    a, b = first.prediction.aus, second.prediction.aus
    full = full_scale(a)
    rows: list[dict[str, Any]] = [
        {
            "title": au_title(au),
            "a": f"{a[au]:.1f}",
            "b": f"{b[au]:.1f}",
            "left": 100 * min(a[au], b[au]) / full,
            "width": 100 * abs(a[au] - b[au]) / full,
            "at_a": 100 * a[au] / full,
            "at_b": 100 * b[au] / full,
            "size": abs(a[au] - b[au]),
        }
        for au in a
        if au in b and np.isfinite([a[au], b[au]]).all()
    ]
    rows.sort(key=lambda row: -row["size"])
    return render("comparison.html", sides=sides, rows=rows, full=f"{full:g}")


def pool(faces: Sequence[tuple[str, Face]], chosen: Sequence[int]) -> str:
    """Lay out the faces that can be compared, with two choices."""
    marks = [
        {**_named(face.prediction, n), "uri": data_uri(face.picture), "title": name}
        for n, (name, face) in enumerate(faces)
    ]
    return render("pool.html", marks=marks, chosen=list(chosen))


def live(faces: Sequence[FacePrediction], uri: str, milliseconds: float) -> str:
    """Lay out one picture of the camera with its answer."""
    rows = probability_rows(_answers(faces[0])) if faces else []
    first = faces[0] if faces else None
    explanation = next(iter(first.explanations.values()), None) if first else None
    return render(
        "live.html",
        uri=uri,
        faces=[_named(face, n) for n, face in enumerate(faces)],
        models=list(first.probabilities) if first else [],
        rows=rows,
        rationale=explanation.rationale if explanation else "",
        milliseconds=round(milliseconds),
    )


def video(answer: VideoAnswer) -> str:
    """Lay out what was found in a video."""
    return render(
        "video.html",
        name=answer.name,
        stem=slug(answer.name),
        frames=answer.frames,
        faces=answer.faces,
        rows=[(label, percent(share)) for label, share in answer.rows],
        notes=answer.notes,
        film=data_uri(answer.film, "video/mp4") if answer.film else "",
        figure=figure_uri(answer.figure),
    )


def data_uri(data: bytes, kind: str = "image/jpeg") -> str:
    """Write bytes as a data URI."""
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def full_scale(aus: Mapping[str, float]) -> float:
    """Return the upper end of the AUs' scale."""
    suffix = next(iter(aus), "_r").rpartition("_")[2]
    return SCALE_RANGES.get(suffix, (0.0, 5.0))[1]


@cache
def _environment() -> Environment:
    import analysis.report

    return environment(_HERE / "templates", Path(analysis.report.__file__).parent / "templates")


def _named(face: FacePrediction, number: int) -> dict[str, Any]:
    calls = _calls(face)
    return {"number": number + 1, "label": calls[0][1], "share": calls[0][2], "calls": calls}


def _calls(face: FacePrediction) -> list[tuple[str, str, str]]:
    """List every model with its answer and that answer's probability."""
    calls = [(name, face.label(name), percent(max(of.values()))) for name, of in face.probabilities.items()]
    return calls or [("", NO_LABEL, "")]


def _answers(face: FacePrediction) -> dict[str, dict[str, Any]]:
    return {name: {"label": face.label(name), "probabilities": of} for name, of in face.probabilities.items()}
