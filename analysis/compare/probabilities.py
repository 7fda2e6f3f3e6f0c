"""What a classifier answered: probabilities by emotion, read from a table and checked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.errors import FitError
from analysis.facs import canonical_emotion
from analysis.prediction_columns import emotion_of, is_probability
from analysis.text import label_key, merged_labels

if TYPE_CHECKING:
    import pandas as pd

ROUNDING = 1e-3
"""How far a row's sum may be from 1, as rounded numbers in a CSV are, where they have more than three
decimals; with fewer the rounding itself is the limit."""

_EXACT, _TOLD = 1e-9, 1e-4


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

    def spelled(self, names: Iterable[str]) -> Predictions:
        """Write the classes as `names` do, of which each may differ in case or Unicode form."""
        classes = merged_labels(self.classes.tolist(), names)[0]
        order = np.argsort(classes)
        return Predictions(classes[order], self.probabilities[:, order])

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
        missing, negative, or do not sum to 1 (or 100) but for rounding; with the first such row.
    """
    if isinstance(answers, Predictions):
        return answers
    columns = [c for c in answers.columns if is_probability(c)] or list(answers.columns)
    names = np.array([canonical_emotion(emotion_of(c)) for c in columns])
    if len(names) < 2:
        raise FitError(
            f"{name}: expected columns such as p_happy, got {', '.join(map(str, columns)) or 'none'}"
        )
    if len(set(map(label_key, names))) < len(names):
        raise FitError(f"{name}: two columns stand for one emotion: {', '.join(map(str, columns))}")
    try:
        values = answers[columns].to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise FitError(f"{name}: expected probabilities, one column for each emotion ({error})") from None
    order = np.argsort(names)
    return Predictions(names[order], _checked(values[:, order], name))


def rounding_of(values: np.ndarray) -> float:
    """How far the sums of rows (n, K) may be off by rounding to as few decimals as all values have."""
    given = values[np.isfinite(values)]
    for decimals in (2, 3):
        if len(given) and np.abs(given - given.round(decimals)).max() < _EXACT:
            return float(values.shape[1] * 0.5 / 10**decimals + _EXACT)
    return ROUNDING


def rescaled(values: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Make rows sum to 1 that were rounded or are percentages.

    Parameters
    ----------
    values : (n, K) float64 ndarray
        Probabilities; NaN where there is none.

    Returns
    -------
    values : (n, K) float64 ndarray
        Rows that are off by more than rounding stay as they are.
    notes : list of str
        What was changed.
    """
    notes = []
    sums = np.nansum(values, axis=1)
    answered = np.isfinite(values).any(axis=1)
    percent = values / 100
    limit = max(rounding_of(values) / 100, ROUNDING)  # 12.3 % has three decimals as a share
    if answered.any() and (np.abs(sums[answered] / 100 - 1) <= max(limit, values.shape[1] * 0.005)).all():
        values, sums = percent, sums / 100
        notes.append("probabilities are percentages: divided by 100")
    off = np.abs(sums - 1)
    near = answered & (off <= max(rounding_of(values), ROUNDING))
    told = int((near & (off > _TOLD)).sum())
    if told:
        notes.append(
            f"probabilities of {told} of {int(answered.sum())} faces were rounded and sum to "
            f"{sums[near].min():.4g} to {sums[near].max():.4g}: scaled to 1"
        )
    return np.where(near[:, None], values / np.where(near, sums, 1.0)[:, None], values), notes


def _checked(values: np.ndarray, name: str) -> np.ndarray:
    def refuse(bad: np.ndarray, what: str) -> None:
        if bad.any():
            first = int(np.flatnonzero(bad)[0])
            raise FitError(f"{name}: {bad.sum()} of {len(bad)} rows {what} (first: row {first})")

    refuse(~np.isfinite(values).all(axis=1), "have a probability missing; leave those faces out")
    refuse(values.min(axis=1) < 0, "have a negative probability; logits are no probabilities")
    values, _ = rescaled(values)
    sums: np.ndarray = values.sum(axis=1)
    off, tolerance = np.abs(sums - 1), max(rounding_of(values), ROUNDING)
    if (off > tolerance).any():
        worst = float(sums[int(off.argmax())])
        refuse(
            off > tolerance,
            f"have probabilities that do not sum to 1 within {tolerance:.3g}, as rounding leaves them (a sum "
            f"of {worst:.4g}); give all emotions of each face, or divide each row by its sum",
        )
    return np.asarray(values / sums[:, None])
