"""A small head on the features of a frozen network."""

import json

import numpy as np
import pytest

from feat_pipeline.errors import InputError, UnavailableError, UsageError
from feat_pipeline.faces.align import box_matrix, warp
from feat_pipeline.models import load_model
from feat_pipeline.models.transfer import EmbeddedBackbone, TransferClassifier
from tests.feat_pipeline.models.made import faces


def test_the_backbone_sees_a_predictors_crop_and_its_inside_alike():
    across, down = np.meshgrid(np.arange(300), np.arange(260))
    picture = np.clip(across * 0.5 + 40 * np.sin(down / 20) + 60, 0, 255).astype(np.uint8)
    box = np.array([80.0, 60, 220, 200])
    colour = warp(np.repeat(picture[..., None], 3, 2), box_matrix(box, 160), 160)
    net = EmbeddedBackbone()
    wide, tight = net.features(colour[None])[0], net.features(picture[None, 60:200, 80:220])[0]
    assert wide.shape == tight.shape and np.corrcoef(wide, tight)[0, 1] > 0.8


def test_the_head_is_teachable_machines_and_judged_on_faces_it_did_not_learn():
    model = TransferClassifier(epochs=30).fit(*faces(60), validation=faces(30, seed=1))
    assert model.arrays_["weight0"].shape[1] == 100 and model.arrays_["weight1"].shape == (100, 3)
    assert model.validation_accuracy_ > 0.8


def test_mobilenet_says_at_once_that_its_weights_are_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(UnavailableError, match=r"weights are not on this machine; fetch https://.*mobilenet"):
        TransferClassifier(backbone="mobilenet").fit(*faces(12))


def test_mobilenet_runs_where_its_weights_are(tmp_path, monkeypatch):
    import torch
    from torchvision.models import MobileNet_V2_Weights, mobilenet_v2

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    torch.set_num_threads(1)
    torch.manual_seed(0)
    file = tmp_path / "hub" / "checkpoints" / MobileNet_V2_Weights.IMAGENET1K_V1.url.rpartition("/")[2]
    file.parent.mkdir(parents=True)
    torch.save(mobilenet_v2().state_dict(), file)
    X, y = faces(12, side=48)
    model = TransferClassifier(backbone="mobilenet", epochs=2, held_out=0.3).fit(X, y)
    model.save(tmp_path / "m")
    assert model.arrays_["mean"].shape == (1280,)
    assert (load_model(tmp_path / "m").predict_proba(X) == model.predict_proba(X)).all()
    torch.save(mobilenet_v2().state_dict(), file)
    with pytest.raises(InputError, match="another version of the backbone mobilenet"):
        load_model(tmp_path / "m")


def test_refuses_an_unknown_backbone(tmp_path):
    with pytest.raises(UsageError, match="backbone: expected one of embedded, mobilenet, got 'resnet'"):
        TransferClassifier(backbone="resnet").fit(*faces(12))
    file = TransferClassifier(epochs=1).fit(*faces(12)).save(tmp_path)
    file.write_text(json.dumps(json.loads(file.read_text()) | {"backbone": "resnet"}))
    with pytest.raises(InputError, match="backbone: expected one of"):
        load_model(tmp_path)
