"""Faces per second from photo files to a table of AUs: each detector here, and MediaPipe's face landmarker.

    python benchmarks/extract_speed.py --photos FOLDER [--n 500] [--repeats 3]
        [--landmarker face_landmarker.task] [--yunet face_detection_yunet.onnx] [--out table.csv]

Every contender reads the same files and writes a CSV. Each run is a process of its own and starts its clock
when its imports and models are ready and a first photo has gone through; contenders take turns, and the
median run counts. ``one core`` repeats this with the process tied to one processor. The seconds per stage
are those of one more run in which the stages follow each other instead of overlapping.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd


def run_ours(photos: list[Path], detector_name: str, out: Path) -> dict:
    from feat_pipeline.detect import make_detector
    from feat_pipeline.extract import make_extractor
    from feat_pipeline.extract.measure import Measured, face_rows, make_table, measure
    from feat_pipeline.sources import read_frame

    detector, extractor = make_detector(detector_name), make_extractor("embedded")
    list(measure([read_frame(photos[0])], detector, extractor))
    start = time.perf_counter()
    rows = []
    for item in measure(map(read_frame, photos), detector, extractor):
        if isinstance(item, Measured):
            rows += face_rows(item)
    make_table(rows, extractor).write(out)
    seconds = time.perf_counter() - start
    with_face = len({row[0] for row in rows})
    return {"seconds": seconds, "faces": len(rows), "photos_with_face": with_face}


def run_stages(photos: list[Path], detector_name: str, out: Path) -> dict:
    """Seconds of each stage when nothing overlaps."""
    from feat_pipeline.detect import make_detector
    from feat_pipeline.extract import make_extractor
    from feat_pipeline.extract.measure import Measured, face_rows, make_table
    from feat_pipeline.sources import read_frame

    detector, extractor = make_detector(detector_name), make_extractor("embedded")
    clock = [time.perf_counter()]

    def lap() -> float:
        clock.append(time.perf_counter())
        return clock[-1] - clock[-2]

    frames = [read_frame(path) for path in photos]
    read = lap()
    found = [detector.detect(frame.rgb) for frame in frames]
    detect = lap()
    faces = []
    for first in range(0, len(frames), 32):
        part = slice(first, first + 32)
        faces += extractor.extract([frame.rgb for frame in frames[part]], found[part])
    network = lap()
    measured = [Measured(frame, of_frame) for frame, of_frame in zip(frames, faces, strict=True)]
    make_table([row for item in measured for row in face_rows(item)], extractor).write(out)
    return {"read": read, "detect": detect, "measure": network, "write": lap()}


def run_mediapipe(photos: list[Path], task: str, out: Path) -> dict:
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions, vision

    landmarker = vision.FaceLandmarker.create_from_options(
        vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=task), output_face_blendshapes=True, num_faces=5
        )
    )
    landmarker.detect(mp.Image.create_from_file(str(photos[0])))
    start = time.perf_counter()
    rows = []
    for path in photos:
        answer = landmarker.detect(mp.Image.create_from_file(str(path)))
        for i, (points, scores) in enumerate(
            zip(answer.face_landmarks, answer.face_blendshapes, strict=True)
        ):
            row = {"input": str(path), "face": i} | {s.category_name: s.score for s in scores}
            row |= {f"x_{j}": p.x for j, p in enumerate(points[:68])}
            rows.append(row | {f"y_{j}": p.y for j, p in enumerate(points[:68])})
    pd.DataFrame(rows).to_csv(out, index=False, float_format="%.6g")
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "faces": len(rows), "photos_with_face": len({row["input"] for row in rows})}


def child(args: argparse.Namespace) -> None:
    photos = sorted(args.photos.rglob("*.jpg"))
    step = max(1, len(photos) // args.n)
    photos = photos[::step][: args.n]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "aus.csv"
        if args.run == "mediapipe":
            result = run_mediapipe(photos, args.landmarker, out)
        elif args.stages:
            result = run_stages(photos, args.run, out)
        else:
            result = run_ours(photos, args.run, out)
    print(json.dumps(result | {"photos": len(photos)}))


def start_child(args: argparse.Namespace, contender: str, *extra: str, cores: set[int] | None = None) -> dict:
    command = [sys.executable, "-W", "ignore", __file__, "--photos", str(args.photos), "--n", str(args.n)]
    command += ["--run", contender, "--landmarker", str(args.landmarker or ""), *extra]
    environment = dict(os.environ, PYTHONPATH=str(Path(__file__).resolve().parent.parent))
    if args.yunet:
        environment["FEAT_YUNET"] = str(args.yunet)
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True,
        preexec_fn=(lambda: os.sched_setaffinity(0, cores)) if cores else None,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{contender}: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, default=_shared("data/facial_expressions/images"))
    parser.add_argument("--n", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--landmarker", default=_shared("models/face_landmarker.task"))
    parser.add_argument("--yunet", default=_shared("models/face_detection_yunet_2026may.onnx"))
    parser.add_argument("--out", type=Path, default=Path("reports/extract_speed.csv"))
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("--stages", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.photos is None or not args.photos.is_dir():
        print("extract_speed: no folder of photos; name one with --photos: left out", file=sys.stderr)
        return
    if args.run:
        return child(args)
    contenders = [
        "mtcnn",
        "haar",
        *(["yunet"] if args.yunet else []),
        *(["mediapipe"] if args.landmarker else []),
    ]
    rows = []
    for name, cores in (("all cores", None), ("one core", {min(os.sched_getaffinity(0))})):
        runs: dict[str, list[dict]] = {contender: [] for contender in contenders}
        for _ in range(args.repeats):
            for contender in contenders:
                runs[contender].append(start_child(args, contender, cores=cores))
        for contender, results in runs.items():
            middle = sorted(results, key=lambda r: r["seconds"])[len(results) // 2]
            spread = [round(r["photos"] / r["seconds"], 1) for r in results]
            rate = round(middle["photos"] / middle["seconds"], 1)
            runs_sorted = " ".join(map(str, sorted(spread)))
            rows.append(
                {"contender": contender, "cores": name, "photos_per_s": rate, "runs": runs_sorted, **middle}
            )
    table = pd.DataFrame(rows)
    stages = {c: start_child(args, c, "--stages") for c in contenders if c != "mediapipe"}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(args.out, index=False)
    print(table.round(2).to_string(index=False))
    print("\nseconds per stage, one after the other")
    print(pd.DataFrame(stages).T.round(2).to_string())


def _shared(part: str) -> Path | None:
    root = Path(os.environ.get("FEAT_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    return root / part if (root / part).exists() else None


if __name__ == "__main__":
    main()
