import graphlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MADE_UP = {
    "feat_pipeline/errors.py": "from feat_pipeline.progress import Progress",
    "feat_pipeline/faces/crops.py": "from feat_pipeline.predict import Predictor",
    "analysis/facs.py": "from analysis.display import au_title",
    "analysis/compare/metrics.py": "from analysis.compare.comparison import Comparison",
}


def linted(folder):
    linter = shutil.which("lint-imports", path=Path(sys.executable).parent)
    if linter is None:
        pytest.skip("import-linter is not installed")
    return subprocess.run([linter], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """What the linter says of a copy of the packages with imports for type checking that break its rules."""
    copy = tmp_path_factory.mktemp("copy")
    shutil.copy(ROOT / "pyproject.toml", copy)
    for package in ("analysis", "feat_pipeline"):
        for path in (ROOT / package).rglob("*.py"):
            target = copy / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    for name, line in MADE_UP.items():
        with (copy / name).open("a") as file:
            file.write(f"\nfrom typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    {line}\n")
    done = linted(copy)
    assert done.returncode == 1
    return done.stdout


def test_the_contracts_of_imports_hold():
    done = linted(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("feat_pipeline.errors", "feat_pipeline.progress"),
        ("feat_pipeline.faces", "feat_pipeline.predict"),
    ],
)
def test_an_import_of_a_sibling_or_a_layer_above_is_reported(report, importer, imported):
    assert f"{importer} is not allowed to import {imported}:" in report


@pytest.mark.parametrize("package", ["analysis", "analysis.compare"])
def test_a_circle_between_packages_or_modules_is_reported(report, package):
    assert f"No cycles are allowed in {package}." in report


def test_no_module_imports_itself_by_way_of_others_not_even_for_its_types():
    grimp = pytest.importorskip("grimp")
    graph = grimp.build_graph(
        "analysis", "feat_pipeline", exclude_type_checking_imports=False, cache_dir=None
    )
    modules = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    graphlib.TopologicalSorter(modules).prepare()  # raises a CycleError that names the circle
