"""The network's graph beside its weights: exported when a model is saved, opened to predict."""

import hashlib
import json
import shutil
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from feat_pipeline.errors import InputError, UnavailableError
from feat_pipeline.models import load_model
from feat_pipeline.models.cnn import CnnClassifier
from feat_pipeline.models.network_file import exported
from feat_pipeline.weights.shipped import models_dir
from tests.feat_pipeline.models.made import faces
from tests.feat_pipeline.models.test_cnn import untrained

torch.set_num_threads(1)


@pytest.fixture
def folder(tmp_path):
    untrained()[0].save(tmp_path / "m")
    return tmp_path / "m"


def test_the_graph_of_any_number_of_faces_answers_as_torch_does(folder):
    net = CnnClassifier.load(folder).to_torch()
    session = onnxruntime.InferenceSession(folder / "network.onnx")
    for n in (1, 5):
        crops = np.float32(faces(n)[0][:, None])
        with torch.inference_mode():
            expected = net(torch.from_numpy(crops)).numpy()
        assert session.run(["logits"], {"crops": crops})[0] == pytest.approx(expected, abs=1e-5)


def test_the_graph_holds_no_weights_of_its_own(folder):
    model = onnx.load(folder / "network.onnx", load_external_data=False)
    assert model.graph.initializer
    assert all(w.data_location == onnx.TensorProto.EXTERNAL for w in model.graph.initializer)
    assert all(
        not w.raw_data and w.external_data[0].value == "weights.safetensors" for w in model.graph.initializer
    )


def test_the_same_network_gives_the_same_file(folder, tmp_path):
    untrained()[0].save(tmp_path / "again")
    assert (tmp_path / "again" / "network.onnx").read_bytes() == (folder / "network.onnx").read_bytes()


def test_a_folder_from_before_the_graph_was_kept_answers_alike_and_is_saved_with_one(folder, tmp_path):
    X = faces(9)[0]
    expected = load_model(folder).predict_proba(X)
    (folder / "network.onnx").unlink()
    assert load_model(folder).predict_proba(X) == pytest.approx(expected, abs=1e-6)
    content = json.loads((folder / "model.json").read_text())
    del content["network_onnx"]
    (folder / "model.json").write_text(json.dumps(content))
    older = load_model(folder)
    assert older.predict_proba(X) == pytest.approx(expected, abs=1e-6)
    older.save(tmp_path / "new")
    assert (tmp_path / "new" / "network.onnx").is_file()


def test_without_graph_and_torch_the_error_says_what_mends_it(folder, monkeypatch):
    (folder / "network.onnx").unlink()
    monkeypatch.setitem(sys.modules, "torch", None)
    missing = r"no network\.onnx that fits: the package torch .*\[train\]"
    with pytest.raises(UnavailableError, match=missing):
        load_model(folder)


def test_a_damaged_graph_or_that_of_another_model_is_refused(folder):
    data = (folder / "network.onnx").read_bytes()
    (folder / "network.onnx").write_bytes(data[:-1] + b"\x00")
    with pytest.raises(InputError, match=r"network\.onnx beside it is damaged or of another model"):
        load_model(folder)
    (folder / "network.onnx").write_bytes(b"no network")
    content = json.loads((folder / "model.json").read_text())
    content["network_onnx"] = hashlib.sha256(b"no network").hexdigest()
    (folder / "model.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="is no usable model"):
        load_model(folder)


def test_a_loaded_model_is_saved_again_without_torch(folder, tmp_path):
    code = (
        "import sys; from feat_pipeline.models import load_model;"
        "load_model(sys.argv[1]).save(sys.argv[2]); print('torch' in sys.modules, 'onnx' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(folder), str(tmp_path / "again")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
    assert (tmp_path / "again" / "network.onnx").read_bytes() == (folder / "network.onnx").read_bytes()


def test_a_network_with_dropout_answers_the_same_twice():
    net = untrained({"stem": 4, "widths": [6, 10], "blocks": [1, 1], "dropout": 0.9})[1]
    session = onnxruntime.InferenceSession(exported(lambda: net, 12))
    crops = np.float32(faces(4)[0][:, None])
    one, two = (session.run(None, {"crops": crops})[0] for _ in range(2))
    assert np.array_equal(one, two)


def test_the_shipped_network_brings_its_graph_and_torch_agrees(tmp_path):
    shipped = models_dir() / "cnn-fer2013"
    model = load_model("cnn-fer2013")
    stated = json.loads((shipped / "model.json").read_text())["network_onnx"]
    assert hashlib.sha256((shipped / "network.onnx").read_bytes()).hexdigest() == stated
    shutil.copytree(shipped, tmp_path / "older", ignore=shutil.ignore_patterns("network.onnx"))
    X = np.random.default_rng(0).integers(0, 256, (20, 48, 48)).astype(np.uint8)
    assert load_model(tmp_path / "older").predict_proba(X) == pytest.approx(model.predict_proba(X), abs=1e-6)
