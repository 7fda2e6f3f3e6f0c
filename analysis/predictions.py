"""The rows of ``predictions.csv`` and the lines of ``explanations.jsonl``, whoever writes them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from analysis.files import JsonObject

if TYPE_CHECKING:
    from analysis.explain import FaceExplanation

PLACE = ("input", "frame", "time_s", "face", "x", "y", "w", "h", "confidence")
"""Which face it is: columns that `predictions.csv` begins with."""


def prediction_columns(classes: Iterable[str]) -> list[str]:
    """List the columns of ``predictions.csv`` for the emotions of its models."""
    return [*PLACE, "model", "label", *(f"p_{emotion}" for emotion in classes), "picture"]


def prediction_row(
    place: Mapping[str, Any], model: str, probabilities: Mapping[str, float], picture: str = ""
) -> JsonObject:
    """Lay out one model's answer for one face; without probabilities the label is empty."""
    return {
        **place,
        "model": model,
        "label": max(probabilities, key=probabilities.__getitem__, default=""),
        **{f"p_{emotion}": value for emotion, value in probabilities.items()},
        "picture": picture,
    }


def explanation_line(
    place: Mapping[str, Any], model: str, explanation: FaceExplanation, **further: Any
) -> str:
    """Write one explanation as a line of JSON; what is None among `further` is left out."""
    record = {
        **{key: place[key] for key in ("input", "frame", "face")},
        "model": model,
        **{key: value for key, value in further.items() if value is not None},
        **explanation.to_dict(),
    }
    return json.dumps(record, ensure_ascii=False) + "\n"
