"""Answers as HTML: the same words, bars and waterfalls that the reports show."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.display import au_title
from analysis.explain.rationale import percent, short_name
from analysis.facs import SCALE_RANGES, in_order, region
from analysis.html.bars import au_groups, probability_rows
from analysis.html.pictures import figure_uri
from analysis.html.why import explanation_view
from feat_pipeline.app.overlays import highlighted_regions, legend, overlays
from feat_pipeline.app.what_if import NOT_MEASURED, Moved, strongest
from feat_pipeline.output.folder import slug
from feat_pipeline.render.labels import NOT_MEASURED as NO_LABEL

if TYPE_CHECKING:
    from analysis.explain import FaceExplanation
    from analysis.explain.counterfactual import Counterfactual
    from feat_pipeline.app.service import Face, PhotoAnswer
    from feat_pipeline.app.videos import VideoAnswer
    from feat_pipeline.predict import FacePrediction

FIRST_SLIDERS = 8
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
    explanation = next(iter(prediction.explanations.values()), None)
    model = next(iter(prediction.explanations), "")
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
        full=_full(prediction.aus),
    )


def questions(face: FacePrediction) -> str:
    """Lay out the choices of 'why this and not that' and 'what would change it' for a face."""
    explanation = next(iter(face.explanations.values()), None)
    if explanation is None:
        return message(NOT_MEASURED)
    emotions = in_order(explanation.probabilities)
    return render("questions.html", emotions=emotions, target=explanation.target, rival=explanation.rival)


def contrast(explanation: FaceExplanation) -> str:
    """Lay out how the AUs add up to the log-odds of one emotion against another."""
    record = explanation.to_dict()
    target, rival = explanation.target, explanation.rival
    odds = float(np.log(explanation.probabilities[target]) - np.log(explanation.probabilities[rival]))
    items = [
        {
            **item,
            **{"contribution": item["contrast"], "se": item["contrast_se"]},
            **{"low": item["contrast_low"], "high": item["contrast_high"]},
        }
        for item in record["aus"]
    ]
    added = sum(item["contribution"] for item in items)
    # A waterfall of the log-odds is one of a logit, with the contrasts in the contributions' place.
    name = f"{target} rather than {rival}"
    odds_record = {**record, "aus": items, "logit": odds, "baseline_logit": odds - added, "residual": 0.0}
    view = explanation_view({**odds_record, "model": "", "target": target}, set(explanation.low_validity))
    view["steps"][-1]["label"] = f"this face: {name}"
    view["target"] = name
    shares = [percent(explanation.probabilities[emotion]) for emotion in (target, rival)]
    strong = sorted(items, key=lambda item: -abs(item["contribution"]))
    return render(
        "contrast.html",
        why=view,
        target=target,
        rival=rival,
        shares=shares,
        speaking_for=[au_title(i["au"]) for i in strong if i["contribution"] > 0][:3],
        speaking_against=[au_title(i["au"]) for i in strong if i["contribution"] < 0][:3],
    )


def change(found: Counterfactual) -> str:
    """Lay out the smallest changes that lead to another answer."""
    full = _full(found.values)
    ways = []
    for way in found.ways:
        steps = [
            {
                "title": au_title(au),
                "before": f"{before:.2f}",
                "after": f"{after:.2f}",
                "left": 100 * min(before, after) / full,
                "width": 100 * abs(after - before) / full,
                "at": 100 * after / full,
                "was": 100 * before / full,
            }
            for au, (before, after) in way.changes.items()
        ]
        reached = percent(way.probabilities[found.target]) if way.exists else ""
        values = json.dumps({au: round(after, 4) for au, (_, after) in way.changes.items()})
        ways.append({"kind": way.kind, "exists": way.exists, "text": way.text, "steps": steps})
        ways[-1] |= {"reached": reached, "moves": values}
    return render("change.html", answer=found.answer, target=found.target, ways=_without_repeats(ways))


def sliders(face: FacePrediction) -> str:
    """Lay out a slider for every AU of the regression, those that contribute most first."""
    explanation = next(iter(face.explanations.values()), None)
    if explanation is None:
        return message(NOT_MEASURED)
    order = [column for column, _ in strongest(explanation, len(explanation.au_columns))]
    usual = dict(zip(explanation.au_columns, explanation.baseline_values.tolist(), strict=True))
    rows = [
        {
            "au": column,
            "title": au_title(column),
            "value": f"{explanation.aus[column]:.2f}",
            "usual": f"{usual[column]:.1f}",
            "region": region(column),
        }
        for column in order
    ]
    full = _full(explanation.aus)
    return render(
        "sliders.html", first=rows[:FIRST_SLIDERS], rest=rows[FIRST_SLIDERS:], full=full, step=full / 100
    )


def moved_answer(found: Moved) -> str:
    """Lay out the probabilities before and after AUs were moved."""
    rows = [
        {
            "emotion": emotion,
            "before": 100 * found.before[emotion],
            "after": 100 * found.after[emotion],
            "text": percent(found.after[emotion]),
            "was": percent(found.before[emotion]),
            "best": emotion == found.label,
        }
        for emotion in in_order(found.after)
    ]
    changes = [f"{short_name(au)} {a:.1f} → {b:.1f}" for au, (a, b) in found.changes.items()]
    return render(
        "moved.html", found=found, rows=rows, changes=changes, share=percent(found.after[found.label])
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
    full = _full(a)
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


@cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    import analysis.report

    own, report = _HERE / "templates", Path(analysis.report.__file__).parent / "templates"
    environment = Environment(
        loader=FileSystemLoader([own, report]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["pct"] = lambda value: f"{value:.1f}".removesuffix(".0")
    return environment


def _named(face: FacePrediction, number: int) -> dict[str, Any]:
    calls = _calls(face)
    return {"number": number + 1, "label": calls[0][1], "share": calls[0][2], "calls": calls}


def _calls(face: FacePrediction) -> list[tuple[str, str, str]]:
    """List every model with its answer and that answer's probability."""
    calls = [(name, face.label(name), percent(max(of.values()))) for name, of in face.probabilities.items()]
    return calls or [("", NO_LABEL, "")]


def _answers(face: FacePrediction) -> dict[str, dict[str, Any]]:
    return {name: {"label": face.label(name), "probabilities": of} for name, of in face.probabilities.items()}


def _full(aus: Mapping[str, float]) -> float:
    """Return the upper end of the AUs' scale."""
    suffix = next(iter(aus), "_r").rpartition("_")[2]
    return SCALE_RANGES.get(suffix, (0.0, 5.0))[1]


def _without_repeats(ways: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tell ways that come to the same changes only once."""
    kept: list[dict[str, Any]] = []
    words = {"least squares": "Smallest change in all", "fewest AUs": "Fewest AUs", "one AU": "One AU alone"}
    for way in ways:
        way["title"] = words.get(way["kind"], way["kind"])
        same = next((k for k in kept if way["exists"] and k["moves"] == way["moves"]), None)
        if same is None:
            kept.append(way)
        else:
            same["title"] += f", {way['title'][0].lower()}{way['title'][1:]}"
    return kept
