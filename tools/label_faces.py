"""Run the teacher (MediaPipe's face landmarker) over the training pictures, once.

The teacher answers for every picture and for its mirror image; both answers are kept, because their
mean is a less noisy target and their difference says how far the teacher agrees with itself.

    python tools/label_faces.py --task face_landmarker.task --out WORK \
        --photos DATA/facial_expressions/images --fer2013 DATA/fer2013/fer2013.csv.xz

Writes ``WORK/<set>-<usage>.npz`` with ``images`` (object array of uint8 grey pictures), ``names``,
``landmarks`` (n, 2, 478, 3) px from the picture's left upper corner (a pixel's centre is at .5),
``blendshapes`` (n, 2, 52), ``matrices`` (n, 2, 4, 4) and ``found`` (n, 2).
Emotion labels are never read: the FER2013 column ``emotion`` is not loaded.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

ENLARGED, MARGIN = 192, 48
_landmarker = None


def enlarge_crop(grey: np.ndarray) -> np.ndarray:
    """Bring a tight crop to 192 px and give it a margin, so that the teacher's detector finds the face."""
    big = cv2.resize(grey, (ENLARGED, ENLARGED), interpolation=cv2.INTER_CUBIC)
    return cv2.copyMakeBorder(big, *(MARGIN,) * 4, cv2.BORDER_CONSTANT, value=float(big.mean()))


def _start(task: str) -> None:
    global _landmarker
    from mediapipe.tasks.python import BaseOptions, vision

    _landmarker = vision.FaceLandmarker.create_from_options(
        vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=task),
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
        )
    )


def _ask(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    import mediapipe as mp

    answer = _landmarker.detect(mp.Image(mp.ImageFormat.SRGB, np.ascontiguousarray(rgb)))
    if not answer.face_landmarks:
        return None
    height, width = rgb.shape[:2]
    points = np.array(
        [(p.x * width, p.y * height, p.z * width) for p in answer.face_landmarks[0]], np.float32
    )
    scores = np.array([b.score for b in answer.face_blendshapes[0]], np.float32)
    return points, scores, np.asarray(answer.facial_transformation_matrixes[0], np.float32)


def label(source: str | np.ndarray):
    """Teacher's answers for one picture (a path, or a 48x48 crop) and its mirror image."""
    if isinstance(source, str):
        bgr = cv2.imread(source, cv2.IMREAD_COLOR)
        rgb, offset, scale = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), 0, 1.0
        grey = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)
    else:
        grey, offset, scale = source, MARGIN, source.shape[0] / ENLARGED
        rgb = np.repeat(enlarge_crop(source)[..., None], 3, axis=2)
    landmarks = np.full((2, 478, 3), np.nan, np.float32)
    blendshapes = np.full((2, 52), np.nan, np.float32)
    matrices = np.full((2, 4, 4), np.nan, np.float32)
    for view, picture in enumerate((rgb, rgb[:, ::-1])):
        answer = _ask(picture)
        if answer is None:
            continue
        points, blendshapes[view], matrices[view] = answer
        points[:, :2] -= offset
        points *= scale
        landmarks[view] = points
    return grey, landmarks, blendshapes, matrices


def label_all(sources, names, out: Path, task: str, jobs: int) -> None:
    greys, points, scores, poses = [], [], [], []
    with ProcessPoolExecutor(jobs, initializer=_start, initargs=(task,)) as pool:
        for i, (g, p, s, m) in enumerate(pool.map(label, sources, chunksize=64)):
            greys.append(g), points.append(p), scores.append(s), poses.append(m)
            if i % 2000 == 0:
                print(out.name, i, len(sources), flush=True)
    images = np.empty(len(greys), object)
    images[:] = greys
    found = ~np.isnan(np.stack(scores)[:, :, 0])
    np.savez(out, images=images, names=np.asarray(names), landmarks=np.stack(points), found=found,
             blendshapes=np.stack(scores), matrices=np.stack(poses))  # fmt: skip
    print(out.name, "faces found", found.all(1).sum(), "of", len(found), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", required=True)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--fer2013", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.photos:
        paths = sorted(str(p) for p in args.photos.rglob("*.jpg"))
        label_all(paths, [Path(p).stem for p in paths], args.out / "photos.npz", args.task, args.jobs)
    if args.fer2013:
        table = pd.read_csv(args.fer2013, usecols=["pixels", "Usage"])
        for usage in ("Training", "PublicTest"):
            rows = table.pixels[table.Usage == usage]
            crops = [np.array(text.split(), np.uint8).reshape(48, 48) for text in rows]
            label_all(crops, rows.index, args.out / f"fer2013-{usage}.npz", args.task, args.jobs)


if __name__ == "__main__":
    main()
