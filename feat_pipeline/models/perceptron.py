"""A multilayer perceptron: fitted by scikit-learn, kept as arrays, asked with numpy alone."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np


def fit_perceptron(values: np.ndarray, codes: np.ndarray, **options: Any) -> dict[str, np.ndarray]:
    """Standardise features and fit a network of ReLU layers to them.

    Parameters
    ----------
    values : ndarray of float, shape (n, p)
    codes : ndarray of int, shape (n,)
        Classes, 0 to K - 1.
    **options
        Of scikit-learn's MLPClassifier.

    Returns
    -------
    dict of str to ndarray
        `mean` and `scale` of the features; `weight0`, `bias0` and so on.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(values)
    network = MLPClassifier(**options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of passes is part of the recipe
        network.fit(scaler.transform(values), codes)
    arrays = {"mean": scaler.mean_, "scale": scaler.scale_}
    for layer, (weight, bias) in enumerate(zip(network.coefs_, network.intercepts_, strict=True)):
        arrays |= {f"weight{layer}": weight, f"bias{layer}": bias}
    return arrays


def perceptron_scores(arrays: Mapping[str, np.ndarray], values: np.ndarray) -> np.ndarray:
    """Return the logits, shape (n, K); of two classes the log-odds of the second, shape (n, 1)."""
    scores = (values - arrays["mean"]) / arrays["scale"]
    for layer in range(len(arrays) // 2 - 1):
        scores = np.maximum(scores, 0) if layer else scores
        scores = scores @ arrays[f"weight{layer}"] + arrays[f"bias{layer}"]
    return scores


def shares_of(scores: np.ndarray) -> np.ndarray:
    """Turn logits into probabilities, shape (n, K); a single column is the log-odds of the second class."""
    from analysis.likelihood.maximum import softmax

    return softmax(np.column_stack([np.zeros(len(scores)), scores]) if scores.shape[1] == 1 else scores)
