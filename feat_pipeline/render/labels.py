"""The words of a face's label: emotions, and the Action Units that spoke for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from analysis.explain.rationale import SMALLEST, reason
from analysis.facs import short_name
from analysis.rounding import percent
from feat_pipeline.render.palette import INK, RGB, WHITE, colour_of

if TYPE_CHECKING:
    from analysis.explain import FaceExplanation
    from feat_pipeline.predict import FacePrediction

REASONS = 2
NOT_MEASURED = "not measured"
DISAGREE = "models disagree"


class Row(NamedTuple):
    """One line of a label; heads, on a band of their emotion's colour, are set larger."""

    text: str
    ground: RGB
    head: bool


class Reason(NamedTuple):
    """An AU that speaks for an emotion, or against it."""

    column: str
    value: float
    baseline: float
    contribution: float

    def long(self) -> str:
        """'lip corner puller AU12 2.4 (+2.3)'."""
        return reason(*self)

    def short(self) -> str:
        """'AU12 +2.3'."""
        return f"{short_name(self.column)} {self.contribution:+.1f}"


def strongest(explanation: FaceExplanation, count: int, *, against: bool = False) -> list[Reason]:
    """Return the AUs that speak most for the explained emotion, or against it, the strongest first."""
    gains = np.asarray(explanation.contribution)
    weights = -gains if against else gains
    chosen = [int(j) for j in np.argsort(-weights, kind="stable")[:count] if weights[j] >= SMALLEST]
    return [
        Reason(
            explanation.au_columns[j],
            float(explanation.values[j]),
            float(explanation.baseline_values[j]),
            float(gains[j]),
        )
        for j in chosen
    ]


def label_lines(face: FacePrediction, model: str | None = None) -> tuple[str, ...]:
    """Return the text of a face's label: emotion and probability, then one line per reason."""
    return tuple(row.text for row in label_rows(face, [model] if model else None)[0])


def label_rows(face: FacePrediction, models: Sequence[str] | None = None) -> list[tuple[Row, ...]]:
    """Return a face's label in several lengths, the longest first.

    Parameters
    ----------
    face : FacePrediction
    models : sequence of str, optional
        Models whose answers stand one below the other; by default the face's first alone.

    Returns
    -------
    list of tuple of Row
        With both reasons in words, with both and with one in figures, the emotions alone, those without
        the models' names, the emotion without its probability, and the face's number. Without reasons the
        first are left out.
    """
    names = list(models or list(face.probabilities)[:1])
    heads = label_heads(face, names)
    plain, answers = heads, answers_of(face, names)
    if len(names) > 1:
        heads = tuple(
            Row(f"{head.text}  {tag}", *head[1:]) for head, tag in zip(heads, _tags(names), strict=True)
        )
    if len(answers) > 1:
        heads = (Row(DISAGREE, WHITE, True), *heads)
    explained = next((name for name in names if name in face.explanations), None)
    reasons = strongest(face.explanations[explained], REASONS) if explained else []
    colour = colour_of(answers[0] if answers else "")
    word = Row(" ≠ ".join(answers) or NOT_MEASURED, colour, True)
    figures = tuple(Row(found.short(), INK, False) for found in reasons)
    options = [
        (*heads, *(Row(found.long(), INK, False) for found in reasons)),
        (*heads, *figures),
        (*heads, *figures[:1]),
        heads,
        plain,
        (word,),
        (Row(f"#{face.face}", colour, True),),
    ]
    return list(dict.fromkeys(options))


def label_heads(face: FacePrediction, models: Sequence[str] | None = None) -> tuple[Row, ...]:
    """Return a model's emotion and its probability, one row a model; by default of the face's first."""
    names = list(models or list(face.probabilities)[:1])
    return tuple(_head(face, name) for name in names) or (Row(NOT_MEASURED, colour_of(""), True),)


def answers_of(face: FacePrediction, models: Sequence[str] | None = None) -> list[str]:
    """Return the different emotions that models name, in their order; by default that of the first."""
    names = models or list(face.probabilities)[:1]
    return list(dict.fromkeys(face.label(name) for name in names if name in face.probabilities))


def _tags(models: Sequence[str]) -> list[str]:
    """Shorten models' names to what comes before the first hyphen, where that tells them apart."""
    short = [name.split("-")[0] for name in models]
    return short if len(set(short)) == len(short) and all(short) else list(models)


def _head(face: FacePrediction, name: str) -> Row:
    emotion = face.label(name)
    text = f"{emotion} {percent(face.probabilities[name][emotion])}" if emotion else NOT_MEASURED
    return Row(text, colour_of(emotion), True)
