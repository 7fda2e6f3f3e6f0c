"""What a classifier answered: probabilities by emotion, read from a table and checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.errors import FitError
from analysis.facs import canonical_emotion
from analysis.prediction_columns import emotion_of, is_probability

if TYPE_CHECKING:
    import pandas as pd

ROUNDING = 1e-3
"""How far a row's sum may be from 1, as rounded numbers in a CSV are."""


@dataclass(frozen=True)
class Predictions:
    """A classifier's answers for n faces.

    Attributes
    ----------
    classes : (K,) ndarray of str
        Sorted.
    probabilities : (n, K) float64 ndarray
        Rows sum to 1.
    """

    classes: np.ndarray
    probabilities: np.ndarray

    @property
    def answers(self) -> np.ndarray:
        """The most probable class of each face, (n,) str."""
        return np.asarray(self.classes[self.probabilities.argmax(axis=1)])

    def only(self, classes: np.ndarray) -> Predictions:
        """Rule all other classes out: the probabilities of `classes`, scaled to sum to 1.

        Raises
        ------
        FitError
            Where a face has no probability left.
        """
        kept = self.probabilities[:, np.isin(self.classes, classes)]
        sums = kept.sum(axis=1, keepdims=True)
        if not (sums > 0).all():
            raise FitError(
                f"{(sums <= 0).sum()} faces have no probability for any of {', '.join(classes)}; "
                "leave them out"
            )
        return Predictions(np.sort(classes), kept / sums)

    def rows(self, rows: np.ndarray) -> Predictions:
        """Keep some faces: a (n,) bool mask or row numbers."""
        return Predictions(self.classes, self.probabilities[rows])


def read_predictions(answers: Predictions | pd.DataFrame, name: str = "predictions") -> Predictions:
    """Read probabilities off a table.

    Parameters
    ----------
    answers : DataFrame or Predictions
        Columns 'p_<emotion>' beside any others, or one column for each emotion and nothing else.
        Aliases such as 'p_happiness' are made canonical.
    name : str
        What an error calls the table.

    Returns
    -------
    Predictions

    Raises
    ------
    FitError
        Without two such columns, for an emotion named twice, and for values that are no numbers,
        missing, negative, or do not sum to 1 within `ROUNDING`; with the first such row.
    """
    if isinstance(answers, Predictions):
        return answers
    columns = [c for c in answers.columns if is_probability(c)] or list(answers.columns)
    names = np.array([canonical_emotion(emotion_of(c)) for c in columns])
    if len(names) < 2:
        raise FitError(
            f"{name}: expected columns such as p_happy, got {', '.join(map(str, columns)) or 'none'}"
        )
    if len(set(names)) < len(names):
        raise FitError(f"{name}: two columns stand for one emotion: {', '.join(map(str, columns))}")
    try:
        values = answers[columns].to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise FitError(f"{name}: expected probabilities, one column for each emotion ({error})") from None
    order = np.argsort(names)
    return Predictions(names[order], _checked(values[:, order], name))


def _checked(values: np.ndarray, name: str) -> np.ndarray:
    def refuse(bad: np.ndarray, what: str) -> None:
        if bad.any():
            first = int(np.flatnonzero(bad)[0])
            raise FitError(f"{name}: {bad.sum()} of {len(bad)} rows {what} (first: row {first})")

    refuse(~np.isfinite(values).all(axis=1), "have a probability missing; leave those faces out")
    refuse(values.min(axis=1) < 0, "have a negative probability; logits are no probabilities")
    sums: np.ndarray = values.sum(axis=1)
    refuse(np.abs(sums - 1) > ROUNDING, "have probabilities that do not sum to 1")
    return np.asarray(values / sums[:, None])
