import itertools
import json

import numpy as np
import pandas as pd
import pytest

from analysis.errors import FitError
from analysis.likelihood import design as design_module
from analysis.likelihood import maximum
from analysis.likelihood.fitted import fitted_design
from analysis.likelihood.information import covariance
from analysis.likelihood.maximum import maximise
from analysis.logit import MultinomialLogit, fitting
from analysis.logit.strength import ALPHAS
from analysis.splits import grouped_folds
from tests import ROOT

NAMES = ["AU06_r", "AU12_r", "AU04_r", "AU25_r"]


@pytest.fixture(scope="module")
def interacting() -> tuple[pd.DataFrame, np.ndarray]:
    """Faces whose emotion hangs on a product of two AUs."""
    rng = np.random.default_rng(3)
    X = np.clip(rng.gamma(0.8, 1.1, (701, 4)), 0, 5)
    scores = np.column_stack([1.5 * X[:, 0] * X[:, 1] - 1, 1.2 * X[:, 2], X[:, 3] * X[:, 2]])
    y = np.array(["happy", "neutral", "sad"])[(scores + rng.gumbel(size=scores.shape)).argmax(axis=1)]
    return pd.DataFrame(X, columns=NAMES), y


@pytest.fixture(scope="module")
def pairs(interacting) -> MultinomialLogit:
    return MultinomialLogit(terms="pairs", alpha=2.0).fit(*interacting)


def one_hot(y: np.ndarray) -> np.ndarray:
    return np.eye(len(np.unique(y)))[np.unique(y, return_inverse=True)[1]]


def value_of(name: str, X: pd.DataFrame, knots: dict[str, float]) -> np.ndarray:
    au, bent, _ = name.partition(">")
    return np.maximum(0, X[au] - knots[name]) if bent else X[au]


def test_each_term_is_the_function_that_its_name_says(pairs, interacting):
    X = interacting[0]
    single = pairs.term_second_feature_ < 0
    knots = dict(zip(pairs.term_names_[single], pairs.term_knot_[single], strict=True))
    columns = [
        np.prod([value_of(part, X, knots) for part in name.split("*")], axis=0) for name in pairs.term_names_
    ]
    np.testing.assert_allclose(pairs.basis(X), np.transpose(columns))
    assert single.sum() == 12
    assert (~single).sum() == 6 * 9
    assert "AU06_r*AU12_r" in pairs.term_names_
    logits = pairs.intercept_ + np.transpose(columns) @ pairs.coef_.T
    np.testing.assert_allclose(pairs.logits(X), logits, atol=1e-9)


def test_the_model_is_a_sum_over_aus_and_pairs_of_them(pairs):
    """Then what three AUs do together is told by what they do alone and two by two."""
    low, high = np.array([0.1, 0.2, 0.3, 0.4]), np.array([2.0, 3.0, 4.0, 1.0])
    total = np.zeros((1, 3))
    for moved in itertools.product([False, True], repeat=3):
        face = np.where([*moved, False], high, low)
        total += (-1) ** sum(moved) * pairs.logits(face[None])
    np.testing.assert_allclose(total, 0, atol=1e-9)


def test_pairs_see_what_single_aus_cannot(pairs, interacting):
    X, y = interacting
    hinges = MultinomialLogit(terms="hinges", alpha=2.0).fit(X, y)
    assert pairs.score(X, y) > hinges.score(X, y) + 0.02


@pytest.mark.parametrize("systems", [[(0.5, 0.85)], [(0.3, 0.65), (0.5, 0.85)]])
def test_the_penalty_acts_on_products_of_centred_ramps(interacting, systems):
    from sklearn.linear_model import LogisticRegression

    X, y = interacting[0].to_numpy(), interacting[1]
    knots = tuple(sorted(itertools.chain(*systems)))
    ours = MultinomialLogit(terms="pairs", alpha=2.0, knots=knots).fit(*interacting)
    singles = [X] + [np.maximum(X - bend, 0) for bend in np.quantile(X, knots, axis=0)]
    columns = [part[:, j] for part in singles for j in range(4)]
    for system in systems:
        bends = np.quantile(X, system, axis=0)
        ramps = [np.minimum(X, bends[0]), np.clip(X, *bends), np.maximum(X, bends[1])]
        for a, b in itertools.combinations(range(4), 2):
            for one, other in itertools.product(ramps, repeat=2):
                columns.append((one[:, a] - one[:, a].mean()) * (other[:, b] - other[:, b].mean()))
    Z = np.transpose(columns)
    Z = (Z - Z.mean(axis=0)) / Z.std(axis=0)
    Z[:, 4 * len(singles) :] /= np.sqrt(design_module.PAIR_PENALTY * len(systems))
    theirs = LogisticRegression(C=0.5, tol=1e-9, solver="newton-cholesky").fit(Z, y)
    np.testing.assert_allclose(ours.predict_proba(interacting[0]), theirs.predict_proba(Z), atol=1e-6)


@pytest.mark.parametrize("knots", [(), (0.5,), (0.5, 0.85), (0.3, 0.5, 0.65, 0.85)])
def test_the_design_of_a_fitted_model_leads_to_it_again(interacting, knots):
    X, y = interacting
    fitted = MultinomialLogit(terms="pairs", alpha=2.0, knots=knots).fit(X, y)
    again = fitted_design(fitted, X.to_numpy())
    estimate = maximise(again(X.to_numpy()), one_hot(y), None, fitted.alpha_)
    parameters = np.column_stack([fitted.intercept_, fitted.coef_])
    np.testing.assert_allclose(again.to_terms(estimate.parameters), parameters, atol=1e-8)
    np.testing.assert_allclose(again.from_terms(parameters), estimate.parameters, atol=1e-8)


def test_the_order_of_aus_does_not_matter_to_pairs(pairs, interacting):
    X, y = interacting
    reversed_columns = MultinomialLogit(terms="pairs", alpha=2.0).fit(X[X.columns[::-1]], y)
    np.testing.assert_allclose(reversed_columns.predict_proba(X), pairs.predict_proba(X), atol=1e-8)
    assert set(reversed_columns.term_names_) == set(pairs.term_names_)


def test_means_of_the_factors_of_products_are_kept_for_explanations(pairs, interacting):
    X, y = interacting
    t = pairs.term_names_.tolist().index("AU06_r*AU12_r")
    np.testing.assert_allclose(pairs.term_part_mean_[:, t], X[["AU06_r", "AU12_r"]].mean())
    neutral = X[y == "neutral"]
    np.testing.assert_allclose(pairs.class_term_part_mean_[1, :, t], neutral[["AU06_r", "AU12_r"]].mean())
    assert np.isnan(pairs.term_part_mean_[:, pairs.term_second_feature_ < 0]).all()


def test_pairs_can_be_named_and_knots_be_chosen(interacting):
    named = MultinomialLogit(terms="pairs", knots=(), pairs=[("AU12_r", "AU06_r")]).fit(*interacting)
    assert named.term_names_.tolist() == [*NAMES, "AU06_r*AU12_r"]
    knots = MultinomialLogit(terms="hinges", knots=(0.2, 0.4, 0.6)).fit(*interacting)
    assert knots.coef_.shape == (3, 16)
    assert knots.term_knot_[2] == pytest.approx(interacting[0]["AU06_r"].quantile(0.4))


@pytest.mark.parametrize("wrong", [[("AU06_r", "AU99_r")], [("AU06_r", "AU06_r")], ["AU06_r"], "some"])
def test_pairs_of_unknown_aus_are_refused(interacting, wrong):
    with pytest.raises(FitError, match="pairs: expected"):
        MultinomialLogit(terms="pairs", pairs=wrong).fit(*interacting)


@pytest.mark.parametrize("bad", [{"knots": (0.5, 1.0)}, {"knots": "many"}, {"alpha": "most"}])
def test_bad_parameters_of_terms_are_refused(interacting, bad):
    with pytest.raises(FitError, match=next(iter(bad))):
        MultinomialLogit(terms="pairs", **bad).fit(*interacting)


@pytest.mark.parametrize("weighted", [False, True])
def test_of_many_pairs_the_strongest_are_kept(interacting, monkeypatch, weighted):
    monkeypatch.setattr(design_module, "MOST_PAIRS", 2)
    weights = np.ones(701) if weighted else None
    fitted = MultinomialLogit(terms="pairs", knots=()).fit(*interacting, sample_weight=weights)
    assert fitted.term_names_[4:].tolist() == ["AU04_r*AU25_r", "AU06_r*AU12_r"]


def test_without_penalty_pairs_are_fitted_by_maximum_likelihood(interacting):
    import statsmodels.api as sm

    X, y = interacting
    fitted = MultinomialLogit(terms="pairs", alpha=0, knots=(), pairs=[("AU06_r", "AU12_r")]).fit(X, y)
    columns = X.assign(product=X["AU06_r"] * X["AU12_r"]).to_numpy()
    codes = np.unique(y, return_inverse=True)[1]
    theirs = sm.MNLogit(codes, sm.add_constant(columns)).fit(method="newton", disp=0, tol=1e-12)
    assert fitted.log_likelihood_ == pytest.approx(theirs.llf, abs=1e-7)
    np.testing.assert_allclose(fitted.coef_[1:] - fitted.coef_[0], theirs.params[1:].T, atol=1e-6)


def test_covariance_of_pairs_is_that_of_the_columns_that_are_penalised(pairs, interacting):
    X, y = interacting
    basis = fitted_design(pairs, X.to_numpy())
    columns = np.column_stack([pairs.intercept_, pairs.coef_])
    spread, _ = covariance(basis(X.to_numpy()), basis.from_terms(columns), one_hot(y), None, pairs.alpha_)
    expand = np.kron(np.eye(3), basis.matrix())
    np.testing.assert_allclose(pairs.covariance_, expand @ spread @ expand.T, rtol=1e-6, atol=1e-9)


def test_too_many_terms_for_a_covariance_are_said(interacting, monkeypatch, tmp_path):
    monkeypatch.setattr(fitting, "MOST_FREE_PARAMETERS", 100)
    fitted = MultinomialLogit(terms="pairs").fit(*interacting)
    assert fitted.covariance_ is None
    assert any("too many for a covariance" in note for note in fitted.notes_)
    assert fitted.coefficients()["se"].isna().all()
    back = MultinomialLogit.load(fitted.save(tmp_path))
    assert back.covariance_ is None
    np.testing.assert_array_equal(back.coef_, fitted.coef_)


# The optimisers


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("K", [2, 4])
def test_both_optimisers_find_the_same(weighted, K, monkeypatch):
    rng = np.random.default_rng(K)
    Z = rng.normal(size=(311, 5))
    targets = np.eye(K)[rng.integers(0, K, 311)]
    weights = rng.uniform(0.5, 3, 311) if weighted else None
    newton = maximise(Z, targets, weights, 2.0)
    monkeypatch.setattr(maximum, "_NEWTON_PARAMETERS", 0)
    np.testing.assert_allclose(maximise(Z, targets, weights, 2.0).parameters, newton.parameters, atol=1e-6)
    warm = maximise(Z, targets, weights, 2.0, start=newton.parameters)
    assert warm.iterations <= 2


# Ridge strength


def test_the_ridge_strength_is_the_one_with_least_held_out_loss(interacting):
    X, y = interacting
    fitted = MultinomialLogit(alpha="cv").fit(X, y)
    path = fitted.alpha_path_
    assert path["alpha"] == list(ALPHAS)
    assert fitted.alpha_ == ALPHAS[int(np.argmin(path["log_loss"]))]
    held_out = np.empty((len(y), 3))
    for train, test in grouped_folds(y, folds=5):
        model = MultinomialLogit(alpha=ALPHAS[4]).fit(X.iloc[train], y[train])
        held_out[test] = model.predict_proba(X.iloc[test])
    loss = -np.log(held_out[one_hot(y) == 1]).mean()
    assert path["log_loss"][4] == pytest.approx(loss, abs=1e-5)
    assert path["accuracy"][4] == pytest.approx((held_out.argmax(1) == one_hot(y).argmax(1)).mean())
    np.testing.assert_allclose(
        fitted.predict_proba(X), MultinomialLogit(alpha=fitted.alpha_).fit(X, y).predict_proba(X)
    )


def test_groups_stay_together_when_the_strength_is_chosen():
    """Each person is shown six times with a label of their own: only what holds across persons counts."""
    rng = np.random.default_rng(1)
    faces, labels = rng.gamma(1.0, 1.0, (60, 30)), rng.choice(["a", "b"], 60)
    X, y = np.repeat(faces, 6, axis=0), np.repeat(labels, 6)
    people = np.repeat(np.arange(60), 6)
    alone = MultinomialLogit(alpha="cv").fit(X, y)
    together = MultinomialLogit(alpha="cv").fit(X, y, groups=people)
    assert together.alpha_ > 100 * alone.alpha_
    assert together.notes_ == []
    assert any("give groups" in note for note in alone.notes_)
    assert any("last one tried" in note for note in alone.notes_)


def test_too_few_rows_or_groups_to_choose_a_strength_are_refused(interacting):
    X, y = interacting
    with pytest.raises(FitError, match="two groups or more"):
        MultinomialLogit(alpha="cv").fit(X, y, groups=y)
    with pytest.raises(FitError, match="groups: expected 701"):
        MultinomialLogit(alpha="cv").fit(X, y, groups=y[:-1])


# Soft labels


@pytest.fixture(scope="module")
def soft(interacting) -> np.ndarray:
    rng = np.random.default_rng(2)
    shares = one_hot(interacting[1]) * 2 + rng.uniform(0, 1, (701, 3))
    return shares / shares.sum(axis=1, keepdims=True)


def test_soft_labels_count_like_weighted_rows(interacting, soft):
    X = interacting[0].to_numpy()
    fitted = MultinomialLogit(alpha=2.0).fit_soft(X, soft, ["a", "b", "c"])
    repeated = MultinomialLogit(alpha=2.0).fit(
        np.repeat(X, 3, axis=0), np.tile(["a", "b", "c"], 701), sample_weight=soft.ravel()
    )
    np.testing.assert_allclose(fitted.coef_, repeated.coef_, atol=1e-6)
    assert fitted.log_likelihood_ == pytest.approx(repeated.log_likelihood_, abs=1e-6)
    assert fitted.n_ == 701
    assert fitted.class_count_.tolist() == np.bincount(soft.argmax(axis=1)).tolist()
    np.testing.assert_allclose(fitted.class_feature_mean_[0], soft[:, 0] @ X / soft[:, 0].sum())


def test_soft_labels_get_the_robust_errors_of_statsmodels(interacting, soft):
    import statsmodels.api as sm

    X = interacting[0].to_numpy()
    fitted = MultinomialLogit(alpha=0).fit_soft(X, soft, ["a", "b", "c"])
    theirs = sm.MNLogit(soft, sm.add_constant(X)).fit(method="newton", disp=0, tol=1e-12, cov_type="HC0")
    contrast = np.kron(np.hstack([-np.ones((2, 1)), np.eye(2)]), np.eye(5))
    ours = contrast @ fitted.covariance_ @ contrast.T
    np.testing.assert_allclose(ours, theirs.cov_params(), rtol=1e-4, atol=1e-9)


def test_soft_labels_of_0_and_1_are_labels_and_classes_may_come_in_any_order(interacting):
    X, y = interacting
    plain = MultinomialLogit().fit(X, y)
    soft = MultinomialLogit().fit_soft(X, one_hot(y)[:, ::-1], ["sad", "neutral", "happy"])
    assert soft.classes_.tolist() == ["happy", "neutral", "sad"]
    np.testing.assert_allclose(soft.coef_, plain.coef_, atol=1e-9)
    np.testing.assert_allclose(soft.covariance_, plain.covariance_, atol=1e-9)


def test_the_strength_for_soft_labels_is_chosen_too(interacting, soft):
    fitted = MultinomialLogit(alpha="cv").fit_soft(interacting[0], soft, ["a", "b", "c"])
    assert fitted.alpha_ in ALPHAS


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda p: (p[:, :2], ["a", "b", "c"]), r"expected shape \(701, 3\)"),
        (lambda p: (2 * p, ["a", "b", "c"]), "rows that sum to 1"),
        (lambda p: (p - 0.5, ["a", "b", "c"]), "rows that sum to 1"),
        (lambda p: (p * np.nan, ["a", "b", "c"]), "rows that sum to 1"),
        (lambda p: (p, ["a", "a", "c"]), "each must occur once"),
    ],
)
def test_what_is_no_probability_is_refused(interacting, soft, change, part):
    with pytest.raises(FitError, match=part):
        MultinomialLogit().fit_soft(interacting[0], *change(soft))


# Files and scikit-learn


def test_a_saved_model_of_pairs_comes_back_number_for_number(pairs, interacting, tmp_path):
    path = pairs.save(tmp_path)
    back = MultinomialLogit.load(path)
    assert back.get_params() == pairs.get_params()
    for name, value in vars(pairs).items():
        np.testing.assert_equal(getattr(back, name), value, err_msg=name)
    assert back.save(tmp_path / "again.json").read_bytes() == path.read_bytes()
    np.testing.assert_array_equal(back.logits(interacting[0]), pairs.logits(interacting[0]))
    named = MultinomialLogit(terms="pairs", pairs=[("AU06_r", "AU12_r")], alpha="cv").fit(*interacting)
    again = MultinomialLogit.load(named.save(tmp_path / "named"))
    assert (again.pairs, again.alpha, again.alpha_) == (named.pairs, "cv", named.alpha_)


def test_files_of_version_1_are_read(interacting, tmp_path):
    fitted = MultinomialLogit(terms="hinges", alpha=3.0).fit(*interacting)
    path = fitted.save(tmp_path)
    content = json.loads(path.read_text())
    new = [
        "term_second_feature",
        "term_second_knot",
        "term_part_mean",
        "class_term_part_mean",
        "alpha",
        "alpha_path",
    ]
    for name in new:
        del content[name]
    content["version"] = 1
    content["parameters"] = {"alpha": 3.0, "terms": "hinges", "max_iter": 200, "tol": 1e-8}
    path.write_text(json.dumps(content))
    back = MultinomialLogit.load(path)
    for name, value in vars(fitted).items():
        np.testing.assert_equal(getattr(back, name), value, err_msg=name)


def test_the_shipped_model_is_read():
    shipped = MultinomialLogit.load(ROOT / "models" / "logit-embedded")
    assert (shipped.term_second_feature_ == -1).all()
    assert shipped.alpha_ == shipped.alpha


@pytest.mark.parametrize("scoring", ["roc_auc", "accuracy", "neg_log_loss"])
def test_two_classes_are_scored_by_scikit_learn(interacting, scoring):
    from sklearn.model_selection import cross_val_score

    X, y = interacting
    rows = y != "sad"
    scores = cross_val_score(MultinomialLogit(), X[rows], y[rows], cv=3, scoring=scoring)
    assert np.isfinite(scores).all()
    fitted = MultinomialLogit().fit(X[rows], y[rows])
    p = fitted.predict_proba(X)
    np.testing.assert_allclose(fitted.decision_function(X), np.log(p[:, 1] / p[:, 0]), atol=1e-9)


def test_a_clone_keeps_pairs_and_knots(pairs):
    from sklearn.base import clone

    given = MultinomialLogit(terms="pairs", knots=(0.3,), pairs=[("AU06_r", "AU12_r")], alpha="cv")
    assert clone(given).get_params() == given.get_params()
