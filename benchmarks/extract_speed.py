"""Speed from files to a table of AUs: each detector here, MediaPipe's face landmarker and py-feat.

    python benchmarks/extract_speed.py --photos FOLDER [--video FILE] [--n 500] [--repeats 3]
        [--landmarker face_landmarker.task] [--yunet face_detection_yunet.onnx] [--out table.csv]

Every contender reads the same files and writes a CSV. Each run is a process of its own and starts its clock
when its imports and models are ready and a first picture has gone through; contenders take turns, and the
median run counts. ``one core`` repeats this with the process tied to one processor. The seconds per stage
are those of one more run in which the stages follow each other instead of overlapping.

The video is brought to 640x360 first (its picture within, black beside). MediaPipe reads it in its own mode
for videos. py-feat is Detectorv2 with random weights, which is enough for time: its RetinaFace finds nothing
then, so that each picture goes through it and its AU network is given one box; without its identity network.
The backbone is the smallest that its loader takes, so that its time is a lower bound. It gets the first
``--slow`` pictures only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from feat_pipeline.sources.frame import Frame


def run_ours(photos: list[Path], detector_name: str, out: Path) -> dict:
    from feat_pipeline.detect import make_detector
    from feat_pipeline.extract import make_extractor
    from feat_pipeline.extract.measure import Measured, face_rows, make_table, measure
    from feat_pipeline.sources.photos import read_frame

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
    from feat_pipeline.sources.photos import read_frame

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


def mediapipe_rows(answer: Any, place: dict) -> list[dict]:
    rows = []
    for i, (points, scores) in enumerate(zip(answer.face_landmarks, answer.face_blendshapes, strict=True)):
        row = place | {"face": i} | {s.category_name: s.score for s in scores}
        row |= {f"x_{j}": p.x for j, p in enumerate(points[:68])}
        rows.append(row | {f"y_{j}": p.y for j, p in enumerate(points[:68])})
    return rows


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
        rows += mediapipe_rows(answer, {"input": str(path)})
    pd.DataFrame(rows).to_csv(out, index=False, float_format="%.6g")
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "faces": len(rows), "photos_with_face": len({row["input"] for row in rows})}


def run_our_video(video: Path, detector_name: str, out: Path) -> dict:
    from feat_pipeline.detect import make_detector
    from feat_pipeline.extract import DETECT_EVERY_S, make_extractor
    from feat_pipeline.extract.measure import Measured, face_rows, make_table, measure_chunks
    from feat_pipeline.faces.face_ids import add_face_ids
    from feat_pipeline.sources.videos import read_video

    detector, extractor = make_detector(detector_name), make_extractor("embedded")

    def measured(items: Iterable) -> list[Measured]:
        found = measure_chunks([(0, items)], detector, extractor, detect_every_s=DETECT_EVERY_S)
        return [item for _, batch in found for item in batch if isinstance(item, Measured)]

    measured(islice(read_video(video), 1))
    start = time.perf_counter()
    found = measured(read_video(video))
    table = make_table([row for item in found for row in face_rows(item)], extractor)
    add_face_ids(table.frame).to_csv(out, index=False, float_format="%.6g")
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "faces": len(table), "photos_with_face": len(found)}


def run_mediapipe_video(video: Path, task: str, out: Path) -> dict:
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions, vision

    from feat_pipeline.sources.videos import read_video

    landmarker = vision.FaceLandmarker.create_from_options(
        vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=task), output_face_blendshapes=True, num_faces=5,
            running_mode=vision.RunningMode.VIDEO,
        )
    )  # fmt: skip

    def look(frame: Frame, time_ms: int) -> list[dict]:
        picture = mp.Image(image_format=mp.ImageFormat.SRGB, data=frame.rgb)
        return mediapipe_rows(landmarker.detect_for_video(picture, time_ms), {"frame": frame.index})

    look(next(iter(read_video(video))), 0)
    start = time.perf_counter()
    rows = []
    for frame in read_video(video):
        rows += look(frame, 1 + round(1000 * frame.time_s))
    pd.DataFrame(rows).to_csv(out, index=False, float_format="%.6g")
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "faces": len(rows), "photos_with_face": len({row["frame"] for row in rows})}


def run_pyfeat(frames: Iterable[Frame], out: Path) -> dict:
    """Time Detectorv2 on pictures, one at a time, as its batches take equal sizes only."""
    import feat
    import torch

    from feat_pipeline.detect import Detection
    from feat_pipeline.extract import make_extractor
    from feat_pipeline.extract.measure import Measured, face_rows, make_table
    from tests.feat_pipeline.extract.backends.pyfeat_made import made_resources, make_weights

    with tempfile.TemporaryDirectory() as folder, made_resources(Path(folder)) as resources:
        make_weights(resources, "pyfeat")
        extractor = make_extractor("pyfeat")
        own = feat.Detectorv2(device="cpu", identity_model=None)
        torch.set_num_threads(len(os.sched_getaffinity(0)))

        def look(frame: Frame) -> list[tuple]:
            with torch.inference_mode():
                own.detect_faces(torch.from_numpy(frame.rgb).permute(2, 0, 1)[None])
            height, width = frame.rgb.shape[:2]
            box = np.array([width * 0.3, height * 0.2, width * 0.7, height * 0.8], np.float32)
            (faces,) = extractor.extract([frame.rgb], [[Detection(box, 1.0)]])
            return face_rows(Measured(frame, faces))

        frames = iter(frames)
        look(next(frames))
        start = time.perf_counter()
        rows = [row for frame in frames for row in look(frame)]
        make_table(rows, extractor).write(out)
        seconds = time.perf_counter() - start
    return {"seconds": seconds, "faces": len(rows), "photos_with_face": len(rows)}


def child(args: argparse.Namespace) -> None:
    from feat_pipeline.sources.photos import read_frame
    from feat_pipeline.sources.videos import probe_video, read_video

    photos = sorted(args.photos.rglob("*.jpg"))
    step = max(1, len(photos) // args.n)
    photos = photos[::step][: args.n]
    count = len(probe_video(args.video).times_s) if args.of_video else len(photos)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "aus.csv"
        if args.run == "pyfeat":
            frames = read_video(args.video) if args.of_video else map(read_frame, photos)
            result = run_pyfeat(islice(frames, args.slow + 1), out)
            count = min(count - 1, args.slow)
        elif args.of_video and args.run == "mediapipe":
            result = run_mediapipe_video(args.video, args.landmarker, out)
        elif args.of_video:
            result = run_our_video(args.video, args.run, out)
        elif args.run == "mediapipe":
            result = run_mediapipe(photos, args.landmarker, out)
        elif args.stages:
            result = run_stages(photos, args.run, out)
        else:
            result = run_ours(photos, args.run, out)
    print(json.dumps(result | {"photos": count}))


def write_640x360(source: Path, target: Path) -> Path:
    """Write a video's frames, within 640x360, as H.264."""
    import av
    from PIL import Image, ImageOps

    from feat_pipeline.sources.videos import probe_video, read_video

    rate = Fraction(probe_video(source).rate).limit_denominator(1001)
    with av.open(str(target), "w") as file:
        stream = file.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for frame in read_video(source):
            picture = ImageOps.pad(Image.fromarray(frame.rgb), (640, 360))
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")))
        file.mux(stream.encode())
    return target


def start_child(args: argparse.Namespace, contender: str, *extra: str, cores: set[int] | None = None) -> dict:
    command = [sys.executable, "-W", "ignore", __file__, "--photos", str(args.photos), "--n", str(args.n)]
    command += ["--run", contender, "--landmarker", str(args.landmarker or ""), "--slow", str(args.slow)]
    command += ["--video", str(args.video), *extra]
    environment = dict(os.environ, PYTHONPATH=str(Path(__file__).resolve().parent.parent))
    if args.yunet:
        environment["FEAT_YUNET"] = str(args.yunet)
    if args.landmarker:
        environment["FEAT_MEDIAPIPE_MODEL"] = str(args.landmarker)
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
    parser.add_argument("--video", type=Path, default=_shared("data/videos/d6.mp4"))
    parser.add_argument("--slow", type=int, default=30, help="pictures that py-feat gets")
    parser.add_argument("--contenders", nargs="+", help="by default all that can run")
    parser.add_argument("--of-video", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("--stages", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.photos is None or not args.photos.is_dir():
        print("extract_speed: no folder of photos; name one with --photos: left out", file=sys.stderr)
        return
    if args.run:
        return child(args)
    contenders = args.contenders or [
        "mtcnn",
        "haar",
        *(["yunet"] if args.yunet else []),
        *(["blazeface", "mediapipe"] if args.landmarker else []),
        "pyfeat",
    ]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        sources = {"photos": []}
        if args.video is not None:
            args.video = write_640x360(args.video, Path(folder) / "640x360.mp4")
            sources["video"] = ["--of-video"]
        for source, options in sources.items():
            for name, cores in (("all cores", None), ("one core", {min(os.sched_getaffinity(0))})):
                rows += compete(args, contenders, options, cores, {"source": source, "cores": name})
                args.out.parent.mkdir(parents=True, exist_ok=True)
                pd.DataFrame(rows).to_csv(args.out, index=False)  # what is measured stays if it is stopped
        stages = {c: start_child(args, c, "--stages") for c in contenders if c not in ("mediapipe", "pyfeat")}
    print(pd.DataFrame(rows).round(2).to_string(index=False))
    print("\nseconds per stage of the photos, one after the other")
    print(pd.DataFrame(stages).T.round(2).to_string())


def compete(
    args: argparse.Namespace, contenders: list[str], options: list[str], cores: set[int] | None, place: dict
) -> list[dict]:
    runs: dict[str, list[dict]] = {contender: [] for contender in contenders}
    for _ in range(args.repeats):
        for contender in contenders:
            runs[contender].append(start_child(args, contender, *options, cores=cores))
    rows = []
    for contender, results in runs.items():
        middle = sorted(results, key=lambda r: r["seconds"])[len(results) // 2]
        rates = sorted(round(r["photos"] / r["seconds"], 1) for r in results)
        row = place | {
            "contender": contender,
            "pictures_per_s": round(middle["photos"] / middle["seconds"], 1),
        }
        rows.append(row | {"runs": " ".join(map(str, rates))} | middle)
    return rows


def _shared(part: str) -> Path | None:
    root = Path(os.environ.get("FEAT_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    return root / part if (root / part).exists() else None


if __name__ == "__main__":
    main()
