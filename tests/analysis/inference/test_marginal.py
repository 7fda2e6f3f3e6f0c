import numpy as np
import pytest

from analysis.inference.marginal import average_effects, slopes
from analysis.likelihood.maximum import softmax
from analysis.likelihood.terms import Terms, make_terms, single_functions

NAMES = ["AU01_r", "AU04_r", "AU12_r"]


def values(rows: int = 211, seed: int = 4) -> np.ndarray:
    return np.clip(np.random.default_rng(seed).gamma(0.9, 1.1, (rows, 3)), 0, 5)


def made(kind: str, X: np.ndarray) -> Terms:
    if kind == "linear":
        return make_terms(single_functions(X, NAMES, ()))
    singles = single_functions(X, NAMES, (0.5, 0.85))
    if kind == "hinges":
        return make_terms(singles)
    return make_terms(singles, [(singles[0], singles[4]), (singles[1], singles[8]), (singles[5], singles[7])])


def parameters(terms: Terms, classes: int = 4, seed: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.4, (classes, len(terms.names) + 1))


def mean_chances(terms: Terms, X: np.ndarray, B: np.ndarray) -> np.ndarray:
    return softmax(B[:, 0] + terms(X) @ B[:, 1:].T).mean(axis=0)


@pytest.mark.parametrize("kind", ["linear", "hinges", "pairs"])
def test_an_effect_is_the_slope_of_the_mean_probability(kind):
    X = values()
    terms = made(kind, X)
    knots = np.r_[terms.knot, terms.second_knot]
    X = X[~np.isclose(X[:, :, None], knots, atol=1e-4).any(axis=(1, 2))]
    B = parameters(terms)
    effects, _ = average_effects(terms, X, B)
    for j in range(3):
        step = np.zeros(3)
        step[j] = 1e-6
        slope = (mean_chances(terms, X + step, B) - mean_chances(terms, X - step, B)) / 2e-6
        np.testing.assert_allclose(effects[j], slope, atol=1e-8)


@pytest.mark.parametrize("switches", [False, True])
@pytest.mark.parametrize("kind", ["linear", "hinges", "pairs"])
def test_the_gradient_is_the_derivative_by_every_parameter(kind, switches):
    X = values()
    terms = made(kind, X)
    B = parameters(terms)
    _, gradient = average_effects(terms, X, B, switches=switches, gradient=True)
    for k in range(B.shape[0]):
        for t in range(B.shape[1]):
            up, down = B.copy(), B.copy()
            up[k, t] += 1e-5
            down[k, t] -= 1e-5
            higher, _ = average_effects(terms, X, up, switches=switches)
            lower, _ = average_effects(terms, X, down, switches=switches)
            np.testing.assert_allclose(gradient[:, :, k, t], (higher - lower) / 2e-5, atol=1e-8)


def test_a_switch_is_the_change_from_absent_to_present():
    X = (values() > 1).astype(float)
    terms = made("linear", X)
    B = parameters(terms)
    effects, _ = average_effects(terms, X, B, switches=True)
    present, absent = X.copy(), X.copy()
    present[:, 2], absent[:, 2] = 1, 0
    np.testing.assert_allclose(effects[2], mean_chances(terms, present, B) - mean_chances(terms, absent, B))


def test_effects_on_all_classes_sum_to_zero_and_weights_stand_for_repeated_rows():
    X = values(1500)
    terms = made("pairs", X)
    B = parameters(terms)
    weights = np.random.default_rng(1).integers(0, 3, len(X)).astype(float)
    effects, _ = average_effects(terms, X, B, weights=weights)
    repeated, _ = average_effects(terms, np.repeat(X, weights.astype(int), axis=0), B)
    np.testing.assert_allclose(effects.sum(axis=1), 0, atol=1e-15)
    np.testing.assert_allclose(effects, repeated, atol=1e-14)


def test_at_a_knot_the_slope_is_the_mean_of_both_sides():
    terms = make_terms([(0, 2.0, "AU01_r>2")])
    moved, slope = slopes(terms, np.array([[1.0], [2.0], [3.0]]), 0)
    assert moved.tolist() == [0] and slope.ravel().tolist() == [0, 0.5, 1]


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_effects_and_their_errors_equal_statsmodels(classes):
    import statsmodels.api as sm

    rng = np.random.default_rng(classes)
    X = values(500, seed=classes)
    codes = (X @ rng.normal(0, 0.6, (3, classes)) + rng.gumbel(size=(500, classes))).argmax(axis=1)
    theirs = sm.MNLogit(codes, sm.add_constant(X, has_constant="add")).fit(method="newton", disp=0, tol=1e-12)
    margins = theirs.get_margeff()
    B = np.vstack([np.zeros(4), theirs.params.T])
    effects, gradient = average_effects(made("linear", X), X, B, gradient=True)
    flat = gradient[:, :, 1:].reshape(3 * classes, -1)
    errors = np.sqrt(((flat @ theirs.cov_params()) * flat).sum(axis=1)).reshape(3, classes)
    np.testing.assert_allclose(effects, margins.margeff, atol=1e-8)
    np.testing.assert_allclose(errors, margins.margeff_se, atol=1e-8)
