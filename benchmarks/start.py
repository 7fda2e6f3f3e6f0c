"""Seconds until the packages are imported and the first command has answered, each in a new process.

    python benchmarks/start.py [--repeats 5]

The least of the repeats counts: other programs can only add to it. What a start may load is tested
(tests/feat_pipeline/test_layout.py, test_whole_path.py); here is what it costs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.demo import sample_photos

STARTS = {
    "Python itself": ["-c", ""],
    "import feat_pipeline": ["-c", "import feat_pipeline"],
    "import analysis": ["-c", "import analysis"],
    "feat-pipeline -h": ["-m", "feat_pipeline", "-h"],
    "feat-pipeline backends": ["-m", "feat_pipeline", "backends"],
}


def best_seconds(arguments: list[str], repeats: int) -> float:
    """Return the least seconds of a new Python."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as out:
        photo = str(sample_photos()[0])
        predict = ["-m", "feat_pipeline", "predict", photo, "--overwrite", "--out", str(Path(out, "result"))]
        print("| start | s |\n| --- | --- |")
        for name, arguments in (STARTS | {"feat-pipeline predict PHOTO": predict}).items():
            print(f"| {name} | {best_seconds(arguments, repeats):.2f} |", flush=True)


if __name__ == "__main__":
    main()
