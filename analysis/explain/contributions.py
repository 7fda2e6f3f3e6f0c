"""What each AU of a face adds to the logits, compared with a baseline: the algebra of explaining."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.aumatrix import AURows, FaceAUs, aligned, is_measured
from analysis.errors import ModelError

if TYPE_CHECKING:
    from analysis.logit import MultinomialLogit

Baseline = str | Mapping[str, float] | Sequence[float] | np.ndarray

_ROWS_AT_ONCE = 4096


def contributions(
    model: MultinomialLogit, X: AURows, baseline: Baseline = "population", *, person: FaceAUs | None = None
) -> np.ndarray:
    """Compute what each AU of each face adds to each class's centred logit.

    Parameters
    ----------
    model : MultinomialLogit
        Fitted.
    X : AUTable, DataFrame or (n, p) array
        Faces, as `MultinomialLogit.basis` takes them.
    baseline : {'population', 'neutral', 'person'}, mapping, or (p,) array
        What the faces are compared with: the mean face of the training rows, the mean of those
        labelled neutral, each person's own neutral, or given AU values (by column, or in the order
        of `feature_names_in_`).
    person : mapping, Series, DataFrame or array, optional
        With baseline 'person': that person's neutral, or one row for each face, as
        `analysis.baseline.person_baselines` finds them.

    Returns
    -------
    (n, p, K) float64 ndarray
        AUs in the order of `feature_names_in_`, classes in that of `classes_`. Sums over AUs to the
        centred logits minus the baseline's, and over classes to zero. NaN where an AU has no value.

    Raises
    ------
    ModelError
        For AUs that do not fit the model, or a baseline that it does not have.

    Notes
    -----
    The centred coefficient times the distance from the baseline, summed over an AU's terms; see
    `share_out` for pairs. For the population baseline these are the interventional SHAP values
    (Lundberg & Lee 2017): 'true to the model', whatever goes together among the AUs.
    """
    values = aligned(X, model)
    reference = find_reference(model, baseline, person, len(values))
    p, K = len(model.feature_names_in_), len(model.classes_)
    result = np.empty((len(values), p, K))
    for start in range(0, len(values), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        shares = share_out(model, values[rows], reference.rows(rows))
        belongs = indicator(shares.feature, p)
        for k in range(K):
            result[rows, :, k] = (shares.values * model.coef_[k, shares.term]) @ belongs
    return result


@dataclass(frozen=True)
class Reference:
    """What faces are compared with; m is one row for all faces, or a row for each.

    Attributes
    ----------
    name : str
        'population', 'neutral', 'person' or 'custom'.
    features, terms : (m, p), (m, T) float64 ndarray
        Its AUs and terms, or their means.
    parts : (2, m, P) float64 ndarray
        The two factors of its paired terms, or their means.
    """

    name: str
    features: np.ndarray
    terms: np.ndarray
    parts: np.ndarray

    def rows(self, rows: slice | np.ndarray) -> Reference:
        """Take some faces' rows; what is one row for all stays so."""
        if len(self.features) == 1:
            return self
        return Reference(self.name, self.features[rows], self.terms[rows], self.parts[:, rows])


@dataclass(frozen=True)
class Shares:
    """The terms of n faces beyond the baseline's, given out to AUs: times a coefficient, contributions.

    Attributes
    ----------
    values : (n, S) float64 ndarray
        A term of one AU is one share, a pair's term two.
    term, feature : (S,) intp ndarray
        The term that a share is of, and the AU it is given to.
    """

    values: np.ndarray
    term: np.ndarray
    feature: np.ndarray


def find_reference(
    model: MultinomialLogit, baseline: Baseline, person: FaceAUs | None = None, n: int = 1
) -> Reference:
    """Find what faces are compared with.

    Parameters
    ----------
    model : MultinomialLogit
        Fitted.
    baseline, person
        As for `contributions`.
    n : int
        Number of faces, for which `person` may hold a row each.

    Raises
    ------
    ModelError
        For a baseline that the model does not have, or values that are missing or too many.
    """
    named = baseline if isinstance(baseline, str) else ""
    if person is not None and named != "person":
        raise ModelError("person: given, but not asked for; add baseline='person', or leave it out")
    pairs = model.term_second_feature_ >= 0
    if named == "population":
        means = model.term_part_mean_[:, None, pairs]
        return Reference(named, model.feature_mean_[None], model.term_mean_[None], means)
    if named == "neutral":
        k = _neutral_class(model)
        means = model.class_term_part_mean_[k][:, None, pairs]
        features, terms = model.class_feature_mean_[k], model.class_term_mean_[k]
        return Reference(named, features[None], terms[None], means)
    if named == "person":
        features = _person_rows(model, person, n)
    elif named:
        raise ModelError(
            f"baseline: expected 'population', 'neutral', 'person' or AU values, got {baseline!r}"
        )
    else:
        features = _given(model, baseline, "baseline")[None]
        if not np.isfinite(features).all():
            raise ModelError(_wanted(model, "baseline"))
    basis = model.fitted_terms
    return Reference(named or "custom", features, basis(features), np.array(basis.parts(features)))


def share_out(model: MultinomialLogit, values: np.ndarray, reference: Reference) -> Shares:
    """Give out the terms of (n, p) values, beyond the reference's, to the AUs.

    Notes
    -----
    A pair's term f(a) g(b) beyond its mean E[fg] is shared by the interventional Shapley values over
    the whole background, which have a closed form for two players:
    a gets (fg + f E[g] - E[f] g - E[fg]) / 2 and b gets (fg - f E[g] + E[f] g - E[fg]) / 2.
    """
    basis = model.fitted_terms
    beyond = basis(values) - reference.terms
    pairs = np.flatnonzero(basis.paired)
    if not len(pairs):
        return Shares(beyond, np.arange(beyond.shape[1]), basis.feature)
    f, g = basis.parts(values)
    mean_f, mean_g = reference.parts
    tilt = (f * mean_g - mean_f * g) / 2.0
    half = beyond[:, pairs] / 2.0
    beyond[:, pairs] = half + tilt
    return Shares(
        np.hstack([beyond, half - tilt]),
        np.r_[np.arange(beyond.shape[1]), pairs],
        np.r_[basis.feature, basis.second_feature[pairs]],
    )


def indicator(group: np.ndarray, count: int) -> np.ndarray:
    """Mark (S,) group numbers as (S, count) float64 ones; a number below 0 is in no group."""
    return np.asarray((group[:, None] == np.arange(count)).astype(float))


def _neutral_class(model: MultinomialLogit) -> int:
    neutral = np.flatnonzero(model.classes_.astype(str) == "neutral")
    if not len(neutral):
        has = ", ".join(map(str, model.classes_))
        raise ModelError(f"baseline 'neutral': the model has no class neutral, only {has}")
    return int(neutral[0])


def _person_rows(model: MultinomialLogit, person: FaceAUs | None, n: int) -> np.ndarray:
    if person is None:
        raise ModelError("baseline 'person': no neutral face of the person; give it as person=")
    if not isinstance(person, Mapping) and (is_measured(person) or np.ndim(person) == 2):
        rows = aligned(person, model)
        if len(rows) not in (1, n):
            raise ModelError(f"person: expected one row or one for each of {n} faces, got {len(rows)}")
        return rows
    return _given(model, person, "person")[None]


def _given(model: MultinomialLogit, given: FaceAUs, parameter: str) -> np.ndarray:
    """Read one face's AU values (p,) out of a mapping, a Series or an array."""
    names = model.feature_names_in_.tolist()
    given = given.to_dict() if hasattr(given, "to_dict") else given
    if isinstance(given, Mapping):
        missing = [name for name in names if name not in given]
        if missing:
            raise ModelError(f"{parameter}: no value for {', '.join(missing)}")
        given = [given[name] for name in names]
    values = np.asarray(given, dtype=float)
    if values.shape != (len(names),):
        raise ModelError(_wanted(model, parameter))
    return values


def _wanted(model: MultinomialLogit, parameter: str) -> str:
    return f"{parameter}: expected {len(model.feature_names_in_)} numbers, one for each AU of the model"
