"""Why a face was given its emotion: what each Action Unit adds to the centred logit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.aumatrix import aligned
from analysis.errors import ModelError
from analysis.facs import canonical_emotion, plain_name, region
from analysis.rationale import rationale
from analysis.ridge import softmax, terms_block

if TYPE_CHECKING:
    import pandas as pd

    from analysis.logit import MultinomialLogit

Baseline = str | Mapping[str, float] | Sequence[float] | np.ndarray


@dataclass(frozen=True)
class FaceExplanation:
    """What the Action Units of one face say of one emotion.

    Attributes
    ----------
    target, rival : str
        The emotion explained, and the one it is contrasted with.
    probabilities : dict of str to float
        Of every emotion.
    baseline : str
        'population', 'neutral', or 'custom': the face that this one is compared with.
    logit, baseline_logit : float
        The target's centred logit at this face and at the baseline.
    au_columns : tuple of str
        The p AU columns, in the model's order; the arrays below have this order too.
    values, baseline_values : (p,) float64 ndarray
        AU values of the face and of the baseline.
    contribution, se, contrast : (p,) float64 ndarray
        What each AU adds to the target's centred logit, the standard error of that, and what it adds
        to log(p_target / p_rival); all against the baseline.
    low_validity : frozenset of str
        AU columns whose measurement is known to be weak.
    """

    target: str
    rival: str
    probabilities: dict[str, float]
    baseline: str
    logit: float
    baseline_logit: float
    au_columns: tuple[str, ...]
    values: np.ndarray
    baseline_values: np.ndarray
    contribution: np.ndarray
    se: np.ndarray
    contrast: np.ndarray
    low_validity: frozenset[str] = frozenset()

    @property
    def aus(self) -> dict[str, float]:
        """The face's AU values by column."""
        return dict(zip(self.au_columns, self.values.tolist(), strict=True))

    @property
    def residual(self) -> float:
        """What the contributions leave unexplained of `logit - baseline_logit`: rounding only."""
        return self.logit - self.baseline_logit - float(self.contribution.sum())

    @cached_property
    def rationale(self) -> str:
        """The answer and its strongest reasons in one line of plain words."""
        return rationale(
            self.target,
            self.probabilities[self.target],
            self.au_columns,
            self.values,
            self.baseline_values,
            self.contribution,
            self.low_validity,
        )

    @property
    def table(self) -> pd.DataFrame:
        """One row per AU: `au, name, region, value, baseline, contribution, se, contrast`.

        Sorted by the size of the contribution, the largest first.
        """
        import pandas as pd

        columns = ["au", "name", "region", "value", "baseline", "contribution", "se", "contrast"]
        return pd.DataFrame(self._rows(), columns=columns)

    def to_frame(self) -> pd.DataFrame:
        """Return `table`, with `target` and `rival` in front."""
        table = self.table
        table.insert(0, "target", self.target)
        table.insert(1, "rival", self.rival)
        return table

    def to_dict(self) -> dict[str, Any]:
        """Lay the explanation out as JSON would hold it; AUs by the size of their contribution."""
        return {
            "target": self.target,
            "rival": self.rival,
            "probabilities": self.probabilities,
            "baseline": self.baseline,
            "logit": self.logit,
            "baseline_logit": self.baseline_logit,
            "residual": self.residual,
            "rationale": self.rationale,
            "aus": [
                {key: None if value != value else value for key, value in row.items()} for row in self._rows()
            ],
        }

    def _rows(self) -> list[dict[str, Any]]:
        return [
            {
                "au": self.au_columns[j],
                "name": plain_name(self.au_columns[j]),
                "region": region(self.au_columns[j]),
                "value": float(self.values[j]),
                "baseline": float(self.baseline_values[j]),
                "contribution": float(self.contribution[j]),
                "se": float(self.se[j]),
                "contrast": float(self.contrast[j]),
            }
            for j in np.argsort(-np.abs(self.contribution), kind="stable")
        ]


def contributions(model: MultinomialLogit, X: Any, baseline: Baseline = "population") -> np.ndarray:
    """Compute what each AU of each face adds to each class's centred logit.

    Parameters
    ----------
    model : MultinomialLogit
        Fitted.
    X : AUTable, DataFrame or (n, p) array
        Faces, as `MultinomialLogit.basis` takes them.
    baseline : {'population', 'neutral'}, mapping, or (p,) array
        What the faces are compared with: the mean face of the training rows, the mean of those
        labelled neutral, or given AU values (by column, or in the order of `feature_names_in_`).

    Returns
    -------
    (n, p, K) float64 ndarray
        AUs in the order of `feature_names_in_`, classes in that of `classes_`. Sums over AUs to the
        centred logits minus the baseline's, and over classes to zero.

    Raises
    ------
    ModelError
        For AUs that do not fit the model, or a baseline that it does not have.

    Notes
    -----
    The centred coefficient times the distance from the baseline, summed over an AU's terms. For the
    population baseline these are the interventional SHAP values (Lundberg & Lee 2017): 'true to the
    model', whatever goes together among the AUs.
    """
    return _by_feature(model, model.basis(X) - _baseline(model, baseline).terms)


def explain(
    model: MultinomialLogit,
    x: Any,
    *,
    target: str | None = None,
    rival: str | None = None,
    baseline: Baseline = "population",
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
    baseline : {'population', 'neutral'}, mapping, or (p,) array
        As for `contributions`.

    Returns
    -------
    FaceExplanation

    Raises
    ------
    ModelError
        Where the AUs do not fit the model, one has no value, there is not exactly one face, or the
        model has no such emotion.
    """
    found = explain_many(model, _one_row(x), target=target, rival=rival, baseline=baseline)
    if len(found) != 1:
        raise ModelError(f"x: expected one face, got {len(found)}; explain_many takes several")
    if found[0] is None:
        raise ModelError("x: an AU of this face has no value, so there is nothing to explain")
    return found[0]


def explain_many(
    model: MultinomialLogit,
    X: Any,
    *,
    target: str | None = None,
    rival: str | None = None,
    baseline: Baseline = "population",
) -> list[FaceExplanation | None]:
    """Explain the answers for many faces.

    Parameters
    ----------
    model : MultinomialLogit
        Fitted.
    X : AUTable, DataFrame or (n, p) array
        Faces, as `MultinomialLogit.basis` takes them.
    target, rival, baseline
        As for `explain`.

    Returns
    -------
    list of FaceExplanation
        One for each row; None where an AU of the face has no value.

    Raises
    ------
    ModelError
        Where the AUs do not fit the model, or the model has no such emotion.
    """
    values = aligned(X, model)
    complete = np.flatnonzero(~np.isnan(values).any(axis=1))
    reference = _baseline(model, baseline)
    deviations = model.terms_of(values[complete]) - reference.terms
    scores = model.intercept_ + model.terms_of(values[complete]) @ model.coef_.T
    baseline_scores = model.intercept_ + model.coef_ @ reference.terms
    probabilities = softmax(scores)
    targets, rivals = _chosen(model, scores, target, rival)
    phi = _by_feature(model, deviations)
    errors = _standard_errors(model, deviations, targets)
    classes = [str(name) for name in model.classes_]
    low = frozenset(model.low_validity_)
    columns = tuple(str(name) for name in model.feature_names_in_)
    explanations: list[FaceExplanation | None] = [None] * len(values)
    for i, row in enumerate(complete):
        a, b = targets[i], rivals[i]
        explanations[row] = FaceExplanation(
            target=classes[a],
            rival=classes[b],
            probabilities=dict(zip(classes, probabilities[i].tolist(), strict=True)),
            baseline=reference.name,
            logit=float(scores[i, a]),
            baseline_logit=float(baseline_scores[a]),
            au_columns=columns,
            values=values[row],
            baseline_values=reference.features,
            contribution=phi[i, :, a],
            se=errors[i],
            contrast=phi[i, :, a] - phi[i, :, b],
            low_validity=low,
        )
    return explanations


@dataclass(frozen=True)
class _Reference:
    name: str
    features: np.ndarray
    terms: np.ndarray


def _baseline(model: MultinomialLogit, baseline: Baseline) -> _Reference:
    if isinstance(baseline, str):
        if baseline == "population":
            return _Reference("population", model.feature_mean_, model.term_mean_)
        if baseline != "neutral":
            raise ModelError(f"baseline: expected 'population', 'neutral' or AU values, got {baseline!r}")
        neutral = np.flatnonzero(model.classes_.astype(str) == "neutral")
        if not len(neutral):
            has = ", ".join(map(str, model.classes_))
            raise ModelError(f"baseline 'neutral': the model has no class neutral, only {has}")
        k = neutral[0]
        return _Reference("neutral", model.class_feature_mean_[k], model.class_term_mean_[k])
    names = model.feature_names_in_.tolist()
    given = baseline.to_dict() if hasattr(baseline, "to_dict") else baseline
    if isinstance(given, Mapping):
        missing = [name for name in names if name not in given]
        if missing:
            raise ModelError(f"baseline: no value for {', '.join(missing)}")
        given = [given[name] for name in names]
    features = np.asarray(given, dtype=float)
    if features.shape != (len(names),) or not np.isfinite(features).all():
        raise ModelError(f"baseline: expected {len(names)} numbers, one for each AU of the model")
    return _Reference("custom", features, model.terms_of(features[None])[0])


def _by_feature(model: MultinomialLogit, deviations: np.ndarray) -> np.ndarray:
    """Weigh (n, T) deviations by the coefficients and sum the terms of each AU: (n, p, K)."""
    p, K = len(model.feature_names_in_), len(model.classes_)
    result = np.zeros((len(deviations), p, K))
    for t, j in enumerate(model.term_feature_):
        result[:, j] += deviations[:, t, None] * model.coef_[:, t]
    return result


def _standard_errors(model: MultinomialLogit, deviations: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Find the delta-method standard error (n, p) of each contribution to its row's target."""
    result = np.zeros((len(deviations), len(model.feature_names_in_)))
    for k in np.unique(targets):
        rows = np.flatnonzero(targets == k)
        block = terms_block(model.covariance_, k, model.coef_.shape[1])
        for j in range(result.shape[1]):
            terms = np.flatnonzero(model.term_feature_ == j)
            d = deviations[np.ix_(rows, terms)]
            result[rows, j] = np.einsum("ns,st,nt->n", d, block[np.ix_(terms, terms)], d)
    return np.sqrt(np.maximum(result, 0.0))


def _chosen(
    model: MultinomialLogit, scores: np.ndarray, target: str | None, rival: str | None
) -> tuple[np.ndarray, np.ndarray]:
    rows = np.arange(len(scores))
    if target is None:
        allowed = scores.copy()
        if rival is not None:
            allowed[:, _class(model, rival, "rival")] = -np.inf
        targets = allowed.argmax(axis=1)
    else:
        targets = np.full(len(scores), _class(model, target, "target"))
    if rival is not None:
        rivals = np.full(len(scores), _class(model, rival, "rival"))
        if (rivals == targets).any():
            raise ModelError(f"rival: {rival!r} is the target itself; name another emotion")
        return targets, rivals
    others = scores.copy()
    others[rows, targets] = -np.inf
    return targets, others.argmax(axis=1)


def _class(model: MultinomialLogit, name: str, parameter: str) -> int:
    classes = [str(label) for label in model.classes_]
    for spelling in (str(name), canonical_emotion(name)):
        if spelling in classes:
            return classes.index(spelling)
    raise ModelError(f"{parameter}: the model knows {', '.join(classes)}, not {name!r}")


def _one_row(x: Any) -> Any:
    """Make one row of a mapping, a Series or a flat array; leave tables as they are."""
    if isinstance(x, Mapping) or (
        hasattr(x, "to_frame") and hasattr(x, "index") and not hasattr(x, "columns")
    ):
        import pandas as pd

        return pd.DataFrame([dict(x)])
    return x if hasattr(x, "columns") or hasattr(x, "au_columns") else np.atleast_2d(x)
