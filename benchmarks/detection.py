"""Recall, false positives and speed of every detector on group photos with known boxes.

A face counts as found when a box overlaps its known box with an intersection over union of at least .35;
every other box is false, also one on a face that is not listed. The folder of photos holds dlib's sample
photos, their two XML files and `dogs.jpg`, in which nothing is to be found.

    python benchmarks/detection.py --photos ../shared/data/photos --yunet FILE.onnx --out detection.csv
"""

from __future__ import annotations

import argparse
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from analysis.boxes import box_iou
from feat_pipeline.detect import DETECTORS, Detection, FaceDetector, make_detector
from feat_pipeline.errors import UnavailableError
from feat_pipeline.sources.photos import read_photo

MIN_IOU = 0.35
XML_FILES = ("testing_with_face_landmarks.xml", "training_with_face_landmarks.xml")


def known_boxes(photos: Path) -> dict[str, np.ndarray]:
    """Read the known boxes of each photo, float32 (n, 4) in px; none for `dogs.jpg`."""
    boxes = {"dogs.jpg": np.zeros((0, 4), np.float32)}
    for name in XML_FILES:
        for image in ElementTree.parse(photos / name).iter("image"):
            fields = ("left", "top", "width", "height")
            xywh = np.array([[float(box.attrib[f]) for f in fields] for box in image.iter("box")], np.float32)
            boxes[image.attrib["file"]] = np.hstack([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]])
    return boxes


def matched(known: np.ndarray, found: Sequence[Detection]) -> list[float]:
    """Pair known and found boxes, best overlap first, and return the overlaps of at least `MIN_IOU`."""
    if not len(known) or not found:
        return []
    pairs = box_iou(known, np.stack([face.box_xyxy for face in found]))
    kept = []
    while pairs.max() >= MIN_IOU:
        row, column = np.unravel_index(pairs.argmax(), pairs.shape)
        kept.append(float(pairs[row, column]))
        pairs[row], pairs[:, column] = 0, 0
    return kept


def measure(detector: FaceDetector, photos: Path, times: int = 3) -> dict[str, object]:
    """Run one detector over all photos, count, and time each photo's best run of a few."""
    found, false, dogs, ious, seconds = 0, 0, 0, [], []
    known = known_boxes(photos)
    for name, boxes in known.items():
        rgb = read_photo(photos / name)
        faces = detector.detect(rgb)
        seconds.append(best_seconds(detector, rgb, times))
        pairs = matched(boxes, faces)
        ious += pairs
        found += len(pairs)
        false += len(faces) - len(pairs)
        dogs += len(faces) if name == "dogs.jpg" else 0
    return {
        "detector": detector.name,
        "faces": sum(map(len, known.values())),
        "found": found,
        "recall": round(found / sum(map(len, known.values())), 3),
        "false": false,
        "false_on_dogs": dogs,
        "median_iou": round(float(np.median(ious)), 3) if ious else np.nan,
        "ms_per_photo": round(1e3 * float(np.mean(seconds)), 1),
        "ms_192_px": round(1e3 * small_seconds(detector, photos, 5 * times), 1),
    }


def small_seconds(detector: FaceDetector, photos: Path, times: int) -> float:
    """Return the seconds on a face cut out at 192 x 192 px."""
    rgb = read_photo(photos / "2008_001322.jpg")
    small = np.ascontiguousarray(cv2.resize(rgb[130:270, 325:465], (192, 192), interpolation=cv2.INTER_CUBIC))
    return best_seconds(detector, small, times)


def best_seconds(detector: FaceDetector, rgb: np.ndarray, times: int) -> float:
    """Return the least seconds of a few runs: other programs can only add to them."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        detector.detect(rgb)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, default=Path("../shared/data/photos"))
    parser.add_argument("--yunet", type=Path, help="ONNX file of YuNet (else FEAT_YUNET)")
    parser.add_argument("--landmarker", type=Path, help="face_landmarker.task (else FEAT_MEDIAPIPE_MODEL)")
    parser.add_argument("--out", type=Path, help="CSV file; without it, a Markdown table on stdout only")
    arguments = parser.parse_args()
    rows = []
    for name in DETECTORS:
        model = {"yunet": arguments.yunet, "blazeface": arguments.landmarker}.get(name)
        options = {"model": model} if model else {}
        try:
            rows.append(measure(make_detector(name, **options), arguments.photos))
        except UnavailableError as error:
            rows.append({"detector": name, "note": str(error)})
    table = pd.DataFrame(rows)
    cells = table.astype(object).where(table.notna(), "")
    lines = [list(cells.columns), ["---"] * len(cells.columns), *cells.to_numpy().tolist()]
    print("\n".join(f"| {' | '.join(map(str, line))} |" for line in lines))
    if arguments.out:
        table.to_csv(arguments.out, index=False)


if __name__ == "__main__":
    main()
