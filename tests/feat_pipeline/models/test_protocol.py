"""What a model can do is declared, and the declaration is true."""

import inspect

import pytest

from analysis.logit import MultinomialLogit
from feat_pipeline.errors import UsageError
from feat_pipeline.models import LOADERS, model_class, trainable
from feat_pipeline.models.cnn import CnnClassifier
from feat_pipeline.models.ensemble import Ensemble
from feat_pipeline.models.flexible import AuNetwork
from feat_pipeline.models.protocol import (
    can_be_trained,
    hands_out_network,
    has_recipe,
    is_explainable,
    is_trainable,
    lacking,
    looks_at_aus,
)
from feat_pipeline.models.views import MirroredModel
from tests.feat_pipeline.models.made import au_rows

TRAINED = [*trainable(), "multinomial-logit"]


@pytest.mark.parametrize("kind", LOADERS)
def test_every_kind_offers_what_a_model_must(kind):
    assert lacking(model_class(kind)) == []


@pytest.mark.parametrize("kind", TRAINED)
def test_settings_are_the_arguments_of_the_constructor(kind):
    found = model_class(kind)
    assert is_trainable(found) and found.settings == tuple(inspect.signature(found).parameters)


@pytest.mark.parametrize("kind", TRAINED)
def test_options_of_fit_are_its_keywords(kind):
    found = model_class(kind)
    assert found.fit_options == tuple(inspect.signature(found.fit).parameters)[3:]  # after self, X and y


def test_the_regression_alone_explains_itself():
    assert [kind for kind in LOADERS if model_class(kind).explains] == ["multinomial-logit"]
    assert is_explainable(MultinomialLogit()) and not is_explainable(AuNetwork())


def test_models_say_what_else_they_can():
    assert looks_at_aus(AuNetwork()) and not looks_at_aus(CnnClassifier())
    assert has_recipe(CnnClassifier()) and not has_recipe(AuNetwork())
    assert hands_out_network(CnnClassifier()) and not hands_out_network(AuNetwork())
    assert can_be_trained(AuNetwork()) and not can_be_trained(Ensemble({"a": AuNetwork()}))


def test_an_ensemble_on_aus_says_what_its_members_need():
    X, y = au_rows()
    voted = Ensemble({"a": AuNetwork(max_iter=5), "b": MultinomialLogit()}).fit(X, y)
    assert looks_at_aus(voted) and sorted(voted.feature_names_in_) == sorted(X.columns)
    assert voted.scale_ == "r" and voted.backend_ == "unknown"


def test_an_ensemble_of_models_that_cannot_be_trained_says_which():
    class Fixed:
        consumes, explains = "aus", False

    with pytest.raises(UsageError, match="members: fixed cannot be trained here"):
        Ensemble({"net": AuNetwork(), "fixed": Fixed()}).fit(*au_rows())


def test_a_model_that_looks_twice_is_saved_as_itself_and_read_as_one_that_does(tmp_path):
    X, y = au_rows()
    file = MirroredModel(AuNetwork(max_iter=5).fit(X, y)).save(tmp_path)
    again = MirroredModel.load(file)
    assert isinstance(again.model, AuNetwork) and again.classes_.tolist() == sorted(set(y))
