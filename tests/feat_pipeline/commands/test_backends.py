import os
import subprocess
import sys

import pytest

from feat_pipeline.extract import BACKENDS
from tests import ROOT
from tests.feat_pipeline.waiting import GUARD_S

PLUG_IN = """
from tests.feat_pipeline.fakes import FakeExtractor

class Extractor(FakeExtractor):
    name = "thirdparty"
    version = "3.1"

    @classmethod
    def check(cls):
        return cls.version

class NeedsACamera(Extractor):
    @classmethod
    def check(cls):
        raise ZeroDivisionError("no camera")

class Shadow(Extractor):
    pass
"""


@pytest.fixture
def site(tmp_path):
    """A folder with an installed distribution that brings backends, good and bad."""
    folder = tmp_path / "made_backend-3.1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: made-backend\nVersion: 3.1\n")
    (folder / "entry_points.txt").write_text(
        "[feat_pipeline.backends]\n"
        "thirdparty = made_backend:Extractor [camera]\n"
        "absent = no_such_module:Extractor\n"
        "nameless = made_backend:NoSuchClass\n"
        "torn = made_torn:Extractor\n"
        "raising = made_backend:NeedsACamera\n"
        "embedded = made_backend:Shadow\n"
    )
    (tmp_path / "made_backend.py").write_text(PLUG_IN)
    (tmp_path / "made_torn.py").write_text("def (")
    return tmp_path


def program(site, *arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}
    command = [sys.executable, "-m", "feat_pipeline.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=GUARD_S)


def test_an_installed_package_brings_a_backend_and_broken_ones_are_listed_with_their_error(site):
    done = program(site, "backends")
    assert done.returncode == 0 and done.stderr == ""
    rows = {line.split()[2]: line for line in done.stdout.splitlines() if line.startswith("AU backend")}
    assert rows["thirdparty"].split()[3:] == ["3.1", "ready"]
    assert (
        "missing" in rows["absent"]
        and "ModuleNotFoundError: No module named 'no_such_module'" in rows["absent"]
    )
    assert "missing" in rows["nameless"] and "no attribute 'NoSuchClass'" in rows["nameless"]
    assert "missing" in rows["torn"] and "SyntaxError" in rows["torn"]
    assert "missing" in rows["raising"] and "ZeroDivisionError: no camera" in rows["raising"]
    assert "made_backend" not in rows["embedded"] and rows["embedded"].endswith("ready")


def test_such_a_backend_measures_photos(site, photos, tmp_path):
    # The fakes see painted faces; a detector cannot be brought from outside, so each photo is one face.
    done = program(
        site, "extract", photos, "--backend", "thirdparty", "--detector", "none", "--out", tmp_path / "out"
    )
    assert done.returncode == 0, done.stderr
    assert "with thirdparty 3.1" in done.stderr
    lines = (tmp_path / "out" / "aus.csv").read_text().splitlines()
    assert "AU12_r" in lines[0] and len(lines) == 4


def test_a_broken_backend_that_is_asked_for_is_named_in_one_line(site, photos, tmp_path):
    done = program(site, "extract", photos, "--backend", "torn", "--out", tmp_path / "out")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "backend torn: made_torn:Extractor cannot be loaded (SyntaxError" in done.stderr


def test_metadata_that_cannot_be_read_do_not_stop_the_program(tmp_path):
    folder = tmp_path / "made_odd-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: made-odd\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_bytes(b"[feat_pipeline.backends]\nodd = \xff\xfe\n")
    done = program(tmp_path, "backends")
    assert done.returncode == 0 and all(name in done.stdout for name in BACKENDS)


def test_the_list_imports_no_library_that_a_backend_computes_with():
    heavy = ("feat", "torch", "torchvision", "sklearn", "mediapipe", "tensorflow", "skimage")
    code = (
        "import sys; from feat_pipeline.cli import main; main(['backends'])"
        f"; print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
