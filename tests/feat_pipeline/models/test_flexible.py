"""Models on AUs that are kept as arrays answer as scikit-learn's own do."""

import json

import numpy as np
import pytest
import sklearn.ensemble
import sklearn.neural_network

from feat_pipeline.errors import InputError
from feat_pipeline.models import load_model
from feat_pipeline.models.flexible import AuBoosting, AuNetwork
from tests.feat_pipeline.models.made import au_rows


@pytest.fixture
def fitted(monkeypatch):
    """What scikit-learn fitted, by the model that keeps it."""

    def fit(model, estimator, X, y):
        kept = []
        monkeypatch.setattr(estimator, "fit", _recording(estimator.fit, kept))
        model.fit(X, y)
        return kept[0]

    return fit


def _recording(fit, kept):
    def recorded(self, *arguments, **options):
        kept.append(self)
        return fit(self, *arguments, **options)

    return recorded


@pytest.mark.parametrize("classes", [2, 3])
def test_boosted_trees_answer_as_scikit_learn_does(fitted, classes, tmp_path):
    X, y = au_rows(150)
    y = np.where(y == "angry", "neutral", y) if classes == 2 else y
    model = AuBoosting(max_iter=30, min_samples_leaf=5, seed=3)
    boosted = fitted(model, sklearn.ensemble.GradientBoostingClassifier, X, y)
    model.save(tmp_path)
    unseen = au_rows(400, seed=1)[0]
    expected = boosted.predict_proba(unseen.to_numpy())
    assert load_model(tmp_path).predict_proba(unseen) == pytest.approx(expected, abs=1e-6)


def test_a_network_answers_as_scikit_learn_does(fitted):
    X, y = au_rows(90)
    model = AuNetwork(max_iter=30)
    network = fitted(model, sklearn.neural_network.MLPClassifier, X, y)
    unseen = au_rows(200, seed=1)[0]
    scaled = (unseen.to_numpy() - X.to_numpy().mean(0)) / X.to_numpy().std(0)
    assert model.predict_proba(unseen) == pytest.approx(network.predict_proba(scaled), abs=1e-6)


def test_the_seed_chooses_the_rows_of_each_tree():
    X, y = au_rows(90)
    one, same, other = (AuBoosting(max_iter=5, seed=seed).fit(X, y).predict_proba(X) for seed in (1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one, other)


def test_boosted_trees_of_another_version_are_refused(tmp_path):
    file = AuBoosting(max_iter=2).fit(*au_rows()).save(tmp_path)
    file.write_text(json.dumps(json.loads(file.read_text()) | {"version": 1}))
    with pytest.raises(InputError, match="version 1"):
        load_model(tmp_path)
