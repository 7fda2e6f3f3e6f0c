import numpy as np
import pandas as pd
import pytest

from analysis.inference.diagnostics import collinearity, diagnose
from analysis.inference.sample import sample_of
from analysis.logit import MultinomialLogit
from tests.analysis.conftest import AUS, EMOTIONS, simulated


@pytest.fixture
def rows() -> tuple[pd.DataFrame, np.ndarray]:
    return simulated(809, AUS, EMOTIONS, seed=3)


def diagnosed(X, y, *, alpha=0.0, people=None):
    model = MultinomialLogit(alpha=alpha).fit(X, y)
    sample = sample_of(model, X, y, people)
    parameters = np.column_stack([model.intercept_, model.coef_])
    return diagnose(sample, sample.design.from_terms(parameters), model.alpha_, people is not None)


def check(found, name):
    return found.checks.set_index("check").loc[name]


def test_a_sound_fit_passes_every_check(rows):
    found = diagnosed(*rows, people=np.arange(809) % 60)
    assert found.why == [] and found.checks["passed"].all() and found.kind == "none"
    assert found.checks["check"].tolist() == [
        "ridge strength",
        "free parameters",
        "rank",
        "rows of the rarest class per term",
        "people",
        "largest mean gradient",
        "coefficients without a finite estimate",
        "condition number",
        "largest standard error",
        "largest variance inflation",
    ]


def test_a_penalty_alone_rules_inference_out(rows):
    found = diagnosed(*rows, alpha=0.5)
    assert len(found.why) == 1 and "penalised (alpha = 0.5)" in found.why[0] and found.kind == "not examined"


def test_few_rows_of_a_class_and_few_people_are_named(rows):
    X, y = rows
    kept = (y != "sad") | (np.cumsum(y == "sad") <= 12)
    found = diagnosed(X[kept], y[kept], people=np.arange(kept.sum()) % 7)
    assert "the rarest class, sad, has 12 rows for 5 terms: fewer than 5 rows per term" in found.why
    assert "7 people: errors clustered by people need 20" in found.why


def test_separation_is_named_and_its_consequences_are_not_reasons(rows):
    X, y = rows
    X = X.assign(AU06_r=np.where((y == "happy") | (X["AU06_r"] < 2.5), 0.0, X["AU06_r"]))
    found = diagnosed(X, y)
    assert found.why == ["quasi-complete separation: no finite estimate exists of AU06_r for happy"]
    assert not check(found, "largest standard error")["passed"]


def test_complete_separation_is_told_from_quasi_complete(rows):
    X, y = rows
    X = X.assign(AU01_r=np.unique(y, return_inverse=True)[1] * 1.2)
    found = diagnosed(X, y)
    assert found.kind == "complete" and any(
        "complete separation: the AUs tell all" in line for line in found.why
    )


def test_an_optimiser_that_was_stopped_is_found_out(rows):
    X, y = rows
    model = MultinomialLogit(alpha=0, max_iter=2).fit(X, y)
    sample = sample_of(model, X, y)
    parameters = np.column_stack([model.intercept_, model.coef_])
    found = diagnose(sample, sample.design.from_terms(parameters), 0.0, False)
    assert any("the optimiser stopped early" in line for line in found.why)
    assert found.kind == "none"


def test_inflation_is_what_a_regression_on_the_other_aus_gives_and_decides_nothing(rows):
    import statsmodels.api as sm
    from statsmodels.stats.outliers_influence import variance_inflation_factor

    X, y = rows
    X = X.assign(AU12_r=X["AU06_r"] + 0.1 * X["AU12_r"])
    model = MultinomialLogit(alpha=0).fit(X, y)
    table, correlations = collinearity(sample_of(model, X, y))
    theirs = [variance_inflation_factor(sm.add_constant(X.to_numpy()), 1 + j) for j in range(5)]
    np.testing.assert_allclose(table["vif"], theirs, rtol=1e-9)
    np.testing.assert_allclose(correlations.set_index("au"), X.corr(), atol=1e-12)
    assert table.set_index("au")["partner"]["AU06_r"] == "AU12_r"
    found = diagnosed(X, y)
    assert not check(found, "largest variance inflation")["passed"] and found.why == []


def test_an_au_that_others_determine_has_infinite_inflation(rows):
    X, y = rows
    X = X.assign(AU25_r=X["AU01_r"] + X["AU04_r"])
    sample = sample_of(MultinomialLogit(alpha=1.0).fit(X, y), X, y)
    inflation = collinearity(sample)[0].set_index("au")["vif"]
    assert np.isinf(inflation[["AU01_r", "AU04_r", "AU25_r"]]).all()
    assert np.isfinite(inflation[["AU06_r", "AU12_r"]]).all()
    assert "others determine" in check(diagnosed(X, y, alpha=1.0), "rank")["meaning"]


def test_a_single_au_has_no_partner(rows):
    X, y = rows
    sample = sample_of(MultinomialLogit(alpha=0).fit(X[["AU12_r"]], y), X[["AU12_r"]], y)
    table, _ = collinearity(sample)
    assert table["vif"].tolist() == [1.0] and table["partner"].tolist() == [""]
