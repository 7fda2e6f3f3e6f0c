"""One face of the report, laid out for the template: texts and bar positions in per cent, no markup."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from analysis.display import au_title
from analysis.explain.rationale import reason, short_name
from analysis.facs import REGIONS, SCALE_RANGES, in_order, parse_column, region
from analysis.html.why import decimals, explanation_view, probability_text
from analysis.report.collect import Face

NO_ANSWER = "no answer"


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


def probability_rows(answers: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Lay the probabilities of every model side by side.

    Parameters
    ----------
    answers : mapping of str to mapping
        Model to ``{'label', 'probabilities'}``.

    Returns
    -------
    list of dict
        One row an emotion with one cell a model: ``text``, ``width`` in per cent, ``best``.
    """
    names = (name for answer in answers.values() for name in answer["probabilities"])
    rows = []
    for name in in_order(names):
        cells = []
        for answer in answers.values():
            value = answer["probabilities"].get(name, math.nan)
            width = 0.0 if math.isnan(value) else 100 * min(1.0, max(0.0, value))
            cells.append({"text": probability_text(value), "width": width, "best": name == answer["label"]})
        rows.append({"emotion": name, "cells": cells})
    return rows


def _strongest(explanations: Sequence[Mapping[str, Any]]) -> str:
    if not explanations:
        return ""
    items = [item for item in explanations[0]["aus"] if not math.isnan(item["contribution"])]
    best = max(items, key=lambda item: item["contribution"], default=None)
    if best is None or best["contribution"] <= 0:
        return "none of the AUs speaks for it"
    return reason(best["au"], best["value"], best["baseline"], best["contribution"])


def au_groups(
    aus: Mapping[str, float], usual: Mapping[str, float], low: Iterable[str]
) -> list[dict[str, Any]]:
    """Group the Action Units of a face by its regions, brow to jaw.

    Parameters
    ----------
    aus : mapping of str to float
        AU column to value; NaN becomes 'not measured'.
    usual : mapping of str to float
        AU column to the baseline's value.
    low : iterable of str
        AU columns of low validity.

    Returns
    -------
    list of dict
        ``region`` and ``rows``; each row has ``title, value, width, tick, usual, low``.
    """
    marked = set(low)
    groups: dict[str, list[dict[str, Any]]] = {}
    for column in sorted(aus, key=lambda name: parse_column(name) or (0, name)):
        scale = (parse_column(column) or (0, "r"))[1]
        full = SCALE_RANGES[scale][1]
        value, base = float(aus[column]), float(usual.get(column, math.nan))
        row = {
            "title": au_title(column),
            "au": short_name(column),
            "value": decimals(value, 1 if scale == "r" else 2),
            "width": None if math.isnan(value) else 100 * min(1.0, max(0.0, value / full)),
            "tick": None if math.isnan(base) else 100 * min(1.0, max(0.0, base / full)),
            "usual": decimals(base, 1 if scale == "r" else 2),
            "low": column in marked,
        }
        groups.setdefault(region(column) or "other", []).append(row)
    order = [*REGIONS, "other"]
    return [{"region": name, "rows": groups[name]} for name in order if name in groups]
