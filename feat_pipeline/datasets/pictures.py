"""Pictures become face crops."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from analysis.facs import in_order
from feat_pipeline.datasets.faces import LabelledFaces
from feat_pipeline.datasets.listing import Listed
from feat_pipeline.detect import FaceDetector
from feat_pipeline.errors import InputError
from feat_pipeline.faces.align import warp
from feat_pipeline.progress import progress
from feat_pipeline.sources.frame import Skipped, input_name
from feat_pipeline.sources.photos import read_frame

SIZE = 48


def read_pictures(
    listed: Listed, folder: Path, *, size: int = SIZE, detector: FaceDetector | None = None
) -> LabelledFaces:
    """Read pictures and cut the face out of each.

    Parameters
    ----------
    listed : Listed
    folder : Path
        What their names are given below.
    size : int
        Side of the crops, px.
    detector : FaceDetector, optional
        Finds the face in each picture (the largest one); without it the whole picture is the face.

    Returns
    -------
    LabelledFaces
        What cannot be read is named in `skipped`.

    Raises
    ------
    InputError
        A class without a usable picture, or fewer than two classes.
    """
    pictures, left_out = listed.pictures, list(listed.odd)
    kept, images = [], []
    for row, picture in enumerate(progress(pictures, total=len(pictures), unit="picture")):
        crop = _crop(picture.path, size, detector)
        if isinstance(crop, str):
            left_out.append(f"{input_name(picture.path)}: {crop}")
            continue
        images.append(crop)
        kept.append((row, picture))
    classes = tuple(in_order(picture.label for picture in pictures))
    check_classes(folder, classes, {picture.label for _, picture in kept}, left_out)
    people = [picture.person for _, picture in kept]
    return LabelledFaces(
        np.stack(images),
        np.array([classes.index(picture.label) for _, picture in kept], np.int64),
        np.array([picture.part for _, picture in kept], dtype=str),
        np.array([row for row, _ in kept], np.int64),
        classes=classes,
        skipped=tuple(left_out),
        notes=tuple(listed.notes),
        groups=None if None in people else np.array(people, dtype=str),
        names=np.array([input_name(picture.path.relative_to(folder)) for _, picture in kept], dtype=str),
    )


def check_classes(folder: Path, classes: Sequence[str], usable: set[str], left_out: Sequence[str]) -> None:
    """Raise `InputError` for a class without a usable picture, or fewer than two classes."""
    first = f" ({left_out[0]})" if left_out else ""
    for name in classes:
        if name not in usable:
            raise InputError(f"{input_name(folder)}: class {name} holds no usable picture{first}")
    if len(classes) < 2:
        raise InputError(
            f"{input_name(folder)}: expected pictures of two or more classes, "
            f"got {', '.join(classes) or 'none'}{first}"
        )


def _crop(path: Path, size: int, detector: FaceDetector | None) -> np.ndarray | str:
    """Return the grey face, or why there is none."""
    import cv2

    frame = read_frame(path)
    if isinstance(frame, Skipped):
        return frame.reason
    height, width = frame.rgb.shape[:2]
    box = np.array([0, 0, width, height], np.float64)
    if detector is not None:
        boxes = [np.asarray(found.box_xyxy, np.float64) for found in detector.detect(frame.rgb)]
        if not boxes:
            return "no face was found in it"
        box = max(boxes, key=lambda b: (b[2] - b[0]) * (b[3] - b[1]))
    grey = cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY)
    if detector is None and (height, width) == (size, size):
        return grey
    return warp(grey, _square_matrix(box, size), size)


def _square_matrix(box_xyxy: np.ndarray, size: int) -> np.ndarray:
    """Matrix of the square around a box, as wide as its longer side: as wide as FER2013's faces are cut."""
    left, top, right, bottom = box_xyxy
    scale = size / max(right - left, bottom - top, 1e-6)
    return np.array(
        [
            [scale, 0, size / 2 - scale * (left + right) / 2],
            [0, scale, size / 2 - scale * (top + bottom) / 2],
        ]
    )
