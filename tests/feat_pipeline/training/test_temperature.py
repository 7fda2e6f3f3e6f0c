import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import log_loss

from feat_pipeline.training.temperature import fit_temperature


def test_temperature_undoes_too_large_logits():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 3))
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = np.array([rng.choice(3, p=share) for share in shares])
    assert fit_temperature(3 * logits, labels) == pytest.approx(3, rel=0.1)


def test_no_temperature_nearby_has_less_log_loss():
    rng = np.random.default_rng(1)
    labels = rng.integers(4, size=300)
    logits = 2 * np.eye(4)[labels] + rng.normal(0, 2, (300, 4))
    found = fit_temperature(logits, labels)
    losses = [log_loss(labels, softmax(logits / (found * factor), axis=1)) for factor in (0.97, 1, 1.03)]
    assert losses[1] == min(losses)


def test_a_sure_and_wrong_answer_counts_in_full():
    """scikit-learn's log loss stops at 36, where all temperatures would be alike."""
    logits, labels = np.array([[300.0, 0.0]] * 5), np.array([0, 0, 0, 0, 1])
    assert fit_temperature(logits, labels) == pytest.approx(5, abs=1e-3)  # the largest there is
