import numpy as np
import pandas as pd
import pytest
from PIL import Image

from analysis.autable import AUTable
from analysis.logit import MultinomialLogit
from feat_pipeline.cli import main
from feat_pipeline.detect import DETECTORS
from feat_pipeline.extract import BACKENDS
from feat_pipeline.predict import Predictor
from tests.feat_pipeline.fakes import FakeExtractorWithMore, draw_face, draw_smile
from tests.feat_pipeline.sources.made_videos import write_video


@pytest.fixture
def fakes(monkeypatch):
    """The fake detector and backend, registered under the names of the defaults."""
    for name in ("mtcnn", "fast", "fake"):
        monkeypatch.setitem(DETECTORS, name, "tests.feat_pipeline.fakes:FakeDetector")
    for name in ("embedded", "fake"):
        monkeypatch.setitem(BACKENDS, name, "tests.feat_pipeline.fakes:FakeExtractor")


@pytest.fixture
def more_columns(fakes, monkeypatch):
    """The fake backend gives columns besides the AUs, as mediapipe, pyfeat and openface do."""
    monkeypatch.setitem(BACKENDS, "fake", "tests.feat_pipeline.fakes:FakeExtractorWithMore")
    return FakeExtractorWithMore.extra_columns


def au_rows(n=60, seed=3):
    """An AU table of `n` faces on the fake backend's scale, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.array(["happy", "angry", "neutral"])[np.arange(n) % 3]
    aus = pd.DataFrame(
        {
            "AU04_r": rng.uniform(0, 1, n) + 3 * (labels == "angry"),
            "AU12_r": rng.uniform(0, 1, n) + 3 * (labels == "happy"),
            "AU25_r": rng.uniform(0, 2, n),
        }
    )
    aus.insert(0, "input", [f"photo{i}.jpg" for i in range(n)])
    return aus, labels


@pytest.fixture(scope="session")
def au_table():
    aus, labels = au_rows()
    return AUTable(aus.assign(emotion=labels), backend="fake", backend_version="7", scale="r")


@pytest.fixture(scope="session")
def model_dir(au_table, tmp_path_factory):
    """A small model, fitted on the fake backend's AUs."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    MultinomialLogit().fit(au_table, au_table.frame["emotion"]).save(folder)
    return folder


@pytest.fixture
def predictor(fakes, model_dir):
    """The fake detector and backend, and the small model."""
    return Predictor(models=[model_dir])


@pytest.fixture(scope="session")
def video(tmp_path_factory):
    """A second and a half of a smile, 25 pictures a second."""
    path = tmp_path_factory.mktemp("video") / "smile.mp4"
    return write_video(path, 38, draw=draw_smile, size=(160, 120), options={"qp": "6"}, pixels="yuv444p")


@pytest.fixture
def photos(tmp_path):
    """A folder: a smiling and a frowning face, a lone smile in a subfolder, a picture without a face."""
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    two = draw_face(np.full((120, 200, 3), 30, np.uint8), 20, 30, 40, smile=4)
    save(draw_face(two, 110, 30, 48, smile=0, frown=4), folder / "two.png")
    save(draw_face(np.full((90, 80, 3), 30, np.uint8), 10, 10, 50, smile=3.5), folder / "sub" / "one.png")
    save(np.full((60, 70, 3), 90, np.uint8), folder / "empty.png")
    return folder


def save(picture_rgb, path):
    Image.fromarray(picture_rgb).save(path)
    return path


@pytest.fixture
def run(capsys):
    """Run the program in this process: exit code, stdout, stderr."""

    def run_main(*arguments):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stopped:
            code = stopped.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_main
