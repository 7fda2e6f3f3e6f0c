"""Classes of other packages may do anything: it costs one line that names them."""

import sys
import types

import numpy as np
import pytest

from analysis.errors import ModelError
from feat_pipeline import predict
from feat_pipeline.detect import DETECTORS, available_detectors, make_detector
from feat_pipeline.errors import UnavailableError
from feat_pipeline.extract import BACKENDS, make_extractor
from feat_pipeline.faces.crops import FaceCrops


class Raising:
    def __init__(self):
        raise RuntimeError("no licence\nfile")


class Empty:
    pass


@pytest.fixture(autouse=True)
def third_party(monkeypatch):
    module = types.ModuleType("third_party")
    module.Raising, module.Empty = Raising, Empty
    monkeypatch.setitem(sys.modules, "third_party", module)
    for name, entry in {
        "raising": "third_party:Raising",
        "empty": "third_party:Empty",
        "gone": "nowhere:X",
    }.items():
        monkeypatch.setitem(BACKENDS, name, entry)
        monkeypatch.setitem(DETECTORS, name, entry)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("raising", r"backend raising cannot be made \(RuntimeError: no licence file\)"),
        ("empty", "backend empty: third_party:Empty lacks name, version, scale"),
        ("gone", "backend gone: nowhere:X cannot be loaded"),
    ],
)
def test_a_backend_that_fails_is_named(name, said):
    with pytest.raises(UnavailableError, match=said):
        make_extractor(name)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("raising", r"detector raising cannot be made \(RuntimeError: no licence file\)"),
        ("empty", "detector empty: third_party:Empty has no method detect"),
        ("gone", "detector gone: nowhere:X cannot be loaded"),
    ],
)
def test_a_detector_that_fails_is_named(name, said):
    with pytest.raises(UnavailableError, match=said):
        make_detector(name)


def test_one_broken_detector_leaves_the_list_whole():
    statuses = {status.name: status for status in available_detectors()}
    assert statuses["haar"].available and list(statuses) == list(DETECTORS)
    assert not statuses["raising"].available and "no licence file" in statuses["raising"].mend


class TooWide:
    classes_ = np.array(["happy", "sad"])
    consumes, explains = "pixels", False

    def predict_proba(self, X):
        return np.full((len(X), 5), 0.2)


def test_a_model_whose_answers_have_another_shape_is_named():
    crops = FaceCrops([np.zeros((8, 8, 3), np.uint8)], [[0, 0, 8, 8]])
    face = types.SimpleNamespace(probabilities={})
    with pytest.raises(ModelError, match=r"model wide: .* shape \(1, 5\), expected \(1, 2\)"):
        predict._add_answers("wide", TooWide(), [face], None, crops)
