"""Which pictures a folder holds, of which emotion and whom: a folder a class, a CSV, CK+ and JAFFE."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from analysis.facs import canonical_emotion
from analysis.folders import emotion_level, split_level
from feat_pipeline.errors import InputError, UsageError
from feat_pipeline.sources.find import find_files
from feat_pipeline.sources.frame import input_name

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


@dataclass(frozen=True)
class Listed:
    """The pictures of a data set.

    Attributes
    ----------
    pictures : list of Picture
    odd : list of str
        One line for each file that does not belong there.
    notes : list of str
        What was left out for another reason.
    """

    pictures: list[Picture]
    odd: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def list_folder(path: str | os.PathLike[str], person: str | None = None) -> Listed:
    """List a folder with one sub-folder a class, perhaps with ``train``, ``val``, ``test`` above or in it.

    Parameters
    ----------
    path : path
        Class names are made canonical, so that pictures in ``Happiness`` and in ``happy`` are one class.
    person : str, optional
        Regular expression whose first group names the person, searched in the part of each picture's
        path below ``path``.

    Returns
    -------
    Listed
        `Picture.part` is spelt as the folder.

    Raises
    ------
    InputError
        No such folder, a class without a picture, or a path without a person.
    FitError
        Parts and other folders stand side by side.
    UsageError
        ``person`` is no regular expression with a group.
    """
    folder = Path(path)
    whose = _person_finder(person)
    return Listed(
        [Picture(photo, label, part, whose(photo, folder)) for photo, label, part in _by_folder(folder)]
    )


def list_labelled(
    path: str | os.PathLike[str], labels: str | os.PathLike[str], person: str | None = None
) -> Listed:
    """List a folder of pictures whose emotions stand in a CSV, whatever its sub-folders are.

    Parameters
    ----------
    path : path
    labels : path
        See `analysis.labels.read_labels`; pictures are found by their name below ``path``, by their file
        name, or by that without its ending.
    person : str, optional
        See `list_folder`.

    Returns
    -------
    Listed
        Pictures without a label, or with two, are left out; the notes tell which. Folders called ``train``,
        ``val`` and ``test`` give the part.

    Raises
    ------
    InputError
        No such folder, no picture in it, or a path without a person.
    FitError
        The CSV cannot be read, or none of its rows names one of the pictures.
    UsageError
        ``person`` is no regular expression with a group.
    """
    import pandas as pd

    from analysis.label_matching import match_labels
    from analysis.labels import read_labels

    folder = Path(path)
    whose = _person_finder(person)
    stated = read_labels(Path(labels), unique=False)
    twice = stated["input"].duplicated(keep=False)
    photos = find_files(folder)
    names = pd.Series([input_name(photo.relative_to(folder)) for photo in photos])
    found, _ = match_labels(names, stated[~twice])
    notes = _left_out("labelled in two ways", sorted(set(stated["input"][twice])))
    notes += _left_out(f"without a label in {input_name(labels)}", names[found.isna()].tolist())
    known = [
        Picture(photo, label, part, whose(photo, folder))
        for photo, label, part in zip(photos, found, _parts(photos, folder), strict=True)
        if isinstance(label, str)
    ]
    return Listed(known, notes=notes)


def list_ckplus(path: str | os.PathLike[str], person: str | None = None) -> Listed:
    """List CK+ crops: one folder an emotion, ``S005_001_00000011.png`` = subject, sequence, frame.

    The person is the subject, or what ``person`` finds, see `list_folder`.
    """
    pictures = [Picture(photo, label, part) for photo, label, part in _by_folder(Path(path))]
    found, odd = _matching(pictures, CKPLUS_NAME)
    named = [replace(picture, person=name[1]) for picture, name in found]
    return Listed(_with_persons(named, Path(path), person), odd)


def list_jaffe(path: str | os.PathLike[str], person: str | None = None) -> Listed:
    """List JAFFE: ``KA.AN1.39.tiff`` is the poser KA, angry, for the first time, picture 39.

    The person is the poser, or what ``person`` finds, see `list_folder`. The pictures show head and
    shoulders: a detector has to find the face.

    References
    ----------
    Lyons et al. (1998), *Coding facial expressions with Gabor wavelets*.
    """
    photos = find_files(Path(path))
    parts = _parts(photos, Path(path))
    pictures = [Picture(photo, "", part) for photo, part in zip(photos, parts, strict=True)]
    found, odd = _matching(pictures, JAFFE_NAME)
    named = [replace(picture, label=_JAFFE_EMOTIONS[name[2]], person=name[1]) for picture, name in found]
    return Listed(_with_persons(named, Path(path), person), odd)


def _by_folder(folder: Path) -> list[tuple[Path, str, str]]:
    """Return each picture with the emotion and the part that folders name."""
    for kind in _subfolders(folder):
        _photos_of(kind)
    photos = [photo for photo in find_files(folder) if _shown(photo, folder)]
    level = emotion_level([photo.relative_to(folder) for photo in photos])
    for part in {folder.joinpath(*photo.relative_to(folder).parts[:level]) for photo in photos}:
        for kind in _subfolders(part):
            _photos_of(kind)
    inside = [photo for photo in photos if len(photo.relative_to(folder).parts) > level + 1]
    return [
        (photo, canonical_emotion(photo.relative_to(folder).parts[level]), part)
        for photo, part in zip(inside, _parts(inside, folder), strict=True)
    ]


def _parts(photos: Sequence[Path], folder: Path) -> list[str]:
    """Return the part of the data set that each picture's folders name, '' where they name none."""
    below = [photo.relative_to(folder) for photo in photos]
    level = split_level(below)
    return [""] * len(photos) if level is None else [file.parts[level] for file in below]


def _shown(photo: Path, folder: Path) -> bool:
    return not any(name.startswith(".") for name in photo.relative_to(folder).parts)


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
        return find_files(kind)
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


def _with_persons(pictures: list[Picture], folder: Path, person: str | None) -> list[Picture]:
    """Name the persons anew where an expression is given."""
    if person is None:
        return pictures
    whose = _person_finder(person)
    return [replace(picture, person=whose(picture.path, folder)) for picture in pictures]


def _left_out(what: str, names: list[str]) -> list[str]:
    several = f"{len(names):,} pictures are" if len(names) > 1 else "1 picture is"
    return [f"{several} {what} and left out, such as {names[0]}"] if names else []


def _matching(
    pictures: Sequence[Picture], expression: re.Pattern[str]
) -> tuple[list[tuple[Picture, re.Match[str]]], list[str]]:
    """Split pictures into those whose names are as expected, and a line about each other one."""
    found, odd = [], []
    for picture in pictures:
        name = expression.fullmatch(picture.path.stem)
        if name is None:
            odd.append(f"{input_name(picture.path)}: its name tells no person; expected {expression.pattern}")
        else:
            found.append((picture, name))
    return found, odd
