"""AnswerExplanation: another classifier's answer for one face, with the reasons of its surrogate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.explain.explanation import FaceExplanation
from analysis.files import JsonObject
from analysis.rounding import percent
from analysis.surrogate.fidelity import divergences

FAR = 0.4
"""Total variation distance beyond which the same answer still counts as another opinion."""


@dataclass(frozen=True)
class AnswerExplanation:
    """A classifier's answer for one face, explained by its AUs.

    Attributes
    ----------
    classifier : str
        Its name.
    answer, probability : str, float
        What the classifier says, and how probable it holds that.
    surrogate_answer : str
        What the surrogate says of the same face.
    kl, distance : float
        KL(classifier || surrogate) in nats, and the total variation distance (0 to 1), on this face.
    usable : bool
        Whether the surrogate is faithful enough at all.
    explanation : FaceExplanation
        The surrogate's reasons for the classifier's answer.
    """

    classifier: str
    answer: str
    probability: float
    surrogate_answer: str
    kl: float
    distance: float
    usable: bool
    explanation: FaceExplanation

    @classmethod
    def of(cls, facts: Mapping[str, Any], p: np.ndarray, explanation: FaceExplanation) -> AnswerExplanation:
        """Set (K,) probabilities against the explanation by a surrogate with these facts."""
        classes = facts["classes"]
        q = np.array([explanation.probabilities.get(name, 0.0) for name in classes])
        best, other = int(p.argmax()), int(q.argmax())
        return cls(
            classifier=str(facts["explains"]),
            answer=classes[best],
            probability=float(p[best]),
            surrogate_answer=classes[other],
            kl=float(divergences(p[None], q[None])[0]),
            distance=float(np.abs(p - q).sum() / 2),
            usable=bool(facts["usable"]),
            explanation=explanation,
        )

    def __repr__(self) -> str:
        return f"AnswerExplanation({self.rationale})"

    def _repr_html_(self) -> str:
        from analysis.notebook import explanation_html

        return explanation_html(self.explanation, answer=self)

    @property
    def agrees(self) -> bool:
        """Whether classifier and surrogate give the same answer."""
        return self.answer == self.surrogate_answer

    @property
    def rationale(self) -> str:
        """The classifier's answer, its AUs' reasons, and whether these account for it."""
        line = f"{self.classifier} says {self.answer} {percent(self.probability)}"
        if not self.usable:
            return f"{line}; the surrogate is not faithful enough to give its reasons"
        line += f"; by the AUs {self.explanation.rationale}"
        if not self.agrees:
            return f"{line}. The AUs do not account for this answer: they say {self.surrogate_answer}"
        return f"{line}. The AUs account for it in part only" if self.distance > FAR else line

    def to_dict(self) -> JsonObject:
        """Lay it out as JSON would hold it: the explanation, and `classifier` with the distance."""
        said = {"name": self.classifier, "answer": self.answer, "probability": self.probability}
        said |= {"surrogate_answer": self.surrogate_answer, "agrees": self.agrees}
        said |= {"kl": self.kl, "distance": self.distance, "usable": self.usable}
        return self.explanation.to_dict() | {"rationale": self.rationale, "classifier": said}
