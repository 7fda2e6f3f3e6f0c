"""`feat-pipeline train` on what data come as: photos for models of AUs, a CSV of labels, FER+ votes."""

import functools
import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from analysis.autable import AUTable
from feat_pipeline.datasets.fer2013 import VOTES
from feat_pipeline.models import cnn, load_model
from tests.feat_pipeline.fakes import draw_face
from tests.feat_pipeline.runs.test_train import NAMES, SMALL, TINY, faces, files, told

torch.set_num_threads(1)  # tiny nets: a second thread would only wait


@pytest.fixture(autouse=True)
def small_network(monkeypatch):
    monkeypatch.setattr(cnn, "NETWORK", SMALL)


def portrait(path, smile, frown, others=0):
    """A picture of a face, with smaller ones beside it that neither smile nor frown."""
    picture = np.full((80, 120, 3), 30, np.uint8)
    draw_face(picture, 5, 10, 50, smile, frown)
    for i in range(others):
        draw_face(picture, 70 + 20 * i, 10, 12, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


@pytest.fixture
def portraits(tmp_path):
    folder = tmp_path / "portraits"
    rng = np.random.default_rng(0)
    for i in range(20):
        portrait(folder / "Happiness" / f"p{i}_h.png", 3 + rng.random(), rng.random(), others=i % 3)
        portrait(folder / "anger" / f"p{i}_a.png", rng.random(), 3 + rng.random())
    return folder


@pytest.mark.parametrize("model", ["mlp-aus", "gbm-aus", "logit"])
def test_a_folder_of_photos_is_enough_for_models_of_aus(fakes, run, portraits, tmp_path, model):
    Image.fromarray(np.full((60, 60, 3), 90, np.uint8)).save(portraits / "anger" / "p3_wall.png")
    out = tmp_path / "m"
    arguments = ("train", model, "--data", portraits, "--out", out, "--held-out", 0.25)
    code, stdout, stderr = run(*arguments, "--person", "(p[0-9]+)_")
    assert code == 0, stderr
    assert "1 of 41 pictures are left out: mtcnn found no face" in stderr
    assert "persons stay on one side" in stderr
    scores = told(stdout)
    assert int(scores["learned"]) + int(scores["n"]) == 40
    assert float(scores["accuracy"]) == (0.5 if model == "gbm-aus" else 1)  # trees need 20 faces a leaf
    table = AUTable.read(out / "aus.csv")
    assert len(table) == 40 and table.backend == "fake"
    assert str(out / "aus.csv") in stdout.splitlines()
    assert load_model(out).classes_.tolist() == ["angry", "happy"]
    (portraits / "anger" / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    code, _, stderr = run(*arguments, "--overwrite")
    assert code == 1 and f"{portraits / 'anger' / 'cut.png'}: is damaged" in stderr
    code, _, stderr = run("train", model, "--data", out / "aus.csv", "--labels", portraits, "--out", out,
                          "--overwrite")  # fmt: skip
    assert code == 0 and (out / "aus.csv").is_file(), stderr
    code, _, stderr = run(*arguments, "--overwrite", "--label-column", "x")
    assert code == 2 and "is a folder of pictures" in stderr


def test_parts_and_classes_count_for_models_of_aus_too(fakes, run, portraits, tmp_path):
    for part in ("train", "val", "test"):
        for kind, smile in (("happy", 4), ("sad", 1), ("angry", 0)):
            for i in range(4):
                portrait(tmp_path / "split" / part / kind / f"{i}.png", smile + i / 9, 4 if smile == 0 else 0)
    arguments = ("train", "mlp-aus", "--data", tmp_path / "split", "--out", tmp_path / "m")
    code, stdout, stderr = run(*arguments, "--classes", "happy,angry", "--merge", "sad=angry")
    assert code == 0, stderr
    assert (told(stdout)["learned"], told(stdout)["n"]) == ("12", "12")
    assert "judged by the 12 faces of val" in stderr
    code, _, stderr = run(*arguments, "--overwrite", "--classes", "happy,bored")
    assert code == 2 and "got 'bored'" in stderr


def test_a_class_without_a_face_is_named(fakes, run, portraits, tmp_path):
    (portraits / "sad").mkdir()
    arguments = ("train", "gbm-aus", "--data", portraits, "--out", tmp_path / "m")
    code, _, stderr = run(*arguments)
    assert code == 2 and "sad: the folder holds no" in stderr
    Image.fromarray(np.full((60, 60, 3), 90, np.uint8)).save(portraits / "sad" / "wall.png")
    code, _, stderr = run(*arguments)
    assert code == 2 and "class sad holds no usable picture" in stderr and "found no face" in stderr


def test_labels_may_stand_in_a_csv(run, tmp_path):
    made = faces()
    (tmp_path / "flat").mkdir()
    for i, image in enumerate(made.images):
        Image.fromarray(image).save(tmp_path / "flat" / f"{i}.png")
    table = pd.DataFrame({"image": [f"{i}.jpg" for i in range(48)], "Emotion": made.emotions})
    table["Emotion"] = table["Emotion"].replace({"happy": "HAPPINESS", "angry": "anger"})
    table[:-3].to_csv(tmp_path / "legend.csv", index=False)
    arguments = ("train", "cnn", "--data", tmp_path / "flat", "--labels", tmp_path / "legend.csv")
    code, stdout, stderr = run(*arguments, "--out", tmp_path / "m", *TINY)
    assert code == 0, stderr
    assert int(told(stdout)["learned"]) + int(told(stdout)["n"]) == 45
    assert "3 pictures are without a label" in stderr
    assert load_model(tmp_path / "m").classes_.tolist() == NAMES.tolist()


@pytest.fixture
def ferplus(tmp_path):
    """FER2013's CSV and votes that call angry what the CSV calls happy, not all of them surely."""
    made = faces(48, side=48)
    parts = ["Training"] * 30 + ["PublicTest"] * 15 + ["PrivateTest"] * 3
    lines = [
        f"{(0, 3, 6)[label]},{' '.join(map(str, image.ravel()))},{part}"
        for label, image, part in zip(made.labels, made.images, parts, strict=True)
    ]
    (tmp_path / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *lines]) + "\n")
    counts = {"angry": [2, 0, 0, 0, 0, 0, 0, 8, 0, 0], "happy": [0, 0, 0, 3, 7, 0, 0, 0, 0, 0],
              "neutral": [9, 1, 0, 0, 0, 0, 0, 0, 0, 0]}  # fmt: skip
    votes = [[part, "x.png", *counts[name]] for part, name in zip(parts, made.emotions, strict=True)]
    votes[30][2:] = [4, 0, 0, 3, 3, 0, 0, 0, 0, 0]
    names = ["Usage", "Image name", *VOTES]
    pd.DataFrame(votes, columns=names).to_csv(tmp_path / "fer2013new.csv", index=False)
    return "--data", tmp_path / "fer2013.csv", "--votes", tmp_path / "fer2013new.csv"


def test_networks_learn_the_annotators_shares(run, ferplus, tmp_path, monkeypatch):
    seen = {}
    fit = cnn.CnnClassifier.fit

    @functools.wraps(fit)
    def watched(self, X, y, *, shares, **others):
        seen.update(y=y, shares=shares)
        return fit(self, X, y, shares=shares, **others)

    monkeypatch.setattr(cnn.CnnClassifier, "fit", watched)
    out = tmp_path / "m"
    code, stdout, stderr = run("train", "cnn", *ferplus, "--out", out, "--device", "cpu", *TINY)
    assert code == 0, stderr
    assert seen["y"][:3].tolist() == ["contempt", "angry", "neutral"]
    rows = seen["shares"].iloc[:3]
    assert rows["contempt"].tolist() == pytest.approx([0.8, 0, 0])
    assert rows["angry"].tolist() == pytest.approx([0, 0.7, 0])
    assert rows["neutral"].tolist() == pytest.approx([0.2, 0, 1])
    assert len(load_model(out).classes_) == 8
    assert (told(stdout)["learned"], told(stdout)["n"]) == ("30", "14")
    assert "did not agree on an emotion: 1 of PublicTest" in stderr
    record = json.loads((out / "run.json").read_text())["parameters"]
    assert record["votes"].endswith("fer2013new.csv") and record["device"] == "cpu"


def test_other_models_learn_what_most_annotators_chose(run, ferplus, tmp_path):
    out = tmp_path / "m"
    code, _, stderr = run("train", "texture", *ferplus, "--out", out, "--classes", "angry,neutral,sad")
    assert code == 0, stderr
    assert files(out) == {"model.json", "weights.safetensors", "run.json", "data.json"}
    assert load_model(out).classes_.tolist() == ["angry", "neutral"]


@pytest.mark.parametrize(
    ("model", "arguments", "said"),
    [
        ("texture", ["--device", "cpu"], "device: texture is fitted on the CPU"),
        ("cnn", ["--device", "abacus"], "device: expected 'cpu', 'cuda' or 'cuda:1', got 'abacus'"),
        ("cnn", ["--device", "meta"], "got 'meta'"),
        ("mlp-aus", [], "votes: mlp-aus learns from AUs"),
    ],
)
def test_what_a_model_has_no_use_for_is_refused(run, ferplus, tmp_path, model, arguments, said):
    code, stdout, stderr = run("train", model, *ferplus, "--out", tmp_path / "m", *arguments)
    assert code == 2 and stdout == "" and said in stderr
