"""Kinds of models that other packages bring by an entry point."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from feat_pipeline.models import LOADERS
from tests.feat_pipeline.models.made import au_rows

ROOT = Path(__file__).parents[3]

PLUG_IN = """
import json
from pathlib import Path

import numpy as np

from feat_pipeline.models.flexible import AuNetwork


class Trained(AuNetwork):
    format = "thirdparty"


class Fixed:
    '''Says 'happy' of every face.'''

    consumes = "pixels"
    explains = False
    classes_ = np.array(["happy", "sad"])

    def predict_proba(self, X):
        return np.tile([0.75, 0.25], (len(X), 1))

    def save(self, path):
        Path(path).mkdir(parents=True, exist_ok=True)
        file = Path(path) / "model.json"
        file.write_text(json.dumps({"format": "fixed"}))
        return file

    @classmethod
    def load(cls, path):
        return cls()


class Half:
    consumes = "pixels"
"""


@pytest.fixture
def site(tmp_path):
    """A folder with an installed distribution that brings models, good and bad."""
    folder = tmp_path / "site" / "made_models-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: made-models\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(
        "[feat_pipeline.models]\n"
        "thirdparty = made_models:Trained [nets]\n"
        "fixed = made_models:Fixed\n"
        "half = made_models:Half\n"
        "torn = made_torn:Model\n"
        "cnn = made_models:Half\n"
    )
    (folder.parent / "made_models.py").write_text(PLUG_IN)
    (folder.parent / "made_torn.py").write_text("def (")
    return folder.parent


def python(site, *arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, cwd=ROOT)


def program(site, *arguments):
    return python(site, "-m", "feat_pipeline.cli", *arguments)


def stated(folder, kind):
    folder.mkdir()
    (folder / "model.json").write_text(json.dumps({"format": kind}))
    return folder


def test_a_registered_model_is_trained_by_the_program_and_predicts(site, tmp_path):
    X, y = au_rows(60)
    X.assign(input=[f"{i}.png" for i in range(60)], emotion=y).to_csv(tmp_path / "aus.csv", index=False)
    out = tmp_path / "m"
    done = program(
        site, "train", "thirdparty", "--data", tmp_path / "aus.csv", "--label-column", "emotion", "--out", out
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((out / "model.json").read_text())["format"] == "thirdparty"
    code = (
        "import sys, pandas as pd; from feat_pipeline.models import load_model; m = load_model(sys.argv[1]);"
        "print(m.predict_proba(pd.read_csv(sys.argv[2])[list(m.feature_names_in_)]).shape)"
    )
    assert python(site, "-c", code, out, tmp_path / "aus.csv").stdout.strip() == "(60, 3)"


def test_a_registered_model_that_only_loads_predicts_faces_and_cannot_be_trained(site, photos, tmp_path):
    model = stated(tmp_path / "always", "fixed")
    done = program(
        site, "predict", photos / "sub", "--model", model, "--detector", "none", "--out", tmp_path / "out"
    )
    assert done.returncode == 0, done.stderr
    assert ",happy," in (tmp_path / "out" / "predictions.csv").read_text()
    refused = program(site, "train", "fixed", "--data", photos, "--out", tmp_path / "m")
    assert refused.returncode == 2
    assert "expected one of cnn, mlp-aus, gbm-aus, texture, transfer, thirdparty, logit" in refused.stderr


def test_kinds_that_can_be_trained_stand_in_the_help_beside_ours(site):
    told = " ".join(program(site, "train", "-h").stdout.split())
    assert "cnn, mlp-aus, gbm-aus, texture, transfer, thirdparty, logit, gan" in told


def test_a_broken_package_is_named_where_its_kind_is_asked_for(site, tmp_path):
    code = (
        "import sys; from feat_pipeline.errors import UnavailableError; from feat_pipeline.models import *\n"
        "from feat_pipeline.models import load_model\n"
        "try: load_model(sys.argv[1])\n"
        "except UnavailableError as error: print(error)"
    )
    told = python(site, "-c", code, stated(tmp_path / "a", "torn")).stdout
    assert "model kind torn: made_torn:Model cannot be loaded (SyntaxError" in told
    told = python(site, "-c", code, stated(tmp_path / "b", "half")).stdout
    assert "made_models:Half offers no explains, predict_proba, save, load, as every model must" in told
    done = program(site, "train", "torn", "--data", tmp_path, "--out", tmp_path / "m")
    assert done.returncode == 2 and "model kind torn: made_torn:Model cannot be loaded" in done.stderr


def test_our_own_kinds_keep_their_class_and_unknown_ones_are_told_what_is_registered(site, tmp_path):
    code = (
        "import sys; from feat_pipeline.errors import InputError; from feat_pipeline import models\n"
        "print(models.LOADERS['cnn'])\n"
        "try: models.load_model(sys.argv[1])\n"
        "except InputError as error: print(error)"
    )
    own, told = python(site, "-c", code, stated(tmp_path / "m", "nothing")).stdout.splitlines()
    assert own == LOADERS["cnn"]
    assert "teachable-machine, thirdparty, fixed, half, torn, got 'nothing'" in told


def test_damaged_metadata_are_warned_of_and_stop_nothing(site, tmp_path):
    odd = site / "made_odd-1.0.dist-info"
    odd.mkdir()
    (odd / "METADATA").write_text("Metadata-Version: 2.1\nName: made-odd\nVersion: 1.0\n")
    (odd / "entry_points.txt").write_bytes(b"[feat_pipeline.models]\nodd = \xff\xfe\n")
    done = python(site, "-c", "from feat_pipeline.models import LOADERS; print('cnn' in LOADERS)")
    assert done.stdout.strip() == "True"
    assert "models of other packages cannot be read" in done.stderr


@pytest.mark.slow
def test_the_conformance_suite_runs_over_what_is_registered(site):
    suite = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/conformance/test_models.py")
    done = python(site, *suite, "-k", "thirdparty")
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout
