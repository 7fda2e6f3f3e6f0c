"""Checks that decide whether errors, tests and intervals of an unpenalised fit mean anything."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from analysis.inference.sample import Sample
from analysis.inference.separation import Separation, find_separation
from analysis.likelihood.design import standardised
from analysis.likelihood.information import MOST_FREE_PARAMETERS, covariance
from analysis.likelihood.maximum import softmax
from analysis.likelihood.terms import independent

GRADIENT_LIMIT = 1e-5
"""Largest mean gradient, on standardised terms, at which the optimiser counts as arrived."""

CONDITION_LIMIT = 1e8
"""Of the information, scaled to a diagonal of ones: half of a double's digits."""

ERROR_LIMIT = 5.0
"""Standard error in logits per standard deviation of a term; its interval would be 20 logits wide."""

ROWS_LIMIT = 5.0
"""Rows of the rarest class per term (Vittinghoff & McCulloch 2007, Am J Epidemiol 165:710)."""

PEOPLE_LIMIT = 20
"""People that clustered errors need (Cameron & Miller 2015, J Hum Resour 50:317)."""

VIF_LIMIT = 10.0
"""Above it an AU's coefficient depends on which other AUs are in the model; it decides nothing."""


class Diagnosis(NamedTuple):
    """What the checks found.

    Attributes
    ----------
    checks : DataFrame
        `check`, `value`, `limit`, `passed` (bool), `decides` (bool), `meaning`; a row per check.
    why : list of str
        One line for each failed check that decides, less what separation causes; empty where inference
        is valid.
    condition : float
        Condition number of the information; NaN where it was not computed.
    separation : DataFrame
        `emotion`, `au`, `term`, `direction`: coefficients without a finite estimate, and their sign.
    kind : str
        Of `analysis.inference.separation.Separation`; 'not examined' for penalised and for very large models.
    """

    checks: pd.DataFrame
    why: list[str]
    condition: float
    separation: pd.DataFrame
    kind: str


def diagnose(sample: Sample, parameters: np.ndarray, alpha: float, clustered: bool) -> Diagnosis:
    """Check a fit.

    Parameters
    ----------
    sample : Sample
        The rows.
    parameters : (K, T + 1) float64 ndarray
        Of the columns of the sample's design.
    alpha : float
        Ridge strength of the fit; anything but 0 rules inference out.
    clustered : bool
        Whether errors are to be clustered by people.

    Returns
    -------
    Diagnosis

    Notes
    -----
    Costs one pass over the rows and an eigendecomposition of the information. Only where that does not
    rule separation out does a linear programme run, for at most a minute. Above
    `analysis.likelihood.information.MOST_FREE_PARAMETERS` neither is computed, and inference is refused.
    """
    K, width = parameters.shape
    Z = sample.design(sample.values)
    spread, separation = None, Separation("not examined", np.zeros_like(parameters), "")
    condition = np.nan
    if (K - 1) * width <= MOST_FREE_PARAMETERS:
        spread, condition = covariance(Z, parameters, sample.targets, None, 0.0)
        if alpha == 0:
            smallest = 1.0 / np.linalg.eigvalsh(spread)[-1] if np.isfinite(spread).all() else 0.0
            separation = find_separation(Z, sample.codes, parameters, smallest)
    infinite = _infinite(sample, separation.direction)
    rows = [
        _penalty(alpha),
        _size((K - 1) * width),
        _rank(sample),
        _rows_per_term(sample),
    ]
    if clustered and sample.head_count is not None:
        rows.append(_people(sample.head_count))
    if spread is not None and alpha == 0:
        rows += [
            _converged(Z, sample.targets, parameters),
            _separation(separation, infinite),
            _conditioned(condition),
            _bounded(spread, sample, K),
        ]
    checks = pd.DataFrame([(*row[:4], True, row.meaning) for row in rows], columns=_COLUMNS)
    checks.loc[len(checks)] = _vif_check(sample)
    caused = _CONSEQUENCES if separation.kind in ("complete", "quasi-complete") else ()
    why = [row.meaning for row in rows if not row.passed and row.check not in caused]
    return Diagnosis(checks, why, float(condition), infinite, separation.kind)


def collinearity(sample: Sample) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Describe how the AUs go together.

    Parameters
    ----------
    sample : Sample

    Returns
    -------
    collinearity : DataFrame
        `au`, `mean`, `sd`, `vif` (variance inflation factor; infinite where other AUs determine it),
        `partner` (the AU with which it correlates most) and `r` with it.
    correlations : DataFrame
        `au` and a column for each AU: Pearson's r.
    """
    values, names = sample.values, sample.names
    r = np.corrcoef(values, rowvar=False).reshape(len(names), len(names))
    off = r - np.eye(len(names))
    partner = np.abs(off).argmax(axis=1)
    table = pd.DataFrame({"au": names, "mean": values.mean(axis=0), "sd": values.std(axis=0, ddof=1)})
    table["vif"] = _inflation(r)
    table["partner"] = [names[j] if len(names) > 1 else "" for j in partner]
    table["r"] = off[np.arange(len(names)), partner] if len(names) > 1 else np.nan
    correlations = pd.DataFrame(r, columns=names)
    correlations.insert(0, "au", names)
    return table, correlations


_COLUMNS = ["check", "value", "limit", "passed", "decides", "meaning"]
_CONSEQUENCES = ("largest mean gradient", "condition number", "largest standard error")


class _Check(NamedTuple):
    check: str
    value: float
    limit: float
    passed: bool
    meaning: str


def _penalty(alpha: float) -> _Check:
    meaning = "the fit is not penalised"
    if alpha > 0:
        meaning = (
            f"the fit is penalised (alpha = {alpha:g}), which draws coefficients to zero: no test applies"
        )
    return _Check("ridge strength", alpha, 0.0, alpha == 0, meaning)


def _size(free: int) -> _Check:
    passed = free <= MOST_FREE_PARAMETERS
    meaning = f"{free} free parameters" + ("" if passed else ": too many for their covariance")
    return _Check("free parameters", float(free), float(MOST_FREE_PARAMETERS), passed, meaning)


def _rank(sample: Sample) -> _Check:
    alone = standardised(sample.design.terms, sample.values)
    kept = independent(alone(sample.values))
    gone = [name for name, stays in zip(alone.terms.names, kept, strict=True) if not stays]
    meaning = "no term is a combination of others" if not gone else f"others determine {_listed(gone)}"
    return _Check("rank", float(kept.sum()), float(len(kept)), not gone, meaning)


def _rows_per_term(sample: Sample) -> _Check:
    counts = np.bincount(sample.codes)
    rarest, terms = int(counts.argmin()), len(sample.design.terms.names)
    share = counts[rarest] / terms
    meaning = f"the rarest class, {sample.classes[rarest]}, has {counts[rarest]} rows for {terms} terms"
    passed = bool(share >= ROWS_LIMIT)
    meaning += "" if passed else f": fewer than {ROWS_LIMIT:g} rows per term"
    return _Check("rows of the rarest class per term", float(share), ROWS_LIMIT, passed, meaning)


def _people(count: int) -> _Check:
    passed = count >= PEOPLE_LIMIT
    meaning = f"{count} people" + ("" if passed else f": errors clustered by people need {PEOPLE_LIMIT}")
    return _Check("people", float(count), float(PEOPLE_LIMIT), passed, meaning)


def _converged(Z: np.ndarray, targets: np.ndarray, parameters: np.ndarray) -> _Check:
    ones = np.column_stack([np.ones(len(Z)), Z])
    score = ones.T @ (targets - softmax(ones @ parameters.T))
    value = float(np.abs(score).max() / len(Z))
    passed = value <= GRADIENT_LIMIT
    meaning = "the optimiser arrived" if passed else f"the optimiser stopped early (gradient {value:.1e})"
    return _Check("largest mean gradient", value, GRADIENT_LIMIT, passed, meaning)


def _separation(separation: Separation, infinite: pd.DataFrame) -> _Check:
    kind = separation.kind
    if kind == "none":
        meaning = "no combination of AUs tells emotions apart without error"
    elif kind == "complete":
        meaning = (
            "complete separation: the AUs tell all emotions apart without error, so no estimate is finite"
        )
    elif kind == "unknown":
        meaning = "separation: the linear programme did not end in time, so it cannot be ruled out"
    else:
        pairs = [f"{row.term} for {row.emotion}" for row in infinite.itertuples()]
        meaning = f"quasi-complete separation: no finite estimate exists of {_listed(pairs)}"
    value = float("nan") if kind in ("unknown", "complete") else float(len(infinite))
    return _Check("coefficients without a finite estimate", value, 0.0, kind == "none", meaning)


def _conditioned(condition: float) -> _Check:
    passed = bool(condition <= CONDITION_LIMIT)
    meaning = f"the information's condition number is {condition:.3g}"
    meaning += "" if passed else ": rounding decides the estimates"
    return _Check("condition number", condition, CONDITION_LIMIT, passed, meaning)


def _bounded(spread: np.ndarray, sample: Sample, K: int) -> _Check:
    ratio = sample.design.terms(sample.values).std(axis=0) / sample.design.scale
    errors = np.sqrt(np.diag(spread)).reshape(K, -1)[:, 1:] * ratio
    k, t = np.unravel_index(np.argmax(np.where(np.isnan(errors), np.inf, errors)), errors.shape)
    value = float(errors[k, t])
    passed = bool(value <= ERROR_LIMIT)
    where = f"{sample.design.terms.names[t]} for {sample.classes[k]}"
    size = "undefined" if np.isnan(value) else f"{value:.2g} logits per SD"
    meaning = f"the largest standard error, of {where}, is {size}"
    return _Check("largest standard error", value, ERROR_LIMIT, passed, meaning)


def _vif_check(sample: Sample) -> list[Any]:
    table = collinearity(sample)[0]
    top = table.loc[table["vif"].idxmax()]
    passed = bool(top["vif"] <= VIF_LIMIT)
    meaning = f"{top['au']} has the largest variance inflation"
    if not passed:
        meaning += (
            f", with {top['partner']} (r = {top['r']:.2f}): their coefficients cannot be told apart well"
        )
    return ["largest variance inflation", float(top["vif"]), VIF_LIMIT, passed, False, meaning]


def _inflation(r: np.ndarray) -> np.ndarray:
    eigenvalues, vectors = np.linalg.eigh(r)
    lost = eigenvalues < 1e-12 * len(r)
    inverse = (vectors[:, ~lost] ** 2 / eigenvalues[~lost]).sum(axis=1)
    return np.where((vectors[:, lost] ** 2).sum(axis=1) > 1e-10, np.inf, inverse)


def _infinite(sample: Sample, direction: np.ndarray) -> pd.DataFrame:
    terms = sample.design.terms
    k, t = np.nonzero(direction[:, 1:])
    order = np.lexsort((t, k, -np.abs(direction[k, t + 1])))
    k, t = k[order], t[order]
    return pd.DataFrame(
        {
            "emotion": sample.classes[k],
            "au": np.array(sample.names, dtype=object)[terms.feature[t]],
            "term": np.array(terms.names, dtype=object)[t],
            "direction": np.sign(direction[k, t + 1]),
        }
    )


def _listed(names: list[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
