"""Faces per second of emotion models on one core and on two, and the seconds of a cold start.

    python benchmarks/model_speed.py [MODEL ...] [--faces 2000] [--repeats 3] [--out table.csv]

MODEL is a shipped name or a folder; all shipped ones by default. Faces are crops of 160 px as the detector
cuts them, made of scikit-image's portrait, each turned and shifted a little. A model of AUs gets them through
the embedded backend, as it does from a photo, so its rate is that of measuring and answering. Detection is
left out. Each run is a process of its own, tied to the cores named, and starts its clock after a first batch;
the median of the repeats counts. A cold start is a new process that answers for one face and ends.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

BATCH = 32


def portraits(n: int) -> np.ndarray:
    """Crops, uint8 RGB, shape (n, 160, 160, 3)."""
    import cv2
    from skimage.data import astronaut

    rng = np.random.default_rng(0)
    crops = []
    for angle, dx, dy in rng.uniform(-8, 8, (n, 3)):
        turn = cv2.getRotationMatrix2D((224, 120), angle, 1.0)
        turn[:, 2] += np.array([80, 80]) - (224, 120) + (dx, dy)
        crops.append(cv2.warpAffine(astronaut(), turn, (160, 160)))
    return np.stack(crops)


def answerer(name: str):
    """Return a function from crops to probabilities."""
    from feat_pipeline.models import load_model

    model = load_model(name)
    if model.consumes == "pixels":
        return model.predict_proba
    from feat_pipeline.extract.arrays import crop_table

    if model.consumes == "aus":
        return lambda crops: model.predict_proba(crop_table(crops))
    return lambda crops: model.predict_proba({"aus": crop_table(crops), "pixels": crops})


def child(args: argparse.Namespace) -> None:
    answer = answerer(args.models[0])
    crops = portraits(args.faces)
    answer(crops[:BATCH])
    start = time.perf_counter()
    for first in range(0, len(crops), BATCH):
        answer(crops[first : first + BATCH])
    print(json.dumps(len(crops) / (time.perf_counter() - start)))


def run(arguments: list[str], cores: set[int]) -> str:
    environment = dict(os.environ, PYTHONPATH=str(Path(__file__).resolve().parent.parent))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, *arguments],
        env=environment, capture_output=True, text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{' '.join(arguments)}: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout


def rate(model: str, faces: int, cores: set[int], repeats: int) -> float:
    given = [model, "--faces", str(faces), "--child"]
    return statistics.median(json.loads(run(given, cores)) for _ in range(repeats))


def cold_start(model: str, cores: set[int], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run([model, "--faces", "1", "--child"], cores)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--faces", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="write the table as CSV as well")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        return child(args)
    import pandas as pd

    from feat_pipeline.models import SHIPPED, model_name

    cores = sorted(os.sched_getaffinity(0))[:2]
    rows = [
        {
            "model": model_name(model),
            "faces_per_s_one_core": rate(model, args.faces, set(cores[:1]), args.repeats),
            "faces_per_s_two_cores": rate(model, args.faces, set(cores), args.repeats),
            "cold_start_s": cold_start(model, set(cores), args.repeats),
        }
        for model in args.models or SHIPPED
    ]
    table = pd.DataFrame(rows)
    print(table.round(2).to_string(index=False))
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(args.out, index=False)


if __name__ == "__main__":
    main()
