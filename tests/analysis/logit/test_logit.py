import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from analysis.autable import AUTable
from analysis.errors import FitError, ModelError
from analysis.logit import MultinomialLogit


def simulated(rows: int, p: int, K: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = np.clip(rng.gamma(0.8, 1.1, (rows, p)), 0, 5)
    scores = X @ rng.normal(0, 0.6, (p, K)) + rng.gumbel(size=(rows, K))
    return X, np.array([f"class{k}" for k in range(K)])[scores.argmax(axis=1)]


def standardised(X: np.ndarray) -> np.ndarray:
    return (X - X.mean(axis=0)) / X.std(axis=0)


@pytest.mark.parametrize("alpha", [0.3, 1.0, 25.0])
def test_penalised_coefficients_equal_scikit_learns(alpha):
    from sklearn.linear_model import LogisticRegression

    X, y = simulated(301, 4, 3, seed=1)
    ours = MultinomialLogit(alpha=alpha).fit(X, y)
    theirs = LogisticRegression(C=1 / alpha, tol=1e-10, max_iter=5000).fit(standardised(X), y)
    np.testing.assert_allclose(ours.coef_ * X.std(axis=0), theirs.coef_, atol=1e-5)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(standardised(X)), atol=1e-6)


def test_two_classes_are_penalised_like_more_of_them():
    from scipy.optimize import minimize

    X, y = simulated(203, 3, 2, seed=2)
    Z, right = standardised(X), (y[:, None] == np.unique(y)).astype(float)

    def loss(flat):
        B = flat.reshape(2, 4)
        scores = B[:, 0] + Z @ B[:, 1:].T
        likelihood = (right * scores).sum() - np.logaddexp.reduce(scores, axis=1).sum()
        return -likelihood + 2.0 * (B[:, 1:] ** 2).sum() / 2

    best = minimize(loss, np.zeros(8), method="BFGS", options={"gtol": 1e-7, "maxiter": 2000}).x.reshape(2, 4)
    ours = MultinomialLogit(alpha=2.0).fit(X, y)
    np.testing.assert_allclose(ours.coef_ * X.std(axis=0), best[:, 1:], atol=1e-5)


@pytest.fixture(scope="module", params=[2, 3, 5])
def against_statsmodels(request):
    import statsmodels.api as sm

    K = request.param
    X, y = simulated(403, 4, K, seed=30 + K)
    codes = np.unique(y, return_inverse=True)[1]
    theirs = sm.MNLogit(codes, sm.add_constant(X, has_constant="add")).fit(method="newton", disp=0, tol=1e-12)
    return MultinomialLogit(alpha=0).fit(X, y), theirs, K


def test_unpenalised_coefficients_equal_statsmodels_once_centred(against_statsmodels):
    ours, theirs, _ = against_statsmodels
    raw = np.vstack([np.zeros(5), theirs.params.T])
    centred = raw - raw.mean(axis=0)
    np.testing.assert_allclose(ours.intercept_, centred[:, 0], atol=1e-7)
    np.testing.assert_allclose(ours.coef_, centred[:, 1:], atol=1e-7)
    assert ours.log_likelihood_ == pytest.approx(theirs.llf, abs=1e-8)


def test_the_covariance_of_contrasts_equals_statsmodels(against_statsmodels):
    ours, theirs, K = against_statsmodels
    first = np.hstack([-np.ones((K - 1, 1)), np.eye(K - 1)])
    contrast = np.kron(first, np.eye(5))
    ours_against_first = contrast @ ours.covariance_ @ contrast.T
    np.testing.assert_allclose(ours_against_first, theirs.cov_params(), rtol=1e-6, atol=1e-10)


def test_the_covariance_equals_statsmodels_once_centred(against_statsmodels):
    ours, theirs, K = against_statsmodels
    centre = np.kron(np.eye(K) - 1 / K, np.eye(5))
    padded = np.zeros((5 * K, 5 * K))
    padded[5:, 5:] = theirs.cov_params()
    np.testing.assert_allclose(ours.covariance_, centre @ padded @ centre.T, rtol=1e-6, atol=1e-10)


def test_the_sandwich_tells_how_penalised_coefficients_scatter():
    X, _ = simulated(400, 3, 3, seed=4)
    truth = np.random.default_rng(5).normal(0, 0.5, (3, 3))
    rng = np.random.default_rng(6)
    drawn = [(X @ truth.T + rng.gumbel(size=(400, 3))).argmax(axis=1) for _ in range(150)]
    fits = [MultinomialLogit(alpha=5.0).fit(X, y) for y in drawn]
    scatter = np.std([fit.coef_ for fit in fits], axis=0)
    told = np.mean([np.sqrt(np.diag(fit.covariance_)).reshape(3, 4)[:, 1:] for fit in fits], axis=0)
    np.testing.assert_allclose(told, scatter, rtol=0.2)


def test_parameters_and_their_covariance_sum_to_zero_over_classes(model):
    K, T = model.coef_.shape
    assert np.abs(model.coef_.sum(axis=0)).max() < 1e-12
    assert abs(model.intercept_.sum()) < 1e-12
    blocks = model.covariance_.reshape(K, T + 1, K, T + 1)
    assert np.abs(blocks.sum(axis=0)).max() < 1e-12
    assert (model.covariance_ == model.covariance_.T).all()
    assert np.linalg.eigvalsh(model.covariance_).min() > -1e-10


def test_probabilities_sum_to_one_and_predict_names_the_largest(model, faces):
    p = model.predict_proba(faces[0])
    assert p.shape == (307, 4)
    np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-12)
    assert (model.predict(faces[0]) == model.classes_[p.argmax(axis=1)]).all()
    assert np.abs(model.logits(faces[0]).sum(axis=1)).max() < 1e-10
    assert model.score(*faces) > 0.5
    assert model.consumes == "aus"


def test_hinges_are_terms_of_one_au_each_and_follow_the_data():
    rng = np.random.default_rng(7)
    X = rng.uniform(0, 5, (600, 2))
    y = np.where(np.abs(X[:, 0] - 2.4) < 1.2, "middle", "edge")
    linear, hinges = MultinomialLogit().fit(X, y), MultinomialLogit(terms="hinges").fit(X, y)
    assert hinges.term_feature_.tolist() == [0, 0, 0, 1, 1, 1]
    assert np.isnan(hinges.term_knot_).tolist() == [True, False, False, True, False, False]
    assert hinges.term_names_[1].startswith("x0>")
    knot = hinges.term_knot_[1]
    np.testing.assert_array_equal(hinges.basis(X)[:, 1], np.maximum(0, X[:, 0] - knot))
    assert hinges.score(X, y) > linear.score(X, y) + 0.1


def test_an_au_that_is_mostly_zero_gets_no_useless_hinge():
    X, y = simulated(90, 3, 2, seed=8)
    X[:, 0] = np.r_[np.zeros(80), np.ones(10)]
    names = MultinomialLogit(terms="hinges").fit(X, y).term_names_.tolist()
    assert [name for name in names if name.startswith("x0")] == ["x0"]


def test_scaling_an_au_scales_its_coefficient_only():
    X, y = simulated(150, 3, 3, seed=9)
    one = MultinomialLogit(alpha=3.0).fit(X, y)
    other = MultinomialLogit(alpha=3.0).fit(X * [1.0, 1000.0, 0.01], y)
    np.testing.assert_allclose(other.coef_ * [1.0, 1000.0, 0.01], one.coef_, atol=1e-8)


def test_the_order_and_number_of_columns_do_not_matter(model, faces):
    X, y = faces
    expected = model.predict_proba(X)
    shuffled = X[X.columns[::-1]].assign(AU45_r=9.0, input="a")
    np.testing.assert_array_equal(model.predict_proba(shuffled), expected)
    again = MultinomialLogit(terms=model.terms).fit(X[X.columns[::-1]], y)
    np.testing.assert_allclose(again.predict_proba(X), expected, atol=1e-8)


def test_tables_frames_and_arrays_give_the_same_answer(model, faces, table):
    expected = model.predict_proba(faces[0])
    np.testing.assert_array_equal(model.predict_proba(table), expected)
    np.testing.assert_array_equal(model.predict_proba(faces[0].to_numpy()), expected)


def test_a_table_leaves_its_backend_and_scale_in_the_model(table, faces):
    fitted = MultinomialLogit().fit(table, faces[1])
    assert (fitted.backend_, fitted.scale_) == ("embedded", "r")
    assert fitted.feature_names_in_.tolist() == table.au_columns


def test_baselines_are_the_means_of_the_training_rows(model, faces):
    X, y = faces
    np.testing.assert_allclose(model.feature_mean_, X.mean())
    np.testing.assert_allclose(model.feature_sd_, X.std())
    np.testing.assert_allclose(model.feature_range_, [X.min(), X.max()])
    np.testing.assert_allclose(model.term_mean_, model.basis(X).mean(axis=0))
    np.testing.assert_allclose(model.class_term_mean_[1], model.basis(X[y == "neutral"]).mean(axis=0))
    assert model.n_ == 307
    assert model.class_count_.tolist() == [(y == name).sum() for name in model.classes_]


def test_coefficients_are_laid_out_tidily(model):
    frame = model.coefficients()
    K, T = model.coef_.shape
    assert list(frame.columns) == ["emotion", "au", "term", "coef", "se"]
    assert len(frame) == K * (T + 1)
    row = frame[(frame["emotion"] == "sad") & (frame["term"] == "AU12_r")].iloc[0]
    t = model.term_names_.tolist().index("AU12_r")
    assert (row["au"], row["coef"]) == ("AU12_r", model.coef_[2, t])
    assert (frame.loc[frame["term"] == "intercept", "coef"].to_numpy() == model.intercept_).all()


def test_weights_count_like_repeated_rows_in_the_estimate():
    X, y = simulated(120, 3, 3, seed=10)
    times = np.random.default_rng(0).integers(0, 4, 120)
    repeated = MultinomialLogit(alpha=0).fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    weighted = MultinomialLogit(alpha=0).fit(X, y, sample_weight=times)
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-8)


def test_the_size_of_weights_does_not_change_the_certainty():
    X, y = simulated(120, 3, 3, seed=10)
    weights = np.random.default_rng(1).uniform(0.5, 2, 120)
    one = MultinomialLogit(alpha=0).fit(X, y, sample_weight=weights)
    ten = MultinomialLogit(alpha=0).fit(X, y, sample_weight=10 * weights)
    np.testing.assert_allclose(one.covariance_, ten.covariance_, rtol=1e-6)


def test_incomplete_rows_and_idle_columns_are_left_out_with_a_note(faces):
    X, y = faces[0].copy(), faces[1]
    X.iloc[[3, 8], 1] = np.nan
    X["AU09_r"], X["AU45_r"] = 0.0, np.nan
    fitted = MultinomialLogit().fit(X, y)
    assert fitted.n_ == 305
    assert fitted.feature_names_in_.tolist() == list(faces[0].columns)
    assert fitted.n_features_in_ == 7
    notes = " | ".join(fitted.notes_)
    assert "without any value: AU45_r" in notes
    assert "2 of 307 rows" in notes
    assert "never vary: AU09_r" in notes
    assert fitted.predict_proba(X.to_numpy()).shape == (307, 4)
    assert fitted.predict_proba(faces[0]).shape == (307, 4)


def test_a_face_without_aus_gets_no_answer(model, faces):
    X = faces[0].head(3).copy()
    X.iloc[1, 0] = np.nan
    assert np.isnan(model.predict_proba(X)).all(axis=1).tolist() == [False, True, False]
    assert model.predict(X)[1] == ""
    assert model.predict(X)[0] != ""
    assert model.predict_proba(X.head(0)).shape == (0, 4)


def test_collinear_aus_are_left_out_only_where_no_penalty_tells_them_apart(faces):
    X, y = faces[0].assign(AU26_r=lambda f: 0.5 * f["AU25_r"] + 0.25 * f["AU12_r"]), faces[1]
    free = MultinomialLogit(alpha=0).fit(X, y)
    assert free.feature_names_in_.tolist() == list(faces[0].columns)
    assert "others determine" in free.notes_[0]
    assert np.isfinite(free.covariance_).all()
    assert "AU26_r" in MultinomialLogit(alpha=1).fit(X, y).feature_names_in_
    hinges = MultinomialLogit(alpha=0, terms="hinges").fit(X, y)
    assert np.isfinite(hinges.coef_).all()


def test_separated_classes_are_said_to_be_so():
    X = np.arange(40.0)[:, None] / 10
    fitted = MultinomialLogit(alpha=0).fit(X, np.where(X[:, 0] < 2, "low", "high"))
    assert any("separate" in note or "stopped early" in note for note in fitted.notes_)
    assert MultinomialLogit(alpha=1).fit(X, np.where(X[:, 0] < 2, "low", "high")).notes_ == []


def test_too_few_iterations_are_said(faces):
    fitted = MultinomialLogit(max_iter=1).fit(*faces)
    assert not fitted.converged_
    assert "max_iter" in fitted.notes_[0]


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda X, y: (X, np.full(len(y), "happy")), "all 307 rows are happy"),
        (lambda X, y: (X, y[:-1]), "expected 307"),
        (lambda X, y: (X, [None, *y[1:]]), "1 of 307 rows have none"),
        (lambda X, y: (X, np.r_[np.nan, np.arange(306.0)]), "1 of 307 rows have none"),
        (lambda X, y: (X.assign(AU12_r="strong"), y), "column AU12_r: expected numbers"),
        (lambda X, y: (X.assign(AU12_r=np.inf), y), "infinite"),
        (lambda X, y: (X * np.nan, y), "no AU has a value"),
        (lambda X, y: (X * 0, y), "the same in all 307 rows"),
        (lambda X, y: (X.assign(AU12_c=1.0), y), "several scales"),
        (lambda X, y: (X.to_numpy()[0], y), "expected rows of AUs"),
        (lambda X, y: (X.head(0), []), "no row has a value"),
    ],
)
def test_what_cannot_be_fitted_is_refused_in_one_line(faces, change, part):
    with pytest.raises(FitError, match=part) as caught:
        MultinomialLogit().fit(*change(*faces))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bad", [{"alpha": -1}, {"alpha": "much"}, {"terms": "cubic"}])
def test_bad_parameters_are_refused(faces, bad):
    with pytest.raises(FitError, match=next(iter(bad))):
        MultinomialLogit(**bad).fit(*faces)


@pytest.mark.parametrize("weights", [[1.0], [-1.0] * 307, [np.nan] * 307])
def test_bad_weights_are_refused(faces, weights):
    with pytest.raises(FitError, match="sample_weight"):
        MultinomialLogit().fit(*faces, sample_weight=weights)


def test_aus_that_do_not_fit_the_model_are_refused(table, faces):
    fitted = MultinomialLogit().fit(table, faces[1])
    X = faces[0]
    with pytest.raises(ModelError, match=r"needs AU12_r, which the table lacks; it has AU01_r"):
        fitted.predict(X.drop(columns="AU12_r"))
    presence = X.rename(columns=lambda name: name.replace("_r", "_c"))
    with pytest.raises(ModelError, match=r"scale _r .*, the table has _c"):
        fitted.predict(presence)
    other = AUTable(table.frame, backend="openface", backend_version="2.2", scale="r")
    with pytest.raises(ModelError, match=r"backend 'embedded', the table is of 'openface'"):
        fitted.predict(other)
    with pytest.raises(ModelError, match="column AU12_r: expected numbers"):
        fitted.predict(X.assign(AU12_r="strong"))
    with pytest.raises(ModelError, match=r"expected \(n, 5\)"):
        fitted.predict(X.to_numpy()[:, :3])
    with pytest.raises(ModelError, match="not fitted"):
        MultinomialLogit().predict(X)
    unknown = AUTable(table.frame, backend="unknown", backend_version="", scale="r")
    assert len(fitted.predict(unknown)) == 307


# Persistence


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("terms", ["linear", "hinges"])
def test_a_saved_model_comes_back_number_for_number(tmp_path, classes, terms):
    X, y = simulated(160, 3, classes, seed=12)
    frame = pd.DataFrame(X, columns=["AU04_r", "AU06_r", "AU12_r"]).assign(AU45_r=0.0)
    fitted = MultinomialLogit(alpha=0.7, terms=terms).fit(frame, y)
    fitted.low_validity_ = ["AU06_r"]
    fitted.scores_ = {"accuracy": 0.5, "test": {"n": 12}}
    path = fitted.save(tmp_path / "model")
    assert path == tmp_path / "model" / "model.json"
    back = MultinomialLogit.load(tmp_path / "model")
    assert vars(back).keys() == vars(fitted).keys()
    for name, value in vars(fitted).items():
        if isinstance(value, np.ndarray):
            assert getattr(back, name).dtype == value.dtype, name
            np.testing.assert_array_equal(getattr(back, name), value, err_msg=name)
        else:
            assert getattr(back, name) == value, name
    np.testing.assert_array_equal(back.predict_proba(frame), fitted.predict_proba(frame))
    assert back.save(tmp_path / "again.json").read_bytes() == path.read_bytes()


def test_a_model_file_is_strict_json_with_its_format_named(model, tmp_path):
    text = model.save(tmp_path / "m.json").read_text()
    content = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert (content["format"], content["version"]) == ("multinomial-logit", 2)


def test_numeric_labels_stay_numbers(tmp_path):
    X, y = simulated(80, 2, 3, seed=13)
    fitted = MultinomialLogit().fit(X, np.unique(y, return_inverse=True)[1])
    fitted.save(tmp_path / "m.json")
    assert MultinomialLogit.load(tmp_path / "m.json").predict(X).dtype.kind == "i"
    X[0, 0] = np.nan
    with pytest.raises(ModelError, match="1 rows have an AU without a value"):
        fitted.predict(X)


@pytest.mark.parametrize(
    ("damage", "part"),
    [
        (lambda text: "", "not readable as JSON"),
        (lambda text: text[: len(text) // 2], "not readable as JSON"),
        (lambda text: "[]", "got 'list'"),
        (lambda text: '{"format": "other"}', "got 'other'"),
        (lambda text: text.replace('"version": 2', '"version": 99'), "version 99"),
        (lambda text: text.replace('"intercept"', '"itercept"'), "'intercept' is missing"),
        (lambda text: text.replace('"intercept": [', '"intercept": [0.5, '), "intercept has shape"),
        (lambda text: text.replace('_triangle": [', '_triangle": [0.5, '), "the covariance has"),
        (lambda text: text.replace('"intercept": [', '"intercept": ["x", '), "damaged"),
    ],
)
def test_a_damaged_model_file_is_refused_in_one_line(model, tmp_path, damage, part):
    path = model.save(tmp_path / "m.json")
    path.write_text(damage(path.read_text()))
    with pytest.raises(ModelError, match=part) as caught:
        MultinomialLogit.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_model_and_an_unfitted_one_are_refused(tmp_path):
    with pytest.raises(ModelError, match=r"model\.json: no such file"):
        MultinomialLogit.load(tmp_path / "nowhere")
    with pytest.raises(ModelError, match="not fitted"):
        MultinomialLogit().save(tmp_path)


# scikit-learn


def test_scikit_learn_takes_it_for_a_classifier(faces):
    from sklearn.base import clone, is_classifier
    from sklearn.utils.validation import check_is_fitted

    fitted = MultinomialLogit(alpha=2.5, terms="hinges").fit(*faces)
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not hasattr(copy, "coef_")
    assert is_classifier(copy)
    check_is_fitted(fitted)
    assert copy.set_params(alpha=9.0).alpha == 9.0
    with pytest.raises(ValueError, match="no parameter 'C'"):
        copy.set_params(C=1.0)


def test_it_is_cross_validated_searched_and_piped_by_scikit_learn(faces):
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y = faces
    plain = cross_val_score(MultinomialLogit(), X, y, cv=3, scoring="neg_log_loss")
    piped = cross_val_score(
        make_pipeline(StandardScaler(), MultinomialLogit()), X, y, cv=3, scoring="neg_log_loss"
    )
    np.testing.assert_allclose(piped, plain, atol=1e-7)
    search = GridSearchCV(MultinomialLogit(), {"alpha": [0.1, 10.0], "terms": ["linear", "hinges"]}, cv=3)
    assert search.fit(X, y).best_score_ > 0.5


def test_predicting_a_saved_model_imports_neither_pandas_nor_scikit_learn(model, tmp_path):
    path = model.save(tmp_path / "m.json")
    code = (
        "import sys, numpy as np; from analysis.logit.model import MultinomialLogit; "
        "from analysis.explain.faces import explain_many; "
        f"model = MultinomialLogit.load({str(path)!r}); explain_many(model, np.ones((2, 5)))[0].to_dict(); "
        "print({'pandas', 'sklearn', 'scipy', 'statsmodels', 'torch', 'cv2'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.slow
def test_a_data_set_of_usual_size_is_fitted_and_predicted_in_time():
    """Processor time of one thread, so that a busy machine does not fail it."""
    import time

    from threadpoolctl import threadpool_limits

    X, y = simulated(28_000, 30, 7, seed=14)
    with threadpool_limits(1):
        start = time.process_time()
        fitted = MultinomialLogit(terms="hinges").fit(X, y)
        middle = time.process_time()
        fitted.predict_proba(X)
        end = time.process_time()
    assert fitted.coef_.shape == (7, 90)
    assert middle - start < 60
    assert end - middle < 0.5
