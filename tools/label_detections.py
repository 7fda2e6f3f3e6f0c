"""Let MTCNN, the teacher, look for faces in a folder of photos, once, for train_detector.py.

    python tools/label_detections.py --photos DATA/facial_expressions/images --out WORK/detections.npz

Writes ``names`` (n,), ``images`` (n, object array of uint8 grey pictures), and per photo ``faces`` (object
array of float32 (k, 15): left, top, right, bottom, score, five points). Faces with a score of .3 to .9 are
kept: what the teacher doubts is neither a face nor none to the student.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from feat_pipeline.detect.mtcnn import MtcnnDetector
from feat_pipeline.errors import InputError
from feat_pipeline.sources.photos import read_photo

_teacher: MtcnnDetector | None = None


def look(path: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """Read one photo and return it with its faces."""
    global _teacher
    _teacher = _teacher or MtcnnDetector(thresholds=(0.6, 0.6, 0.3))
    try:
        picture = read_photo(path)
    except InputError as error:
        print(f"left out: {error}")
        return None
    faces = [np.concatenate([f.box_xyxy, [f.confidence], f.points.ravel()]) for f in _teacher.detect(picture)]
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.array(faces, np.float32).reshape(-1, 15)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    paths = sorted(args.photos.rglob("*.jpg"))
    with ProcessPoolExecutor() as pool:
        answers = list(pool.map(look, paths, chunksize=64))
    names = [path.name for path, answer in zip(paths, answers, strict=True) if answer]
    images, faces = np.empty(len(names), object), np.empty(len(names), object)
    for i, (picture, of_photo) in enumerate(filter(None, answers)):
        images[i], faces[i] = picture, of_photo
    args.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(args.out, names=np.array(names), images=images, faces=faces)
    sure = np.array([(f[:, 4] >= 0.9).sum() for f in faces])
    print(f"{len(names)} photos, {sure.sum()} faces, {np.sum(sure == 0)} photos without")


if __name__ == "__main__":
    main()
