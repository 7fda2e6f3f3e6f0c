"""The columns of ``predictions.csv`` and the keys of ``explanations.jsonl``, whoever writes or reads them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from analysis.files import JsonObject

if TYPE_CHECKING:
    from analysis.explain import FaceExplanation

PLACE = ("input", "frame", "time_s", "face", "x", "y", "w", "h", "confidence")
"""Which face it is: columns that ``predictions.csv`` begins with, as an AU table does."""
FACE = ("input", "frame", "face")
"""Those of them that tell one face from another; the latter two count as 0 where a file lacks them."""
FACE_ID, MODEL, LABEL, AGREE, PICTURE = "face_id", "model", "label", "agree", "picture"
PROBABILITY = "p_"
"""Of a probability's column: 'p_happy'."""
SMOOTH = "smooth_"
"""Of the columns of answers that are smoothed over a video: 'smooth_label', 'smooth_p_happy'."""

TEXT = ("input", MODEL, LABEL, SMOOTH + LABEL, PICTURE)
"""The columns that hold text: a face may be called NA."""
NEEDED = ("input", MODEL, LABEL)
"""The columns that a row cannot do without."""

EXPLANATION_NEEDED = (
    "input", MODEL, "target", "probabilities", "logit", "baseline_logit", "rationale", "aus",
)  # fmt: skip
"""The keys that an explanation cannot do without."""
AU_NUMBERS = ("value", "baseline", "contribution", "se", "low", "high", "contrast")
"""The keys of numbers in each of an explanation's ``aus``."""


def probability_column(emotion: str) -> str:
    """Name the column of an emotion's probability."""
    return f"{PROBABILITY}{emotion}"


def is_probability(column: object) -> bool:
    """Whether a column holds probabilities."""
    return str(column).startswith(PROBABILITY)


def emotion_of(column: object) -> str:
    """Return the emotion of a probability's column."""
    return str(column).removeprefix(PROBABILITY)


def prediction_columns(
    classes: Iterable[str], *, videos: bool = False, several_models: bool = False
) -> list[str]:
    """List the columns of ``predictions.csv``.

    Parameters
    ----------
    classes : iterable of str
        The emotions of its models.
    videos : bool
        Whether videos are among the inputs: rows have ``face_id`` and smoothed answers then.
    several_models : bool
        Whether rows tell in ``agree`` if all models give a face the same label.
    """
    answers = [LABEL, *map(probability_column, classes)]
    return [
        *PLACE,
        *([FACE_ID] if videos else []),
        MODEL,
        *answers,
        *([SMOOTH + name for name in answers] if videos else []),
        *([AGREE] if several_models else []),
        PICTURE,
    ]


def prediction_row(
    place: Mapping[str, Any],
    model: str,
    probabilities: Mapping[str, float],
    picture: str = "",
    *,
    face_id: int | None = None,
    agree: bool | None = None,
    smooth_label: str | None = None,
    smooth: Mapping[str, float] | None = None,
) -> JsonObject:
    """Lay out one model's answer for one face.

    Parameters
    ----------
    place : mapping
        Values of the columns `PLACE`.
    model : str
    probabilities : mapping of str to float
        By emotion; without any the label is empty.
    picture : str
        Path of the face's picture in the folder.
    face_id, agree
        See `prediction_columns`.
    smooth_label, smooth : optional
        Smoothed label, and probabilities by emotion; by default the answer itself.

    Returns
    -------
    dict
        By column, those too that the file may not have.
    """
    label = max(probabilities, key=probabilities.__getitem__, default="")
    steady = probabilities if smooth is None else smooth
    return {
        **place,
        FACE_ID: face_id,
        MODEL: model,
        LABEL: label,
        **{probability_column(emotion): value for emotion, value in probabilities.items()},
        SMOOTH + LABEL: label if smooth_label is None else smooth_label,
        **{SMOOTH + probability_column(emotion): value for emotion, value in steady.items()},
        AGREE: agree,
        PICTURE: picture,
    }


def explanation_line(
    place: Mapping[str, Any], model: str, explanation: FaceExplanation, **further: Any
) -> str:
    """Write one explanation as a line of JSON; what is None among `further` is left out."""
    record = {
        **{key: place[key] for key in FACE},
        MODEL: model,
        **{key: value for key, value in further.items() if value is not None},
        **explanation.to_dict(),
    }
    return json.dumps(record, ensure_ascii=False) + "\n"
