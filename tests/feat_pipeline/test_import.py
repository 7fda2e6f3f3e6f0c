"""A module ``analysis`` of the user's own beside a notebook or a script."""

import os
import shutil
import subprocess
import sys

import pandas as pd
import pytest

from feat_pipeline import __version__
from tests import ROOT
from tests.feat_pipeline.waiting import GUARD_S

THEIRS = "raise SystemExit('the code of another module was run')"
IMPORTS = ["import feat_pipeline", "from feat_pipeline import Predictor"]


def python(folder, *arguments, path=()):
    """Run Python in a folder with this tree on its path; the folder is where Python itself puts it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [ROOT, *path]))}
    environment.pop("PYTHONSAFEPATH", None)
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env=environment, timeout=GUARD_S
    )


@pytest.fixture(params=["analysis.py", "analysis/__init__.py"])
def hiding(request, tmp_path):
    """A file or package that hides ours from Python run in its folder."""
    file = tmp_path / "work" / request.param
    file.parent.mkdir(parents=True)
    file.write_text(THEIRS)
    return tmp_path / "work" / file.relative_to(tmp_path / "work").parts[0]


def refusal(found):
    return (
        f"ImportError: feat_pipeline needs its own package 'analysis', but 'import analysis' gives {found}: "
        "rename that file or folder, or work in another folder, and start Python anew"
    )


@pytest.mark.parametrize("code", IMPORTS)
def test_importing_beside_another_analysis_names_it_and_does_not_run_it(hiding, code):
    done = python(hiding.parent, "-c", code)
    assert done.returncode == 1 and done.stderr.splitlines()[-1] == refusal(hiding)


def test_a_script_of_that_name_is_told_that_it_is_in_the_way(tmp_path):
    script = tmp_path / "analysis.py"
    script.write_text(IMPORTS[0])
    assert python(tmp_path, script).stderr.splitlines()[-1] == refusal(script)


@pytest.mark.parametrize("code", IMPORTS)
def test_another_analysis_that_is_imported_already_is_named(tmp_path, code):
    (tmp_path / "analysis.py").write_text("")
    (tmp_path / "elsewhere").mkdir()
    first = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import analysis; del sys.path[0]; "
    done = python(tmp_path / "elsewhere", "-c", first + code)
    assert done.stderr.splitlines()[-1] == refusal(tmp_path / "analysis.py")


def test_an_analysis_made_in_the_session_is_told_as_such(tmp_path):
    made = "import sys, types; sys.modules['analysis'] = types.ModuleType('analysis'); "
    done = python(tmp_path, "-c", made + IMPORTS[0])
    assert done.stderr.splitlines()[-1] == refusal("a module made in this session")


def test_a_folder_without_init_hides_nothing(tmp_path):
    (tmp_path / "analysis").mkdir()
    done = python(tmp_path, "-c", "import feat_pipeline, analysis; print(analysis.__file__)")
    assert done.stdout.strip() == str(ROOT / "analysis" / "__init__.py")


def test_a_folder_without_init_that_is_imported_already_is_named(tmp_path):
    (tmp_path / "analysis").mkdir()
    first = f"import sys; path = sys.path[:]; sys.path[:] = [{str(tmp_path)!r}]; import analysis; "
    done = python(tmp_path, "-c", f"{first} sys.path[:] = path; {IMPORTS[0]}")
    assert done.stderr.splitlines()[-1] == refusal(tmp_path / "analysis")


@pytest.mark.parametrize(
    "arguments",
    [
        ["-m", "feat_pipeline"],
        ["-mfeat_pipeline"],
        ["-Bm", "feat_pipeline"],
        ["-m", "feat_pipeline.cli"],
        ["-P", "-m", "feat_pipeline"],
    ],
    ids=" ".join,
)
def test_the_program_runs_by_name_beside_another_analysis(hiding, arguments):
    done = python(hiding.parent, *arguments, "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"feat-pipeline {__version__}\n", "")


def test_another_program_run_by_name_is_told_what_is_in_the_way(hiding):
    tool = hiding.parent / "tool"
    tool.mkdir()
    (tool / "__init__.py").write_text(IMPORTS[0])
    (tool / "__main__.py").write_text("")
    assert python(hiding.parent, "-m", "tool").stderr.splitlines()[-1] == refusal(hiding)


def test_the_installed_program_runs_beside_another_analysis(hiding, tmp_path):
    script = tmp_path / "bin" / "feat-pipeline"  # as installers write it
    script.parent.mkdir()
    script.write_text("import sys\nfrom feat_pipeline.cli import main\nsys.exit(main())\n")
    done = python(hiding.parent, script, "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"feat-pipeline {__version__}\n", "")


def test_processes_of_the_program_measure_beside_another_analysis(feat_photos, tmp_path):
    plugin = tmp_path / "site" / "quick-1.dist-info"  # a backend that takes no time, as a package adds it
    plugin.mkdir(parents=True)
    (plugin / "METADATA").write_text("Metadata-Version: 2.1\nName: quick\nVersion: 1\n")
    entry = "[feat_pipeline.backends]\nquick = tests.feat_pipeline.fakes:FakeExtractor\n"
    (plugin / "entry_points.txt").write_text(entry)
    work = tmp_path / "work"
    work.mkdir()
    (work / "analysis.py").write_text(THEIRS)
    shutil.copy(feat_photos / "single_face.jpg", work)
    arguments = ["--detector", "none", "--backend", "quick", "--jobs", "2", "--out", "aus"]
    command = ["-m", "feat_pipeline", "extract", "single_face.jpg", *arguments]
    done = python(work, *command, path=[plugin.parent])
    assert done.returncode == 0, done.stderr
    assert len(pd.read_csv(work / "aus" / "aus.csv")) == 1
