"""Against R's nnet::multinom and statsmodels' MNLogit; their scripts and numbers lie in tests/goldens."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.inference import Inference, infer, standard_errors
from analysis.logit import MultinomialLogit

GOLDENS = Path(__file__).parents[2] / "goldens"


@pytest.fixture(scope="module")
def faces() -> pd.DataFrame:
    return pd.read_csv(GOLDENS / "faces.csv")


@pytest.fixture(scope="module")
def model(faces) -> MultinomialLogit:
    return MultinomialLogit(alpha=0).fit(faces, faces["emotion"])


@pytest.fixture(scope="module")
def found(faces, model) -> Inference:
    return infer(model, faces, faces["emotion"])


def golden(name: str) -> pd.DataFrame:
    return pd.read_csv(GOLDENS / name)


def facts_of(name: str) -> dict[str, str]:
    return dict(golden(name).itertuples(index=False))


def both(ours: pd.DataFrame, theirs: pd.DataFrame, on: list[str]) -> pd.DataFrame:
    joined = ours.merge(theirs, on=on, suffixes=("", "_golden"), validate="1:1")
    assert len(joined) == len(ours) == len(theirs) - (theirs["term"] == "intercept").sum()
    return joined


def test_log_odds_and_errors_equal_rs_multinom_to_a_ten_millionth(found):
    theirs = golden("multinom.csv").replace("(Intercept)", "intercept")
    joined = both(found.log_odds, theirs, ["emotion", "term"])
    np.testing.assert_allclose(joined["coef"], joined["coef_golden"], atol=1e-7)
    np.testing.assert_allclose(joined["se"], joined["se_golden"], atol=1e-7)


def test_the_likelihood_equals_rs_multinom(found):
    theirs = facts_of("multinom_fit.csv")
    assert found.facts["log_likelihood"] == pytest.approx(float(theirs["log_likelihood"]), abs=1e-8)
    assert -2 * found.facts["log_likelihood"] == pytest.approx(float(theirs["deviance"]), abs=1e-8)
    assert found.facts["aic"] == pytest.approx(float(theirs["aic"]), abs=1e-8)


@pytest.mark.parametrize("errors", ["model", "robust", "cluster"])
def test_three_kinds_of_errors_equal_statsmodels(errors, faces, model, monkeypatch):
    monkeypatch.setattr(standard_errors, "JACKKNIFE_COST", 0)
    found = infer(model, faces, faces["emotion"], groups=faces["person"], errors=errors)
    joined = both(found.log_odds, golden("mnlogit.csv"), ["emotion", "term"])
    np.testing.assert_allclose(joined["coef"], joined["coef_golden"], atol=1e-9)
    np.testing.assert_allclose(joined["se"], joined[f"se_{errors}"], atol=1e-9)
    effects = found.marginal_effects.merge(golden("mnlogit_effects.csv"), on=["emotion", "au"])
    assert len(effects) == 20
    np.testing.assert_allclose(effects["effect_x"], effects["effect_y"], atol=1e-10)
    np.testing.assert_allclose(effects["se"], effects[f"se_{errors}"], atol=1e-10)


def test_facts_of_the_fit_equal_statsmodels(found):
    theirs = facts_of("mnlogit_fit.csv")
    for name in ("log_likelihood", "null_log_likelihood", "lr_statistic", "lr_df", "mcfadden", "aic", "bic"):
        assert found.facts[name] == pytest.approx(float(theirs[name]), rel=1e-8), name
    assert found.facts["lr_p"] == pytest.approx(float(theirs["lr_p"]), rel=1e-6)


def test_centred_coefficients_are_contrasts_of_rs_and_sum_to_zero(found):
    theirs = golden("multinom.csv").pivot(index="emotion", columns="term", values="coef")
    theirs.loc["neutral"] = 0.0
    centred = theirs - theirs.mean()
    ours = found.coefficients.pivot(index="emotion", columns="term", values="coef")
    np.testing.assert_allclose(ours, centred.loc[ours.index, ours.columns], atol=1e-7)
    np.testing.assert_allclose(ours.sum(), 0, atol=1e-12)
