"""One face of the report, laid out for the template: texts and bar positions in per cent, no markup."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from analysis.display import RESIDUAL_SHOWN, Step, au_title, in_order, signed, waterfall_steps
from analysis.facs import REGIONS, SCALE_RANGES, parse_column, region
from analysis.rationale import percent, reason, short_name
from analysis.report.collect import Face

NO_ANSWER = "no answer"
_TICK_STEPS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)


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
    marked = low | {i["au"] for r in face.explanations for i in r["aus"] if i.get("low_validity")}
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
    if face.time_s > 0 or face.frame > 0:
        text += f", at {face.time_s:.2f} s"
    return text


def _call(answer: Mapping[str, Any]) -> tuple[str, str]:
    probability = answer["probabilities"].get(answer["label"], math.nan)
    return (answer["label"], _percent(probability)) if answer["label"] else (NO_ANSWER, "")


def _percent(probability: float) -> str:
    return "–" if math.isnan(probability) else percent(probability)


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
            cells.append({"text": _percent(value), "width": width, "best": name == answer["label"]})
        rows.append({"emotion": name, "cells": cells})
    return rows


def explanation_view(record: Mapping[str, Any], low: set[str]) -> dict[str, Any]:
    """Lay the waterfall of one explanation out.

    Parameters
    ----------
    record : mapping
        One record of ``explanations.jsonl``.
    low : set of str
        AU columns of low validity.

    Returns
    -------
    dict
        ``target, model, rationale, steps, zero, ticks, residual, rival``; positions in per cent.
    """
    steps = waterfall_steps(record)
    levels = [0.0, *(step.start for step in steps), *(step.end for step in steps)]
    bottom, top = min(levels), max(levels)
    span = (top - bottom) or 1.0

    def place(value: float) -> float:
        return 100 * (value - bottom) / span

    residual = record["residual"]
    return {
        "target": record["target"],
        "model": record["model"],
        "rationale": record["rationale"],
        "steps": [_step_view(step, place, low) for step in steps],
        "zero": place(0.0),
        "ticks": [{"text": signed(t, 0 if t == int(t) else 1), "at": place(t)} for t in _ticks(bottom, top)],
        "residual": _residual(residual),
        "complete": not math.isnan(residual) and abs(residual) <= RESIDUAL_SHOWN,
        "rival": _rival(record),
    }


def _residual(value: float) -> str:
    if math.isnan(value):
        return "not given"
    return "below 0.000001" if abs(value) <= RESIDUAL_SHOWN else signed(value, 4)


def _step_view(step: Step, place: Any, low: set[str]) -> dict[str, Any]:
    item = step.item or {}
    left, right = sorted((place(step.start), place(step.end)))
    level = step.kind in ("baseline", "logit")
    side = (
        "level" if level else "gap" if step.kind == "residual" else "for" if step.change >= 0 else "against"
    )
    return {
        "label": step.label,
        "side": side,
        "left": left,
        "width": right - left,
        "text": signed(step.change),
        "se": _error(item.get("se")),
        "value": _text(item.get("value"), 1),
        "usual": _text(item.get("baseline"), 1),
        "low": item.get("au") in low,
    }


def _text(value: float | None, digits: int) -> str | None:
    return None if value is None or math.isnan(value) else f"{value:.{digits}f}"


def _error(value: float | None) -> str | None:
    """Write a standard error; a small one is never written as zero."""
    return "<0.01" if value is not None and 0 < value < 0.005 else _text(value, 2)


def _ticks(bottom: float, top: float) -> list[float]:
    size = next((size for size in _TICK_STEPS if (top - bottom) / size <= 5), _TICK_STEPS[-1])
    first, last = math.ceil(bottom / size), math.floor(top / size)
    return [round(number * size, 6) for number in range(first, last + 1)][:12]


def _rival(record: Mapping[str, Any]) -> dict[str, Any] | None:
    rival = record.get("rival")
    if not rival or rival not in record["probabilities"]:
        return None
    items = [item for item in record["aus"] if not math.isnan(item["contrast"])]
    items.sort(key=lambda item: -abs(item["contrast"]))
    return {
        "name": rival,
        "percent": _percent(record["probabilities"][rival]),
        "reasons": [(au_title(item["au"]), signed(item["contrast"])) for item in items[:3]],
    }


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
            "value": _text(value, 1 if scale == "r" else 2),
            "width": None if math.isnan(value) else 100 * min(1.0, max(0.0, value / full)),
            "tick": None if math.isnan(base) else 100 * min(1.0, max(0.0, base / full)),
            "usual": _text(base, 1 if scale == "r" else 2),
            "low": column in marked,
        }
        groups.setdefault(region(column) or "other", []).append(row)
    order = [*REGIONS, "other"]
    return [{"region": name, "rows": groups[name]} for name in order if name in groups]
