"""Soft voting over models of AUs, of pixels and of both."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from analysis.logit import MultinomialLogit
from feat_pipeline.errors import InputError, UsageError
from feat_pipeline.models import load_model
from feat_pipeline.models.ensemble import Ensemble, vote_weights
from feat_pipeline.models.flexible import AuBoosting, AuNetwork
from feat_pipeline.models.texture import TextureClassifier
from feat_pipeline.predict import Predictor
from tests.feat_pipeline.models.made import au_rows, faces


class Says:
    """A model that gives one answer."""

    consumes = "pixels"
    explains = False

    def __init__(self, *shares, classes=("sad", "happy", "fear")):
        self.classes_, self.shares = np.array(classes), np.array(shares)

    def predict_proba(self, X):
        return np.tile(self.shares, (len(X), 1))


X = np.zeros((2, 4, 4), np.uint8)


@pytest.fixture(scope="module")
def mixed():
    """The regression and boosted trees on AUs beside texture."""
    members = {
        "logit": MultinomialLogit(),
        "gbm": AuBoosting(max_iter=5, min_samples_leaf=3),
        "texture": TextureClassifier(kernel="linear", held_out=0.3, components=8),
    }
    aus, labels = au_rows()
    return Ensemble(members, weights=[2, 1, 1]).fit({"aus": aus, "pixels": faces()[0]}, labels)


def test_the_vote_is_the_weighted_mean():
    members = {"a": Says(0.2, 0.3, 0.5), "b": Says(0.6, 0.4, 0.0)}
    assert Ensemble(members).predict_proba(X)[0] == pytest.approx([0.4, 0.35, 0.25])
    assert Ensemble(members, weights=[3, 1]).predict_proba(X)[1] == pytest.approx([0.3, 0.325, 0.375])


def test_classes_are_matched_by_name():
    members = {"a": Says(0.2, 0.3, 0.5), "b": Says(0.6, 0.3, 0.1, classes=("fear", "happy", "sad"))}
    voted = Ensemble(members)
    assert voted.classes_.tolist() == ["sad", "happy", "fear"]
    assert voted.predict_proba(X)[0] == pytest.approx([0.15, 0.3, 0.55])


def test_other_emotions_are_refused_or_left_out_where_told_to():
    members = {"a": Says(0.2, 0.3, 0.5), "b": Says(0.4, 0.6, classes=("happy", "sad"))}
    with pytest.raises(UsageError, match="same emotions, got a: sad, happy, fear; b: happy, sad"):
        Ensemble(members)
    voted = Ensemble(members, common=True)
    assert voted.classes_.tolist() == ["sad", "happy"]
    assert voted.predict_proba(X)[0] == pytest.approx([0.5, 0.5])
    with pytest.raises(UsageError, match="two emotions or more that all know, got fear"):
        Ensemble({"a": Says(1, 0, 0), "b": Says(0.5, 0.5, classes=("fear", "angry"))}, common=True)


def test_refuses_members_and_weights_that_make_no_vote():
    with pytest.raises(UsageError, match="at least one model"):
        Ensemble({})
    with pytest.raises(UsageError, match=r"folder's name, got '\.\./up'"):
        Ensemble({"../up": Says(1, 0, 0)})
    for weights in ([1], [1, -1], [0, 0], [1, np.nan]):
        with pytest.raises(UsageError, match="weights: expected 2 numbers >= 0"):
            Ensemble({"a": Says(1, 0, 0), "b": Says(1, 0, 0)}, weights=weights)


def test_aus_and_pixels_vote_together(mixed):
    aus, labels = au_rows(30, seed=1)
    pixels = faces(30, seed=1)[0]
    answers = mixed.predict_proba({"aus": aus, "pixels": pixels})
    assert mixed.consumes == "both" and answers.sum(1) == pytest.approx(np.ones(30))
    assert (mixed.classes_[answers.argmax(1)] == labels).mean() > 0.9
    offered = SimpleNamespace(aus=aus, pixels=pixels)
    assert mixed.predict_proba(offered) == pytest.approx(answers)


def test_says_what_it_misses(mixed):
    aus, pixels = au_rows(6)[0], faces(6)[0]
    with pytest.raises(InputError, match="the members need pixels; expected a mapping"):
        mixed.predict_proba({"aus": aus})
    with pytest.raises(InputError, match="the members need aus"):
        mixed.predict_proba(pixels)
    with pytest.raises(InputError, match="of the same faces, got 5 and 6 rows"):
        mixed.predict_proba({"aus": aus, "pixels": pixels[:5]})


def test_a_face_that_a_member_cannot_read_gets_no_answer(mixed):
    aus, pixels = au_rows(6)[0], faces(6)[0]
    aus.iloc[2, 0] = np.nan
    answers = mixed.predict_proba({"aus": aus, "pixels": pixels})
    assert np.isnan(answers[2]).all() and np.isfinite(np.delete(answers, 2, 0)).all()


def test_models_of_one_kind_take_what_they_consume():
    aus, labels = au_rows()
    voted = Ensemble({"logit": MultinomialLogit(), "mlp": AuNetwork(max_iter=20)})
    with pytest.raises(UsageError, match="not fitted"):
        voted.predict_proba(aus)
    assert voted.consumes == "aus"
    assert voted.fit(aus, labels).predict_proba(aus).shape == (60, 3)


def test_comes_back_from_its_folder(mixed, tmp_path):
    file = mixed.save(tmp_path / "vote")
    assert sorted(f.name for f in file.parent.iterdir()) == ["gbm", "logit", "model.json", "texture"]
    loaded = load_model(tmp_path / "vote")
    rows = {"aus": au_rows(9, seed=2)[0], "pixels": faces(9, seed=2)[0]}
    assert (loaded.predict_proba(rows) == mixed.predict_proba(rows)).all()


def test_refuses_a_member_that_was_exchanged(mixed, tmp_path):
    file = mixed.save(tmp_path)
    content = json.loads(file.read_text())
    AuNetwork(max_iter=5).fit(*au_rows()).save(tmp_path / "gbm")
    with pytest.raises(InputError, match="member gbm is another than was saved"):
        load_model(tmp_path)
    file.write_text(json.dumps(content | {"members": {"../gbm": "x"}}))
    with pytest.raises(InputError, match=r"member \.\./gbm"):
        load_model(tmp_path)
    file.write_text(json.dumps(content | {"members": {"lost": "x"}}))
    with pytest.raises(InputError, match=r"lost.*cannot be read"):
        load_model(tmp_path)


def test_answers_photos_beside_its_members(fakes, au_table, photos, tmp_path):
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 255, (len(au_table.frame), 20, 20)).astype(np.uint8)
    labels = au_table.frame["emotion"]
    texture = TextureClassifier(kernel="linear", held_out=0.3, components=5)
    voted = Ensemble({"mlp": AuNetwork(max_iter=60), "texture": texture}, weights=[9, 1])
    assert voted.fit({"aus": au_table, "pixels": crops}, labels).backend_ == au_table.backend
    voted.save(tmp_path / "vote")
    predictor = Predictor(models=[tmp_path / "vote", tmp_path / "vote" / "mlp"], detector="fake")
    happy, angry = predictor.predict(photos / "two.png")
    assert [happy.label("vote"), happy.label("mlp"), angry.label("vote")] == ["happy", "happy", "angry"]
    assert sum(happy.probabilities["vote"].values()) == pytest.approx(1)
    assert not happy.explanations


def test_members_of_different_backends_are_refused():
    members = {"a": Says(0.2, 0.3, 0.5), "b": Says(0.2, 0.3, 0.5)}
    members["a"].backend_, members["b"].backend_ = "openface", "embedded"
    members["a"].consumes = members["b"].consumes = "aus"
    with pytest.raises(UsageError, match="AUs of one backend, got embedded, openface"):
        _ = Ensemble(members).backend_


def test_weights_make_the_votes_log_loss_least():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, 500)
    truth = np.eye(3)[codes]
    answers = np.stack([0.5 * truth + 0.5 * rng.dirichlet([1, 1, 1], 500), rng.dirichlet([3, 3, 3], 500),
                        0.2 * truth + 0.8 * rng.dirichlet([1, 1, 1], 500)])  # fmt: skip

    def loss(weights):
        return -np.log(np.tensordot(weights, answers, axes=1)[np.arange(500), codes]).mean()

    weights = vote_weights(answers, codes)
    assert weights.sum() == pytest.approx(1)
    grid = [np.array([a, b, 1 - a - b]) for a in np.linspace(0, 1, 41) for b in np.linspace(0, 1 - a, 41)]
    assert loss(weights) <= min(map(loss, grid)) + 1e-6
    assert weights.argmax() == 0
