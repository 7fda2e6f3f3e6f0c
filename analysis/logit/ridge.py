"""Fitting the multinomial likelihood with a ridge penalty, and the covariance of its estimates.

Parameters stand as (K, T + 1): a row per class, the intercept first. Rows sum to zero over classes.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

_ROWS_AT_ONCE = 4096
_NEWTON_PARAMETERS = 600


class Estimate(NamedTuple):
    """A fitted parameter matrix (K, T + 1) on standardised terms, and what the optimiser said."""

    parameters: np.ndarray
    iterations: int
    complaint: str


def softmax(scores: np.ndarray) -> np.ndarray:
    """Turn (n, K) scores into probabilities; rows of NaN stay NaN."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


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


def contrasts(K: int) -> np.ndarray:
    """Make an orthonormal basis (K, K - 1) of the vectors that sum to zero (Helmert's)."""
    basis = np.zeros((K, K - 1))
    for column in range(K - 1):
        basis[: column + 1, column] = 1.0
        basis[column + 1, column] = -(column + 1.0)
    return basis / np.linalg.norm(basis, axis=0)


def covariance(
    Z: np.ndarray, parameters: np.ndarray, targets: np.ndarray, weights: np.ndarray | None, alpha: float
) -> tuple[np.ndarray, float]:
    """Estimate the covariance of the class-centred parameters.

    Parameters
    ----------
    Z : (n, T) float64 ndarray
        Standardised terms.
    parameters : (K, T + 1) float64 ndarray
        The estimate.
    targets, weights, alpha
        As in `maximise`; weights are taken as importance weights.

    Returns
    -------
    covariance : (K * (T + 1), K * (T + 1)) float64 ndarray
        Class-major. NaN where the information is singular.
    condition : float
        Condition number of the penalised information.

    Notes
    -----
    The sandwich G^-1 H G^-1 with H the information of the likelihood and G = H + alpha on the
    coefficients (Gray 1992, JASA 87:942): the sampling variance of the penalised estimate, which
    says nothing of its bias. Under a strong penalty it errs on the large side (up to a fifth), since
    it is taken at probabilities that the penalty drew together. Without penalty it is the inverse
    information, as statsmodels gives it. For soft labels H in the middle is the sum of squared scores
    (HC0), since their scatter is not that of labels drawn from the probabilities.
    Computed in contrasts of the classes, where G has full rank, over chunks of rows.
    """
    K, width = parameters.shape
    basis = contrasts(K)
    information, outer = _information(Z, parameters, weights, basis, None if hard(targets) else targets)
    penalty = np.tile(np.r_[0.0, np.full(width - 1, float(alpha))], K - 1)
    penalised = information + np.diag(penalty)
    scale = 1.0 / np.sqrt(np.clip(np.diag(penalised), np.finfo(float).tiny, None))
    eigenvalues, vectors = np.linalg.eigh(penalised * scale[:, None] * scale)
    smallest, largest = eigenvalues[0], eigenvalues[-1]
    condition = float(largest / smallest) if smallest > 0 else float("inf")
    if condition > 1e14:
        return np.full((K * width, K * width), np.nan), condition
    inverse = (vectors / eigenvalues) @ vectors.T * scale[:, None] * scale
    expand = np.kron(basis, np.eye(width)) @ inverse
    result = expand @ outer @ expand.T
    return (result + result.T) / 2.0, condition


def completed(lower: np.ndarray, K: int) -> np.ndarray:
    """Complete a covariance from its free part.

    Parameters
    ----------
    lower : ((K - 1) * m, (K - 1) * m) float64 ndarray
        Lower triangle for all classes but the last; zero above the diagonal.
    K : int
        Number of classes.

    Returns
    -------
    (K * m, K * m) float64 ndarray
        Symmetric; over classes, parameters sum to zero and hence so do its blocks.
    """
    free = lower + np.tril(lower, -1).T
    m = len(free) // (K - 1)
    last = -free.reshape(K - 1, m, -1).sum(axis=0)
    corner = -last.reshape(m, K - 1, m).sum(axis=1)
    return np.block([[free, last.T], [last, (corner + corner.T) / 2.0]])


def terms_block(covariance: np.ndarray, k: int, terms: int) -> np.ndarray:
    """Take the covariance (T, T) of one class's coefficients, its intercept left out.

    Parameters
    ----------
    covariance : (K * (T + 1), K * (T + 1)) float64 ndarray
        Class-major, each class [intercept, terms].
    k : int
        Number of the class.
    terms : int
        T.
    """
    own = slice(k * (terms + 1) + 1, (k + 1) * (terms + 1))
    return covariance[own, own]


def _information(
    Z: np.ndarray,
    parameters: np.ndarray,
    weights: np.ndarray | None,
    basis: np.ndarray,
    soft: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Sum the information, and the variance of the score, over chunks of rows."""
    size = basis.shape[1] * parameters.shape[1]
    information = np.zeros((size, size))
    same = weights is None and soft is None
    outer = information if same else np.zeros((size, size))
    for start in range(0, len(Z), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        ones = np.column_stack([np.ones(len(Z[rows])), Z[rows]])
        p = softmax(ones @ parameters.T)
        mean = p @ basis
        error = None if soft is None else (soft[rows] - p) @ basis
        w = 1.0 if weights is None else weights[rows]
        for a in range(basis.shape[1]):
            for b in range(a + 1):
                variance = p @ (basis[:, a] * basis[:, b]) - mean[:, a] * mean[:, b]
                _add(information, ones, w * variance, a, b)
                if not same:
                    _add(
                        outer, ones, w * w * (variance if error is None else error[:, a] * error[:, b]), a, b
                    )
    return information, outer


def _add(total: np.ndarray, ones: np.ndarray, factor: np.ndarray, a: int, b: int) -> None:
    width = ones.shape[1]
    block = ones.T @ (ones * factor[:, None])
    total[a * width : (a + 1) * width, b * width : (b + 1) * width] += block
    if a != b:
        total[b * width : (b + 1) * width, a * width : (a + 1) * width] += block.T


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
