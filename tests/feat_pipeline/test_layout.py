import subprocess
import sys
import zipfile

import pytest

from feat_pipeline.models import SHIPPED
from feat_pipeline.weights.shipped import models_dir
from tests import ROOT

HEAVY = (
    "torch",
    "torchvision",
    "pandas",
    "cv2",
    "sklearn",
    "statsmodels",
    "scipy",
    "matplotlib",
    "onnxruntime",
)


def python(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout


@pytest.mark.parametrize("package", ["feat_pipeline", "analysis"])
def test_importing_a_package_loads_itself_and_a_little_of_the_standard_library(package):
    loaded = python(
        f"import sys; a = {{*sys.modules}}; import {package}; print(*({{*sys.modules}} - a))"
    ).split()
    known = {package, *sys.stdlib_module_names}
    assert [name for name in loaded if name.partition(".")[0] not in known] == []
    assert len(loaded) <= 60  # benchmarks/start.py tells the seconds


def test_the_help_of_the_program_loads_no_heavy_library():
    code = f"""
import sys
from feat_pipeline.cli import main
try:
    main(["-h"])
except SystemExit:
    print([m for m in {HEAVY} if m in sys.modules])
"""
    assert python(code).splitlines()[-1] == "[]"


def test_every_public_name_can_be_had():
    code = "import feat_pipeline as f; print(all(getattr(f, name) is not None for name in f.__all__))"
    assert python(code) == "True\n"


def test_the_checkout_holds_the_shipped_models():
    assert models_dir() == ROOT / "models"
    for name in SHIPPED:
        assert {"model.json", "CARD.md"} <= {p.name for p in (models_dir() / name).iterdir()}


def test_the_wheel_holds_both_packages_their_data_and_the_models(tmp_path):
    pytest.importorskip("hatchling")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    shipped = {p.relative_to(ROOT / "models").as_posix() for p in (ROOT / "models").rglob("*") if p.is_file()}
    assert {f"feat_pipeline/shipped/{name}" for name in shipped} <= names
    code = {
        p.relative_to(ROOT).as_posix()
        for top in ("analysis", "feat_pipeline")
        for p in (ROOT / top).rglob("*.*")
    }
    assert {name for name in code if "__pycache__" not in name} <= names
    assert not [name for name in names if name.startswith(("tests/", "tools/", "models/"))]
