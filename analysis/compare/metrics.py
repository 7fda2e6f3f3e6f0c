"""Scores of a classifier under many weightings of its rows at once, as a bootstrap needs them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

import numpy as np

from analysis.people import percentile_interval

BINS = 15
"""Of the calibration: equally wide, of the most probable class's probability."""

METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "brier", "ece")

_ROWS_OF_WEIGHTS = 32


class Totals(NamedTuple):
    """Weighted sums over rows, for each of D weightings; every score here is a function of them.

    Attributes
    ----------
    confusion : (D, K, K) float64 ndarray
        Weight of each actual class (rows) that is called each class (columns).
    loss, brier : (D,) float64 ndarray
        Summed -log p(actual class), and summed squared distance to the actual class.
    bin_weight, bin_confidence, bin_right : (D, BINS) float64 ndarray
        Weight, summed confidence, and weight of the right answers, by confidence.
    """

    confusion: np.ndarray
    loss: np.ndarray
    brier: np.ndarray
    bin_weight: np.ndarray
    bin_confidence: np.ndarray
    bin_right: np.ndarray


def totals(probabilities: np.ndarray, codes: np.ndarray, weights: Iterable[np.ndarray]) -> Totals:
    """Sum what the scores are made of.

    Parameters
    ----------
    probabilities : (n, K) float64 ndarray
        Rows sum to 1.
    codes : (n,) int ndarray
        The actual class of each row, 0..K-1.
    weights : iterable of (n,) float64 ndarray
        D weightings, such as the draws of `analysis.people.person_draws`.

    Returns
    -------
    Totals
    """
    n, K = probabilities.shape
    rows, answers = np.arange(n), probabilities.argmax(axis=1)
    confidence = probabilities[rows, answers]
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    tiny = np.finfo(float).eps
    parts = np.zeros((n, K * K + 2 + 3 * BINS))
    parts[rows, codes * K + answers] = 1.0
    parts[:, K * K] = -np.log(np.clip(probabilities[rows, codes], tiny, 1 - tiny))
    parts[:, K * K + 1] = np.square(probabilities - np.eye(K)[codes]).sum(axis=1)
    for part, values in enumerate((1.0, confidence, answers == codes)):
        parts[rows, K * K + 2 + part * BINS + bins] = values
    sums = summed(parts, weights)
    by_bin = sums[:, K * K + 2 :].reshape(len(sums), 3, BINS)
    return Totals(
        sums[:, : K * K].reshape(-1, K, K),
        sums[:, K * K],
        sums[:, K * K + 1],
        *(by_bin[:, part] for part in range(3)),
    )


def summed(parts: np.ndarray, weights: Iterable[np.ndarray]) -> np.ndarray:
    """Sum (n, m) parts over rows under each of D weightings (n,): (D, m), some weightings at a time."""
    left = iter(weights)
    chunks = iter(lambda: list(islice(left, _ROWS_OF_WEIGHTS)), [])
    return np.vstack([np.stack(chunk) @ parts for chunk in chunks])


def scores(sums: Totals) -> dict[str, np.ndarray]:
    """Compute the scores.

    Parameters
    ----------
    sums : Totals
        Of D weightings.

    Returns
    -------
    dict of str to (D,) float64 ndarray
        `accuracy`; `balanced_accuracy` and `macro_f1`, means of recall and of F1 over the classes that
        occur; `log_loss`, nats; `brier`, 0 to 2: the squared distance summed over all classes;
        `ece`, expected calibration error: the mean over `BINS` equally wide bins of
        |share that is right - mean confidence|, weighted by the rows in each, where confidence is
        the probability of the answer (Guo et al. 2017, ICML).

    Notes
    -----
    For weights of 1 these are scikit-learn's; `log_loss` bounds probabilities as it does.
    """
    weight = sums.confusion.sum(axis=(1, 2))
    right = np.trace(sums.confusion, axis1=1, axis2=2)
    gap = np.abs(sums.bin_right - sums.bin_confidence).sum(axis=1)
    return {
        "accuracy": right / weight,
        "balanced_accuracy": np.nanmean(recall(sums.confusion), axis=1),
        "macro_f1": np.nanmean(_f1(sums.confusion), axis=1),
        "log_loss": sums.loss / weight,
        "brier": sums.brier / weight,
        "ece": gap / weight,
    }


def interval(draws: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Take percentiles along the first axis, NaN where the draws do not vary."""
    low, high = percentile_interval(draws, level)
    still = ~(np.fmax.reduce(draws) - np.fmin.reduce(draws) > 1e-12)  # these two pass over NaN
    return np.where(still, np.nan, low), np.where(still, np.nan, high)


def recall(confusion: np.ndarray) -> np.ndarray:
    """Share of each class that is called by its name, (D, K); NaN for a class without weight."""
    return _ratio(np.diagonal(confusion, axis1=1, axis2=2), confusion.sum(axis=2))


def observed(sums: Totals) -> np.ndarray:
    """Share of right answers in each bin of confidence, (D, BINS); NaN for an empty bin."""
    return _ratio(sums.bin_right, sums.bin_weight)


def kappa(confusion: np.ndarray) -> np.ndarray:
    """Cohen's kappa of (D, K, K) confusions, (D,); NaN where both sides always say the same."""
    shares = confusion / confusion.sum(axis=(1, 2), keepdims=True)
    agreement = np.trace(shares, axis1=1, axis2=2)
    chance = np.einsum("dk,dk->d", shares.sum(axis=1), shares.sum(axis=2))
    return _ratio(agreement - chance, 1 - chance)


def _f1(confusion: np.ndarray) -> np.ndarray:
    actual = confusion.sum(axis=2)
    called = confusion.sum(axis=1)
    f1 = _ratio(2 * np.diagonal(confusion, axis1=1, axis2=2), actual + called)
    return np.where(actual > 0, f1, np.nan)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    empty = ~(whole > 0)
    return np.where(empty, np.nan, part / np.where(empty, 1.0, whole))
