"""Temperature scaling: how sure a classifier's probabilities say it is.

Guo et al. (2017), *On calibration of modern neural networks*.
"""

from __future__ import annotations

import math

import numpy as np

LARGEST = 5.0


def log_loss(logits: np.ndarray, labels: np.ndarray, temperature: float = 1.0) -> float:
    """Return the mean negative log probability of the labels.

    Parameters
    ----------
    logits : ndarray of float, shape (n, K)
    labels : ndarray of int, shape (n,)
    temperature : float
        Divides the logits.
    """
    scaled = np.asarray(logits, np.float64) / temperature
    scaled = scaled - scaled.max(1, keepdims=True)
    return float((np.log(np.exp(scaled).sum(1)) - scaled[np.arange(len(labels)), labels]).mean())


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Find the temperature, within 1/5 to 5, that gives validation faces the least log loss."""
    from scipy.optimize import minimize_scalar

    limit = math.log(LARGEST)
    found = minimize_scalar(
        lambda log_t: log_loss(logits, labels, math.exp(log_t)), bounds=(-limit, limit), method="bounded"
    )
    return math.exp(found.x)
