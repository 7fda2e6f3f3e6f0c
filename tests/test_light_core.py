"""Without any extra: what needs none works, and what needs one says which in a line."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from feat_pipeline.models.base import write_model
from tests.feat_pipeline.conftest import au_rows

ROOT = Path(__file__).parents[1]

#: Modules that only extras bring, whatever this environment holds of them.
ABSENT = (
    *("torch", "torchvision", "captum", "skimage"),
    *("feat", "timm", "xgboost", "skops", "huggingface_hub"),
    *("mediapipe", "gradio", "fastapi", "starlette", "uvicorn"),
    *("ray", "keras", "h5py", "IPython", "ipywidgets", "nbclient", "shap", "numba"),
)

BLOCK = f"""
import sys

class Absent:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in {ABSENT}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent)
"""

COMMANDS = """
import contextlib, io, json
from feat_pipeline.cli import main

done = []
for arguments in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            code = main(arguments)
        except BaseException as error:
            code = repr(error)
    done.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(done))
"""

#: Where a network is trained, and the page: all other modules are imported without extras.
OF_EXTRAS = [
    "feat_pipeline.app.middleware",
    "feat_pipeline.app.page",
    "feat_pipeline.generator",
    "feat_pipeline.training",
    "feat_pipeline.models.nets",
    "feat_pipeline.runs.train_gan",
]

#: Command -> what it lacks, and the extra that brings it.
LACKING = {
    "train cnn --data faces --out made": ("train cnn", "torch", "train"),
    "train texture --data faces --out made": ("train texture", "scikit-image", "train"),
    "train gan --data faces --out made": ("train gan", "torch", "train"),
    "generate --emotion happy --out made": ("generate", "torch", "train"),
    "saliency photo.jpg --model cnn-fer2013 --out made": ("saliency", "torch", "train"),
    "predict photo.jpg --model texture --out made": ("model texture", "scikit-image", "train"),
    "predict photo.jpg --model teachable --out made": ("Teachable Machine models", "keras", "teachable"),
    "models import faces --out made": ("Teachable Machine models", "keras", "teachable"),
    "models fetch pyfeat": ("backend pyfeat", "py-feat", "pyfeat"),
    "extract photo.jpg --backend pyfeat --out made": ("backend pyfeat", "py-feat", "pyfeat"),
    "extract photo.jpg --backend mediapipe --out made": ("mediapipe", "mediapipe", "mediapipe"),
    "extract photo.jpg --detector blazeface --out made": ("mediapipe", "mediapipe", "mediapipe"),
    "extract photo.jpg --engine ray --out made": ("engine ray", "ray", "scale"),
    "app --port 0": ("app", "gradio", "app"),
}


def python(code, *arguments, cwd):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=cwd, env=environment
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def run_all(commands, cwd):
    """Run commands, one after the other, where no extra is installed: code, stdout, stderr of each."""
    told = python(BLOCK + COMMANDS, json.dumps([command.split() for command in commands]), cwd=cwd)
    return dict(zip(commands, told, strict=True))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, feat_photos):
    """A photo, a video, pictures by emotion, a labelled AU table, and models of kinds that need extras."""
    folder = tmp_path_factory.mktemp("light")
    shutil.copy(feat_photos / "single_face.jpg", folder / "photo.jpg")
    shutil.copy(feat_photos / "single_face.mp4", folder / "film.mp4")
    rng = np.random.default_rng(0)
    for emotion in ("happy", "angry"):
        (folder / "faces" / emotion).mkdir(parents=True)
        for number in range(4):
            noise = rng.integers(0, 255, (48, 48), np.uint8)
            Image.fromarray(noise).save(folder / "faces" / emotion / f"{number}.png")
    aus, labels = au_rows()
    aus.to_csv(folder / "aus.csv", index=False)
    pd.DataFrame({"input": aus["input"], "emotion": labels}).to_csv(folder / "labels.csv", index=False)
    for name, kind in (("texture", "texture"), ("teachable", "teachable-machine")):
        content = {"format": kind, "version": 1, "classes": ["happy", "sad"], "network": {}}
        write_model(folder / name, content, {"0000": np.zeros(1, np.float32)})
    return folder


def test_every_module_but_those_of_a_networks_training_and_of_the_page_is_imported(tmp_path):
    code = """
import importlib, json, pkgutil
lacking = {}
for top in ("analysis", "feat_pipeline"):
    for module in pkgutil.walk_packages(importlib.import_module(top).__path__, top + "."):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            lacking[module.name] = error.name
print(json.dumps(lacking))
"""
    lacking = python(BLOCK + code, cwd=tmp_path)
    assert {"feat_pipeline.app.page", "feat_pipeline.models.nets"} <= set(lacking)
    assert [name for name in lacking if not name.startswith(tuple(OF_EXTRAS))] == []


@pytest.mark.slow
def test_the_commands_of_the_core_do_their_work(folder):
    commands = [
        "extract photo.jpg --out extracted",
        "predict photo.jpg --out predicted --all-models --annotate --crops --emoji",
        "predict photo.jpg --out hidden --annotate --hide blur",
        "report predicted",
        "series film.mp4 --every 12 --neutral none --out series",
        "fit aus.csv --labels labels.csv --inference --report --out study",
        "explain aus.csv --model study --out reasons --report",
        "combine logit-embedded cnn-fer2013 --out vote",
        "predict photo.jpg --model vote --out voted",
        "train logit --data aus.csv --labels labels.csv --out logit",
        "train gbm-aus --data aus.csv --labels labels.csv --out gbm",
        "train mlp-aus --data aus.csv --labels labels.csv --out mlp",
        "train transfer --data faces --out transfer --epochs 2",
        "predict photo.jpg --model transfer --out transferred",
    ]
    assert {command: code for command, (code, *_) in run_all(commands, folder).items()} == dict.fromkeys(
        commands, 0
    )
    for written in ("predicted/report.html", "study/report.html", "reasons/report.html", "series/series.csv"):
        assert (folder / written).is_file(), written


def test_a_photo_is_predicted_and_backends_and_models_name_what_is_missing(folder):
    answers = run_all(["predict photo.jpg --out light", "backends", "models"], folder)
    assert [code for code, *_ in answers.values()] == [0, 0, 0]
    listed = answers["backends"][1]
    for extra, rows in {"pyfeat": 4, "mediapipe": 2}.items():
        assert len(re.findall(rf"missing .*run: pip install 'feat-pipeline\[{extra}\]'", listed)) == rows
    assert (
        "train cnn, train gan, train texture, generate, saliency: the package torch is not"
        in answers["models"][2]
    )
    assert "models import: the package keras is not installed; run: pip install" in answers["models"][2]


def test_a_command_that_lacks_its_extra_says_so_in_one_line_and_leaves_nothing(folder):
    for command, (code, out, err) in run_all(list(LACKING), folder).items():
        what, package, extra = LACKING[command]
        mend = f"the package {package} is not installed; run: pip install 'feat-pipeline[{extra}]'"
        lines = [line for line in err.splitlines() if not line.startswith("feat-pipeline: licence of")]
        name = "pyfeat: " if command.startswith("models fetch") else ""
        assert (out, lines) == ("", [f"feat-pipeline: {name}{what}: {mend}"]), command
        assert code == (1 if name else 2), command
        assert not list(folder.glob("made/**/*")), command


def test_an_extra_that_is_named_is_declared():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {extra for *_, extra in LACKING.values()} <= set(declared)
    sources = [*ROOT.glob("feat_pipeline/**/*.py"), *ROOT.glob("analysis/**/*.py")]
    named = {
        name
        for path in sources
        for name in re.findall(r"feat-pipeline\[(\w+)\]|extra=\"(\w+)\"", path.read_text())
    }
    assert {name for pair in named for name in pair if name} <= set(declared)


def test_the_core_declares_no_package_of_an_extra():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    of_extras = {name_of(line) for lines in project["optional-dependencies"].values() for line in lines}
    core = {name_of(line) for line in project["dependencies"]}
    assert {"torch", "py-feat", "mediapipe"} <= of_extras and "onnxruntime" in core
    assert not core & of_extras


def name_of(requirement):
    return re.match(r"[\w-]+", requirement)[0]


@pytest.mark.slow
@pytest.mark.network
def test_an_environment_with_the_core_alone_predicts(tmp_path, feat_photos):
    uv = shutil.which("uv", path=Path(sys.executable).parent) or shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def do(*command):
        return subprocess.run(
            command, check=True, capture_output=True, text=True, cwd=tmp_path, env=environment
        )

    do(uv, "venv", "--python", sys.executable, "light")
    scripts = tmp_path / "light" / ("Scripts" if os.name == "nt" else "bin")
    do(uv, "pip", "install", "--python", scripts / "python", ROOT)
    do(
        scripts / "feat-pipeline",
        "predict",
        feat_photos / "single_face.jpg",
        "--out",
        "result",
        "--all-models",
    )
    assert set(pd.read_csv(tmp_path / "result" / "predictions.csv")["label"]) == {"happy"}
    held = {
        line.split("==")[0] for line in do(uv, "pip", "freeze", "--python", scripts / "python").stdout.split()
    }
    assert not held & {"torch", "py-feat", "xgboost", "scikit-image", "tensorflow", "triton"}
