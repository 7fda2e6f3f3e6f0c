"""Why one face was given its answer, and what would change it, laid out for the template."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from analysis.display import au_title, signed
from analysis.facs import short_name
from analysis.records import RESIDUAL_SHOWN, Step, interval_of, waterfall_steps
from analysis.rounding import percent

_TICK_STEPS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
_WAYS = {
    "least squares": "The smallest change in all",
    "fewest AUs": "The fewest AUs",
    "one AU": "One AU alone",
}
_REGIONS = 4


def probability_text(probability: float) -> str:
    """Write a probability in per cent; a dash where it is not known."""
    return "–" if math.isnan(probability) else percent(probability)


def decimals(value: float | None, digits: int) -> str | None:
    """Write a number to so many decimals; None where it is not known."""
    return None if value is None or math.isnan(value) else f"{value:.{digits}f}"


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
        ``target, model, rationale, steps, zero, ticks, residual, complete, rival, level, sure, regions,
        change, classifier, notes``; positions in per cent.
    """
    steps = waterfall_steps(record)
    levels = [0.0, *(step.start for step in steps), *(step.end for step in steps)]
    levels += [end for step in steps for end in _reach(step) if not math.isnan(end)]
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
        "level": f"{100 * record['level']:g} %" if record.get("level") else "",
        "sure": _sure(record),
        "regions": _regions(record),
        "change": _change(record.get("counterfactual")),
        "classifier": _classifier(record.get("classifier")),
        "notes": [str(note) for note in record.get("notes") or ()],
    }


def _reach(step: Step) -> tuple[float, float]:
    low, high = interval_of(step.item, "contribution")
    return step.start + low, step.start + high


def _sure(record: Mapping[str, Any]) -> list[str]:
    """Tell how certain the answer and the order of its reasons are."""
    lines = []
    interval = record.get("probability_interval")
    if interval and None not in interval and record.get("level"):
        low, high = (percent(end) for end in interval)
        lines.append(f"{record['target']}: {low} to {high} ({100 * record['level']:g} % interval)")
    certainty = record.get("certainty")
    if certainty:
        share = percent(certainty["share"])
        lines.append(
            f"{short_name(certainty['top_au'])} stays the strongest reason in {share} of "
            f"{certainty['draws']:,} draws of the coefficients"
        )
    return lines


def _regions(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [row for row in record.get("regions") or () if row.get("contribution") is not None]
    return [(row["region"], signed(row["contribution"])) for row in rows[:_REGIONS]]


def _change(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Lay out what would turn the answer into another."""
    if not found:
        return None
    target = found["target"]
    ways: dict[str, dict[str, str]] = {}
    for way in found["ways"]:
        kind = _WAYS.get(way["kind"], str(way["kind"]))
        if way["text"] in ways:
            ways[way["text"]]["kind"] += f"; {kind[0].lower()}{kind[1:]}"
        else:
            reached = f"{target} {percent(way['probabilities'][target])}" if way["exists"] else ""
            ways[way["text"]] = {"kind": kind, "text": way["text"], "reached": reached}
    return {"answer": found["answer"], "target": target, "ways": list(ways.values())}


def _classifier(said: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Lay out how far the surrogate is from the classifier on this face."""
    if not said:
        return None
    return {**said, "percent": percent(said["probability"]), "distance": f"{said['distance']:.2f}"}


def _residual(value: float) -> str:
    if math.isnan(value):
        return "not given"
    return "below 0.000001" if abs(value) <= RESIDUAL_SHOWN else signed(value, 4)


def _step_view(step: Step, place: Callable[[float], float], low: set[str]) -> dict[str, Any]:
    item = step.item or {}
    left, right = sorted((place(step.start), place(step.end)))
    start, end = (place(level) for level in _reach(step))
    level = step.kind in ("baseline", "logit")
    side = (
        "level" if level else "gap" if step.kind == "residual" else "for" if step.change >= 0 else "against"
    )
    return {
        "label": step.label,
        "side": side,
        "left": left,
        "width": right - left,
        "reach": None if math.isnan(start + end) else (start, end - start),
        "text": signed(step.change),
        "se": error_text(item.get("se")),
        "value": decimals(item.get("value"), 1),
        "usual": decimals(item.get("baseline"), 1),
        "low": item.get("au") in low,
    }


def error_text(value: float | None) -> str | None:
    """Write a standard error; a small one is never written as zero."""
    return "<0.01" if value is not None and 0 < value < 0.005 else decimals(value, 2)


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
        "percent": probability_text(record["probabilities"][rival]),
        "reasons": [(au_title(item["au"]), signed(item["contrast"])) for item in items[:3]],
    }
