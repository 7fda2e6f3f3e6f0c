"""Distances between made and real faces, against values known beforehand."""

import numpy as np
import pytest

from feat_pipeline.errors import InputError, UsageError
from feat_pipeline.generator.quality import (
    frechet_distance,
    kernel_distance,
    nearest,
    network_features,
    pixel_vectors,
)


def exact_sample(mean, covariance, n=50):
    """A table whose mean and covariance are exactly those given."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((n, len(mean)))
    values -= values.mean(0)
    values = values @ np.linalg.inv(np.linalg.cholesky(np.cov(values, rowvar=False))).T
    return values @ np.linalg.cholesky(np.array(covariance)).T + mean


def test_fid_of_two_normal_distributions_has_its_closed_form():
    first = exact_sample([1.0, 2.0, 0.0], np.diag([4.0, 1.0, 9.0]))
    second = exact_sample([0.0, 2.0, 2.0], np.diag([1.0, 1.0, 4.0]), n=70)
    # Diagonal covariances: |m1 - m2|² + sum of (s1 - s2)² = 1 + 4 + (2-1)² + 0 + (3-2)²
    assert frechet_distance(first, second) == pytest.approx(7.0, abs=1e-9)


def test_fid_of_covariances_that_do_not_commute():
    one, two = [[2.0, 1.0], [1.0, 2.0]], [[1.0, 0.0], [0.0, 4.0]]
    # tr(S1 S2) = 10 and det(S1 S2) = 12, so tr (S1 S2)^½ = sqrt(10 + 2 sqrt(12))
    expected = 4 + 5 - 2 * np.sqrt(10 + 2 * np.sqrt(12))
    assert frechet_distance(exact_sample([0, 0], one), exact_sample([0, 0], two)) == pytest.approx(expected)


def test_fid_is_nought_for_the_same_and_symmetric():
    first, second = np.random.default_rng(1).standard_normal((2, 40, 5))
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(first, second) == pytest.approx(frechet_distance(second, first))


def test_kid_of_two_rows_each_by_hand():
    first, second = np.array([[1.0], [2.0]]), np.array([[0.0], [3.0]])
    # k(x, y) = (xy + 1)³: within 27 and 1; between 1, 64, 1, 343
    expected = 27 + 1 - 2 * (1 + 64 + 1 + 343) / 4
    assert kernel_distance(first, second, subsets=1, size=2)[0] == pytest.approx(expected)


def test_kid_is_near_nought_for_one_distribution_and_grows_with_the_distance():
    rng = np.random.default_rng(2)
    first, second = rng.standard_normal((2, 600, 4))
    same, sd = kernel_distance(first, second, subsets=20, size=200)
    apart, _ = kernel_distance(first, second + 1, subsets=20, size=200)
    assert abs(same) < 3 * sd and apart > 10 * sd
    assert kernel_distance(first, second, subsets=5) == kernel_distance(first, second, subsets=5)


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance, nearest])
def test_tables_that_do_not_fit_are_refused(distance):
    good = np.zeros((4, 3))
    with pytest.raises(InputError, match=r"same width, got shapes \(4, 3\) and \(4, 2\)"):
        distance(good, np.zeros((4, 2)))
    with pytest.raises(InputError, match="no finite number"):
        distance(good, np.full((4, 3), np.nan))
    with pytest.raises(InputError, match="or more rows"):
        distance(good, np.zeros((0, 3)))


def test_nearest_finds_the_row_and_its_distance():
    known = np.array([[0.0, 0.0], [3.0, 4.0], [10.0, 0.0]])
    distance, rows = nearest(np.array([[3.0, 0.0], [3.0, 3.5], [9.0, 0.0]]), known)
    assert rows.tolist() == [0, 1, 2]
    assert distance == pytest.approx([3.0, 0.5, 1.0])


def test_nearest_by_blocks_is_nearest_by_hand():
    rng = np.random.default_rng(3)
    queries, known = rng.standard_normal((700, 5)), rng.standard_normal((90, 5))
    distance, rows = nearest(queries, known)
    every = np.linalg.norm(queries[:, None] - known, axis=2)
    assert rows.tolist() == every.argmin(1).tolist()
    assert distance == pytest.approx(every.min(1))


def test_pixels_do_not_count_light_and_contrast():
    rng = np.random.default_rng(4)
    face = rng.integers(40, 100, (1, 6, 8)).astype(np.uint8)
    brighter = (face * 2 + 20).astype(np.uint8)
    assert pixel_vectors(face) == pytest.approx(pixel_vectors(brighter), abs=1e-9)
    assert np.linalg.norm(pixel_vectors(face)) == pytest.approx(1)
    assert np.isfinite(pixel_vectors(np.zeros((1, 6, 8), np.uint8))).all()


def test_features_are_what_the_last_layer_sees():
    from feat_pipeline.models import load_model

    model = load_model("cnn-fer2013")
    faces = np.random.default_rng(5).integers(0, 256, (3, 48, 48)).astype(np.uint8)
    features = network_features(model, faces)
    assert features.shape == (3, 256)
    logits = features @ model.weights_["head.weight"].T + model.weights_["head.bias"]
    assert logits == pytest.approx(model.decision_function(faces), abs=1e-3)


def test_features_of_another_architecture_are_refused():
    class Other:
        architecture_ = "patr8609"
        to_torch = staticmethod(lambda: None)

    with pytest.raises(UsageError, match="architecture 'residual', got 'patr8609'"):
        network_features(Other(), np.zeros((1, 48, 48), np.uint8))
