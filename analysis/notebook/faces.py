"""Faces in a notebook: one explanation, or one prediction with the answers of all its models."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, Protocol

import numpy as np

from analysis.display import au_title, signed
from analysis.facs import short_name
from analysis.html.bars import NO_ANSWER, au_groups, probability_rows
from analysis.html.pictures import picture_uri
from analysis.html.why import decimals, error_text, probability_text
from analysis.notebook.fragment import fragment
from analysis.records import RESIDUAL_SHOWN, Explained, as_record

BARS, EITHER = 9, 3
"""Action Units that get a bar of their own, and how many of these on either side if there are as many."""

SMALLEST = 0.005
"""Contributions below this would read '0.00'."""

_BASELINES = {
    "population": "average face",
    "neutral": "average neutral face",
    "person": "person's neutral face",
}


class ShownAnswer(Protocol):
    """What is shown of an `analysis.surrogate.answer.AnswerExplanation`."""

    @property
    def classifier(self) -> str:
        """Whose answer it is."""

    @property
    def probability(self) -> float:
        """How probable the classifier holds its answer."""

    @property
    def rationale(self) -> str:
        """The answer and its reasons in one line."""


class ShownPrediction(Protocol):
    """What is shown of a `feat_pipeline.FacePrediction`, which says what each name holds."""

    @property
    def input(self) -> str:
        """The photo or video."""

    @property
    def time_s(self) -> float:
        """Of the frame, in seconds."""

    @property
    def face(self) -> int:
        """Number in the frame."""

    @property
    def confidence(self) -> float:
        """Of the detector."""

    @property
    def crop_rgb(self) -> np.ndarray:
        """The face: (h, w, 3) uint8."""

    @property
    def aus(self) -> Mapping[str, float]:
        """AU column to value."""

    @property
    def probabilities(self) -> Mapping[str, Mapping[str, float]]:
        """Model to emotion to probability."""

    @property
    def explanations(self) -> Mapping[str, Explained]:
        """Model to explanation."""


def explanation_html(explanation: Explained, *, answer: ShownAnswer | None = None) -> str:
    """Show one explanation: the answer, its probabilities, and the Action Units for and against it.

    Parameters
    ----------
    explanation : FaceExplanation or mapping
        An explanation, or its ``to_dict()`` record.
    answer : AnswerExplanation, optional
        The other classifier whose answer this is a surrogate's explanation of.

    Returns
    -------
    str
        HTML.
    """
    record = as_record(explanation)
    why = _why(record)
    rival = f"rather than {why['rival']} {why['rival_share']}" if why["rival"] else ""
    view = {"share": why["share"], "beside": rival, "said": why["said"], "caption": "Probabilities"}
    if answer is not None:
        view |= {"share": probability_text(answer.probability), "beside": f"says {answer.classifier}"}
        view |= {"said": answer.rationale, "caption": "Probabilities by the surrogate"}
    probabilities = {"": _answer(record["probabilities"], record["target"])}
    return fragment(
        "explanation.html", why=why, models=[""], probabilities=probability_rows(probabilities), **view
    )


def prediction_html(prediction: ShownPrediction) -> str:
    """Show one face: its crop, the answers of every model, and the reasons.

    Parameters
    ----------
    prediction : ShownPrediction
        Such as a `FacePrediction`.

    Returns
    -------
    str
        HTML; the crop is within, as a JPEG of a few kB.
    """
    answers = {name: _answer(found) for name, found in prediction.probabilities.items()}
    calls = [{"model": name, "label": said["label"], "share": _share(said)} for name, said in answers.items()]
    records = {name: as_record(found) for name, found in prediction.explanations.items()}
    items = [item for record in records.values() for item in record["aus"]]
    usual = {item["au"]: item["baseline"] for item in items if item["baseline"] is not None}
    low = {item["au"] for item in items if item.get("validity") == "low"}
    aus = prediction.aus
    return fragment(
        "prediction.html",
        picture=picture_uri(prediction.crop_rgb),
        name=PurePath(prediction.input).name or prediction.input,
        where=_where(prediction),
        calls=calls,
        no_answer=NO_ANSWER,
        disagree=len({call["label"] for call in calls}) > 1,
        models=list(answers),
        probabilities=probability_rows(answers),
        reasons_of=[{"model": name, **_why(record)} for name, record in records.items()],
        unmeasured=bool(aus) and all(math.isnan(value) for value in aus.values()),
        aus=au_groups(aus, usual, low),
        count=len(aus),
    )


def _answer(probabilities: Mapping[str, float], label: str | None = None) -> dict[str, Any]:
    known = {name: value for name, value in probabilities.items() if not math.isnan(value)}
    best = max(known, key=known.__getitem__, default="")
    return {"label": best if label is None else label, "probabilities": probabilities}


def _share(said: Mapping[str, Any]) -> str:
    return probability_text(said["probabilities"].get(said["label"], math.nan))


def _where(prediction: ShownPrediction) -> str:
    text = f"face {prediction.face + 1}"
    if prediction.time_s > 0:
        text += f" at {prediction.time_s:.2f} s"
    return f"{text}, found with confidence {prediction.confidence:.2f}"


def _why(record: Mapping[str, Any]) -> dict[str, Any]:
    """Lay the reasons of one answer out: bars in per cent of either half."""
    items = [item for item in record["aus"] if item["contribution"] is not None]
    ranked = sorted(items, key=lambda item: -abs(item["contribution"]))
    clear = [item for item in ranked if abs(item["contribution"]) >= SMALLEST]
    shown = _strongest(clear)
    named = {item["au"] for item in shown}
    rest = [item for item in items if item["au"] not in named]
    total = sum(float(item["contribution"]) for item in rest)
    far = max([abs(total), *(abs(item["contribution"]) for item in shown)]) or 1.0
    bars = [_bar(item, far) for item in shown]
    if rest:
        bars.append(_others(rest, total, far))
    return {
        "target": record["target"],
        "share": probability_text(record["probabilities"].get(record["target"], math.nan)),
        "rival": record.get("rival"),
        "rival_share": probability_text(record["probabilities"].get(record.get("rival"), math.nan)),
        "said": record["rationale"],
        "bars": bars,
        "notes": _notes(record, items),
    }


def _strongest(ranked: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Choose the bars: the strongest, with some of either side; those for it come first."""
    speaks_for = [item for item in ranked if item["contribution"] > 0]
    against = [item for item in ranked if item["contribution"] < 0]
    first = [*speaks_for[:EITHER], *against[:EITHER]]
    named = {item["au"] for item in first}
    rest = [item for item in ranked if item["au"] not in named]
    chosen = named | {item["au"] for item in rest[: BARS - len(first)]}
    return [item for item in (*speaks_for, *against) if item["au"] in chosen]


def _bar(item: Mapping[str, Any], far: float) -> dict[str, Any]:
    change = float(item["contribution"])
    return {
        "title": au_title(item["au"]),
        "value": decimals(item["value"], 1),
        "usual": decimals(item["baseline"], 1),
        "side": "for" if change >= 0 else "against",
        "width": 50 * min(1.0, abs(change) / far),
        "text": signed(change),
        "error": error_text(item.get("se")),
        "low": item.get("validity") == "low",
    }


def _others(rest: Sequence[Mapping[str, Any]], total: float, far: float) -> dict[str, Any]:
    one = rest[0]
    return {
        "title": f"{len(rest)} other AUs together" if len(rest) > 1 else au_title(one["au"]),
        "value": decimals(one["value"], 1) if len(rest) == 1 else None,
        "usual": decimals(one["baseline"], 1) if len(rest) == 1 else None,
        "side": "for" if total >= 0 else "against",
        "width": 50 * min(1.0, abs(total) / far),
        "text": signed(total),
        "error": None,
        "low": len(rest) == 1 and one.get("validity") == "low",
    }


def _notes(record: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> list[str]:
    usual = _BASELINES.get(str(record.get("baseline")), "chosen baseline")
    notes = [f"Bars: what each AU adds to the centred logit of {record['target']}, beside the {usual}"]
    residual = record.get("residual")
    if residual is None or math.isnan(residual) or abs(residual) > RESIDUAL_SHOWN:
        notes.append("They do not add up to the answer")
    low = [short_name(item["au"]) for item in items if item.get("validity") == "low"]
    if low:
        notes.append(f"Of low validity: {', '.join(low)}")
    return [*notes, *(str(note) for note in record.get("notes") or ())]
