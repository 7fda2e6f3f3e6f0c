"""Temperature scaling: how sure a classifier's probabilities say it is.

Guo et al. (2017), *On calibration of modern neural networks*.
"""

from __future__ import annotations

import math

import numpy as np

LARGEST = 5.0


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Find the temperature, within 1/5 to 5, that gives validation faces the least log loss.

    Parameters
    ----------
    logits : ndarray of float, shape (n, K)
    labels : ndarray of int, shape (n,)
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    logits = np.asarray(logits, np.float64)

    def log_loss(log_t: float) -> float:
        return -float(log_softmax(logits / math.exp(log_t), axis=1)[np.arange(len(labels)), labels].mean())

    limit = math.log(LARGEST)
    return math.exp(minimize_scalar(log_loss, bounds=(-limit, limit), method="bounded").x)
