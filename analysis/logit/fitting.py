"""How MultinomialLogit is fitted: rows and columns that count, terms, ridge strength, estimate."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from analysis.aumatrix import NamedMatrix
from analysis.errors import FitError
from analysis.likelihood.design import Design, Problem, design, standardised
from analysis.likelihood.information import completed, covariance
from analysis.likelihood.maximum import maximise, softmax
from analysis.likelihood.terms import KINDS, Terms, independent
from analysis.logit.estimator import LogitAttributes
from analysis.logit.strength import choose_alpha

MOST_FREE_PARAMETERS = 1500
"""(K - 1) * (T + 1) above which no covariance is kept: in a file it would take tens of megabytes."""

_UNUSABLE_SE = 50.0


def check_parameters(model: LogitAttributes) -> None:
    """Refuse constructor arguments that mean nothing, by a FitError."""
    alpha, numbers = model.alpha, (int, float, np.number)
    if alpha != "cv" and not (isinstance(alpha, numbers) and 0 <= alpha < np.inf):
        raise FitError(f"alpha: expected a number >= 0 or 'cv', got {alpha!r}")
    if model.terms not in KINDS:
        raise FitError(f"terms: expected one of {', '.join(map(repr, KINDS))}, got {model.terms!r}")
    if not all(isinstance(knot, numbers) and 0 < knot < 1 for knot in model.knots):
        raise FitError(f"knots: expected quantiles between 0 and 1, got {model.knots!r}")
    if isinstance(model.pairs, str) and model.pairs != "auto":
        raise FitError(f"pairs: expected 'auto' or a list of two AUs each, got {model.pairs!r}")


def fit_rows(
    model: LogitAttributes,
    matrix: NamedMatrix,
    classes: np.ndarray,
    targets: np.ndarray,
    groups: ArrayLike | None,
    weights: np.ndarray | None,
) -> None:
    """Fit `model` and set its attributes; see `MultinomialLogit.fit`.

    Parameters
    ----------
    model : LogitAttributes
        Gives the parameters.
    matrix : NamedMatrix
        The n rows of AUs.
    classes : (K,) ndarray
        Sorted labels.
    targets : (n, K) float64 ndarray
        Share of each class in each row; rows sum to 1.
    groups : (n,) array-like, or None
        Who or what must not stand on both sides when the ridge strength is chosen.
    weights : (n,) float64 ndarray, or None
        Importance weights.

    Raises
    ------
    FitError
        Where nothing can be fitted.
    """
    model.notes_, model.scores_, model.low_validity_ = [], {}, []
    model.backend_, model.scale_ = matrix.backend, matrix.scale
    model.input_names_ = matrix.names
    groups = _checked_groups(groups, len(targets))
    values, names = _drop_unmeasured(model, matrix.values, matrix.names)
    complete = ~np.isnan(values).any(axis=1)
    if not complete.all():
        model.notes_.append(
            f"{(~complete).sum()} of {len(complete)} rows have an AU without a value: left out"
        )
    values, targets = values[complete], targets[complete]
    weights = None if weights is None else weights[complete]
    groups = None if groups is None else groups[complete]
    present = targets.sum(axis=0) > 0
    model.classes_, targets = classes[present], targets[:, present]
    _check_classes(model.classes_, len(targets))
    values, names = _drop_constant(model, values, names)
    _estimate(model, Problem(values, names, targets, weights), groups)


def _estimate(model: LogitAttributes, problem: Problem, groups: np.ndarray | None) -> None:
    values, _, targets, weights = problem
    options: dict[str, Any] = {"kind": model.terms, "knots": model.knots, "pairs": model.pairs}
    model.alpha_path_ = {}
    if model.alpha == "cv":
        model.alpha_, model.alpha_path_, notes = choose_alpha(problem, groups, options, model.max_iter)
        model.notes_ += notes
    else:
        model.alpha_ = float(model.alpha)
    basis = design(problem, **options, mixed=model.alpha_ > 0)
    if model.alpha_ == 0:
        basis = _independent_terms(model, basis, values)
    Z = basis(values)
    estimate = maximise(Z, targets, weights, model.alpha_, model.max_iter, model.tol)
    _describe(model, problem, basis.terms)
    raw = basis.to_terms(estimate.parameters)
    model.intercept_, model.coef_ = raw[:, 0].copy(), raw[:, 1:].copy()
    model.covariance_ = _covariance(model, Z, estimate.parameters, problem, basis)
    model.n_iter_, model.converged_ = estimate.iterations, not estimate.complaint
    chances = softmax(basis.terms(values) @ model.coef_.T + model.intercept_)
    likelihoods = (targets * np.log(np.maximum(chances, np.finfo(float).tiny))).sum(axis=1)
    model.log_likelihood_ = float(np.sum(likelihoods if weights is None else weights * likelihoods))
    if estimate.complaint:
        model.notes_.append(f"the optimiser stopped early ({estimate.complaint}): raise max_iter or alpha")


def _covariance(
    model: LogitAttributes, Z: np.ndarray, parameters: np.ndarray, problem: Problem, basis: Design
) -> np.ndarray | None:
    to_terms = basis.matrix()
    K, width, columns = len(parameters), *to_terms.shape
    if (K - 1) * width > MOST_FREE_PARAMETERS:
        model.notes_.append(
            f"{width - 1} terms and {K} classes: too many for a covariance, so there are no standard errors"
        )
        return None
    spread, condition = covariance(Z, parameters, problem.targets, problem.weights, model.alpha_)
    if not np.isfinite(condition) or np.sqrt(np.diag(spread)).max() > _UNUSABLE_SE:
        model.notes_.append(
            "some AUs separate the classes all but perfectly: standard errors are unusable; raise alpha"
        )
    blocks = spread.reshape(K, columns, K, columns)
    full = np.einsum("ij,ajbk,lk->aibl", to_terms, blocks, to_terms, optimize=True)
    free = full.reshape(K * width, K * width)[: (K - 1) * width, : (K - 1) * width]
    return completed(np.tril(free), K)


def _independent_terms(model: LogitAttributes, basis: Design, values: np.ndarray) -> Design:
    """Leave out collinear terms, which only a penalty could tell apart; AUs come before hinges and pairs."""
    terms, Z = basis.terms, basis(values)
    order = np.lexsort((~np.isnan(terms.knot), terms.paired))
    kept = np.zeros(len(order), dtype=bool)
    kept[order] = independent(Z[:, order])
    gone = [name for name, stays in zip(terms.names, kept, strict=True) if not stays]
    if gone:
        model.notes_.append(
            f"left out terms that others determine (set alpha > 0 to keep them): {', '.join(gone)}"
        )
    return standardised(terms.keep(kept), values)


def _describe(model: LogitAttributes, problem: Problem, terms: Terms) -> None:
    """Set the terms, and what explanations compare a face with."""
    used = np.unique(np.r_[terms.feature, terms.second_feature[terms.paired]])
    values, targets = problem.values[:, used], problem.targets
    names = [problem.names[j] for j in used]
    second = np.where(terms.paired, np.searchsorted(used, terms.second_feature), -1)
    terms = Terms(np.searchsorted(used, terms.feature), terms.knot, second, terms.second_knot, terms.names)
    model.feature_names_in_ = np.array(names)
    model.term_names_ = np.array(terms.names)
    model.term_feature_, model.term_knot_ = terms.feature, terms.knot
    model.term_second_feature_, model.term_second_knot_ = terms.second_feature, terms.second_knot
    shares = (targets / targets.sum(axis=0)).T
    raw = terms(values)
    model.term_mean_ = raw.mean(axis=0)
    model.class_term_mean_ = shares @ raw
    means = terms.part_means(values, np.vstack([np.full(len(values), 1 / len(values)), shares]))
    model.term_part_mean_, model.class_term_part_mean_ = means[0], means[1:]
    model.feature_mean_ = values.mean(axis=0)
    model.feature_sd_ = values.std(axis=0, ddof=1)
    model.feature_range_ = np.array([values.min(axis=0), values.max(axis=0)])
    model.class_feature_mean_ = shares @ values
    model.n_ = len(values)
    model.class_count_ = np.bincount(targets.argmax(axis=1), minlength=targets.shape[1])


def _drop_unmeasured(
    model: LogitAttributes, values: np.ndarray, names: list[str]
) -> tuple[np.ndarray, list[str]]:
    measured = ~np.isnan(values).all(axis=0) if len(values) else np.ones(len(names), dtype=bool)
    if not measured.any():
        raise FitError(f"no AU has a value in any of {len(values)} rows: nothing can be fitted")
    return _drop(model, values, names, measured, "without any value")


def _drop_constant(
    model: LogitAttributes, values: np.ndarray, names: list[str]
) -> tuple[np.ndarray, list[str]]:
    varying = np.ptp(values, axis=0) > 0
    if not varying.any():
        raise FitError(f"the AUs are the same in all {len(values)} rows: nothing can be learned from them")
    return _drop(model, values, names, varying, "that never vary")


def _drop(
    model: LogitAttributes, values: np.ndarray, names: list[str], kept: np.ndarray, why: str
) -> tuple[np.ndarray, list[str]]:
    gone = [name for name, stays in zip(names, kept, strict=True) if not stays]
    if gone:
        model.notes_.append(f"left out AUs {why}: {', '.join(gone)}")
    return values[:, kept], [name for name in names if name not in gone]


def _checked_groups(groups: ArrayLike | None, rows: int) -> np.ndarray | None:
    if groups is None:
        return None
    groups = np.asarray(groups)
    if groups.shape != (rows,):
        raise FitError(f"groups: expected {rows}, one for each row, got an array of shape {groups.shape}")
    return groups


def _check_classes(classes: np.ndarray, rows: int) -> None:
    if rows == 0:
        raise FitError("no row has a value for every AU: nothing can be fitted")
    if len(classes) < 2:
        raise FitError(f"labels: all {rows} rows are {classes[0]!s}; a model needs at least two classes")
