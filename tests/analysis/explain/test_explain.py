import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.errors import ModelError
from analysis.explain.faces import contributions, explain, explain_many
from analysis.explain.rationale import rationale
from analysis.facs import short_name
from analysis.logit import MultinomialLogit
from analysis.rounding import percent


def of_features(model: MultinomialLogit, per_term: np.ndarray) -> np.ndarray:
    """Sum (n, T, K) over the terms of each AU, the slow way."""
    p = len(model.feature_names_in_)
    return np.stack([per_term[:, model.term_feature_ == j].sum(axis=1) for j in range(p)], axis=1)


def test_contributions_equal_shap(model, faces):
    shap = pytest.importorskip("shap")
    background = model.basis(faces[0])
    masker = shap.maskers.Independent(background, max_samples=len(background))
    theirs = shap.LinearExplainer((model.coef_, model.intercept_), masker)(background[:50]).values
    ours = contributions(model, faces[0].head(50))
    assert ours.shape == (50, 5, 4)
    np.testing.assert_allclose(ours, of_features(model, theirs), rtol=0, atol=1e-9)


@pytest.mark.parametrize("baseline", ["population", "neutral", "custom"])
def test_contributions_sum_to_the_logit_over_aus_and_to_zero_over_classes(model, faces, baseline):
    X = faces[0]
    names = model.feature_names_in_
    given = dict(zip(names, [0.5, 1.0, 0.0, 2.0, 3.5], strict=True)) if baseline == "custom" else baseline
    phi = contributions(model, X, given)
    explanations = explain_many(model, X, baseline=given)
    assert np.abs(phi.sum(axis=2)).max() < 1e-10
    logits = model.logits(X)
    for i in (0, 17, 306):
        e = explanations[i]
        k = model.classes_.tolist().index(e.target)
        assert e.logit == pytest.approx(logits[i, k], abs=1e-10)
        assert phi[i, :, k].sum() == pytest.approx(e.logit - e.baseline_logit, abs=1e-10)
        assert abs(e.residual) < 1e-10
        np.testing.assert_allclose(e.contribution, phi[i, :, k], atol=1e-12)


def test_the_baseline_face_has_nothing_to_explain(faces):
    linear = MultinomialLogit().fit(*faces)
    mean = faces[0].mean()
    assert np.abs(contributions(linear, mean.to_frame().T)).max() < 1e-12
    neutral = faces[0][faces[1] == "neutral"].mean()
    assert np.abs(contributions(linear, neutral.to_frame().T, "neutral")).max() < 1e-12
    e = explain(linear, mean)
    assert e.logit == pytest.approx(e.baseline_logit)
    assert e.rationale.partition("; close")[0].endswith("no Action Unit speaks for it")


def test_shifting_or_scaling_an_au_changes_no_contribution(faces):
    X, y = faces
    plain = MultinomialLogit(alpha=2.0).fit(X, y)
    shifted = MultinomialLogit(alpha=2.0).fit(X * 10 + 3, y)
    for baseline in ("population", "neutral"):
        np.testing.assert_allclose(
            contributions(shifted, X * 10 + 3, baseline), contributions(plain, X, baseline), atol=1e-7
        )


def test_the_reference_class_does_not_matter(model, faces):
    """A model that adds the same to every class says the same."""
    expected = contributions(model, faces[0])
    other = MultinomialLogit(terms=model.terms).fit(*faces)
    other.coef_ = model.coef_ - model.coef_[0]
    raw = contributions(other, faces[0])
    np.testing.assert_allclose(raw - raw.mean(axis=2, keepdims=True), expected, atol=1e-10)
    np.testing.assert_allclose(raw[..., 1] - raw[..., 2], expected[..., 1] - expected[..., 2], atol=1e-10)


def test_the_order_of_aus_does_not_matter(faces):
    X, y = faces
    order = [3, 0, 4, 1, 2]
    plain = MultinomialLogit(terms="hinges").fit(X, y)
    turned = MultinomialLogit(terms="hinges").fit(X.iloc[:, order], y)
    np.testing.assert_allclose(contributions(turned, X), contributions(plain, X)[:, order], atol=1e-7)
    np.testing.assert_array_equal(contributions(plain, X.iloc[:, order]), contributions(plain, X))


def test_the_contrast_sums_to_the_log_odds_beyond_the_baselines(model, faces):
    e = explain(model, faces[0].iloc[4], target="happy", rival="sad", baseline="neutral")
    neutral = model.class_term_mean_[1]
    at_baseline = model.intercept_ + model.coef_ @ neutral
    expected = np.log(e.probabilities["happy"] / e.probabilities["sad"]) - (at_baseline[0] - at_baseline[2])
    assert e.contrast.sum() == pytest.approx(expected, abs=1e-9)


def test_standard_errors_follow_the_delta_method(model, faces):
    e = explain(model, faces[0].iloc[9])
    k = model.classes_.tolist().index(e.target)
    T = len(model.term_names_)
    d = model.basis(faces[0].iloc[[9]])[0] - model.term_mean_
    for j in range(5):
        gradient = np.zeros((4, T + 1))
        gradient[k, 1:] = np.where(model.term_feature_ == j, d, 0.0)
        g = gradient.ravel()
        assert e.se[j] == pytest.approx(np.sqrt(g @ model.covariance_ @ g), rel=1e-9)


def test_an_explanation_holds_what_its_interface_promises(model, faces):
    e = explain(model, faces[0].iloc[2])
    columns = "au name region value baseline contribution se low high contrast contrast_se contrast_low"
    assert list(e.table.columns) == [*columns.split(), "contrast_high", "validity"]
    assert e.table["contribution"].abs().is_monotonic_decreasing
    assert e.aus == faces[0].iloc[2].to_dict()
    assert e.to_frame().columns[:2].tolist() == ["target", "rival"]
    assert sum(e.probabilities.values()) == pytest.approx(1.0)
    ranked = sorted(e.probabilities, key=e.probabilities.get, reverse=True)
    assert [e.target, e.rival] == ranked[:2]
    record = json.loads(json.dumps(e.to_dict(), allow_nan=False))
    keys = "target rival probabilities baseline logit baseline_logit residual rationale aus"
    more = "level logit_interval log_odds_interval probability_interval regions pairs certainty notes"
    assert list(record) == [*keys.split(), *more.split()]
    assert record["aus"][0]["contribution"] == pytest.approx(e.table["contribution"].iloc[0])


def test_one_face_may_come_in_any_form(model, faces):
    row = faces[0].iloc[5]
    expected = explain(model, row).to_dict()
    for form in (row.to_dict(), row.to_numpy(), row.tolist(), faces[0].iloc[[5]], row[::-1]):
        assert explain(model, form).to_dict() == expected


def test_many_faces_are_explained_like_one(model, faces, table):
    many = explain_many(model, table)
    for i in (0, 100, 306):
        one = explain(model, faces[0].iloc[i])
        assert many[i].target == one.target
        np.testing.assert_allclose(many[i].contribution, one.contribution, atol=1e-12)
        np.testing.assert_allclose(many[i].se, one.se, atol=1e-12)


def test_a_face_without_aus_has_no_explanation(model, faces):
    X = faces[0].head(3).copy()
    X.iloc[1, 2] = np.nan
    found = explain_many(model, X)
    assert [e is None for e in found] == [False, True, False]
    assert explain_many(model, X.head(0)) == []
    with pytest.raises(ModelError, match="nothing to explain"):
        explain(model, X.iloc[1])


def test_target_and_rival_can_be_chosen(model, faces):
    row = faces[0].iloc[0]
    e = explain(model, row, target="Sadness", rival="happiness")
    assert (e.target, e.rival) == ("sad", "happy")
    best = explain(model, row)
    assert explain(model, row, target=best.rival).rival == best.target
    assert explain(model, row, rival=best.target).target == best.rival


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"target": "bored"}, "target: the model knows happy, neutral, sad, surprise, not 'bored'"),
        ({"target": "sad", "rival": "sad"}, "rival: 'sad' is the target itself"),
        ({"baseline": "mine"}, "baseline: expected 'population', 'neutral'"),
        ({"baseline": {"AU01_r": 1.0}}, "baseline: no value for AU04_r"),
        ({"baseline": [1.0, 2.0]}, "baseline: expected 5 numbers"),
    ],
)
def test_what_the_model_cannot_explain_is_said(model, faces, options, part):
    with pytest.raises(ModelError, match=part):
        explain(model, faces[0].iloc[0], **options)


def test_a_model_without_neutral_has_no_neutral_baseline(faces):
    X, y = faces
    rest = y != "neutral"
    fitted = MultinomialLogit().fit(X[rest], y[rest])
    with pytest.raises(ModelError, match="no class neutral, only happy, sad, surprise"):
        explain(fitted, X.iloc[0], baseline="neutral")


def test_several_faces_are_not_one(model, faces):
    with pytest.raises(ModelError, match="expected one face, got 2"):
        explain(model, faces[0].head(2))


def test_two_classes_are_explained(faces):
    X, y = faces
    two = MultinomialLogit().fit(X, np.where(y == "happy", "happy", "other"))
    phi = contributions(two, X)
    np.testing.assert_allclose(phi[..., 0], -phi[..., 1], atol=1e-12)
    e = explain(two, X.iloc[0], target="happy")
    assert e.rival == "other"
    np.testing.assert_allclose(e.contrast, 2 * e.contribution, atol=1e-12)


def reasons(**changes) -> str:
    facts = {
        "target": "happy",
        "probability": 0.871,
        "au_columns": ["AU04_r", "AU06_r", "AU12_r", "AU25_r"],
        "values": np.array([1.1, 2.0, 3.4, 0.8]),
        "baseline_values": np.array([0.6, 0.9, 0.6, 0.7]),
        "contribution": np.array([-0.4, 0.8, 2.1, 0.01]),
        **changes,
    }
    return rationale(**facts)


def test_a_rationale_reads_as_a_sentence():
    assert reasons() == (
        "happy 87 %: lip corner puller AU12 3.4 (+2.1), cheek raiser AU6 2.0 (+0.8); "
        "against it: brow lowerer AU4 1.1 (-0.4)"
    )


def test_a_rationale_says_when_the_answer_is_uncertain():
    plain = reasons()
    assert reasons(interval=(0.84, 0.9)) == plain
    assert reasons(interval=(0.702, 0.949)).startswith("happy 87 % (70–95 %): lip corner puller")
    assert reasons(rival="sad", rival_probability=0.1) == plain
    assert reasons(probability=0.45, rival="sad", rival_probability=0.31).endswith("(-0.4); close: sad 31 %")
    assert reasons(rival="sad", rival_probability=0.1, close=True).endswith("; close: sad 10 %")
    assert reasons(probability=0.3, rival="sad", rival_probability=0.6).endswith("; likelier: sad 60 %")
    assert reasons(interval=(np.nan, np.nan)) == plain


def test_a_rationale_says_which_aus_are_weakly_measured():
    assert "cheek raiser AU6 2.0 (+0.8, low validity)," not in reasons()
    assert "cheek raiser AU6 2.0 (+0.8, low validity)" in reasons(low_validity=["AU06_r"])


def test_a_rationale_names_what_is_not_there():
    text = reasons(values=np.array([0.04, 0.5, 3.4, 0.8]), contribution=np.array([0.4, -0.8, 2.1, 0.0]))
    assert "brow lowerer AU4 absent (+0.4)" in text
    assert "against it: cheek raiser AU6 only 0.5 (-0.8)" in text


def test_a_rationale_without_reasons_says_so():
    assert reasons(contribution=np.zeros(4)) == "happy 87 %: no Action Unit speaks for it"


def test_a_rationale_takes_three_reasons_for_and_two_against():
    columns = [f"AU{n:02d}_r" for n in (1, 2, 4, 5, 6, 7, 9, 10)]
    text = rationale(
        "fear", 0.4, columns, np.full(8, 2.0), np.ones(8), np.array([4, 3, 2, 1, -4, -3, -2, -1.0])
    )
    assert [text.count("(+"), text.count("(-")] == [3, 2]


def test_probabilities_and_scores_on_other_scales_are_written_as_such():
    assert (percent(0.999), percent(0.001), percent(0.5)) == ("> 99 %", "< 1 %", "50 %")
    assert (short_name("AU06_p"), short_name("x3")) == ("AU6", "x3")
    text = reasons(au_columns=["AU04_p", "AU06_p", "AU12_p", "x3"], values=np.array([0.9, 0.95, 0.87, 3.0]))
    assert "lip corner puller AU12 0.87 (+2.1)" in text


def test_the_weak_aus_of_a_model_reach_its_rationales(faces):
    fitted = MultinomialLogit().fit(*faces)
    fitted.low_validity_ = list(faces[0].columns)
    assert "low validity" in explain(fitted, faces[0].iloc[0]).rationale


def test_seeded_random_models_keep_every_identity():
    rng = np.random.default_rng(2024)
    for _ in range(12):
        n, p, K = int(rng.integers(40, 90)), int(rng.integers(1, 6)), int(rng.integers(2, 6))
        X = pd.DataFrame(rng.uniform(0, 5, (n, p)), columns=[f"AU{j + 1:02d}_p" for j in range(p)])
        y = np.array(list("abcdef"))[np.r_[np.arange(K), rng.integers(0, K, n - K)]]
        kind = ("linear", "hinges")[int(rng.integers(2))]
        fitted = MultinomialLogit(alpha=float(rng.uniform(0.1, 5)), terms=kind).fit(X, y)
        baseline = rng.uniform(0, 5, p)
        phi = contributions(fitted, X, baseline)
        at_baseline = fitted.logits(baseline[None])
        np.testing.assert_allclose(phi.sum(axis=1), fitted.logits(X) - at_baseline, atol=1e-9)
        np.testing.assert_allclose(phi.sum(axis=2), 0.0, atol=1e-9)
        assert all(abs(e.residual) < 1e-9 for e in explain_many(fitted, X, baseline=baseline))


def test_an_explanation_draws_itself(model, faces):
    e = explain(model, faces[0].iloc[9])
    for kind in ("waterfall", "contrast", "counterfactual"):
        assert e.plot(kind).axes
    assert e.counterfactual(kinds=["one AU"]).plot().axes
    with pytest.raises(
        ModelError, match="kind: expected 'waterfall', 'contrast' or 'counterfactual', got 'pie'"
    ):
        e.plot("pie")
    with pytest.raises(ModelError, match="carries none"):
        replace(e, model=None).counterfactual()
