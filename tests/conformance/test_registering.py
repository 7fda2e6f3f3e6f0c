"""What is registered is tested: the suites run over it, and those of the others do not notice."""

import os
import subprocess
import sys

import pytest

from tests import ROOT
from tests.feat_pipeline.waiting import GUARD_S


@pytest.mark.parametrize(("suite", "fewest"), [("detectors", 16), ("extractors", 9)])
def test_a_suite_runs_over_what_is_registered(suite, fewest):
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "tests.conformance.extra",
    ]
    done = subprocess.run(
        [*command, "-m", "not shared", f"tests/conformance/test_{suite}.py"],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=GUARD_S,
    )  # fmt: skip
    passed, _, skipped = done.stdout.splitlines()[-1].partition(" passed, ")
    assert done.returncode == 0 and "skipped" not in skipped, done.stdout
    assert int(passed) >= fewest
