"""`feat-pipeline train`: from labelled pictures or AUs to a model folder, with tiny networks."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from analysis.autable import AUTable
from feat_pipeline.datasets.faces import LabelledFaces
from feat_pipeline.datasets.held_out import parts_of_faces
from feat_pipeline.datasets.npz import save_faces
from feat_pipeline.errors import InputError, OutputError
from feat_pipeline.models import cnn, load_model
from feat_pipeline.output.folder import OutputFolder
from feat_pipeline.training import loop as training
from tests.feat_pipeline.conftest import au_rows

torch.set_num_threads(1)  # tiny nets: a second thread would only wait

SMALL = {"stem": 4, "widths": [6, 10], "blocks": [1, 1], "dropout": 0.0}
NAMES = np.array(["angry", "happy", "neutral"])


@pytest.fixture(autouse=True)
def small_network(monkeypatch):
    monkeypatch.setattr(cnn, "NETWORK", SMALL)


def faces(n=48, people=12, seed=0, usage=None, side=24):
    """Faces whose top, middle or lower third is bright; the person goes round."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 120, (n, side, side))
    labels = np.arange(n) % 3
    for i, label in enumerate(labels):
        images[i, 8 * label : 8 * label + 8] += 120
    return LabelledFaces(
        images.astype(np.uint8), labels, np.array(usage or [""] * n), np.arange(n), classes=tuple(NAMES),
        groups=np.array([f"p{i // 3 % people}" for i in range(n)]),
    )  # fmt: skip


@pytest.fixture
def photos(tmp_path):
    """A folder a class; the person is the number before the underscore."""
    made = faces()
    for i, image in enumerate(made.images):
        path = tmp_path / "photos" / made.emotions[i] / f"{made.groups[i]}_{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return tmp_path / "photos"


TINY = ("--epochs", 2, "--batch", 8, "--held-out", 0.25)


def files(folder):
    return {f.name for f in folder.iterdir()}


def told(stdout):
    return dict(line.split("\t") for line in stdout.splitlines() if "\t" in line)


def test_a_folder_of_photos_becomes_a_model(run, photos, tmp_path):
    out = tmp_path / "model"
    code, stdout, stderr = run("train", "cnn", "--data", photos, "--out", out, *TINY)
    assert code == 0, stderr
    written = {"model.json", "weights.safetensors", "curves.csv", "curves.png", "run.json", "checkpoint.pt"}
    assert files(out) == written | {"network.onnx", "data.json"}
    model = load_model(out)
    assert model.classes_.tolist() == NAMES.tolist()
    assert model.predict_proba(faces().images).shape == (48, 3)
    assert "epoch 1: loss" in stderr and "epoch 2: loss" in stderr
    assert len(pd.read_csv(out / "curves.csv")) == 2
    scores = told(stdout)
    assert int(scores["learned"]) + int(scores["n"]) == 48 and 0 <= float(scores["accuracy"]) <= 1
    record = json.loads((out / "run.json").read_text())
    assert record["parameters"]["settings"] == {"epochs": 2, "batch": 8} and record["complete"]
    assert record["scores"]["accuracy"] == pytest.approx(float(scores["accuracy"]), abs=1e-3)
    assert str(out / "model.json") in stdout.splitlines()


def test_a_killed_training_goes_on_to_the_same_weights(run, photos, tmp_path, monkeypatch):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    arguments = ("train", "cnn", "--data", photos, *TINY, "--person", "(p[0-9]+)_", "--seed", 3)
    assert run(*arguments, "--out", whole)[0] == 0
    save = training._Loop.save

    def killed(loop):
        save(loop)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(training._Loop, "save", killed)
        code, _, stderr = run(*arguments, "--out", cut)
    assert code == 130 and "--resume goes on" in stderr
    code, _, stderr = run(*arguments, "--out", cut)
    assert code == 2 and "add --resume to go on" in stderr
    assert run(*arguments, "--out", cut, "--resume")[0] == 0
    for name in ("weights.safetensors", "model.json"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes()


def test_does_not_go_on_with_other_faces_or_settings(run, photos, tmp_path):
    out = tmp_path / "model"
    arguments = ["train", "cnn", "--data", photos, "--out", out, *TINY]
    code, _, stderr = run(*arguments, "--resume")
    assert code == 2 and "no checkpoint.pt to go on from" in stderr
    run(*arguments)
    code, _, stderr = run(*arguments, "--resume", "--epochs", 3)
    assert code != 0 and "another recipe (epochs 2 -> 3)" in stderr
    (photos / "angry" / "p0_0.png").unlink()
    code, _, stderr = run(*arguments, "--resume")
    assert code == 2 and "begun with other faces" in stderr
    assert run(*arguments, "--overwrite")[0] == 0


def test_a_model_without_epochs_never_sees_the_faces_that_judge_it(run, photos, tmp_path, monkeypatch):
    from feat_pipeline.models.texture import TextureClassifier

    seen = []
    fit = TextureClassifier.fit

    def watched(self, X, y, *, validation=None):
        seen.append((len(y), validation))
        return fit(self, X, y, validation=validation)

    monkeypatch.setattr(TextureClassifier, "fit", watched)
    arguments = ("train", "texture", "--data", photos, "--out", tmp_path / "m", "--held-out", 0.25)
    code, stdout, stderr = run(*arguments)
    assert code == 0, stderr
    assert seen == [(int(told(stdout)["learned"]), None)]
    code, _, stderr = run(*arguments, "--overwrite", "--epochs", 3)
    assert code == 2 and "epochs: texture has no such setting" in stderr


def test_fer2013_is_judged_by_publictest_with_and_without_copies(run, tmp_path):
    made = faces(30, side=48)
    made.images[25] = made.images[4]
    parts = ["Training"] * 21 + ["PublicTest"] * 6 + ["PrivateTest"] * 3
    lines = [
        f"{label},{' '.join(map(str, image.ravel()))},{part}"
        for label, image, part in zip(made.labels, made.images, parts, strict=True)
    ]
    data = tmp_path / "fer2013.csv"
    data.write_text("\n".join(["emotion,pixels,Usage", *lines]) + "\n")
    code, stdout, stderr = run("train", "cnn", "--data", data, "--out", tmp_path / "m", *TINY)
    assert code == 0, stderr
    scores = told(stdout)
    assert (scores["learned"], scores["n"], scores["copies"]) == ("21", "6", "1")
    assert 0 <= float(scores["accuracy_without_copies"]) <= 1
    assert "judged by the 6 faces of PublicTest" in stderr


def test_what_stands_under_two_emotions_is_told_and_left_out_of_every_training(run, photos, tmp_path):
    again = next((photos / "angry").iterdir())
    shutil.copyfile(again, photos / "happy" / "p0_again.png")
    code, stdout, stderr = run("train", "texture", "--data", photos, "--out", tmp_path / "m")
    assert code == 0, stderr
    assert f"such as angry/{again.name} (angry) and happy/p0_again.png (happy): left out" in stderr
    assert "(angry and happy: 1)" in json.loads((tmp_path / "m" / "run.json").read_text())["notes"][0]
    assert int(told(stdout)["learned"]) + int(told(stdout)["n"]) == 47
    kept = run("train", "texture", "--data", photos, "--out", tmp_path / "kept", "--keep-copies")
    assert kept[0] == 0 and int(told(kept[1])["learned"]) + int(told(kept[1])["n"]) == 49


def test_the_parts_of_fer2013_are_kept_apart():
    made = faces(12, usage=["Training"] * 6 + ["PublicTest"] * 3 + ["PrivateTest"] * 3)
    made.images[7] = made.images[2]
    parts = parts_of_faces(made)
    assert np.array_equal(parts.X, made.images[:6]) and np.array_equal(parts.judged, made.images[6:9])
    assert parts.copies.tolist() == [False, True, False]
    assert parts.notes == ("judged by the 3 faces of PublicTest",)


def test_without_a_part_to_judge_by_some_of_the_learned_are_held_out_and_the_test_part_is_not():
    made = faces(48, usage=["train"] * 36 + ["test"] * 12)
    parts = parts_of_faces(made, share=0.25)
    seen = np.concatenate([parts.X, parts.judged])
    assert len(seen) == 36 and not (seen[:, None] == made.images[None, 36:]).all((2, 3)).any()
    with pytest.raises(InputError, match="expected a part to learn from, training or train, got test"):
        parts_of_faces(made.part("test"))


def test_a_person_and_near_copies_stay_on_one_side():
    made = faces(60, people=10)
    made.images[57] = np.clip(made.images[0] * 0.9 + 10, 0, 255)  # p9's is p0's, a little brighter
    parts = parts_of_faces(made, share=0.2)
    judged = {image.tobytes() for image in parts.judged}
    sides = {}
    for image, person in zip(made.images, made.groups, strict=True):
        sides.setdefault(person, set()).add(image.tobytes() in judged)
    assert all(len(side) == 1 for side in sides.values()) and sides["p0"] == sides["p9"]
    assert 6 <= len(parts.judged) <= 18 and set(parts.judged_y) == set(NAMES)
    assert "persons and near copies stay on one side" in parts.notes[0]


def test_keeps_and_merges_classes(run, tmp_path):
    data = save_faces(faces(48), tmp_path / "faces.npz")
    arguments = ("train", "cnn", "--data", data, *TINY)
    assert run(*arguments, "--out", tmp_path / "a", "--classes", "happy,angry")[0] == 0
    assert load_model(tmp_path / "a").classes_.tolist() == ["angry", "happy"]
    assert run(*arguments, "--out", tmp_path / "b", "--merge", "angry=upset,neutral=calm")[0] == 0
    assert load_model(tmp_path / "b").classes_.tolist() == ["happy", "calm", "upset"]


def test_a_network_begins_from_a_trained_one(run, photos, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    arguments = ("train", "cnn", "--data", photos, *TINY, "--views", "six")
    assert run(*arguments, "--out", first)[0] == 0
    code, stdout, stderr = run(*arguments, "--out", second, "--start", first, "--rate", 1e-9, "--seed", 7)
    assert code == 0, stderr
    assert "accuracy on the faces to judge by, in one look: start" in stderr
    assert told(stdout)["start_accuracy"] == told(stdout)["accuracy"]  # at so low a rate
    before, after = load_model(first), load_model(second)
    assert after.views == "six"
    for name in ("stem.0.weight", "head.weight"):
        assert after.weights_[name] == pytest.approx(before.weights_[name], abs=1e-3)
    assert json.loads((second / "run.json").read_text())["parameters"]["settings"]["start"] == str(first)
    assert run("train", "transfer", "--data", photos, "--out", tmp_path / "t")[0] == 0
    code, _, stderr = run(*arguments, "--out", tmp_path / "n", "--start", tmp_path / "t")
    assert code == 2 and f"start: expected a trained cnn, {tmp_path / 't'} is another kind" in stderr
    code, _, stderr = run("train", "texture", "--data", photos, "--out", tmp_path / "n", "--start", first)
    assert code == 2 and "start: texture has no such setting" in stderr


def test_names_unreadable_pictures_and_exits_with_1(run, photos, tmp_path):
    (photos / "happy" / "broken.png").write_text("no picture")
    code, stdout, stderr = run("train", "cnn", "--data", photos, "--out", tmp_path / "m", *TINY)
    assert code == 1 and f"{photos / 'happy' / 'broken.png'}: is no JPEG" in stderr
    assert "accuracy" in told(stdout)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--held-out", 0.9], "at most .5, got 0.9"),
        (["--classes", "happy,bored"], "got 'bored'"),
        (["--batch", 500], "batch: expected at most"),
        (["--person", "("], "no regular expression"),
        (["--merge", "happy"], "expected pairs such as"),
        (["--size", 1], "expected 8 to 1024"),
        (["--epochs", 0], "epochs, batch: expected at least 1"),
    ],
)
def test_wrong_settings_end_in_one_line(run, photos, tmp_path, arguments, said):
    code, stdout, stderr = run("train", "cnn", "--data", photos, "--out", tmp_path / "m", *arguments)
    assert code == 2 and stdout == "" and said in stderr


def test_bad_folders_end_in_one_line(run, photos, tmp_path):
    arguments = ("train", "cnn", "--out", tmp_path / "m", "--data")
    (photos / "sad").mkdir()
    code, _, stderr = run(*arguments, photos)
    assert code == 2 and "sad: the folder holds no" in stderr
    Image.fromarray(faces(seed=1).images[0]).save(photos / "sad" / "lone.png")
    code, _, stderr = run(*arguments, photos)
    assert code == 2 and "class sad: is in one picture or person only" in stderr
    code, _, stderr = run(*arguments, tmp_path / "absent")
    assert code == 2 and "no such file or folder" in stderr


def no_space(folder, name, content):
    raise OutputError(f"{folder.path}: cannot be written (No space left on device)")


def test_a_training_whose_results_cannot_be_written_leaves_its_checkpoint_to_go_on_from(
    run, photos, tmp_path, monkeypatch
):
    arguments = ("train", "cnn", "--data", photos, "--out", tmp_path / "m", *TINY)
    write = OutputFolder.write
    with monkeypatch.context() as patched:
        full = {"run.json": no_space}
        patched.setattr(OutputFolder, "write", lambda *given: full.get(given[1], write)(*given))
        code, _, stderr = run(*arguments)
    assert code == 1 and "none of the results was kept" in stderr and "--resume goes on" in stderr
    assert files(tmp_path / "m") == {"checkpoint.pt", "curves.csv", "curves.png", "data.json"}
    assert run(*arguments, "--resume")[0] == 0
    assert {"model.json", "run.json"} < files(tmp_path / "m")


def test_overwriting_removes_what_was_said_of_the_model_before(run, photos, tmp_path):
    out = tmp_path / "m"
    aus, labels = au_rows(90)
    table = AUTable(aus.assign(mood=labels), backend="fake", backend_version="7", scale="r")
    table.write(tmp_path / "aus.csv")
    table.write(out / "aus.csv")  # as a training on pictures leaves it
    (out / "run.json").write_text('{"command": "train"}')
    (out / "inference.json").touch()
    of_table = ("train", "gbm-aus", "--label-column", "mood", "--out", out, "--overwrite")
    assert run(*of_table, "--data", out / "aus.csv")[0] == 0
    assert {"aus.csv", "aus.meta.json"} < files(out) and "inference.json" not in files(out)
    assert run(*of_table, "--data", tmp_path / "aus.csv")[0] == 0
    assert files(out) == {"model.json", "weights.safetensors", "run.json", "data.json"}


def test_a_loss_that_is_no_number_ends_the_training(run, photos, tmp_path):
    code, _, stderr = run(
        "train", "cnn", "--data", photos, "--out", tmp_path / "m", "--epochs", 9, "--rate", 1e38
    )
    assert code != 0 and "the loss is" in stderr and "lower the rate" in stderr
    assert not (tmp_path / "m" / "model.json").exists()


@pytest.mark.parametrize("model", ["mlp-aus", "gbm-aus"])
def test_models_of_aus_learn_from_a_table(run, tmp_path, model):
    aus, labels = au_rows(90)
    AUTable(aus, backend="fake", backend_version="7", scale="r").write(tmp_path / "aus.csv")
    pd.DataFrame({"input": aus["input"], "label": labels}).to_csv(tmp_path / "labels.csv", index=False)
    arguments = ("train", model, "--data", tmp_path / "aus.csv", "--out", tmp_path / "m")
    code, stdout, stderr = run(*arguments, "--labels", tmp_path / "labels.csv")
    assert code == 0, stderr
    assert float(told(stdout)["accuracy"]) > 0.8
    assert set(load_model(tmp_path / "m").classes_) == set(NAMES)
    assert "expected either a file of labels" in run(*arguments, "--overwrite")[2]
    code, _, stderr = run(*arguments, "--labels", tmp_path / "labels.csv", "--overwrite", "--patience", 3)
    assert code == 2 and f"patience: {model} has no such setting" in stderr
    assert (tmp_path / "m" / "model.json").exists()
