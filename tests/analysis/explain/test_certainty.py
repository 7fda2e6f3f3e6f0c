import json

import numpy as np
import pytest

from analysis.errors import ModelError
from analysis.explain import explain, explain_many
from analysis.explain.certainty import critical
from analysis.likelihood.maximum import softmax
from analysis.logit import MultinomialLogit


def drawn(model, draws=4000, seed=5):
    """Parameter draws (draws, K, T + 1) from the model's covariance."""
    K, width = len(model.classes_), len(model.term_names_) + 1
    mean = np.column_stack([model.intercept_, model.coef_]).ravel()
    values, vectors = np.linalg.eigh(model.covariance_)
    noise = np.random.default_rng(seed).standard_normal((draws, len(mean)))
    return (mean + noise @ (vectors * np.sqrt(np.maximum(values, 0))).T).reshape(draws, K, width)


def test_a_two_sided_interval_reaches_the_normal_quantile():
    assert critical(0.95) == pytest.approx(1.959964, abs=1e-6)
    assert critical(0.5) == pytest.approx(0.674490, abs=1e-6)


def test_errors_and_intervals_agree_with_draws_of_the_coefficients(model, faces):
    row = faces[0].iloc[[9]]
    e = explain(model, row, level=0.9)
    a, b = (model.classes_.tolist().index(name) for name in (e.target, e.rival))
    parameters = drawn(model)
    deviations = model.basis(row)[0] - model.term_mean_
    moved = parameters[:, :, 1:] * deviations
    phi = np.stack([moved[:, :, model.term_feature_ == j].sum(axis=2) for j in range(5)], axis=1)
    np.testing.assert_allclose(e.se, phi[:, :, a].std(axis=0), rtol=0.05)
    np.testing.assert_allclose(e.contrast_se, (phi[:, :, a] - phi[:, :, b]).std(axis=0), rtol=0.05)
    np.testing.assert_allclose(e.interval, np.quantile(phi[:, :, a], [0.05, 0.95], axis=0).T, atol=0.03)
    logits = parameters[:, :, 0] + parameters[:, :, 1:] @ model.basis(row)[0]
    np.testing.assert_allclose(e.logit_interval, np.quantile(logits[:, a], [0.05, 0.95]), atol=0.03)
    odds = logits[:, a] - logits[:, b]
    np.testing.assert_allclose(e.log_odds_interval, np.quantile(odds, [0.05, 0.95]), atol=0.05)
    chances = softmax(logits)[:, a]
    np.testing.assert_allclose(e.probability_interval, np.quantile(chances, [0.05, 0.95]), atol=0.04)


def test_a_region_s_error_is_that_of_its_sum(model, faces):
    row = faces[0].iloc[[9]]
    e = explain(model, row)
    a = model.classes_.tolist().index(e.target)
    deviations = model.basis(row)[0] - model.term_mean_
    mouth = np.isin(np.array(e.au_columns)[model.term_feature_], ["AU12_r", "AU25_r"])
    sums = (drawn(model)[:, a, 1:] * deviations)[:, mouth].sum(axis=1)
    found = e.regions.set_index("region").loc["mouth"]
    assert found["aus"] == ["AU12_r", "AU25_r"]
    assert found["se"] == pytest.approx(sums.std(), rel=0.05)
    inside = e.table[e.table["region"] == "mouth"]
    assert found["contribution"] == pytest.approx(inside["contribution"].sum())
    assert found["contrast"] == pytest.approx(inside["contrast"].sum())


def test_intervals_of_extreme_probabilities_stay_inside(model, faces):
    far = faces[0].head(40) * 10
    for e in explain_many(model, far):
        low, high = e.probability_interval
        assert 0 <= low <= e.probabilities[e.target] <= high <= 1
    few = explain_many(model, far, target="sad")
    assert min(e.probabilities["sad"] for e in few) < 1e-6
    assert all(0 <= e.probability_interval[0] <= e.probability_interval[1] <= 1 for e in few)


def test_a_higher_level_makes_wider_intervals(model, faces):
    narrow, wide = (explain(model, faces[0].iloc[0], level=level) for level in (0.5, 0.99))
    assert (np.ptp(wide.interval, axis=1) > np.ptp(narrow.interval, axis=1)).all()
    assert np.ptp(wide.probability_interval) > np.ptp(narrow.probability_interval)


def test_certainty_is_the_share_of_draws_in_which_the_top_au_stays_top(model, faces):
    row = faces[0].iloc[[30]]
    found = explain(model, row, draws=4000, seed=1).certainty
    e = explain(model, row)
    a = model.classes_.tolist().index(e.target)
    moved = drawn(model)[:, a, 1:] * (model.basis(row)[0] - model.term_mean_)
    phi = np.stack([moved[:, model.term_feature_ == j].sum(axis=1) for j in range(5)], axis=1)
    top = np.abs(phi).argmax(axis=1)
    assert found["top_au"] == e.table["au"].iloc[0]
    assert found["share"] == pytest.approx((top == np.abs(e.contribution).argmax()).mean(), abs=0.03)
    assert found["share"] + sum(found["others"].values()) == pytest.approx(1.0, abs=0.01)
    assert (found["draws"], found["seed"]) == (4000, 1)


def test_certainty_is_seeded_and_does_not_depend_on_the_other_faces(model, faces):
    together = explain_many(model, faces[0].head(9), draws=100, seed=3)
    assert together[4].certainty == explain(model, faces[0].iloc[4], draws=100, seed=3).certainty
    assert together[4].certainty != explain(model, faces[0].iloc[4], draws=100, seed=4).certainty
    assert explain_many(model, faces[0].head(1))[0].certainty is None


def test_a_model_without_covariance_says_so_once_and_gives_no_errors(faces):
    fitted = MultinomialLogit().fit(*faces)
    fitted.covariance_ = None
    e = explain(fitted, faces[0].iloc[0])
    assert np.isnan(e.se).all()
    assert e.certainty is None
    assert len(e.notes) == 1
    assert "keeps no covariance" in e.notes[0]
    record = json.loads(json.dumps(e.to_dict(), allow_nan=False))
    assert record["aus"][0]["se"] is None
    assert record["probability_interval"] == [None, None]
    assert "(" not in e.rationale.split(":")[0]


@pytest.mark.parametrize(("options", "part"), [({"level": 1.0}, "level"), ({"draws": -1}, "draws")])
def test_numbers_out_of_range_are_refused(model, faces, options, part):
    with pytest.raises(ModelError, match=part):
        explain(model, faces[0].iloc[0], **options)
