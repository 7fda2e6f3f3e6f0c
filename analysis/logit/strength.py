"""The ridge strength that predicts held-out people best."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from analysis.errors import FitError
from analysis.likelihood.design import Problem, design
from analysis.likelihood.maximum import hard, maximise, softmax
from analysis.splits import grouped_folds, rarest

ALPHAS = tuple(float(f"{alpha:.2g}") for alpha in np.geomspace(1000, 0.1, 9))
"""The strengths that are tried, strong ones first, from which the weaker ones are quickly found."""

_FOLDS = 5
_TOLERANCE = 1e-5


def choose_alpha(
    problem: Problem, groups: np.ndarray | None, terms: dict[str, Any], max_iter: int
) -> tuple[float, dict[str, list[float]], list[str]]:
    """Choose the ridge strength by cross-validation.

    Parameters
    ----------
    problem : Problem
        Training rows.
    groups : (n,) ndarray, or None
        Persons or videos that must not stand on both sides of a split.
    terms : dict
        `kind`, `knots`, `pairs` of `analysis.likelihood.design.design`; terms are chosen anew in each fold.
    max_iter : int
        Of the optimiser.

    Returns
    -------
    alpha : float
        Of `ALPHAS`, the one with the least mean log loss on held-out rows.
    path : dict of list
        `alpha`, `log_loss` (nats) and `accuracy` on all held-out rows together.
    notes : list of str
        What a user should know of the choice.

    Raises
    ------
    FitError
        Where a class has one row, or stands in one group only.
    """
    targets = problem.targets
    codes = targets.argmax(axis=1)
    if not hard(targets):
        codes = np.zeros_like(codes)
    _, count = rarest(codes, groups)
    if count < 2:
        unit = "row" if groups is None else "group"
        raise FitError(f"alpha: 'cv' needs each class in two {unit}s or more; give a number instead")
    losses, rights = np.zeros(len(ALPHAS)), np.zeros(len(ALPHAS))
    for train, test in grouped_folds(codes, groups, folds=min(_FOLDS, count)):
        held_out = problem.rows(test)
        for i, probabilities in enumerate(_path(problem.rows(train), held_out.values, terms, max_iter)):
            logs = np.log(np.maximum(probabilities, np.finfo(float).tiny))
            weights = np.ones(len(test)) if held_out.weights is None else held_out.weights
            losses[i] -= weights @ (held_out.targets * logs).sum(axis=1)
            right = probabilities.argmax(axis=1) == held_out.targets.argmax(axis=1)
            rights[i] += weights @ right
    total = len(targets) if problem.weights is None else problem.weights.sum()
    best = int(losses.argmin())
    path = {
        "alpha": list(ALPHAS),
        "log_loss": (losses / total).tolist(),
        "accuracy": (rights / total).tolist(),
    }
    return ALPHAS[best], path, _notes(best, groups)


def _path(train: Problem, values: np.ndarray, terms: dict[str, Any], max_iter: int) -> Iterator[np.ndarray]:
    """Predict (n, p) held-out values at one strength after another."""
    basis = design(train, **terms, mixed=True)
    Z, held_out = basis(train.values), basis(values)
    parameters = None
    for alpha in ALPHAS:
        fitted = maximise(Z, train.targets, train.weights, alpha, max_iter, _TOLERANCE, parameters)
        parameters = fitted.parameters
        yield softmax(held_out @ parameters[:, 1:].T + parameters[:, 0])


def _notes(best: int, groups: np.ndarray | None) -> list[str]:
    notes = []
    if best in (0, len(ALPHAS) - 1):
        notes.append(f"alpha: the best strength, {ALPHAS[best]:g}, is the last one tried on its side")
    if groups is None:
        notes.append(
            "alpha: chosen with rows split at random; give groups where people occur in several rows"
        )
    return notes
