"""What has to hold of every model and face, tried on many of them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.explain.counterfactual import counterfactual
from analysis.explain.faces import contributions, explain, explain_many
from analysis.logit import MultinomialLogit

trials = settings(max_examples=15, deadline=None, derandomize=True, database=None)


def recipes(kinds=("linear", "hinges", "pairs")):
    """What a model is made from: rows, AUs, classes, ridge, terms and a seed."""
    return st.tuples(
        st.integers(30, 70),
        st.integers(2, 5),
        st.integers(2, 5),
        st.floats(0.3, 5),
        st.sampled_from(kinds),
        st.integers(0, 2**32 - 1),
    )


def fitted(recipe):
    """A model, and the faces that it was fitted on."""
    n, p, K, alpha, terms, seed = recipe
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.gamma(0.8, 1.0, (n, p)).clip(0, 5), columns=[f"AU{j + 1:02d}_r" for j in range(p)])
    scores = X.to_numpy() @ rng.normal(size=(p, K)) + rng.gumbel(size=(n, K))
    classes = np.array(["angry", "happy", "neutral", "sad", "surprise"])
    y = classes[np.r_[np.arange(K), scores.argmax(axis=1)[K:]]]
    return MultinomialLogit(alpha=alpha, terms=terms).fit(X, y), X, y


@given(recipes(), st.data())
@trials
def test_contributions_sum_over_aus_and_classes_from_any_baseline(recipe, data):
    model, X, _ = fitted(recipe)
    p = X.shape[1]
    baseline = data.draw(st.lists(st.floats(0, 5), min_size=p, max_size=p))
    phi = contributions(model, X, baseline)
    beyond = model.logits(X) - model.logits(np.array([baseline]))
    np.testing.assert_allclose(phi.sum(axis=1), beyond, atol=1e-8)
    np.testing.assert_allclose(phi.sum(axis=2), 0.0, atol=1e-8)
    assert np.abs(contributions(model, np.array([baseline]), baseline)).max() < 1e-9


@given(recipes(), st.data())
@trials
def test_adding_the_same_to_every_class_changes_no_contrast_and_no_centred_contribution(recipe, data):
    model, X, _ = fitted(recipe)
    before, e = contributions(model, X), explain(model, X.iloc[0], draws=0)
    shift = data.draw(st.floats(-3, 3))
    model.coef_ = model.coef_ + shift * np.arange(1, model.coef_.shape[1] + 1)
    moved = contributions(model, X)
    np.testing.assert_allclose(moved - moved.mean(axis=2, keepdims=True), before, atol=1e-7)
    again = explain(model, X.iloc[0], draws=0)
    np.testing.assert_allclose(again.contrast, e.contrast, atol=1e-7)
    assert again.probabilities == pytest.approx(e.probabilities, abs=1e-9)


@given(recipes(kinds=("linear", "hinges")), st.floats(0.1, 20), st.floats(-5, 5))
@trials
def test_the_units_of_the_aus_do_not_matter(recipe, factor, shift):
    model, X, y = fitted(recipe)
    X = X.rename(columns=lambda name: name.replace("AU", "x"))  # no AU scale, so that any unit may come
    plain = MultinomialLogit(alpha=model.alpha, terms=model.terms).fit(X, y)
    other = MultinomialLogit(alpha=model.alpha, terms=model.terms).fit(X * factor + shift, y)
    np.testing.assert_allclose(contributions(other, X * factor + shift), contributions(plain, X), atol=1e-5)


@given(recipes(), st.data())
@trials
def test_the_order_of_the_aus_does_not_matter(recipe, data):
    model, X, y = fitted(recipe)
    order = data.draw(st.permutations(list(X.columns)))
    turned = MultinomialLogit(alpha=model.alpha, terms=model.terms).fit(X[order], y)
    places = [X.columns.get_loc(name) for name in order]
    np.testing.assert_allclose(contributions(turned, X), contributions(model, X)[:, places], atol=1e-5)
    np.testing.assert_array_equal(contributions(model, X[order]), contributions(model, X))


@given(recipes(), st.data())
@trials
def test_the_contrast_is_the_difference_and_sums_to_the_log_odds(recipe, data):
    model, X, _ = fitted(recipe)
    a, b = data.draw(st.permutations([str(name) for name in model.classes_]))[:2]
    e = explain(model, X.iloc[0], target=a, rival=b, draws=0)
    phi = contributions(model, X.head(1))[0]
    i, j = (model.classes_.tolist().index(name) for name in (a, b))
    np.testing.assert_allclose(e.contrast, phi[:, i] - phi[:, j], atol=1e-9)
    base = model.intercept_ + model.coef_ @ model.term_mean_
    log_odds = np.log(e.probabilities[a]) - np.log(e.probabilities[b])
    assert e.contrast.sum() == pytest.approx(log_odds - (base[i] - base[j]), abs=1e-7)
    turned = explain(model, X.iloc[0], target=b, rival=a, draws=0)
    np.testing.assert_allclose(turned.contrast, -e.contrast, atol=1e-12)
    np.testing.assert_allclose(turned.contrast_se, e.contrast_se, rtol=1e-6, atol=1e-12)


@given(recipes(), st.data())
@trials
def test_every_interval_holds_its_estimate(recipe, data):
    model, X, _ = fitted(recipe)
    level = data.draw(st.floats(0.05, 0.999))
    for e in explain_many(model, X.head(5), level=level):
        for middle, ends in ((e.contribution, e.interval), (e.contrast, e.contrast_interval)):
            assert ((ends[:, 0] <= middle) & (middle <= ends[:, 1])).all()
        assert e.logit_interval[0] <= e.logit <= e.logit_interval[1]
        assert 0 <= e.probability_interval[0] <= e.probabilities[e.target] + 1e-12
        assert e.probabilities[e.target] <= e.probability_interval[1] + 1e-12 <= 1 + 1e-12


@given(recipes(), st.data())
@trials
def test_a_person_s_neutral_face_is_a_baseline_like_any_other(recipe, data):
    model, X, _ = fitted(recipe)
    rows = data.draw(st.lists(st.integers(0, len(X) - 1), min_size=4, max_size=4))
    own = X.iloc[rows].reset_index(drop=True)
    many = explain_many(model, X.head(4), baseline="person", person=own)
    for i, e in enumerate(many):
        one = explain(model, X.iloc[i], baseline=own.iloc[i].to_dict(), target=e.target, draws=0)
        np.testing.assert_allclose(e.contribution, one.contribution, atol=1e-12)
        np.testing.assert_allclose(e.se, one.se, atol=1e-12)
        assert (e.baseline, one.baseline) == ("person", "custom")
        assert e.baseline_logit == pytest.approx(one.baseline_logit, abs=1e-12)
        assert abs(e.residual) < 1e-9


@given(recipes(), st.data())
@trials
def test_a_counterfactual_reaches_its_target_within_the_range(recipe, data):
    model, X, _ = fitted(recipe)
    x = X.iloc[data.draw(st.integers(0, len(X) - 1))]
    answer = model.predict(x.to_frame().T)[0]
    to = data.draw(st.sampled_from([str(name) for name in model.classes_ if name != answer]))
    found = counterfactual(model, x, to=to)
    sizes = {}
    for way in found.ways:
        if not way.exists:
            continue
        changed = x.copy()
        changed.update({au: ends[1] for au, ends in way.changes.items()})
        assert model.predict(changed.to_frame().T)[0] == to
        assert (changed >= model.feature_range_[0] - 1e-12).all()
        assert (changed <= model.feature_range_[1] + 1e-12).all()
        sizes[way.kind] = sum((b - a) ** 2 for a, b in way.changes.values())
        if way.kind == "one AU":
            assert len(way.changes) == 1
    if found["one AU"].exists:
        assert all(way.exists for way in found.ways)
    if found["least squares"].exact and found["least squares"].exists:
        assert sizes["least squares"] <= min(sizes.values()) * 1.02 + 1e-6
