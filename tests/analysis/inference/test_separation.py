import numpy as np
import pytest

from analysis.inference import separation
from analysis.inference.separation import find_separation
from analysis.likelihood.information import covariance
from analysis.likelihood.maximum import maximise


def overlapping(rows: int = 403, p: int = 3, K: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(rows, p))
    return Z, (Z @ rng.normal(0, 0.7, (p, K)) + rng.gumbel(size=(rows, K))).argmax(axis=1)


def fitted(Z: np.ndarray, codes: np.ndarray, alpha: float = 0.0) -> tuple[np.ndarray, float]:
    targets = np.eye(codes.max() + 1)[codes]
    parameters = maximise(Z, targets, None, alpha).parameters
    spread, _ = covariance(Z, parameters, targets, None, alpha)
    return parameters, 1 / np.linalg.eigvalsh(spread)[-1] if np.isfinite(spread).all() else 0.0


def with_an_au_never_seen_in(klass: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    Z, codes = overlapping(seed=seed)
    Z[:, 1] = (np.random.default_rng(seed).random(len(Z)) < 0.1) & (codes != klass)
    return (Z - Z.mean(axis=0)) / Z.std(axis=0), codes


def test_overlap_is_proved_at_the_estimate_without_a_linear_programme(monkeypatch):
    monkeypatch.setattr(separation, "_programme", None)
    Z, codes = overlapping()
    found = find_separation(Z, codes, *fitted(Z, codes))
    assert found.kind == "none" and found.how == "overlap proved at the estimate"


@pytest.mark.parametrize("seed", range(5))
def test_the_linear_programme_agrees_with_the_proof(seed):
    Z, codes = overlapping(seed=seed)
    found = find_separation(Z, codes, fitted(Z, codes)[0], 0.0)
    assert found.kind == "none" and found.how == "linear programme"
    assert not found.direction.any()


@pytest.mark.parametrize("klass", [0, 2, 3])
def test_an_au_that_an_emotion_never_shows_is_named_for_that_emotion(klass):
    Z, codes = with_an_au_never_seen_in(klass)
    found = find_separation(Z, codes, *fitted(Z, codes))
    assert found.kind == "quasi-complete"
    assert [tuple(place) for place in np.argwhere(found.direction[:, 1:])] == [(klass, 1)]
    assert found.direction[klass, 2] < 0


def test_the_proof_is_never_given_for_separated_rows():
    for seed in range(8):
        Z, codes = with_an_au_never_seen_in(1, seed=seed)
        for alpha in (0.0, 1e-6, 1e-3, 1.0):
            parameters, _ = fitted(Z, codes, alpha)
            spread, _ = covariance(Z, parameters, np.eye(4)[codes], None, 0.0)
            smallest = 1 / np.linalg.eigvalsh(spread)[-1] if np.isfinite(spread).all() else 0.0
            assert find_separation(Z, codes, parameters, smallest).kind == "quasi-complete"


def test_rows_that_are_all_told_apart_are_completely_separated():
    Z, _ = overlapping()
    codes = np.digitize(Z[:, 0], [-0.5, 0.5])
    Z = Z + 0.2 * np.column_stack([codes, np.zeros((len(Z), 2))])
    assert find_separation(Z, codes, *fitted(Z, codes)).kind == "complete"


def test_margins_taken_in_portions_give_the_same_answer(monkeypatch):
    monkeypatch.setattr(separation, "_CONSTRAINTS", 60)
    Z, codes = with_an_au_never_seen_in(2)
    parameters, _ = fitted(Z, codes)
    assert np.argwhere(find_separation(Z, codes, parameters, 0.0).direction[:, 1:]).tolist() == [[2, 1]]
    Z, codes = overlapping()
    assert find_separation(Z, codes, fitted(Z, codes)[0], 0.0).kind == "none"


def test_time_that_runs_out_is_said():
    Z, codes = with_an_au_never_seen_in(2)
    assert find_separation(Z, codes, fitted(Z, codes)[0], 0.0, seconds=0.0).kind == "unknown"
