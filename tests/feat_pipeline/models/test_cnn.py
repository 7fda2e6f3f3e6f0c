"""The network as an emotion model: trained on tiny faces, saved, and run without torch."""

import copy
import dataclasses
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from feat_pipeline.errors import InputError, OutputError, UsageError
from feat_pipeline.faces.align import box_matrix, warp
from feat_pipeline.models import load_model
from feat_pipeline.models.base import as_seen
from feat_pipeline.models.cnn import NETWORK, CnnClassifier
from feat_pipeline.models.nets import ResidualNet
from feat_pipeline.predict import Predictor
from feat_pipeline.training.recipe import Recipe, fine_tuning
from feat_pipeline.training.temperature import fit_temperature

torch.set_num_threads(1)  # tiny nets: a second thread would only wait

SMALL = {"stem": 4, "widths": [6, 10], "blocks": [1, 2], "dropout": 0.1}
RECIPE = Recipe(epochs=25, batch=10, rate=0.05, sizes=((0, 12),), average=0.8, bf16=False)
NAMES = np.array(["neutral", "angry", "happy"])


def faces(n=60, seed=0, side=12):
    """Faces whose top, middle or lower third is bright, and what they are called."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 120, (n, side, side))
    third = side // 3
    for i in range(n):
        images[i, third * (i % 3) : third * (i % 3 + 1)] += 120
    return images.astype(np.uint8), NAMES[np.arange(n) % 3]


@pytest.fixture(scope="module")
def model():
    return CnnClassifier(recipe=RECIPE, network=SMALL, held_out=0.3).fit(*faces())


def untrained(network=SMALL, classes=("angry", "happy"), size=12):
    """A model with random weights and norms."""
    torch.manual_seed(1)
    net = ResidualNet(classes=len(classes), **network)
    for name, value in net.state_dict().items():
        if "norm" in name or name.startswith("stem.1") or ".shortcut.1" in name:
            value.copy_(torch.rand(value.shape) + 0.5)
    state = {name: value.float().numpy() for name, value in net.state_dict().items()}
    made = CnnClassifier(views="none")
    made._set(list(classes), network, size, 1.0, state)
    return made, net.eval()


def test_fits_and_answers_with_probabilities(model):
    X, y = faces(30, seed=1)
    answers = model.predict_proba(X)
    assert model.classes_.tolist() == ["angry", "happy", "neutral"]
    assert answers.shape == (30, 3) and np.allclose(answers.sum(1), 1) and (answers >= 0).all()
    assert (model.classes_[answers.argmax(1)] == y).mean() > 0.6
    assert model.predict_proba(X[:0]).shape == (0, 3)
    assert len(model.history_) == 25


def test_learns_shares_instead_of_labels(model):
    X, y = faces()
    sure = pd.DataFrame(np.eye(3)[np.arange(60) % 3], columns=NAMES)
    unsure = CnnClassifier(recipe=RECIPE, network=SMALL, held_out=0.3).fit(
        X, y, shares=(sure * 0.4 + 0.15).assign(contempt=0.15), device="cpu"
    )
    assert unsure.classes_.tolist() == ["angry", "happy", "neutral", "contempt"]
    assert unsure.history_["train_loss"].min() > 1.2 > model.history_["train_loss"].min()
    with pytest.raises(InputError, match=r"sums to 1 for each of the 60 faces .* got shape \(60, 3\)"):
        CnnClassifier(recipe=RECIPE, network=SMALL).fit(X, y, shares=sure * 2)
    with pytest.raises(InputError, match="and a column for happy"):
        CnnClassifier(recipe=RECIPE, network=SMALL).fit(X, y, shares=sure[["angry", "neutral"]])


def test_runs_the_very_network_that_torch_trained():
    made, net = untrained()
    X = faces(7)[0]
    with torch.inference_mode():
        expected = net(torch.from_numpy(X[:, None]).float()).numpy()
    assert made.decision_function(X) == pytest.approx(expected, abs=1e-4 * float(np.abs(expected).max()))
    again = made.to_torch()
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in again.state_dict().items())


def test_looking_at_the_mirror_image_too_makes_sides_equal(model):
    X = faces(5)[0]
    assert model.predict_proba(X) == pytest.approx(model.predict_proba(X[:, :, ::-1]), abs=1e-6)


def test_a_temperature_divides_the_logits():
    made, _ = untrained()
    X = faces(4)[0]
    logits = made.decision_function(X).astype(float)
    made.temperature_ = 2.0
    expected = np.exp(logits / 2) / np.exp(logits / 2).sum(1, keepdims=True)
    assert made.predict_proba(X) == pytest.approx(expected)


def test_comes_back_from_its_folder(model, tmp_path):
    X = faces(9)[0]
    file = model.save(tmp_path / "m")
    assert sorted(f.name for f in file.parent.iterdir()) == [
        "model.json",
        "network.onnx",
        "weights.safetensors",
    ]
    loaded = load_model(tmp_path / "m")
    assert loaded.predict_proba(X) == pytest.approx(model.predict_proba(X), abs=5e-3)  # half precision
    assert loaded.classes_.tolist() == model.classes_.tolist()
    assert loaded.consumes == "pixels" and loaded.history_ is None
    loaded.save(tmp_path / "again")
    for name in ("model.json", "network.onnx", "weights.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "m" / name).read_bytes()


def test_predicts_without_torch(model, tmp_path):
    model.save(tmp_path)
    code = (
        "import sys, numpy as np; from feat_pipeline.models import load_model;"
        f"load_model({str(tmp_path)!r}).predict_proba(np.zeros((2, 160, 160, 3), np.uint8));"
        "print([m for m in ('torch', 'sklearn', 'scipy', 'pandas', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_network_that_ships_weighs_less_than_12_mb(tmp_path):
    made, _ = untrained(NETWORK, size=48)
    made.save(tmp_path)
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 12e6


def test_of_a_predictors_crop_the_part_inside_the_box_is_seen():
    across, down = np.meshgrid(np.arange(200), np.arange(160))
    picture = np.clip(across * 0.6 + down * 0.9, 0, 255).astype(np.uint8)
    box = np.array([60.0, 40, 130, 110])
    crop = warp(np.repeat(picture[..., None], 3, 2), box_matrix(box, 160), 160)
    seen = as_seen(crop[None], 24)[0].astype(float)
    expected = as_seen(picture[None, 40:110, 60:130], 24)[0].astype(float)
    assert seen.shape == (24, 24) and np.abs(seen - expected)[1:-1, 1:-1].max() <= 2


def test_answers_beside_the_regression(model, model_dir, fakes, photos, tmp_path):
    model.save(tmp_path / "pixels")
    predictor = Predictor(models=[tmp_path / "pixels", model_dir], detector="fake", backend="fake")
    (face,) = predictor.predict(photos / "sub" / "one.png")
    assert set(face.probabilities) == {"pixels", "tiny"}
    assert sum(face.probabilities["pixels"].values()) == pytest.approx(1)


@pytest.mark.parametrize(
    "X",
    [np.zeros((2, 12, 12)), np.zeros((12, 12), np.uint8), np.zeros((2, 12, 12, 4), np.uint8)],
    ids=["float", "one face", "four channels"],
)
def test_refuses_what_are_no_crops(model, X):
    with pytest.raises(InputError, match="faces: expected uint8 crops"):
        model.predict_proba(X)


def test_refuses_emotions_that_cannot_be_learned():
    X, y = faces(12)
    tiny = CnnClassifier(recipe=RECIPE, network=SMALL)
    with pytest.raises(InputError, match="at least two emotions, got sad"):
        tiny.fit(X, ["sad"] * 12)
    with pytest.raises(InputError, match="for each of the 12 faces, got 3"):
        tiny.fit(X, y[:3])
    with pytest.raises(InputError, match="validation: fear is none of the emotions"):
        tiny.fit(X, y, validation=(X[:1], ["fear"]))
    with pytest.raises(InputError, match="sad has one face only"):
        tiny.fit(X, ["happy"] * 11 + ["sad"])
    with pytest.raises(UsageError, match="held_out: expected a share"):
        CnnClassifier(recipe=RECIPE, network=SMALL, held_out=2).fit(X, y)


def test_refuses_damaged_files(model, tmp_path):
    file = model.save(tmp_path)
    weights = tmp_path / "weights.safetensors"
    content, packed = json.loads(file.read_text()), weights.read_bytes()

    def refused(match, **changes):
        file.write_text(json.dumps({**content, **changes}))
        with pytest.raises(InputError, match=match):
            CnnClassifier.load(tmp_path)

    refused("version 9", version=9)
    refused("is no usable model", network=None)
    weights.write_bytes(packed[:-8])
    refused("damaged or of another model")
    weights.unlink()
    refused("cannot be read")
    with pytest.raises(InputError, match="cannot be read"):
        CnnClassifier.load(tmp_path / "absent")


def test_a_folder_that_cannot_be_written_is_named(model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        model.save(tmp_path / "file")


@pytest.mark.parametrize("views", ["none", "six", "ten-crop"])
def test_views_change_the_answer_as_a_whole_and_come_back_from_files(model, tmp_path, views):
    X = faces(6)[0]
    mirrored = model.decision_function(X)
    other = copy.copy(model)
    other.views = views
    logits = other.decision_function(X).astype(float) / model.temperature_
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert other.predict_proba(X) == pytest.approx(shares)
    assert not np.allclose(other.decision_function(X), mirrored, atol=1e-3)
    other.save(tmp_path)
    assert load_model(tmp_path).views == views
    assert load_model(tmp_path).predict_proba(X) == pytest.approx(shares, abs=5e-3)


def test_ten_crop_does_not_care_for_sides(model):
    X = faces(5)[0]
    other = copy.copy(model)
    other.views = "ten-crop"
    assert other.predict_proba(X) == pytest.approx(other.predict_proba(X[:, :, ::-1]), abs=1e-6)


def still():
    """A training that changes no weights."""
    return dataclasses.replace(RECIPE, epochs=1, rate=0.0, average=0.0)


def test_the_temperature_is_fitted_for_the_views_that_predict(model):
    judged, answers = faces(30, seed=4)
    answers[::4] = "happy"  # some are wrong, or no temperature would be low enough
    labels = np.array([model.classes_.tolist().index(name) for name in answers])
    found = []
    for views in ("mirror", "six"):
        made = CnnClassifier(recipe=still(), start=model, views=views)
        made.fit(*faces(30, seed=3), validation=(judged, answers))
        assert made.temperature_ == pytest.approx(
            fit_temperature(made.decision_function(judged), labels), 1e-3
        )
        found.append(made.temperature_)
    assert abs(found[0] - found[1]) > 0.01


def test_unknown_views_are_told_before_training_and_at_prediction(model):
    with pytest.raises(UsageError, match="views: expected one of none, mirror, six, ten-crop, got 'all'"):
        CnnClassifier(recipe=RECIPE, network=SMALL, views="all").fit(*faces())
    other = copy.copy(model)
    other.views = "all"
    with pytest.raises(UsageError, match="got 'all'"):
        other.predict_proba(faces()[0])


def test_begins_from_another_models_weights(model):
    X, y = faces()
    same = CnnClassifier(recipe=still(), start=model, held_out=0.3).fit(X, y)
    learned = {name for name in model.weights_ if "running" not in name and "num_batches" not in name}
    assert all(np.array_equal(same.weights_[name], model.weights_[name]) for name in learned)
    better = CnnClassifier(recipe=dataclasses.replace(RECIPE, epochs=2), start=model, held_out=0.3).fit(X, y)
    assert better.history_["train_loss"].iloc[0] < model.history_["train_loss"].iloc[0]


def test_where_no_epoch_is_better_the_starts_weights_are_kept_and_it_is_said(model):
    X, y = faces(seed=8)
    ruinous = dataclasses.replace(RECIPE, epochs=2, rate=5.0)
    kept = CnnClassifier(recipe=ruinous, start=model).fit(X, y, validation=faces())
    assert all(np.array_equal(kept.weights_[name], value) for name, value in model.weights_.items())
    assert "no epoch is better than the start, whose weights are kept" in kept.notes_[0]
    assert CnnClassifier(recipe=dataclasses.replace(RECIPE, epochs=1)).fit(X, y).notes_ == ()


def test_a_start_is_taught_at_a_lower_rate_and_its_early_layers_lower_still():
    assert (fine_tuning().rate, fine_tuning().early) < (Recipe().rate, Recipe().early)
    assert (fine_tuning(rate=0.3, epochs=2).rate, fine_tuning(epochs=2).epochs) == (0.3, 2)


def test_of_a_start_the_classes_that_both_know_keep_their_row(model):
    X, y = faces()
    renamed = np.where(y == "angry", "contempt", y)
    other = CnnClassifier(recipe=still(), start=model, held_out=0.3).fit(X, renamed)
    assert set(other.classes_) == {"contempt", "happy", "neutral"}
    row = {name: other.classes_.tolist().index(name) for name in other.classes_}
    was = {name: model.classes_.tolist().index(name) for name in model.classes_}
    for name in ("happy", "neutral"):
        expected = model.weights_["head.weight"][was[name]]
        assert np.array_equal(other.weights_["head.weight"][row[name]], expected)
    new = other.weights_["head.weight"][row["contempt"]]
    assert not any(np.allclose(new, old) for old in model.weights_["head.weight"])
    assert np.array_equal(other.weights_["stem.0.weight"], model.weights_["stem.0.weight"])


def test_begins_from_a_model_of_the_same_kind_only(model):
    X, y = faces()
    with pytest.raises(UsageError, match="start: expected a model of architecture 'patr8609'"):
        CnnClassifier(architecture="patr8609", start=model).fit(X, y)
    with pytest.raises(UsageError, match=r"start: expected .* network \{'stem': 5"):
        CnnClassifier(recipe=RECIPE, network={**SMALL, "stem": 5}, start=model).fit(X, y)
    with pytest.raises(UsageError, match="not fitted"):
        CnnClassifier(recipe=RECIPE, start=CnnClassifier()).fit(X, y)


def test_a_file_without_architecture_and_views_is_a_residual_network_with_its_mirror_image(model, tmp_path):
    file = model.save(tmp_path)
    content = json.loads(file.read_text())
    assert (content.pop("architecture"), content.pop("views")) == ("residual", "mirror")
    file.write_text(json.dumps(content))
    loaded = load_model(tmp_path)
    assert (loaded.architecture_, loaded.views) == ("residual", "mirror")
