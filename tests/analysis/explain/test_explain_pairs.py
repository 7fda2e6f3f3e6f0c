from itertools import combinations
from math import factorial

import numpy as np
import pytest

from analysis.explain.faces import contributions, explain, explain_many
from analysis.logit import MultinomialLogit
from tests.analysis.conftest import AUS

PAIRS = [("AU06_r", "AU12_r"), ("AU01_r", "AU12_r"), ("AU25_r", "AU04_r")]


@pytest.fixture(scope="module", params=[(), (0.5, 0.85)], ids=["linear", "hinges"])
def paired(request, faces):
    return MultinomialLogit(terms="pairs", pairs=PAIRS, knots=request.param).fit(*faces)


def shapley(model, x, background):
    """Interventional Shapley values (p, K) over the whole background, by going through all coalitions."""
    p = len(x)

    def worth(members):
        rows = background.copy()
        rows[:, list(members)] = x[list(members)]
        return (model.terms_of(rows) @ model.coef_.T + model.intercept_).mean(axis=0)

    result = np.zeros((p, len(model.classes_)))
    for j in range(p):
        others = [i for i in range(p) if i != j]
        for size in range(p):
            weight = factorial(size) * factorial(p - size - 1) / factorial(p)
            for members in combinations(others, size):
                result[j] += weight * (worth([*members, j]) - worth(members))
    return result


def test_contributions_of_pairs_are_the_shapley_values_over_the_whole_background(paired, faces):
    X = faces[0].to_numpy()
    ours = contributions(paired, faces[0])
    for i in (0, 40, 211):
        np.testing.assert_allclose(ours[i], shapley(paired, X[i], X), rtol=0, atol=1e-9)


def test_against_neutral_faces_they_are_the_shapley_values_over_those(paired, faces):
    X, neutral = faces[0].to_numpy(), faces[0].to_numpy()[faces[1] == "neutral"]
    ours = contributions(paired, faces[0], "neutral")
    np.testing.assert_allclose(ours[17], shapley(paired, X[17], neutral), rtol=0, atol=1e-9)


def test_against_one_face_they_are_the_shapley_values_over_it_alone(paired, faces):
    X, other = faces[0].to_numpy(), np.array([0.5, 1.0, 0.3, 2.0, 3.5])
    ours = contributions(paired, faces[0], other)
    np.testing.assert_allclose(ours[3], shapley(paired, X[3], other[None]), rtol=0, atol=1e-9)


@pytest.mark.parametrize("baseline", ["population", "neutral", [0.5, 1.0, 0.3, 2.0, 3.5]])
def test_contributions_of_pairs_sum_up(paired, faces, baseline):
    phi = contributions(paired, faces[0], baseline)
    np.testing.assert_allclose(phi.sum(axis=2), 0.0, atol=1e-9)
    for e in explain_many(paired, faces[0], baseline=baseline)[::50]:
        assert abs(e.residual) < 1e-9
        assert e.region_contribution.sum() == pytest.approx(e.contribution.sum(), abs=1e-9)


def test_the_joint_terms_of_a_face_are_listed_with_their_shares(paired, faces):
    e = explain(paired, faces[0].iloc[40])
    k = paired.classes_.tolist().index(e.target)
    assert {tuple(sorted(pair)) for pair in PAIRS} == set(zip(e.pairs["au_a"], e.pairs["au_b"], strict=True))
    np.testing.assert_allclose(e.pairs["part_a"] + e.pairs["part_b"], e.pairs["contribution"])
    joint = paired.term_second_feature_ >= 0
    beyond = paired.terms_of(faces[0].to_numpy()[[40]])[0] - paired.term_mean_
    assert e.pairs["contribution"].sum() == pytest.approx((paired.coef_[k] * beyond)[joint].sum())
    assert e.to_dict()["pairs"][0]["contribution"] == e.pairs["contribution"].iloc[0]
    without = MultinomialLogit().fit(*faces)
    assert explain(without, faces[0].iloc[40]).pairs.empty


def test_the_order_of_aus_does_not_matter_to_pairs(faces):
    X, y = faces
    order = [3, 0, 4, 1, 2]
    plain = MultinomialLogit(terms="pairs", pairs=PAIRS, knots=()).fit(X, y)
    turned = MultinomialLogit(terms="pairs", pairs=PAIRS, knots=()).fit(X.iloc[:, order], y)
    np.testing.assert_allclose(contributions(turned, X), contributions(plain, X)[:, order], atol=1e-6)


def test_errors_of_pairs_follow_the_delta_method(paired, faces):
    """The contribution is linear in the coefficients: its gradient, by moving each of them."""
    row = faces[0].iloc[[40]]
    e = explain(paired, row)
    k, T = paired.classes_.tolist().index(e.target), len(paired.term_names_)
    gradient = np.zeros((len(AUS), T))
    kept = paired.coef_
    for t in range(T):
        paired.coef_ = np.zeros_like(kept)
        paired.coef_[k, t] = 1.0
        gradient[:, t] = contributions(paired, row)[0, :, k]
    paired.coef_ = kept
    own = slice(k * (T + 1) + 1, (k + 1) * (T + 1))
    block = paired.covariance_[own, own]
    np.testing.assert_allclose(e.se, np.sqrt(np.diag(gradient @ block @ gradient.T)), rtol=1e-9)
