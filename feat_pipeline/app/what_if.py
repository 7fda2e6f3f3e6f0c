"""Why a face was called what it was, asked again and again: from its AUs alone, never from its pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.errors import ModelError
from analysis.facs import SCALE_RANGES
from feat_pipeline.app.limits import RefusedError

if TYPE_CHECKING:
    from analysis.explain import FaceExplanation
    from analysis.explain.counterfactual import Counterfactual
    from feat_pipeline.predict import FacePrediction

KINDS = ("fewest AUs", "one AU")
"""The least change in all takes some seconds, and moves so many AUs a little that nobody reads it."""

NOT_MEASURED = "The Action Units of this face could not be measured, so there are no reasons to show."


@dataclass(frozen=True)
class Moved:
    """The answer after some AUs were moved.

    Parameters
    ----------
    before, after : dict of str to float
        Emotion to probability.
    changes : dict of str to (float, float)
        AU column to its measured and its moved value, those that differ.
    rationale : str
        The reasons of the answer after the changes.
    """

    before: dict[str, float]
    after: dict[str, float]
    changes: dict[str, tuple[float, float]]
    rationale: str

    @property
    def label(self) -> str:
        """The likeliest emotion after the changes."""
        return max(self.after, key=self.after.__getitem__)

    @property
    def old_label(self) -> str:
        """The likeliest emotion before."""
        return max(self.before, key=self.before.__getitem__)


def explanation_of(face: FacePrediction) -> FaceExplanation:
    """Return the explanation by the first model that has one.

    Raises
    ------
    RefusedError
        There is none.
    """
    found = next(iter(face.explanations.values()), None)
    if found is None or found.model is None:
        raise RefusedError(NOT_MEASURED)
    return found


def contrasted(face: FacePrediction, target: object, rival: object) -> FaceExplanation:
    """Explain why one emotion rather than another.

    Raises
    ------
    RefusedError
        The two are one, or the model does not know one of them.
    """
    from analysis.explain import explain

    base = explanation_of(face)
    _known(base, target, rival)
    if target == rival:
        raise RefusedError("Choose two different emotions.")
    return explain(_model(base), base.aus, target=str(target), rival=str(rival), draws=0)


def changed(face: FacePrediction, goal: object) -> Counterfactual:
    """Find the smallest changes of AUs after which the answer is another one.

    Raises
    ------
    RefusedError
        It is the answer already, or the model does not know it.
    """
    from analysis.explain.counterfactual import counterfactual

    base = explanation_of(face)
    _known(base, goal)
    try:
        return counterfactual(_model(base), base.aus, to=str(goal), kinds=KINDS)
    except ModelError:
        raise RefusedError(f"The answer is {goal} already; choose another emotion.") from None


def moved(face: FacePrediction, values: Mapping[Any, Any] | None) -> Moved:
    """Ask the regression again with some AUs moved.

    Parameters
    ----------
    face : FacePrediction
    values : mapping of str to float
        AU column to its new value; columns that the model does not know, and what is no number, are passed
        over, and values are kept within the scale. AUs that are not named stay as measured.

    Raises
    ------
    RefusedError
        The face could not be measured.
    """
    from analysis.explain import explain

    base = explanation_of(face)
    low, high = SCALE_RANGES.get(_model(base).scale_, (-math.inf, math.inf))
    aus = base.aus
    changes: dict[str, tuple[float, float]] = {}
    for column, given in (values if isinstance(values, Mapping) else {}).items():
        value = _number(given)
        if column in aus and value is not None and (value := min(high, max(low, value))) != aus[column]:
            changes[str(column)] = (aus[column], value)
    after = explain(_model(base), aus | {au: new for au, (_, new) in changes.items()}, draws=0)
    return Moved(dict(base.probabilities), dict(after.probabilities), changes, after.rationale)


def strongest(explanation: FaceExplanation, count: int = 3) -> list[tuple[str, float]]:
    """Return the AU columns that contribute most, for or against, with their contributions."""
    pairs = zip(explanation.au_columns, explanation.contribution.tolist(), strict=True)
    return sorted(pairs, key=lambda pair: -abs(pair[1]))[:count]


def _model(explanation: FaceExplanation) -> Any:
    return explanation.model


def _known(explanation: FaceExplanation, *emotions: object) -> None:
    strange = [
        emotion
        for emotion in emotions
        if not isinstance(emotion, str) or emotion not in explanation.probabilities
    ]
    if strange:
        raise RefusedError(f"Choose one of {', '.join(explanation.probabilities)}.")


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
