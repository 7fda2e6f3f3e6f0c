"""The maximum of the multinomial likelihood with a ridge penalty.

Parameters stand as (K, T + 1): a row per class, the intercept first. Rows sum to zero over classes.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

_NEWTON_PARAMETERS = 600


class Estimate(NamedTuple):
    """A fitted parameter matrix (K, T + 1) on standardised terms, and what the optimiser said."""

    parameters: np.ndarray
    iterations: int
    complaint: str


def softmax(scores: np.ndarray) -> np.ndarray:
    """Turn (n, K) scores into probabilities; rows of NaN stay NaN."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def maximise(
    Z: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray | None,
    alpha: float,
    max_iter: int = 200,
    tol: float = 1e-8,
    start: np.ndarray | None = None,
) -> Estimate:
    """Maximise log-likelihood - alpha / 2 * sum of squared coefficients.

    Parameters
    ----------
    Z : (n, T) float64 ndarray
        Standardised terms.
    targets : (n, K) float64 ndarray
        Share of each class in each row: 0 and 1 for labels, probabilities for soft labels. No class
        without any share.
    weights : (n,) float64 ndarray, or None
        Factors of each row's log-likelihood.
    alpha : float
        Ridge strength; 0 for none. Intercepts are never penalised.
    max_iter, tol : int, float
        Limits of the optimiser; `tol` bounds the gradient of the mean loss.
    start : (K, T + 1) float64 ndarray, optional
        Parameters near the answer, such as those at a like strength.

    Returns
    -------
    Estimate

    Notes
    -----
    scikit-learn's Newton solver where rows have labels and terms are few. Its cost grows as the square
    of parameters, and it takes no soft labels and no start: then scipy's L-BFGS, on terms that are made
    uncorrelated first, which agrees with it to about 1e-6.
    """
    if start is None and hard(targets) and targets.shape[1] * (Z.shape[1] + 1) <= _NEWTON_PARAMETERS:
        return _newton(Z, targets.argmax(axis=1), weights, alpha, max_iter, tol)
    return _lbfgs(Z, targets, weights, alpha, max_iter, tol, start)


def hard(targets: np.ndarray) -> bool:
    """Tell labels, given as (n, K) shares of 0 and 1, from probabilities."""
    return bool(((targets == 0) | (targets == 1)).all())


def _newton(
    Z: np.ndarray, codes: np.ndarray, weights: np.ndarray | None, alpha: float, max_iter: int, tol: float
) -> Estimate:
    """For two classes scikit-learn fits one difference, whose penalty is half of ours: hence the factor 2."""
    from scipy.linalg import LinAlgWarning
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    binary = codes.max() == 1
    strength = np.inf if alpha == 0 else (2.0 if binary else 1.0) / alpha
    optimiser = LogisticRegression(C=strength, solver="newton-cholesky", max_iter=max_iter, tol=tol)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", ConvergenceWarning)
        warnings.simplefilter("always", LinAlgWarning)
        optimiser.fit(Z, codes, sample_weight=weights)
    parameters = np.column_stack([optimiser.intercept_, optimiser.coef_])
    if binary:
        parameters = np.vstack([-parameters, parameters]) / 2.0
    complaint = str(caught[0].message).splitlines()[0] if caught else ""
    return Estimate(parameters - parameters.mean(axis=0), int(np.max(optimiser.n_iter_)), complaint)


def _lbfgs(
    Z: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray | None,
    alpha: float,
    max_iter: int,
    tol: float,
    start: np.ndarray | None,
) -> Estimate:
    """Step in coordinates in which the information is about the identity, so that few steps suffice."""
    from scipy.linalg import cholesky, solve_triangular
    from scipy.optimize import minimize

    n, K = targets.shape
    total_weight = n if weights is None else weights.sum()
    weights = (np.ones(n) if weights is None else weights) / total_weight
    ones = np.column_stack([np.ones(n), Z])
    penalty = np.r_[0.0, np.full(Z.shape[1], alpha / total_weight)]
    rows = ones * np.sqrt(weights)[:, None]
    root = cholesky((K - 1) / K**2 * (rows.T @ rows) + np.diag(penalty + 1e-9), lower=True)
    del rows

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        parameters = solve_triangular(root, flat.reshape(-1, K), lower=True, trans="T")
        scores = ones @ parameters
        scores -= scores.max(axis=1, keepdims=True)
        powers = np.exp(scores)
        total = powers.sum(axis=1)
        value = weights @ (np.log(total) - (targets * scores).sum(axis=1))
        value += penalty @ (parameters**2).sum(axis=1) / 2
        excess = (powers / total[:, None] - targets) * weights[:, None]
        slope = ones.T @ excess + penalty[:, None] * parameters
        return float(value), solve_triangular(root, slope, lower=True).ravel()

    limits = {"maxiter": 5 * max_iter, "maxfun": 10 * max_iter, "gtol": tol, "ftol": 1e-15, "maxcor": 30}
    first = np.zeros((len(root), K)) if start is None else root.T @ start.T
    found = minimize(loss, first.ravel(), jac=True, method="L-BFGS-B", options=limits)
    parameters = solve_triangular(root, found.x.reshape(-1, K), lower=True, trans="T").T
    complaint = "" if found.success else str(found.message)
    return Estimate(parameters - parameters.mean(axis=0), int(found.nit), complaint)
