"""Time and peak memory of explaining many faces on one core.

    OMP_NUM_THREADS=1 python benchmarks/explanation.py

Writes reports/explanation_speed.csv. Faces are drawn around the training means of the shipped model; each
measurement is a process of its own, bound to one core, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

SEARCHES = ("one AU", "fewest AUs", "least squares")
TASKS = {
    "contributions": 30_000,
    "explain": 10_000,
    "explain and 200 draws": 10_000,
    "explain as JSON": 10_000,
    "one AU": 200,
    "fewest AUs": 200,
    "least squares": 100,
}


def faces(model: Any, n: int, seed: int = 0) -> np.ndarray:
    """Draw n faces (n, p) around the mean faces of the classes."""
    rng = np.random.default_rng(seed)
    middle = model.class_feature_mean_[rng.integers(0, len(model.classes_), n)]
    spread = rng.normal(size=middle.shape) * model.feature_sd_
    return np.clip(middle + spread, *model.feature_range_)


def work(task: str, model: Any, X: np.ndarray) -> Any:
    from analysis.explain.faces import contributions, explain_many

    if task == "contributions":
        return contributions(model, X)
    if task.startswith("explain"):
        found = explain_many(model, X, draws=200 if "draws" in task else 0)
        if "JSON" in task:
            return sum(len(json.dumps(e.to_dict())) for e in found)
        return [(e.interval, e.contrast_interval, e.rationale) for e in found]
    from analysis.explain.counterfactual import counterfactual

    return [counterfactual(model, x, kinds=[task]).ways[0] for x in X]


def child(task: str, n: int, path: str) -> None:
    from feat_pipeline.models import load_model

    if task in SEARCHES:
        import scipy.optimize  # noqa: F401
    model = load_model(path)
    X = faces(model, n)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start, busy = time.perf_counter(), time.process_time()
    answer = work(task, model, X)
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    row = {"task": task, "faces": n, "seconds": round(seconds, 2), "cpu_seconds": round(busy, 2)}
    row |= {"cpu_ms_per_face": round(1000 * busy / n, 3), "MB_before": round(before), "MB_peak": round(peak)}
    if task in SEARCHES:
        row |= {
            "exists": np.mean([way.exists for way in answer]),
            "proved": np.mean([way.exact for way in answer]),
        }
    print(json.dumps(row))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="logit-embedded", help="a shipped model or a folder")
    parser.add_argument("--out", type=Path, default=Path("reports/explanation_speed.csv"))
    parser.add_argument("--run", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        return child(args.run, TASKS[args.run], args.model)
    core = {min(os.sched_getaffinity(0))}
    environment = dict(os.environ, PYTHONPATH=str(Path(__file__).resolve().parent.parent))
    environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    rows = []
    for task in TASKS:
        done = subprocess.run(
            [sys.executable, __file__, "--model", args.model, "--run", task],
            env=environment, capture_output=True, text=True, check=True,
            preexec_fn=lambda: os.sched_setaffinity(0, core),
        )  # fmt: skip
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1], file=sys.stderr)
    table = pd.DataFrame(rows)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(args.out, index=False)
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
