import numpy as np
import pandas as pd
import pytest
from scipy.stats import entropy
from sklearn.metrics import cohen_kappa_score, r2_score

from analysis.errors import AnalysisError, FitError
from analysis.likelihood.maximum import softmax
from analysis.logit import MultinomialLogit
from analysis.surrogate import Surrogate, fit_surrogate
from analysis.surrogate.fidelity import FIDELITY, FLOOR, centred_logits, divergences, fidelity
from analysis.surrogate.stability import stability
from analysis.surrogate.tables import judge
from tests.analysis.conftest import AUS, EMOTIONS, simulated


def probabilities(p):
    return pd.DataFrame(p, columns=[f"p_{name}" for name in EMOTIONS])


@pytest.fixture(scope="module")
def crowd():
    """600 faces of 200 persons, their emotions, and the logits that made these."""
    X, y = simulated(600, AUS, EMOTIONS, seed=4)
    weights = np.random.default_rng(8).normal(0, 0.8, (len(AUS), 4))
    return X, y, X.to_numpy() @ weights, np.repeat(np.arange(200), 3)


@pytest.fixture(scope="module")
def of_a_logit(crowd):
    X, y, scores, groups = crowd
    return fit_surrogate(
        X, probabilities(softmax(scores)), groups=groups, y=y, alpha=0.0, draws=40, name="net"
    )


def value(surrogate, who, metric):
    return surrogate.fidelity.set_index(["who", "metric"]).loc[(who, metric), "value"]


def test_the_surrogate_of_a_logit_is_that_logit(of_a_logit, crowd):
    X, _, scores, _ = crowd
    slopes = np.linalg.lstsq(np.c_[np.ones(len(X)), X], scores, rcond=None)[0][1:].T
    assert of_a_logit.model.coef_ == pytest.approx(slopes - slopes.mean(axis=0), abs=1e-4)
    assert of_a_logit.usable
    for metric in FIDELITY:
        assert value(of_a_logit, "surrogate", metric) > 0.999
    assert of_a_logit.tables["per_class"]["accounted"].all()
    assert (of_a_logit.tables["stability"]["sign_consistency"] == 1).all()
    assert of_a_logit.facts["rank_correlation"] > 0.999
    assert of_a_logit.facts["verdict"].startswith("Usable: R² of the centred logits 1.00")


def test_references_lie_where_they_should(of_a_logit):
    assert value(of_a_logit, "majority", "kappa") == 0
    assert value(of_a_logit, "majority", "kl_r2") == pytest.approx(0, abs=0.05)
    for metric in FIDELITY:
        own, true = (value(of_a_logit, who, metric) for who in ("surrogate", "logit on true labels"))
        ceiling = value(of_a_logit, "flexible AU model", metric)
        assert value(of_a_logit, "majority", metric) < ceiling < own
        assert true < own
    table = of_a_logit.fidelity.dropna()
    assert table["value"].between(table["low"], table["high"]).all()


def test_held_out_persons_are_not_trained_on(of_a_logit, crowd):
    held_out = of_a_logit.tables["faces"]["held_out"].to_numpy()
    groups = crowd[3]
    assert not set(groups[held_out]) & set(groups[~held_out])
    facts = of_a_logit.facts
    assert (facts["n_train"], facts["n_test"], facts["n_groups"]) == (450, 150, 200)


def test_the_surrogate_of_noise_is_not_to_be_used(crowd):
    X, y, _, groups = crowd
    noise = np.random.default_rng(1).dirichlet(np.ones(4), len(X))
    found = fit_surrogate(X, probabilities(noise), groups=groups, y=y, alpha=10.0, draws=40)
    assert not found.usable
    assert found.facts["verdict"].startswith("Do not use it: R² of the centred logits")
    assert "No model of these AUs" in found.facts["verdict"]
    assert not found.tables["per_class"]["accounted"].any()
    told = found.explain(X.iloc[0], dict(zip(EMOTIONS, noise[0], strict=True)))
    assert "not faithful enough" in told.rationale


def test_what_only_bends_can_follow_is_said(crowd):
    X, _, _, groups = crowd
    x = np.abs(X.to_numpy()[:, :4] - 1.0)
    found = fit_surrogate(X, probabilities(softmax(3 * x)), groups=groups, alpha=1.0, draws=40)
    assert not found.usable
    assert "try terms with bends" in found.facts["verdict"]


def test_soft_labels_follow_a_confident_classifier_better_than_its_answers(crowd):
    X, _, scores, _ = crowd
    p = softmax(0.5 * (scores - scores.mean(axis=0)))
    soft = MultinomialLogit().fit_soft(X, p, EMOTIONS)
    hard = MultinomialLogit().fit(X, np.array(EMOTIONS)[p.argmax(axis=1)])
    own, other = (fidelity(p, m.predict_proba(X), p.mean(axis=0), [np.ones(600)]) for m in (soft, hard))
    assert own.agreement[0] - other.agreement[0] < 0.03  # agreement does not tell them apart
    assert own.logit_r2[0] > 0.99 > 0.5 > other.logit_r2[0]


def test_fidelity_is_what_it_is_called():
    rng = np.random.default_rng(3)
    p, q = rng.dirichlet(np.ones(3), (2, 50))
    mean = p.mean(axis=0)
    w = rng.integers(0, 4, 50).astype(float)
    rows = np.repeat(np.arange(50), w.astype(int))
    found = fidelity(p, q, mean, [np.ones(50), w])
    for d, chosen in enumerate((np.arange(50), rows)):
        a, b = p[chosen], q[chosen]
        theirs, ours = centred_logits(a), centred_logits(b)
        assert found.agreement[d] == pytest.approx((a.argmax(1) == b.argmax(1)).mean())
        assert found.kappa[d] == pytest.approx(cohen_kappa_score(a.argmax(1), b.argmax(1)))
        expected = 1 - entropy(a, b, axis=1).sum() / entropy(a, np.tile(mean, (len(a), 1)), axis=1).sum()
        assert found.kl_r2[d] == pytest.approx(expected)
        assert found.class_r2[d] == pytest.approx(r2_score(theirs, ours, multioutput="raw_values"))
        assert found.logit_r2[d] == pytest.approx(r2_score(theirs, ours, multioutput="variance_weighted"))
        by_class = [cohen_kappa_score(a.argmax(1) == k, b.argmax(1) == k) for k in range(3)]
        assert found.class_kappa[d] == pytest.approx(by_class)


def test_logits_of_impossible_answers_stay_finite():
    logits = centred_logits(np.array([[1.0, 0.0, 0.0]]))
    assert logits[0] == pytest.approx([-2 / 3 * np.log(FLOOR), np.log(FLOOR) / 3, np.log(FLOOR) / 3])
    assert np.isfinite(divergences(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])))


def test_a_weak_coefficient_changes_its_sign_from_draw_to_draw(crowd):
    X, _, scores, groups = crowd
    noisy = scores + np.random.default_rng(0).normal(0, 2, scores.shape)
    model = MultinomialLogit().fit_soft(X, softmax(noisy), EMOTIONS)
    table, correlation = stability(model, X, softmax(noisy), groups=groups, draws=40)
    sure = table["low"] * table["high"] > 0
    assert (table.loc[sure, "sign_consistency"] > 0.95).all()
    assert (table.loc[~sure, "sign_consistency"] < 1).all()
    assert 0 < (~sure).sum() < len(table)
    assert table["coef"].to_numpy() == pytest.approx(model.coef_.ravel())
    assert 0.8 < correlation < 0.999


def test_many_terms_are_not_refitted_and_the_notes_say_so(crowd, monkeypatch):
    X, _, scores, _ = crowd
    monkeypatch.setattr("analysis.surrogate.stability.MOST_TERMS", 4)
    found = fit_surrogate(X, probabilities(softmax(scores)), alpha=1.0, draws=20)
    assert found.tables["stability"].empty
    assert found.facts["notes"][-1] == "stability was not measured: 5 terms are more than 4"


def test_a_face_is_explained_for_the_classifiers_answer(of_a_logit, crowd):
    X = crowd[0]
    q = of_a_logit.model.predict_proba(X.iloc[[0]])[0]
    answer = EMOTIONS[q.argmax()]
    told = of_a_logit.explain(X.iloc[0], dict(zip(EMOTIONS, q, strict=True)))
    assert told.agrees
    assert (told.kl, told.distance) == pytest.approx((0, 0), abs=1e-9)
    assert told.rationale == (
        f"net says {answer} {100 * q.max():.0f} %; by the AUs {told.explanation.rationale}"
    )
    other = EMOTIONS[q.argmin()]
    p = {name: 0.7 if name == other else 0.1 for name in EMOTIONS}
    told = of_a_logit.explain(X.iloc[0], p)
    assert (told.answer, told.explanation.target, told.surrogate_answer) == (other, other, answer)
    assert told.rationale.endswith(f". The AUs do not account for this answer: they say {answer}")
    assert told.distance == pytest.approx(np.abs(np.array(list(p.values())) - q).sum() / 2)
    record = told.to_dict()
    assert record["classifier"]["agrees"] is False
    assert record["target"] == other
    assert record["rationale"] == told.rationale


def test_many_faces_are_explained_as_one_by_one(of_a_logit, crowd):
    X, _, scores, _ = crowd
    few, p = X.head(7).copy(), softmax(-scores[:7])
    few.iloc[3, 0] = np.nan
    found = of_a_logit.explain_many(few, probabilities(p))
    assert found[3] is None
    for i in (0, 6):
        alone = of_a_logit.explain(X.iloc[i], dict(zip(EMOTIONS, p[i], strict=True)), draws=0)
        assert found[i].rationale == alone.rationale
        assert found[i].kl == pytest.approx(alone.kl)


def test_it_comes_back_from_its_folder(of_a_logit, tmp_path, crowd):
    of_a_logit.save(tmp_path)
    loaded = Surrogate.load(tmp_path)
    assert loaded.facts == of_a_logit.facts
    assert loaded.model.predict_proba(crowd[0]) == pytest.approx(of_a_logit.model.predict_proba(crowd[0]))
    for name, table in of_a_logit.tables.items():
        pd.testing.assert_frame_equal(loaded.tables[name], table, check_dtype=False)


def test_faces_without_aus_are_left_out_and_a_mask_says_which_are_held_out(table):
    frame = table.frame.copy()
    frame.loc[[0, 5], "AU12_r"] = np.nan
    p = probabilities(np.random.default_rng(0).dirichlet(np.ones(4), len(frame)))
    mask = np.arange(len(frame)) % 3 == 0
    found = fit_surrogate(frame, p, alpha=1.0, test=mask, draws=10)
    assert found.facts["notes"] == ["2 of 307 faces have an AU without a value: left out"]
    faces = found.tables["faces"]
    assert len(faces) == 305
    assert faces["input"].iloc[0] == "photos/001.jpg"
    assert faces["held_out"].tolist() == np.delete(mask, [0, 5]).tolist()
    assert fit_surrogate(table, p, alpha=1.0, draws=10).model.backend_ == "embedded"


def test_the_verdict_asks_for_the_lower_end_of_the_interval():
    rows = [("surrogate", m, 0.6, low, 0.7) for m, low in (("logit_r2", 0.49), ("kappa", 0.55))]
    rows += [("flexible AU model", m, 0.65, 0.5, 0.7) for m in ("logit_r2", "kappa")]
    rows += [("logit on true labels", "logit_r2", 0.7, 0.5, 0.8)]
    measured = pd.DataFrame(rows, columns=["who", "metric", "value", "low", "high"])
    by_emotion = pd.DataFrame({"emotion": ["fear"], "n": [7], "accounted": [False]})
    usable, verdict = judge(measured, by_emotion, {"logit_r2": 0.5, "kappa": 0.4})
    assert not usable
    assert "R² of the centred logits of at least 0.5 was asked for" in verdict
    usable, verdict = judge(measured, by_emotion, {"logit_r2": 0.45})
    assert usable
    assert "The AUs do not account for fear (7 faces)." in verdict
    assert "never saw the classifier" in verdict


def test_mistakes_are_refused(crowd):
    X, _, scores, groups = crowd
    p = probabilities(softmax(scores))
    mask = np.arange(600) % 2 == 0
    with pytest.raises(FitError, match="test: 200 persons are on both sides"):
        fit_surrogate(X, p, groups=groups, test=mask)
    with pytest.raises(FitError, match="test: expected a share, or 600 booleans"):
        fit_surrogate(X, p, test=mask[:10])
    with pytest.raises(FitError, match="0 faces to train on"):
        fit_surrogate(X, p, test=np.ones(600, bool))
    with pytest.raises(FitError, match="net: expected 600 rows"):
        fit_surrogate(X, p.head(3), name="net")
    with pytest.raises(FitError, match="minimum: expected measures of"):
        fit_surrogate(X, p, minimum={"accuracy": 1})
    with pytest.raises(AnalysisError, match="groups: expected 600"):
        fit_surrogate(X, p, groups=groups[:4])


def test_probabilities_of_other_emotions_are_refused(of_a_logit, crowd):
    with pytest.raises(FitError, match="expected those of happy, neutral, sad, surprise"):
        of_a_logit.explain(crowd[0].iloc[0], {"happy": 0.5, "angry": 0.5})
    with pytest.raises(FitError, match="expected 2 rows, got 600"):
        of_a_logit.explain_many(crowd[0].head(2), probabilities(softmax(crowd[2])))
