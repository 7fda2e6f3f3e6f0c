"""One face of the report, laid out for the template: texts and bar positions in per cent, no markup."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from analysis.explain.rationale import reason
from analysis.facs import SCALE_RANGES, parse_column
from analysis.html.bars import NO_ANSWER, au_groups, probability_rows
from analysis.html.why import explanation_view, probability_text
from analysis.report.collect import Face


def card_view(face: Face, number: int, of_photo: tuple[int, int], low: set[str]) -> dict[str, Any]:
    """Lay one face out for the template.

    Parameters
    ----------
    face : Face
        The face with its answers and explanations.
    number : int
        Its number in the report, from 1.
    of_photo : tuple of (int, int)
        Its number in its photo or frame, from 1, and how many faces that holds.
    low : set of str
        AU columns of low validity.

    Returns
    -------
    dict
        Texts, and bars as per cent of their tracks.
    """
    marked = low | {i["au"] for r in face.explanations for i in r["aus"] if i.get("validity") == "low"}
    models = list(face.answers)
    calls = [(model, *_call(face.answers[model])) for model in models]
    return {
        "id": f"face-{number}",
        "number": number,
        "input": face.input,
        "where": _where(face, of_photo),
        "row": f"frame {face.frame}, face {face.face}",
        "calls": calls,
        "models": models,
        "probabilities": probability_rows(face.answers),
        "explanations": [explanation_view(record, marked) for record in face.explanations],
        "aus": au_groups(face.aus, face.usual, marked),
        "full": next((f"{SCALE_RANGES[p[1]][1]:g}" for a in face.aus if (p := parse_column(a))), ""),
        "unmeasured": bool(face.aus) and all(math.isnan(value) for value in face.aus.values()),
        "reason": _strongest(face.explanations),
        "picture": None,
    }


def _where(face: Face, of_photo: tuple[int, int]) -> str:
    text = f"face {of_photo[0]} of {of_photo[1]}" if of_photo[1] > 1 else "the only face"
    if face.time_s > 0 or (face.frame > 0 and not math.isnan(face.time_s)):
        text += f", at {face.time_s:.2f} s"
    elif face.frame > 0:
        text += f", frame {face.frame}"
    return text


def _call(answer: Mapping[str, Any]) -> tuple[str, str]:
    probability = answer["probabilities"].get(answer["label"], math.nan)
    return (answer["label"], probability_text(probability)) if answer["label"] else (NO_ANSWER, "")


def _strongest(explanations: Sequence[Mapping[str, Any]]) -> str:
    if not explanations:
        return ""
    items = [item for item in explanations[0]["aus"] if not math.isnan(item["contribution"])]
    best = max(items, key=lambda item: item["contribution"], default=None)
    if best is None or best["contribution"] <= 0:
        return "none of the AUs speaks for it"
    return reason(best["au"], best["value"], best["baseline"], best["contribution"])
