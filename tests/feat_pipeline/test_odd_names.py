"""Names in other scripts, and names that are no UTF-8, end no run, under a locale that knows neither."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests import ROOT
from tests.feat_pipeline.conftest import save
from tests.feat_pipeline.datasets.test_fer2013 import THREE, rows
from tests.feat_pipeline.fakes import draw_face
from tests.feat_pipeline.waiting import GUARD_S

NARROW = {
    "LC_ALL": "C",
    "PYTHONUTF8": "0",
    "PYTHONIOENCODING": "latin-1",
    "PYTHONCOERCECLOCALE": "0",
    "OMP_NUM_THREADS": "1",
}
#: Letters of another script, and bytes that are no UTF-8.
NAME = os.fsdecode("日本".encode() + b"\xff\xfe")
LABELS = ["happy", "angry", "neutral"]


@pytest.fixture(scope="module")
def odd(tmp_path_factory, video, model_dir, au_table):
    """A folder that holds photos, a film, a table, labels and models by names of that kind."""
    odd = tmp_path_factory.mktemp("odd") / NAME
    rng = np.random.default_rng(7)
    for n in range(30):
        smile, frown = 4 * (n % 3 == 0), 4 * (n % 3 == 1)
        photo = draw_face(rng.integers(0, 90, (64, 64, 3), np.uint8), 4, 6, 40 + n // 3, smile, frown)
        folder = odd / "photos" / LABELS[n % 3]
        folder.mkdir(parents=True, exist_ok=True)
        save(photo, folder / f"{NAME}{n}.png")
        blocks = np.kron(rng.integers(0, 255, (8, 8), np.uint8), np.ones((8, 8), np.uint8))
        (odd / "blocks" / LABELS[n % 3]).mkdir(parents=True, exist_ok=True)
        save(blocks, odd / "blocks" / LABELS[n % 3] / f"{NAME}{n}.png")
    (odd / f"{NAME}.mp4").write_bytes(video.read_bytes())
    for name in ("tiny", "twin"):
        shutil.copytree(model_dir, odd / name)
    table = au_table.write(odd / "aus.csv")
    frame = pd.read_csv(table)
    frame["input"] = [f"日本{n}.png" for n in range(len(frame))]
    frame.to_csv(table, index=False)
    frame.rename(columns={"emotion": "label"})[["input", "label"]].to_csv(odd / "labels.csv", index=False)
    (odd / "fer.csv").write_text(rows(*THREE))
    return odd


def ends_well(*arguments, codes=(0,)):
    """Run the program under a narrow locale."""
    program = [sys.executable, "-m", "tests.feat_pipeline.fake_program", *map(str, arguments)]
    done = subprocess.run(
        program, cwd=ROOT, env=os.environ | NARROW, capture_output=True, timeout=GUARD_S, check=False
    )
    assert b"Traceback" not in done.stderr and done.returncode in codes, done.stderr.decode(errors="replace")
    return done


def test_photos_and_films_are_measured(odd):
    out = odd / "measured"
    ends_well("extract", odd / "photos", odd / f"{NAME}.mp4", "--out", out, "--jobs", 2)
    named = pd.read_csv(out / "aus.csv")["input"].str.contains("日本", regex=False)
    assert len(named) == 30 + 38 and named.all()
    ends_well("extract", odd / "photos", "--format", "parquet", "--out", odd / "parquet")
    ends_well("fit", odd / "parquet" / "aus.parquet", "--label-column", "AU12_r", "--out", odd / "x")


def test_photos_and_films_are_predicted_and_drawn_and_reported(odd):
    out = odd / "predicted"
    model = ["--model", odd / "tiny", "--annotate", "--crops", "--hide", "blur"]
    ends_well("predict", odd / "photos", odd / f"{NAME}.mp4", *model, "--out", out)
    assert len(list((out / "annotated").iterdir())) == 31 and len(list((out / "crops").iterdir())) == 30
    ends_well("report", out)
    assert (out / "report.html").stat().st_size > 1000


def test_tables_are_fitted_explained_compared_and_given_a_surrogate(odd):
    table, labels = odd / "aus.csv", odd / "labels.csv"
    fitted, explained = odd / "fitted", odd / "explained"
    ends_well("fit", table, "--labels", labels, "--report", "--out", fitted)
    assert json.loads((fitted / "run.json").read_text("utf-8"))["complete"]
    ends_well("explain", table, "--model", fitted, "--report", "--out", explained)
    answers = explained / "predictions.csv"
    ends_well("compare", answers, "--labels", labels, "--draws", 20, "--out", odd / "compared")
    ends_well("surrogate", "--aus", table, "--predictions", answers, "--draws", 5, "--out", odd / "surrogate")


def test_models_are_combined_films_become_series_and_data_are_converted(odd):
    ends_well("combine", odd / "tiny", odd / "twin", "--out", odd / "combined")
    film = odd / f"{NAME}.mp4"
    ends_well("series", film, "--model", odd / "tiny", "--neutral", "0-1", "--out", odd / "series")
    ends_well("data", "fer2013", odd / "fer.csv", "--to", "folder", odd / "faces")


@pytest.mark.slow
def test_a_model_is_trained_and_looked_into(odd):
    photos = odd / "photos"
    ends_well("train", "texture", "--data", odd / "blocks", "--detector", "none", "--out", odd / "trained")
    ends_well(
        "saliency", photos, "--model", odd / "trained", "--against", odd / "tiny", "--faces", 0,
        "--method", "occlusion", "--draws", 20, "--out", odd / "looks",
    )  # fmt: skip


def test_an_error_about_such_a_name_is_one_line(odd):
    done = ends_well("fit", Path(odd, "none", NAME), "--label-column", "x", "--out", odd / "y", codes=(2,))
    assert len(done.stderr.decode("latin-1").splitlines()) == 1
