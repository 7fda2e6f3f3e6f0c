"""The import of a Teachable Machine export, which the test makes."""

import json
import os

import numpy as np
import pytest

from feat_pipeline.errors import InputError
from feat_pipeline.models import load_model
from feat_pipeline.models.teachable import TeachableMachine
from tests.feat_pipeline.models.made import faces

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras", reason="the extra teachable is not installed")
h5py = pytest.importorskip("h5py")


@pytest.fixture(scope="module")
def made():
    """A small network of Teachable Machine's shape: nested, with a depthwise convolution."""
    keras.utils.set_random_seed(1)
    layers = keras.layers
    base = keras.Sequential(
        [
            layers.Input((224, 224, 3)),
            layers.Conv2D(4, 3, strides=8),
            layers.DepthwiseConv2D(3, strides=4),
            layers.GlobalAveragePooling2D(),
        ]
    )
    head = [layers.Dense(10, "relu"), layers.Dense(3, "softmax", use_bias=False)]
    return keras.Sequential([layers.Input((224, 224, 3)), base, *head])


@pytest.fixture
def export(made, tmp_path):
    folder = tmp_path / "export"
    folder.mkdir()
    made.save(folder / "keras_model.h5")
    with h5py.File(folder / "keras_model.h5", "r+") as file:
        text = file.attrs["model_config"]
        text = text.decode() if isinstance(text, bytes) else text
        changed = text.replace('"depth_multiplier": 1', '"groups": 1, "depth_multiplier": 1')
        assert changed != text
        file.attrs["model_config"] = changed
    (folder / "labels.txt").write_text("0 Happy\n1 sad\n2 Thinking hard\n")
    return folder


def test_answers_as_the_network_does(export, made):
    X = np.repeat(faces(5, side=224)[0][..., None], 3, 3)
    model = TeachableMachine.from_export(export)
    assert model.classes_.tolist() == ["happy", "sad", "Thinking hard"] and model.consumes == "pixels"
    expected = made.predict(X.astype(np.float32) / 127.5 - 1, verbose=0)
    assert model.predict_proba(X) == pytest.approx(expected, abs=1e-5)
    assert model.predict_proba(X[..., 0]) == pytest.approx(expected, abs=1e-5)
    assert model.predict_proba(X[:0]).shape == (0, 3)


def test_comes_back_from_its_folder_without_the_export(export, tmp_path):
    model = TeachableMachine.from_export(export)
    model.save(tmp_path / "m")
    X = faces(4)[0]
    loaded = load_model(tmp_path / "m")
    assert (loaded.predict_proba(X) == model.predict_proba(X)).all()


def test_the_command_makes_a_model_of_an_export(export, run, tmp_path):
    out = tmp_path / "m"
    code, stdout, stderr = run("models", "import", export, "--out", out)
    assert code == 0, stderr
    assert stdout.split() == [str(out / name) for name in ("model.json", "weights.safetensors", "run.json")]
    assert load_model(out).classes_.tolist() == ["happy", "sad", "Thinking hard"]
    code, stdout, stderr = run("models", "import", export, "--out", out)
    assert code == 2 and "add --overwrite" in stderr and stdout == ""
    (export / "labels.txt").write_text("0 happy\n1 sad\n")
    code, _, stderr = run("models", "import", export, "--out", out, "--overwrite")
    assert code == 2 and "to the 2 names of labels.txt" in stderr
    assert len(load_model(out).classes_) == 3
    code, _, stderr = run("models", "import", export / "keras_model.h5", "--out", tmp_path / "n")
    assert code == 2 and "is no folder; expected that of the unpacked download" in stderr


def test_names_what_is_wrong_with_an_export(export):
    labels, network = export / "labels.txt", export / "keras_model.h5"
    labels.write_text("0 happy\n2 sad\n")
    with pytest.raises(InputError, match="expected '1 name' on line 2, got '2 sad'"):
        TeachableMachine.from_export(export)
    labels.write_text("0 happy\n1 sad\n")
    with pytest.raises(InputError, match=r"to the 2 names of labels\.txt"):
        TeachableMachine.from_export(export)
    network.write_bytes(b"no model")
    with pytest.raises(InputError, match="is no readable Keras model"):
        TeachableMachine.from_export(export)
    labels.unlink()
    with pytest.raises(InputError, match=r"labels\.txt: cannot be read"):
        TeachableMachine.from_export(export)


def test_runs_no_code_of_a_model(export, tmp_path):
    file = TeachableMachine.from_export(export).save(tmp_path)
    content = json.loads(file.read_text())
    content["network"]["class_name"] = "Lambda"
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match="Lambda layer"):
        load_model(tmp_path)
