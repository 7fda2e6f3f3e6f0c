"""Why a face was given its emotion: explain one face, or many at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.aumatrix import AURows, FaceAUs, aligned
from analysis.errors import ModelError
from analysis.explain.certainty import (
    critical,
    design_of,
    probability_interval,
    standard_errors,
    top_shares,
    whole,
)
from analysis.explain.contributions import (
    Baseline,
    Reference,
    contributions,
    find_reference,
    indicator,
    share_out,
)
from analysis.explain.explanation import FaceExplanation
from analysis.explain.given import class_number, one_row
from analysis.facs import region
from analysis.likelihood.maximum import softmax

if TYPE_CHECKING:
    from analysis.logit import MultinomialLogit

__all__ = [
    "Baseline",
    "FaceExplanation",
    "class_number",
    "contributions",
    "explain",
    "explain_many",
    "one_row",
]

_ROWS_AT_ONCE = 2048
_NOTHING = 1e-9
_NO_COVARIANCE = "the model keeps no covariance (it has too many terms): no errors and no intervals"


def explain(
    model: MultinomialLogit,
    x: FaceAUs,
    *,
    target: str | None = None,
    rival: str | None = None,
    baseline: Baseline = "population",
    person: FaceAUs | None = None,
    level: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
    validity: Mapping[str, str] | None = None,
) -> FaceExplanation:
    """Explain the answer for one face.

    Parameters
    ----------
    model : MultinomialLogit
        Fitted.
    x : mapping, Series, (p,) array, or one row of what `explain_many` takes
        AU values, by column or in the order of `model.input_names_`.
    target : str, optional
        The emotion to explain; the most probable one unless told otherwise.
    rival : str, optional
        The emotion to contrast it with; else the most probable of the others.
    baseline : {'population', 'neutral', 'person'}, mapping, or (p,) array
        As for `contributions`.
    person : mapping, Series or array, optional
        With baseline 'person': the person's neutral AUs, as `analysis.baseline.person_baselines` finds them.
    level : float, default 0.95
        Of the intervals.
    draws : int, default 1000
        From the coefficients' distribution, for `FaceExplanation.certainty`; 0 for none.
    seed : int, default 0
        Of the draws.
    validity : mapping of str to str, optional
        AU column to what is known of its measurement: 'good', 'low' or 'unknown'; else the model's
        `low_validity_`.

    Returns
    -------
    FaceExplanation

    Raises
    ------
    ModelError
        Where the AUs do not fit the model, one has no value, there is not exactly one face, the model
        has no such emotion, or an argument is out of range.
    """
    found = explain_many(
        model,
        one_row(x),
        target=target,
        rival=rival,
        baseline=baseline,
        person=person,
        level=level,
        draws=draws,
        seed=seed,
        validity=validity,
    )
    if len(found) != 1:
        raise ModelError(f"x: expected one face, got {len(found)}; explain_many takes several")
    if found[0] is None:
        whose = "this face" if person is None else "this face or of the person's neutral"
        raise ModelError(f"x: an AU of {whose} has no value, so there is nothing to explain")
    return found[0]


def explain_many(
    model: MultinomialLogit,
    X: AURows,
    *,
    target: str | None = None,
    rival: str | None = None,
    baseline: Baseline = "population",
    person: FaceAUs | None = None,
    level: float = 0.95,
    draws: int = 0,
    seed: int = 0,
    validity: Mapping[str, str] | None = None,
) -> list[FaceExplanation | None]:
    """Explain the answers for many faces.

    Parameters
    ----------
    model : MultinomialLogit
        Fitted.
    X : AUTable, DataFrame or (n, p) array
        Faces, as `MultinomialLogit.basis` takes them.
    person : mapping, Series, DataFrame or array, optional
        With baseline 'person': the neutral AUs of one person, or a row for each face.
    target, rival, baseline, level, seed, validity
        As for `explain`.
    draws : int, default 0
        As for `explain`. 10,000 faces of 35 AUs take 1.6 s without draws, 1 s more with 1000.

    Returns
    -------
    list of FaceExplanation
        One for each row; None where an AU of the face, or of its person's neutral, has no value.

    Raises
    ------
    ModelError
        As `explain`.
    """
    if not 0 < level < 1:
        raise ModelError(f"level: expected a number between 0 and 1, got {level!r}")
    if draws < 0 or seed < 0:
        raise ModelError(f"draws, seed: expected 0 or more, got {draws!r}, {seed!r}")
    values = aligned(X, model)
    reference = find_reference(model, baseline, person, len(values))
    usable = ~np.isnan(values).any(axis=1) & ~np.isnan(reference.features).any(axis=1)
    known = {**dict.fromkeys(model.low_validity_, "low"), **(validity or {})}
    explanations: list[FaceExplanation | None] = [None] * len(values)
    complete = np.flatnonzero(usable)
    for start in range(0, len(complete), _ROWS_AT_ONCE):
        rows = complete[start : start + _ROWS_AT_ONCE]
        batch = _Batch(model, values[rows], reference.rows(rows), target, rival, level)
        if draws and model.covariance_ is not None:
            batch.rank(draws, seed)
        for row, explanation in zip(rows, batch.explanations(known), strict=True):
            explanations[row] = explanation
    return explanations


class _Batch:
    """Some faces explained at once; every array has a row for each."""

    def __init__(
        self,
        model: MultinomialLogit,
        values: np.ndarray,
        reference: Reference,
        target: str | None,
        rival: str | None,
        level: float,
    ) -> None:
        self.model, self.values, self.reference, self.level = model, values, reference, level
        self.terms = model.terms_of(values)
        self.scores = model.intercept_ + self.terms @ model.coef_.T
        self.targets, self.rivals = _chosen(model, self.scores, target, rival)
        self.shares = share_out(model, values, reference)
        self.certainty: list[dict[str, Any] | None] = [None] * len(values)

    def rank(self, draws: int, seed: int) -> None:
        """Add how often the top AU stays on top."""
        found = top_shares(self.model, self.shares, self.targets, draws, seed)
        sizes = np.abs(self._sums(self.targets, self._own()))
        names = self.model.feature_names_in_.tolist()
        for i, row in enumerate(found):
            top = int(sizes[i].argmax())
            if sizes[i, top] < _NOTHING:
                continue
            others = [j for j in np.argsort(-row, kind="stable")[:4] if j != top and row[j] > 0]
            self.certainty[i] = {
                "top_au": names[top],
                "share": float(row[top]),
                "others": {names[j]: float(row[j]) for j in others},
                "draws": draws,
                "seed": seed,
            }

    def explanations(self, validity: Mapping[str, str]) -> Iterator[FaceExplanation]:
        """Hand out one explanation a row."""
        model = self.model
        columns = tuple(str(name) for name in model.feature_names_in_)
        classes = [str(name) for name in model.classes_]
        regions = tuple(dict.fromkeys(region(au) for au in columns))
        pairs, sides = self._pairs(columns)
        in_region = np.array([regions.index(region(au)) for au in columns])
        arrays = self._logits() | self._parts(in_region)
        arrays["pair_parts"] = self._joint(sides, len(pairs))
        for i, chances in enumerate(softmax(self.scores).tolist()):
            yield FaceExplanation(
                target=classes[self.targets[i]],
                rival=classes[self.rivals[i]],
                probabilities=dict(zip(classes, chances, strict=True)),
                baseline=self.reference.name,
                level=self.level,
                au_columns=columns,
                regions_of_face=regions,
                pair_columns=pairs,
                certainty=self.certainty[i],
                validity=validity,
                notes=(_NO_COVARIANCE,) if model.covariance_ is None else (),
                model=model,
                **{name: array[i] for name, array in arrays.items()},
            )

    def _logits(self) -> dict[str, Any]:
        model, (a, b), rows = self.model, (self.targets, self.rivals), np.arange(len(self.values))
        base = model.intercept_ + self.reference.terms @ model.coef_.T
        own, other = self.scores[rows, a], self.scores[rows, b]
        return {
            "logit": own.tolist(),
            "baseline_logit": np.broadcast_to(base, self.scores.shape)[rows, a].tolist(),
            "logit_interval": self._interval(own, None),
            "log_odds_interval": self._interval(own - other, b),
            "probability_interval": probability_interval(model, self.terms, a, self.level),
        }

    def _parts(self, in_region: np.ndarray) -> dict[str, Any]:
        model, a, b, own = self.model, self.targets, self.rivals, self._own()
        contribution, rivals = self._sums(a, own), self._sums(b, own)
        of_region = indicator(in_region, int(in_region.max()) + 1)
        each, grouped = design_of(self.shares, own), design_of(self.shares, in_region)
        return {
            "values": self.values,
            "baseline_values": np.broadcast_to(self.reference.features, self.values.shape),
            "contribution": contribution,
            "se": standard_errors(model, each, a),
            "contrast": contribution - rivals,
            "contrast_se": standard_errors(model, each, a, b),
            "region_contribution": contribution @ of_region,
            "region_se": standard_errors(model, grouped, a),
            "region_contrast": (contribution - rivals) @ of_region,
        }

    def _own(self) -> np.ndarray:
        return np.arange(len(self.model.feature_names_in_))

    def _weighed(self, classes: np.ndarray) -> np.ndarray:
        return np.asarray(self.shares.values * self.model.coef_[classes][:, self.shares.term])

    def _sums(self, classes: np.ndarray, group: np.ndarray) -> np.ndarray:
        return np.asarray(
            self._weighed(classes) @ indicator(group[self.shares.feature], int(group.max()) + 1)
        )

    def _interval(self, middle: np.ndarray, rivals: np.ndarray | None) -> np.ndarray:
        se = standard_errors(self.model, whole(self.terms), self.targets, rivals)[:, 0]
        reach = critical(self.level) * se
        return np.column_stack([middle - reach, middle + reach])

    def _pairs(self, columns: tuple[str, ...]) -> tuple[tuple[tuple[str, str], ...], np.ndarray]:
        """List the pairs of AUs, and tell for each share 2 * its pair + its side; -1 if it has none."""
        first, second = self.model.term_feature_, self.model.term_second_feature_
        ends = np.sort(np.column_stack([first, second]), axis=1)[self.shares.term]
        paired = np.flatnonzero(second[self.shares.term] >= 0)
        found, number = np.unique(ends[paired], axis=0, return_inverse=True)
        sides = np.full(len(ends), -1)
        sides[paired] = 2 * number.ravel() + (self.shares.feature[paired] == ends[paired, 1])
        return tuple((columns[i], columns[j]) for i, j in found), sides

    def _joint(self, sides: np.ndarray, pairs: int) -> np.ndarray:
        return np.asarray(
            (self._weighed(self.targets) @ indicator(sides, 2 * pairs)).reshape(len(self.values), pairs, 2)
        )


def _chosen(
    model: MultinomialLogit, scores: np.ndarray, target: str | None, rival: str | None
) -> tuple[np.ndarray, np.ndarray]:
    rows = np.arange(len(scores))
    if target is None:
        allowed = scores.copy()
        if rival is not None:
            allowed[:, class_number(model, rival, "rival")] = -np.inf
        targets = allowed.argmax(axis=1)
    else:
        targets = np.full(len(scores), class_number(model, target, "target"))
    if rival is not None:
        rivals = np.full(len(scores), class_number(model, rival, "rival"))
        if (rivals == targets).any():
            raise ModelError(f"rival: {rival!r} is the target itself; name another emotion")
        return targets, rivals
    others = scores.copy()
    others[rows, targets] = -np.inf
    return targets, others.argmax(axis=1)
