"""How faithful one classifier's probabilities are to another's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from analysis.compare.metrics import kappa, recall, summed

FLOOR = 1e-3
"""Probabilities count as at least this where logits are taken: whether an emotion has a chance of
one in a thousand or in a billion decides nothing, but would rule every sum of squares."""

FIDELITY = ("agreement", "kappa", "kl_r2", "logit_r2")


class Fidelity(NamedTuple):
    """Measures of fidelity, for each of D weightings of the rows.

    Attributes
    ----------
    agreement : (D,) float64 ndarray
        Share of faces with the same answer.
    kappa : (D,) float64 ndarray
        Cohen's: agreement beyond chance. NaN where both always say the same one thing.
    kl_r2 : (D,) float64 ndarray
        1 - KL(p || q) / KL(p || m), where m are the mean probabilities of training rows.
    logit_r2 : (D,) float64 ndarray
        Share of the variance of the centred logits, over all classes together.
    class_agreement, class_kappa, class_r2 : (D, K) float64 ndarray
        Of the faces that the classifier calls so, the share that is called so here; kappa of this
        class against all others; and R^2 of its centred logit.
    """

    agreement: np.ndarray
    kappa: np.ndarray
    kl_r2: np.ndarray
    logit_r2: np.ndarray
    class_agreement: np.ndarray
    class_kappa: np.ndarray
    class_r2: np.ndarray


def centred_logits(probabilities: np.ndarray) -> np.ndarray:
    """Compute log p - mean over classes of log p, with p at least `FLOOR`: (n, K) float64."""
    logs = np.log(np.maximum(probabilities, FLOOR))
    return np.asarray(logs - logs.mean(axis=1, keepdims=True))


def divergences(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Compute KL(p || q) of each row in nats, (n,); q counts as at least 1e-12."""
    from scipy.special import rel_entr

    return np.asarray(rel_entr(p, np.maximum(q, 1e-12)).sum(axis=1))


def fidelity(p: np.ndarray, q: np.ndarray, mean: np.ndarray, weights: Iterable[np.ndarray]) -> Fidelity:
    """Measure how faithful q is to p.

    Parameters
    ----------
    p : (n, K) float64 ndarray
        The classifier's probabilities.
    q : (n, K) float64 ndarray
        Those of what stands in for it.
    mean : (K,) float64 ndarray
        The classifier's mean probabilities on training rows: what knows nothing of a face.
    weights : iterable of (n,) float64 ndarray
        D weightings of the rows.

    Returns
    -------
    Fidelity
    """
    n, K = p.shape
    theirs, ours = centred_logits(p), centred_logits(q)
    calls = np.zeros((n, K * K))
    calls[np.arange(n), p.argmax(axis=1) * K + q.argmax(axis=1)] = 1.0
    lost, most = divergences(p, q), divergences(p, np.broadcast_to(mean, p.shape))
    parts = np.column_stack([calls, lost, most, np.square(theirs - ours), theirs, np.square(theirs)])
    sums = summed(parts, weights)
    calls = sums[:, : K * K].reshape(-1, K, K)
    lost, most = sums[:, K * K], sums[:, K * K + 1]
    errors, firsts, seconds = np.split(sums[:, K * K + 2 :], 3, axis=1)
    total = calls.sum(axis=(1, 2))
    spread = seconds - np.square(firsts) / total[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        return Fidelity(
            np.trace(calls, axis1=1, axis2=2) / total,
            kappa(calls),
            1 - lost / most,
            1 - errors.sum(axis=1) / spread.sum(axis=1),
            recall(calls),
            np.column_stack([kappa(_against_others(calls, k)) for k in range(K)]),
            1 - errors / spread,
        )


def _against_others(calls: np.ndarray, k: int) -> np.ndarray:
    """Reduce (D, K, K) confusions to (D, 2, 2): class k or another."""
    both, row, column = calls[:, k, k], calls[:, k, :].sum(axis=1), calls[:, :, k].sum(axis=1)
    rest = calls.sum(axis=(1, 2)) - row - column + both
    return np.stack([both, row - both, column - both, rest], axis=1).reshape(-1, 2, 2)
