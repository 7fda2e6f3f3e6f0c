"""The covariance of the penalised estimates, from the curvature of the likelihood at its maximum.

Parameters stand as (K, T + 1): a row per class, the intercept first. Rows sum to zero over classes.
"""

from __future__ import annotations

import numpy as np

from analysis.likelihood.maximum import hard, softmax

MOST_FREE_PARAMETERS = 1500
"""(K - 1) * (T + 1) above which no covariance is kept: in a file it would take tens of megabytes."""

_ROWS_AT_ONCE = 4096


def contrasts(K: int) -> np.ndarray:
    """Make an orthonormal basis (K, K - 1) of the vectors that sum to zero (Helmert's)."""
    basis = np.zeros((K, K - 1))
    for column in range(K - 1):
        basis[: column + 1, column] = 1.0
        basis[column + 1, column] = -(column + 1.0)
    return np.asarray(basis / np.linalg.norm(basis, axis=0))


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
