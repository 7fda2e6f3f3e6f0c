"""`feat-pipeline train gan` and `generate`: from labelled faces to made ones, with tiny nets."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from feat_pipeline.datasets.faces import LabelledFaces
from feat_pipeline.datasets.npz import save_faces
from feat_pipeline.errors import InputError, OutputError, UsageError
from feat_pipeline.generator import model as generate
from feat_pipeline.generator.adversarial import GanRecipe
from feat_pipeline.generator.model import FaceGenerator, face_grid
from feat_pipeline.models import list_models, load_model
from feat_pipeline.runs import train_gan as generate_learn
from feat_pipeline.runs.generate import write_generated
from feat_pipeline.runs.train_gan import learned_part, train_gan
from feat_pipeline.weights.shipped import models_dir

torch.set_num_threads(1)  # tiny nets: a second thread would only wait

NAMES = ("angry", "happy", "neutral")
NETWORK = {"latent": 6, "embedding": 3, "widths": [8, 6], "head": 4}
TINY = ("--epochs", 2, "--batch", 8, "--seed", 3)


@pytest.fixture(autouse=True)
def small_networks(monkeypatch):
    for module in (generate, generate_learn):
        monkeypatch.setattr(module, "NETWORK", NETWORK)
    monkeypatch.setattr(generate_learn, "DISCRIMINATOR", {"widths": [6, 8]})


def faces(n=36, usage=None, side=16):
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 3
    images = rng.integers(0, 90, (n, side, side)) + 50 * labels[:, None, None]
    return LabelledFaces(
        images.astype(np.uint8), labels, np.array(usage or [""] * n), np.arange(n), classes=NAMES
    )


@pytest.fixture
def data(tmp_path):
    return save_faces(faces(), tmp_path / "faces.npz")


@pytest.fixture
def model(data, tmp_path):
    """A generator after two epochs."""
    recipe = GanRecipe(epochs=2, batch=8, seed=3)
    train_gan(data, out=tmp_path / "model", recipe=recipe)
    return tmp_path / "model"


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_labelled_faces_become_a_generator(run, data, tmp_path):
    out = tmp_path / "model"
    code, stdout, stderr = run("train", "gan", "--data", data, "--out", out, *TINY)
    assert code == 0, stderr
    written = {"model.json", "weights.safetensors", "curves.csv", "curves.png", "run.json"}
    grids = {"samples/epoch-001.png", "samples/epoch-002.png"}
    assert files(out) == written | grids | {"checkpoint.pt", "data.json"}
    assert {str(out / name) for name in written} <= set(stdout.splitlines())
    assert "epoch 2: scores of real faces" in stderr
    grid = np.asarray(Image.open(out / "samples/epoch-002.png"))
    assert grid.shape == (3 * 18 + 2, 10 * 18 + 2)  # a row an emotion, ten faces of 16 px with 2 px between
    assert len(pd.read_csv(out / "curves.csv")) == 2
    record = json.loads((out / "run.json").read_text())
    assert record["learned"] == 36 and record["by emotion"] == {"angry": 12, "happy": 12, "neutral": 12}
    assert FaceGenerator.load(out).classes_.tolist() == list(NAMES)


def test_a_killed_training_goes_on_to_the_same_file(run, data, tmp_path, monkeypatch):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    arguments = ("train", "gan", "--data", data, *TINY)
    assert run(*arguments, "--out", whole)[0] == 0

    def killed(net, classes):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(generate_learn, "_samples", killed)
        code, _, stderr = run(*arguments, "--out", cut)
    assert code == 130 and "--resume goes on" in stderr
    code, _, stderr = run(*arguments, "--out", cut)
    assert code == 2 and "add --resume to go on" in stderr
    assert run(*arguments, "--out", cut, "--resume")[0] == 0
    for name in ("weights.safetensors", "model.json"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes()


def test_does_not_go_on_with_other_faces_or_another_recipe(run, data, model, tmp_path):
    arguments = ["train", "gan", "--out", model, *TINY, "--resume"]
    code, _, stderr = run(*arguments, "--data", data, "--batch", 9)
    assert code == 1 and "another recipe (batch 8 -> 9)" in stderr  # epochs were done
    other = save_faces(faces(33), tmp_path / "other.npz")
    code, _, stderr = run(*arguments, "--data", other)
    assert code == 2 and "begun with other faces or classes" in stderr
    code, _, stderr = run("train", "gan", "--data", data, "--out", tmp_path / "new", *TINY, "--resume")
    assert code == 2 and "no checkpoint.pt to go on from" in stderr
    assert run("train", "gan", "--data", other, "--out", model, *TINY, "--overwrite")[0] == 0


def test_a_training_at_constant_rates_goes_on_with_more_epochs(data, model, tmp_path):
    recipe = GanRecipe(epochs=3, batch=8, seed=3)
    longer = train_gan(data, out=model, recipe=recipe, resume=True)
    whole = train_gan(data, out=tmp_path / "whole", recipe=recipe)
    assert all(np.array_equal(longer.weights_[name], whole.weights_[name]) for name in whole.weights_)
    falling = GanRecipe(epochs=3, batch=8, seed=3, decay=0.5)
    with pytest.raises(UsageError, match=r"another recipe \(epochs 3 -> 4\)"):
        train_gan(data, out=tmp_path / "falling", recipe=falling)
        train_gan(data, out=tmp_path / "falling", recipe=replace(falling, epochs=4), resume=True)


def test_settings_of_emotion_models_are_refused(run, data, tmp_path):
    arguments = ("train", "gan", "--data", data, "--out", tmp_path / "model")
    for option in (("--patience", 3), ("--views", "none"), ("--held-out", 0.2), ("--label-column", "x")):
        code, _, stderr = run(*arguments, *option)
        assert code == 2 and f"gan has no such setting; leave {option[0]} away" in stderr
    assert not (tmp_path / "model").exists()


def test_only_the_part_to_learn_from_is_looked_at(tmp_path):
    usage = ["Training", "Training", "PublicTest", "PrivateTest"] * 9
    known = faces(36, usage)
    assert learned_part(known).rows.tolist() == [i for i in range(36) if i % 4 < 2]
    assert len(learned_part(faces())) == 36
    with pytest.raises(InputError, match="expected a part to learn from, training or train, got PublicTest"):
        learned_part(faces(usage=["PublicTest"] * 36))
    lacking = known.select((known.usage != "Training") | (known.labels != 1))
    with pytest.raises(InputError, match="class happy: has no face to learn from"):
        learned_part(lacking)
    hidden = known.images.copy()
    hidden[known.usage != "Training"] = 255 - hidden[known.usage != "Training"]
    made = []
    for name, images in (("one", known.images), ("two", hidden)):
        told = LabelledFaces(images, known.labels, known.usage, known.rows, classes=NAMES)
        path = save_faces(told, tmp_path / f"{name}.npz")
        made.append(train_gan(path, out=tmp_path / name, recipe=GanRecipe(epochs=1, batch=8)))
    assert all(np.array_equal(made[0].weights_[k], made[1].weights_[k]) for k in made[0].weights_)


def test_generate_writes_faces_a_grid_and_a_list(run, model, tmp_path):
    out = tmp_path / "made"
    arguments = ("generate", "--emotion", "happy", "--n", 5, "--seed", 1, "--model", model)
    code, stdout, stderr = run(*arguments, "--out", out)
    assert code == 0 and "no persons" in stderr
    named = [f"faces/{i:06d}_happy.png" for i in range(5)]
    assert files(out) == {*named, "grid.png", "faces.csv", "run.json"}
    assert stdout.splitlines() == [str(out / n) for n in (*named, "grid.png", "faces.csv", "run.json")]
    picture = Image.open(out / named[0])
    assert picture.size == (16, 16) and picture.mode == "L"
    assert "no person" in picture.text["Description"] and "seed 1" in picture.text["Description"]
    assert np.asarray(Image.open(out / "grid.png")).shape == (3 * 18 + 2, 2 * 18 + 2)
    rows = pd.read_csv(out / "faces.csv")
    assert rows["file"].tolist() == named and set(rows["emotion"]) == {"happy"} and set(rows["seed"]) == {1}
    record = json.loads((out / "run.json").read_text())
    assert record["parameters"]["seed"] == 1 and record["made"] == 5
    again = tmp_path / "again"
    assert run(*arguments, "--out", again)[0] == 0
    assert all((out / n).read_bytes() == (again / n).read_bytes() for n in (*named, "grid.png"))
    code, _, stderr = run(*arguments, "--out", out)
    assert code == 2 and "already holds faces" in stderr
    assert run(*arguments, "--out", out, "--overwrite", "--n", 3)[0] == 0
    assert len(list((out / "faces").iterdir())) == 3


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (("--emotion", "bored"), "emotion: expected one of angry, happy, neutral, got 'bored'"),
        (("--n", 0), "n: expected 1 or more faces, got 0"),
        (("--seed", -1), "seed: expected 0 or more, got -1"),
        (
            ("--model", "nowhere"),
            "generator nowhere: no such folder with a model.json",
        ),
    ],
)
def test_generate_refuses_what_it_cannot_do(run, model, tmp_path, wrong, told):
    given = {"--emotion": "happy", "--n": 2, "--seed": 0, "--model": model} | dict([wrong])
    code, stdout, stderr = run(
        "generate", *(x for pair in given.items() for x in pair), "--out", tmp_path / "m"
    )
    assert code == 2 and told in stderr and not stdout
    assert not (tmp_path / "m" / "faces").exists()


def test_faces_follow_from_seed_number_and_emotion_alone(model):
    generator = FaceGenerator.load(model)
    faces = generator.generate("happy", 70, seed=5)
    assert faces.shape == (70, 16, 16) and faces.dtype == np.uint8
    assert np.array_equal(faces, FaceGenerator.load(model).generate("happy", 70, seed=5))
    fewer = generator.generate("happy", 3, seed=5).astype(int)
    assert np.abs(fewer - faces[:3]).max() <= 1  # kernels for other batches round otherwise
    assert not np.array_equal(faces, generator.generate("happy", 70, seed=6))
    mixed = generator.generate(["angry", "happy"], seed=5).astype(int)
    assert np.abs(mixed[1] - faces[1]).max() <= 1


def test_the_emotion_matters(data, tmp_path):
    """Faces of the third class are 100 brighter than those of the first."""
    recipe = GanRecipe(epochs=40, batch=12, seed=1, generator_rate=2e-3, discriminator_rate=4e-3, average=0.9)
    generator = train_gan(data, out=tmp_path / "m", recipe=recipe)
    light = [generator.generate(name, 30, seed=2).mean() for name in NAMES]
    assert light[2] - light[0] > 40 and light[0] < light[1] < light[2]


def test_a_grid_lays_faces_row_by_row():
    faces = np.arange(3, dtype=np.uint8)[:, None, None] * np.ones((3, 4, 5), np.uint8)
    grid = face_grid(faces, 2, gap=1)
    assert grid.shape == (11, 13)
    assert (grid[1:5, 1:6] == 0).all() and (grid[1:5, 7:12] == 1).all() and (grid[6:10, 1:6] == 2).all()
    assert (grid[6:10, 6:] == 255).all() and (grid[5] == 255).all()


def test_what_is_saved_is_what_is_loaded(model, tmp_path):
    generator = FaceGenerator.load(model)
    generator.save(tmp_path / "copy")
    again = FaceGenerator.load(tmp_path / "copy" / "model.json")
    assert np.array_equal(generator.generate("angry", 4), again.generate("angry", 4))


@pytest.mark.parametrize("harm", ["weights", "network", "missing"])
def test_a_damaged_generator_is_refused(model, harm):
    if harm == "weights":
        content = (model / "weights.safetensors").read_bytes()
        (model / "weights.safetensors").write_bytes(content[:-4] + b"1234")
        told = "is damaged or of another model"
    elif harm == "network":
        content = json.loads((model / "model.json").read_text())
        content["network"]["latent"] = 9
        (model / "model.json").write_text(json.dumps(content))
        told = "is no usable model"
    else:
        (model / "weights.safetensors").unlink()
        told = "weights.safetensors: cannot be read"
    with pytest.raises(InputError, match=told):
        FaceGenerator.load(model)


def test_an_emotion_model_is_no_generator_and_a_generator_no_emotion_model(run, model, photos, tmp_path):
    with pytest.raises(InputError, match="is no usable model"):
        FaceGenerator.load(models_dir() / "cnn-fer2013")
    with pytest.raises(
        InputError, match="makes faces and names no emotion; 'feat-pipeline generate' runs it"
    ):
        load_model(model)
    code, _, stderr = run("predict", photos, "--model", model, "--out", tmp_path / "o")
    assert code == 2 and "makes faces and names no emotion" in stderr


def test_an_untrained_generator_says_so():
    made = FaceGenerator()
    made.classes_ = np.array(NAMES)
    with pytest.raises(UsageError, match="the generator is not trained"):
        made.generate("happy")


def test_a_folder_that_cannot_be_written_is_told(model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_generated("happy", n=1, out=tmp_path / "file", model=model)


def test_the_list_of_models_names_no_generator(run):
    assert "gan-fer2013" not in [model.name for model in list_models()]
    code, stdout, stderr = run("models")
    assert code == 0 and "gan-fer2013" not in stdout
    told = "gan-fer2013 makes faces and names no emotion" in stderr
    assert told == (models_dir() / "gan-fer2013").is_dir()


@pytest.mark.skipif(not (models_dir() / "gan-fer2013").is_dir(), reason="gan-fer2013 is not in this checkout")
def test_the_shipped_generator_is_small_and_its_card_names_misuse(run, tmp_path):
    folder = models_dir() / "gan-fer2013"
    assert (folder / "weights.safetensors").stat().st_size <= 6e6
    card = (folder / "CARD.md").read_text(encoding="utf-8")
    assert "## Misuse" in card and "FER2013" in card and "Licence:" in card
    code, _, stderr = run("generate", "--emotion", "happy", "--n", 4, "--seed", 1, "--out", tmp_path / "made")
    assert code == 0, stderr
    made = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "made" / "faces").iterdir())]
    assert len(made) == 4 and made[0].shape == (48, 48) and np.stack(made).std(axis=0).mean() > 5
    code, _, stderr = run("generate", "--emotion", "bored", "--out", tmp_path / "none")
    assert code == 2 and "expected one of angry, disgust, fear, happy, sad, surprise, neutral" in stderr
