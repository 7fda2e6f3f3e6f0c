import json

import numpy as np
import pandas as pd
import pytest

from analysis.errors import AnalysisError
from analysis.inference import Inference, infer
from analysis.inference.sample import sample_of
from analysis.inference.standard_errors import likelihood
from analysis.logit import MultinomialLogit
from tests.analysis.conftest import AUS, EMOTIONS, simulated

P_VALUES = {"z", "p", "p_holm", "p_bh"}


@pytest.fixture(scope="module")
def many() -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    X, y = simulated(601, AUS, EMOTIONS, seed=5)
    return X, y, np.arange(601) % 43


@pytest.fixture(scope="module")
def found(many) -> Inference:
    X, y, _ = many
    return infer(MultinomialLogit(alpha=0).fit(X, y), X, y)


@pytest.fixture(scope="module")
def refused(many) -> Inference:
    X, y, people = many
    return infer(MultinomialLogit(alpha=2.0).fit(X, y), X, y, groups=people, draws=12)


def test_every_table_has_a_row_for_each_emotion_and_au(found):
    assert found.valid and found.facts["why"] == []
    assert found.coefficients.shape == (20, 11) and found.log_odds.shape == (15, 18)
    assert found.marginal_effects.columns.tolist() == [
        "emotion", "au", "effect", "se", "z", "p", "low", "high",
    ]  # fmt: skip
    assert found.tables["joint"]["au"].tolist() == AUS
    assert found.tables["joint"]["df"].tolist() == [3] * 5
    assert set(found.log_odds["versus"]) == {"neutral"} and "neutral" not in set(found.log_odds["emotion"])


def test_odds_ratios_are_of_a_point_and_of_a_standard_deviation(found, many):
    row = found.log_odds.set_index(["emotion", "au"]).loc[("happy", "AU12_r")]
    sd = many[0]["AU12_r"].std()
    assert row["odds_ratio"] == pytest.approx(np.exp(row["coef"]))
    assert row["odds_ratio_sd"] == pytest.approx(np.exp(row["coef"] * sd))
    assert row["odds_ratio_sd_low"] == pytest.approx(np.exp(row["low"] * sd))
    assert row["odds_ratio_high"] == pytest.approx(np.exp(row["high"]))


def test_another_reference_changes_the_odds_and_nothing_else(found, many):
    X, y, _ = many
    other = infer(MultinomialLogit(alpha=0).fit(X, y), X, y, reference="sad")
    pd.testing.assert_frame_equal(other.coefficients, found.coefficients)
    pd.testing.assert_frame_equal(other.marginal_effects, found.marginal_effects)
    ours = found.log_odds.set_index(["emotion", "au"]).loc[("sad", "AU01_r")]
    turned = other.log_odds.set_index(["emotion", "au"]).loc[("neutral", "AU01_r")]
    assert turned["coef"] == pytest.approx(-ours["coef"]) and turned["se"] == pytest.approx(ours["se"])


def test_p_values_are_adjusted_over_all_emotions_and_aus(found):
    from statsmodels.stats.multitest import multipletests

    for table in (found.coefficients, found.log_odds, found.tables["joint"]):
        np.testing.assert_allclose(table["p_holm"], multipletests(table["p"], method="holm")[1])
        np.testing.assert_allclose(table["p_bh"], multipletests(table["p"], method="fdr_bh")[1])


def test_the_joint_test_is_the_likelihood_ratio_of_a_fit_without_the_au(found, many):
    X, y, _ = many
    assert found.facts["joint_test"] == "likelihood ratio"
    for row in found.tables["joint"].itertuples():
        smaller = MultinomialLogit(alpha=0).fit(X.drop(columns=row.au), y)
        assert row.statistic == pytest.approx(
            2 * (found.facts["log_likelihood"] - smaller.log_likelihood_), rel=1e-6
        )


def test_walds_joint_test_is_near_the_likelihood_ratio_where_effects_are_weak():
    X, y = simulated(4000, AUS, EMOTIONS, seed=5)
    rng = np.random.default_rng(2)
    y = np.where(rng.random(len(y)) < 0.8, rng.permutation(y), y)
    model = MultinomialLogit(alpha=0).fit(X, y)
    ratio, wald = (infer(model, X, y, errors=kind).tables["joint"] for kind in ("model", "robust"))
    np.testing.assert_allclose(wald["statistic"], ratio["statistic"], rtol=0.15)


def test_the_order_of_aus_and_their_units_do_not_matter(found, many):
    X, y, _ = many
    turned = X[X.columns[::-1]].assign(AU04_r=X["AU04_r"] * 1000)
    other = infer(MultinomialLogit(alpha=0).fit(turned, y), turned, y)
    joined = found.coefficients.merge(other.coefficients, on=["emotion", "au"])
    np.testing.assert_allclose(joined["z_x"], joined["z_y"], rtol=1e-6)
    np.testing.assert_allclose(
        found.tables["joint"].set_index("au")["statistic"],
        other.tables["joint"].set_index("au").loc[AUS, "statistic"],
        rtol=1e-6,
    )


def test_the_jackknife_is_near_that_of_full_fits_without_each_person(many):
    X, y, people = many
    model = MultinomialLogit(alpha=0).fit(X, y)
    ours = infer(model, X, y, groups=people, errors="cluster").coefficients["se"]
    without = [MultinomialLogit(alpha=0).fit(X[people != g], y[people != g]).coef_.ravel() for g in range(43)]
    change = np.array(without) - model.coef_.ravel()
    theirs = np.sqrt((change**2).sum(axis=0) * 42 / 43)
    assert np.median(ours / theirs) == pytest.approx(0.97, abs=0.03)  # one Newton step stops a little short


def test_clustered_tests_use_t_and_f(many):
    from scipy import stats

    X, y, people = many
    found = infer(MultinomialLogit(alpha=0).fit(X, y), X, y, groups=people)
    assert found.facts["errors"] == "cluster" and found.facts["n_groups"] == 43
    row = found.coefficients.iloc[0]
    assert row["p"] == pytest.approx(2 * stats.t(42).sf(abs(row["z"])))
    assert row["high"] - row["coef"] == pytest.approx(stats.t(42).ppf(0.975) * row["se"])
    joint = found.tables["joint"].iloc[0]
    assert joint["p"] == pytest.approx(stats.f(3, 40).sf(joint["statistic"] * 40 / (3 * 42)))
    assert "lr_p" not in found.facts and any("jackknife" in note for note in found.facts["notes"])


def test_a_penalised_model_gets_a_bootstrap_and_not_one_p_value(refused, tmp_path):
    assert not refused.valid and refused.facts["method"] == "ridge, bootstrap over people"
    assert refused.facts["why"] == [
        "the fit is penalised (alpha = 2), which draws coefficients to zero: no test applies"
    ]
    assert "joint" not in refused.tables and "lr_p" not in refused.facts
    assert not any(P_VALUES & set(table.columns) for table in refused.tables.values())
    refused.save(tmp_path)
    content = (tmp_path / "inference.json").read_text(encoding="utf-8")
    assert not any(f'"{name}"' in content for name in P_VALUES)
    assert refused.facts["draws"] == 12 and refused.facts["alpha"] == 2.0
    assert (refused.coefficients["low"] <= refused.coefficients["high"]).all()


def test_the_bootstrap_returns_the_models_own_coefficients(refused, many):
    X, y, _ = many
    own = MultinomialLogit(alpha=2.0).fit(X, y)
    np.testing.assert_allclose(refused.coefficients["coef"], own.coef_.ravel())


def test_the_same_seed_gives_the_same_bootstrap(refused, many):
    X, y, people = many
    model = MultinomialLogit(alpha=2.0).fit(X, y)
    again = infer(model, X, y, groups=people, draws=12)
    other = infer(model, X, y, groups=people, draws=12, seed=1)
    pd.testing.assert_frame_equal(again.coefficients, refused.coefficients)
    assert not np.allclose(other.coefficients["se"], refused.coefficients["se"])


def test_the_bootstraps_error_is_near_the_models_where_both_hold(many):
    X, y, _ = many
    model = MultinomialLogit(alpha=1e-3).fit(X, y)
    drawn = infer(model, X, y, draws=150).coefficients["se"]
    exact = infer(MultinomialLogit(alpha=0).fit(X, y), X, y, errors="robust").coefficients["se"]
    assert np.median(drawn / exact) == pytest.approx(1, abs=0.1)


def test_separated_faces_fall_back_to_a_ridge_chosen_by_cross_validation(many):
    X, y, people = many
    X = X.assign(AU25_r=np.where((y == "sad") | (X["AU25_r"] < 1), 0.0, X["AU25_r"]))
    found = infer(MultinomialLogit(alpha=0).fit(X, y), X, y, groups=people, draws=5)
    assert not found.valid and found.facts["separation"] == "quasi-complete"
    assert found.facts["why"] == ["quasi-complete separation: no finite estimate exists of AU25_r for sad"]
    assert found.tables["separation"][["emotion", "au", "direction"]].values.tolist() == [
        ["sad", "AU25_r", -1]
    ]
    assert found.facts["alpha"] > 0
    assert np.abs(found.coefficients["coef"]).max() < 10


@pytest.mark.parametrize("terms", ["hinges", "pairs"])
def test_terms_with_bends_and_pairs_are_inferred_too(terms):
    X, y = simulated(1601, AUS[:3], EMOTIONS[:3], seed=9)
    pairs = {"pairs": [("AU01_r", "AU06_r")]} if terms == "pairs" else {}
    model = MultinomialLogit(alpha=0, terms=terms, knots=(0.6,), **pairs).fit(X, y)
    found = infer(model, X, y)
    assert found.valid, found.facts["why"]
    assert found.coefficients["term"].nunique() == len(model.term_names_)
    np.testing.assert_allclose(found.coefficients["coef"], model.coef_.ravel(), atol=1e-5)
    np.testing.assert_allclose(
        found.coefficients["se"], model.coefficients().query("au != ''")["se"], rtol=1e-4
    )
    assert found.marginal_effects["au"].nunique() == 3
    moved = (model.term_feature_ == 0) | (model.term_second_feature_ == 0)
    assert found.tables["joint"]["df"][0] == 2 * moved.sum()


def test_presence_codes_get_the_change_from_absent_to_present(many):
    X, y, _ = many
    codes = (X > 0.4).astype(int).rename(columns=lambda name: name.replace("_r", "_c"))
    model = MultinomialLogit(alpha=0).fit(codes, y)
    found = infer(model, codes, y)
    assert found.facts["effects"] == "from 0 to 1"
    present, absent = codes.assign(AU12_c=1), codes.assign(AU12_c=0)
    change = (model.predict_proba(present) - model.predict_proba(absent)).mean(axis=0)
    ours = found.marginal_effects.query("au == 'AU12_c'")["effect"]
    np.testing.assert_allclose(ours, change, atol=1e-9)


def test_rows_without_a_value_are_left_out_with_their_people(many):
    X, y, people = many
    gaps = X.copy()
    gaps.iloc[::7, 2] = np.nan
    kept = gaps.notna().all(axis=1).to_numpy()
    holed = infer(MultinomialLogit(alpha=0).fit(gaps, y), gaps, y, groups=people)
    whole = infer(MultinomialLogit(alpha=0).fit(X[kept], y[kept]), X[kept], y[kept], groups=people[kept])
    pd.testing.assert_frame_equal(holed.coefficients, whole.coefficients)
    assert any("rows have an AU without a value" in note for note in holed.facts["notes"])


def test_what_is_saved_comes_back(found, refused, tmp_path):
    for result in (found, refused):
        result.save(tmp_path)
        again = Inference.load(tmp_path)
        assert again.facts == json.loads(json.dumps(result.facts))
        for name, table in result.tables.items():
            pd.testing.assert_frame_equal(again.tables[name], table, check_dtype=False)


def test_numbers_as_labels_may_be_the_reference(many):
    X, y, _ = many
    codes = np.unique(y, return_inverse=True)[1]
    found = infer(MultinomialLogit(alpha=0).fit(X, codes), X, codes, reference="2")
    assert set(found.log_odds["versus"]) == {2} and found.facts["reference"] == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"reference": "bored"}, "reference: expected one of happy, neutral"),
        ({"errors": "cluster"}, "'cluster' needs groups"),
        ({"errors": "HC1"}, "errors: expected one of auto"),
        ({"level": 95}, "level: expected"),
        ({"groups": ["a", "b"]}, "groups: expected 601"),
    ],
)
def test_what_cannot_be_inferred_is_said(many, options, said):
    X, y, _ = many
    with pytest.raises(AnalysisError, match=said):
        infer(MultinomialLogit(alpha=0).fit(X, y), X, y, **options)


def test_other_rows_than_those_of_the_fit_are_refused(many):
    X, y, _ = many
    model = MultinomialLogit(alpha=0).fit(X, y)
    weighted = MultinomialLogit(alpha=0).fit(X, y, sample_weight=np.linspace(0.5, 2, len(y)))
    for fitted, rows, labels in ((model, X[:500], y[:500]), (model, X, np.roll(y, 1)), (weighted, X, y)):
        with pytest.raises(AnalysisError, match="fit it on them first"):
            infer(fitted, rows, labels)


def test_newton_that_does_not_converge_refuses(many, monkeypatch):
    from analysis.errors import FitError
    from analysis.inference import inference

    def stuck(*_):
        raise FitError("Newton's method did not converge")

    assert inference.likelihood is likelihood
    monkeypatch.setattr(inference, "likelihood", stuck)
    X, y, _ = many
    found = infer(MultinomialLogit(alpha=0).fit(X, y), X, y, draws=3)
    assert not found.valid and found.facts["why"] == ["Newton's method did not converge"]


def test_two_emotions_and_one_au_are_enough():
    import statsmodels.api as sm

    X, y = simulated(307, AUS[:1], EMOTIONS[:2], seed=4)
    found = infer(MultinomialLogit(alpha=0).fit(X, y), X, y)
    theirs = sm.Logit((y == "happy").astype(float), sm.add_constant(X.to_numpy())).fit(disp=0)
    assert found.log_odds["coef"].tolist() == pytest.approx([theirs.params[1]])
    assert found.log_odds["se"].tolist() == pytest.approx([theirs.bse[1]])
    assert found.tables["joint"]["p"].tolist() == pytest.approx([theirs.llr_pvalue], rel=1e-5)
    effect = found.marginal_effects.query("emotion == 'happy'")
    assert effect["se"].tolist() == pytest.approx(theirs.get_margeff().margeff_se.tolist())


def test_no_more_people_than_coefficients_leave_the_joint_test_open(many):
    X, y, _ = many
    model = MultinomialLogit(alpha=0).fit(X, y)
    own = np.column_stack([model.intercept_, model.coef_])
    for people, tested in ((3, False), (4, True)):
        sample = sample_of(model, X, y, np.arange(len(y)) % people)
        statistic, df, p = likelihood(sample, own, "cluster", 0.95, switches=False).joint(0)
        assert df == 3 and np.isfinite([statistic, p]).all() == tested
