import numpy as np
import pytest
from sklearn import metrics as sk

from analysis.compare.metrics import BINS, kappa, observed, recall, scores, totals


@pytest.fixture(scope="module")
def answered():
    """Probabilities of 211 faces over four classes, the actual ones, and weights as a bootstrap has."""
    rng = np.random.default_rng(5)
    p = rng.dirichlet([0.7, 0.9, 1.1, 0.4], 211)
    codes = np.array([rng.choice(4, p=row) for row in 0.7 * p + 0.3 / 4])
    return p, codes, rng.integers(0, 4, (3, 211)).astype(float)


def test_every_score_is_scikit_learns_for_any_weights(answered):
    p, codes, weights = answered
    found = scores(totals(p, codes, [np.ones(211), *weights]))
    for d, w in enumerate([np.ones(211), *weights]):
        given = {"sample_weight": w}
        said = p.argmax(axis=1)
        expected = {
            "accuracy": sk.accuracy_score(codes, said, **given),
            "balanced_accuracy": sk.balanced_accuracy_score(codes, said, **given),
            "macro_f1": sk.f1_score(codes, said, average="macro", **given),
            "log_loss": sk.log_loss(codes, p, **given),
            "brier": sk.brier_score_loss(codes, p, **given),
        }
        assert {name: found[name][d] for name in expected} == pytest.approx(expected, rel=1e-12)


def test_two_classes_count_both_squares_of_the_brier_score():
    p = np.array([[0.8, 0.2], [0.4, 0.6]])
    found = scores(totals(p, np.array([0, 0]), [np.ones(2)]))
    assert found["brier"] == pytest.approx([(2 * 0.2**2 + 2 * 0.6**2) / 2])


def test_calibration_error_by_hand():
    """Two faces at .9, one right, in one bin; one at .6, right, in another."""
    p = np.array([[0.9, 0.1], [0.1, 0.9], [0.6, 0.4]])
    sums = totals(p, np.array([0, 0, 0]), [np.ones(3), np.array([0.0, 2.0, 1.0])])
    assert scores(sums)["ece"] == pytest.approx([(2 * 0.4 + 0.4) / 3, (2 * 0.9 + 0.4) / 3])
    shares = observed(sums)[0]
    assert shares.shape == (BINS,)
    assert shares[~np.isnan(shares)].tolist() == [1.0, 0.5]


def test_a_class_without_weight_has_no_recall_and_does_not_count():
    p = np.array([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8]])
    sums = totals(p, np.array([0, 1, 1]), [np.ones(3)])
    assert recall(sums.confusion)[0, :2].tolist() == [1.0, 0.5]
    assert np.isnan(recall(sums.confusion)[0, 2])
    assert scores(sums)["balanced_accuracy"] == pytest.approx([0.75])


def test_kappa_is_scikit_learns(answered):
    p, codes, weights = answered
    found = kappa(totals(p, codes, weights).confusion)
    said = p.argmax(axis=1)
    expected = [sk.cohen_kappa_score(codes, said, sample_weight=w) for w in weights]
    assert found == pytest.approx(expected, rel=1e-12)
    assert np.isnan(kappa(np.array([[[3.0, 0], [0, 0]]])))
