"""Labelled picture files become face crops: an image folder per class, CK+ and JAFFE."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.facs import canonical_emotion, in_order
from feat_pipeline.align import warp
from feat_pipeline.datasets.faces import LabelledFaces
from feat_pipeline.detect import FaceDetector
from feat_pipeline.errors import InputError, UsageError
from feat_pipeline.outputs import progress
from feat_pipeline.sources import Skipped, find_photos, input_name, read_frame

SIZE = 48
PARTS = ("train", "training", "val", "valid", "validation", "publictest", "test", "testing", "privatetest")
CKPLUS_NAME = re.compile(r"(S\d{3})_\d{3}_\d{8}")
JAFFE_NAME = re.compile(r"([A-Z]{2})\.(AN|DI|FE|HA|NE|SA|SU)\d\.\d+")
_JAFFE_EMOTIONS = {
    "AN": "angry", "DI": "disgust", "FE": "fear", "HA": "happy", "NE": "neutral", "SA": "sad",
    "SU": "surprise",
}  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """A picture file and what is known of it before it is read.

    Parameters
    ----------
    path : Path
    label : str
    part : str
        '' where the data set has no parts.
    person : str, optional
    """

    path: Path
    label: str
    part: str = ""
    person: str | None = None


def read_folder(
    path: str | os.PathLike[str],
    *,
    size: int = SIZE,
    detector: FaceDetector | None = None,
    person: str | None = None,
) -> LabelledFaces:
    """Read a folder with one sub-folder a class, or such folders in ``train``, ``val`` and ``test``.

    Parameters
    ----------
    path : path
        Class names are made canonical, so that pictures in ``Happiness`` and in ``happy`` are one class.
    size : int
        Side of the crops, px.
    detector : FaceDetector, optional
        Finds the face in each picture (the largest one); without it the whole picture is the face.
    person : str, optional
        Regular expression whose first group names the person, searched in the part of each picture's
        path below ``path``.

    Returns
    -------
    LabelledFaces
        `usage` names the part, as the folder spells it. What cannot be read is named in `skipped`.

    Raises
    ------
    InputError
        No such folder, a class without a usable picture, fewer than two classes, or a path without a person.
    UsageError
        ``person`` is no regular expression with a group.
    """
    folder = Path(path)
    parts = _parts_of(folder)
    whose = _person_finder(person)
    pictures = [
        Picture(
            photo, canonical_emotion(kind.name), part.name if part is not folder else "", whose(photo, folder)
        )
        for part in parts
        for kind in _subfolders(part)
        for photo in _photos_of(kind)
    ]
    return read_pictures(pictures, folder, size=size, detector=detector)


def read_ckplus(
    path: str | os.PathLike[str], *, size: int = SIZE, detector: FaceDetector | None = None
) -> LabelledFaces:
    """Read CK+ crops: one folder an emotion, ``S005_001_00000011.png`` = subject, sequence, frame.

    Parameters, returns and raises as `read_folder`; the person is the subject. Files of other names are
    named in `skipped`.
    """
    folder = Path(path)
    found, odd = _matching(
        [(photo, kind.name) for kind in _subfolders(folder) for photo in _photos_of(kind)], CKPLUS_NAME
    )
    pictures = [Picture(photo, canonical_emotion(kind), person=name[1]) for photo, kind, name in found]
    return read_pictures(pictures, folder, size=size, detector=detector, skipped=odd)


def read_jaffe(
    path: str | os.PathLike[str], *, detector: FaceDetector | None, size: int = SIZE
) -> LabelledFaces:
    """Read JAFFE: ``KA.AN1.39.tiff`` is the poser KA, angry, for the first time, picture 39.

    Parameters, returns and raises as `read_folder`; the person is the poser. The pictures show head and
    shoulders, so a detector is needed.

    References
    ----------
    Lyons et al. (1998), *Coding facial expressions with Gabor wavelets*.
    """
    if detector is None:
        raise UsageError(
            "detector: JAFFE's pictures show head and shoulders, expected a face detector such as mtcnn"
        )
    folder = Path(path)
    found, odd = _matching([(photo, "") for photo in find_photos(folder)], JAFFE_NAME)
    pictures = [Picture(photo, _JAFFE_EMOTIONS[name[2]], person=name[1]) for photo, _, name in found]
    return read_pictures(pictures, folder, size=size, detector=detector, skipped=odd)


def read_pictures(
    pictures: Sequence[Picture],
    folder: Path,
    *,
    size: int = SIZE,
    detector: FaceDetector | None = None,
    skipped: Sequence[str] = (),
) -> LabelledFaces:
    """Read pictures and cut the face out of each.

    Parameters
    ----------
    pictures : sequence of Picture
    folder : Path
        What their names are given below.
    size, detector
        See `read_folder`.
    skipped : sequence of str
        What was left out already.

    Returns
    -------
    LabelledFaces

    Raises
    ------
    InputError
        A class without a usable picture, or fewer than two classes.
    """
    left_out, kept, images = list(skipped), [], []
    for row, picture in enumerate(progress(pictures, total=len(pictures), unit="picture")):
        crop = _crop(picture.path, size, detector)
        if isinstance(crop, str):
            left_out.append(f"{input_name(picture.path)}: {crop}")
            continue
        images.append(crop)
        kept.append((row, picture))
    classes = tuple(in_order(picture.label for picture in pictures))
    _check_classes(folder, classes, {picture.label for _, picture in kept}, left_out)
    people = [picture.person for _, picture in kept]
    return LabelledFaces(
        np.stack(images),
        np.array([classes.index(picture.label) for _, picture in kept], np.int64),
        np.array([picture.part for _, picture in kept], dtype=str),
        np.array([row for row, _ in kept], np.int64),
        classes=classes,
        skipped=tuple(left_out),
        groups=None if None in people else np.array(people, dtype=str),
        names=np.array([input_name(picture.path.relative_to(folder)) for _, picture in kept], dtype=str),
    )


def _check_classes(folder: Path, classes: Sequence[str], usable: set[str], left_out: Sequence[str]) -> None:
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


def _parts_of(folder: Path) -> list[Path]:
    """Return the folders of the parts, or the folder itself where it holds the classes."""
    below = _subfolders(folder)
    return below if all(part.name.lower() in PARTS for part in below) else [folder]


def _subfolders(folder: Path) -> list[Path]:
    name = input_name(folder)
    try:
        found = sorted(f for f in folder.iterdir() if f.is_dir() and not f.name.startswith("."))
    except OSError as error:
        raise InputError(f"{name}: cannot be opened ({error.strerror}); expected a folder") from None
    if not found:
        raise InputError(f"{name}: expected one sub-folder a class, with its pictures, got no sub-folder")
    return found


def _photos_of(kind: Path) -> list[Path]:
    try:
        return find_photos(kind)
    except InputError as error:
        reason = str(error).split(";")[0]
        raise InputError(f"{reason}; each class needs pictures: add some, or take the folder away") from None


def _person_finder(pattern: str | None) -> Callable[[Path, Path], str | None]:
    if pattern is None:
        return lambda photo, folder: None
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"person: {pattern!r} is no regular expression ({error})") from None
    if not expression.groups:
        raise UsageError(f"person: expected a regular expression with a group in brackets, got {pattern!r}")

    def find(photo: Path, folder: Path) -> str:
        name = photo.relative_to(folder).as_posix()
        found = expression.search(name)
        if found is None or not found[1]:
            raise InputError(f"person: {pattern!r} finds nobody in {name!r}; mend the expression")
        return found[1]

    return find


def _matching(
    photos: Sequence[tuple[Path, str]], expression: re.Pattern[str]
) -> tuple[list[tuple[Path, str, re.Match[str]]], list[str]]:
    """Split pictures into those whose names are as expected, and a line about each other one."""
    found, odd = [], []
    for photo, kind in photos:
        name = expression.fullmatch(photo.stem)
        if name is None:
            odd.append(f"{input_name(photo)}: its name tells no person; expected {expression.pattern}")
        else:
            found.append((photo, kind, name))
    return found, odd
