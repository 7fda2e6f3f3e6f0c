"""One way in to every data set of labelled faces."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from feat_pipeline.datasets.faces import LabelledFaces, with_classes
from feat_pipeline.datasets.fer2013 import read_fer2013
from feat_pipeline.datasets.ferplus import by_votes
from feat_pipeline.datasets.listing import (
    CKPLUS_NAME,
    JAFFE_NAME,
    Listed,
    list_ckplus,
    list_folder,
    list_jaffe,
    list_labelled,
)
from feat_pipeline.datasets.npz import load_faces
from feat_pipeline.datasets.pictures import SIZE, read_pictures
from feat_pipeline.detect import FaceDetector, make_detector
from feat_pipeline.errors import InputError, UsageError
from feat_pipeline.sources.find import find_files

KINDS = ("fer2013", "npz", "folder", "ckplus", "jaffe")
_LOOKED_AT = 20  # pictures whose names tell what a folder is


def read_faces(
    path: str | os.PathLike[str],
    kind: str = "auto",
    *,
    classes: Sequence[str] | None = None,
    merge: Mapping[str, str] | None = None,
    size: int = SIZE,
    detector: FaceDetector | str | None = None,
    person: str | None = None,
    labels: str | os.PathLike[str] | None = None,
    votes: str | os.PathLike[str] | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> LabelledFaces:
    """Read labelled faces, whatever they are published in.

    Parameters
    ----------
    path : path
        FER2013's CSV, plain or packed; an ``.npz`` of `feat_pipeline.datasets.npz.save_faces`; a folder.
    kind : {'auto', 'fer2013', 'npz', 'folder', 'ckplus', 'jaffe'}
        'auto' goes by the path, and in a folder by the names of its pictures.
    classes, merge
        See `feat_pipeline.datasets.faces.with_classes`.
    size : int
        Side of the crops that are cut out of pictures, px.
    detector : FaceDetector or str, optional
        Of folders: finds the face in each picture. A name out of `feat_pipeline.detect.DETECTORS`.
    person, labels
        Of folders; see `list_pictures`.
    votes : path, optional
        Of FER2013's CSV: FER+'s ``fer2013new.csv``. Labels and classes are then the annotators', see
        `feat_pipeline.datasets.ferplus.by_votes`.
    cache : path, optional
        Of FER2013's CSV; see `feat_pipeline.datasets.fer2013.read_fer2013`.

    Returns
    -------
    LabelledFaces

    Raises
    ------
    InputError, FitError
        What is there cannot be read, holds no faces, or fewer than two classes.
    UsageError
        An unknown kind or class, or an option of another kind of data.
    """
    path = Path(path)
    kind = _checked_kind(path, kind, person, labels)
    if not 8 <= size <= 1024:
        raise UsageError(f"size: expected 8 to 1024 px, got {size}")
    if votes is not None and kind != "fer2013":
        raise UsageError(f"votes: are of FER2013's CSV, and {path} is of kind {kind}; leave them away")
    if isinstance(detector, str):
        detector = make_detector(detector)
    if kind == "fer2013":
        faces = read_fer2013(path, votes=votes, cache=cache)
        if votes is not None:
            return by_votes(faces, classes, merge)
    elif kind == "npz":
        faces = load_faces(path)
    elif kind == "jaffe" and detector is None:
        raise UsageError(
            "detector: JAFFE's pictures show head and shoulders, expected a face detector such as mtcnn"
        )
    else:
        listed = list_pictures(path, kind, person=person, labels=labels)
        faces = read_pictures(listed, path, size=size, detector=detector)
    return faces if classes is None and not merge else with_classes(faces, classes, merge)


def list_pictures(
    path: str | os.PathLike[str],
    kind: str = "auto",
    *,
    person: str | None = None,
    labels: str | os.PathLike[str] | None = None,
) -> Listed:
    """List the pictures of a folder with their emotions.

    Parameters
    ----------
    path : path
    kind : {'auto', 'folder', 'ckplus', 'jaffe'}
    person : str, optional
        See `feat_pipeline.datasets.listing.list_folder`; not needed for CK+ and JAFFE, whose names tell.
    labels : path, optional
        A CSV that names the emotions, where sub-folders do not; see
        `feat_pipeline.datasets.listing.list_labelled`.

    Returns
    -------
    Listed

    Raises
    ------
    InputError, FitError, UsageError
        See `read_faces`.
    """
    path = Path(path)
    kind = _checked_kind(path, kind, person, labels)
    if kind in ("fer2013", "npz"):
        raise UsageError(f"kind: expected a folder of pictures, and {path} is of kind {kind}")
    if labels is not None:
        return list_labelled(path, labels, person)
    if kind == "folder":
        return list_folder(path, person)
    return list_ckplus(path, person) if kind == "ckplus" else list_jaffe(path, person)


def _checked_kind(path: Path, kind: str, person: str | None, labels: str | os.PathLike[str] | None) -> str:
    if kind not in ("auto", *KINDS):
        raise UsageError(f"kind: expected one of auto, {', '.join(KINDS)}, got {kind!r}")
    if kind == "auto":
        kind = "folder" if labels is not None and path.is_dir() else kind_of(path)
    if person is not None and kind in ("fer2013", "npz"):
        raise UsageError(f"person: is for a folder of pictures, and {path} is of kind {kind}")
    if labels is not None and kind != "folder":
        raise UsageError(f"labels: are for a folder of pictures, and {path} is of kind {kind}")
    return kind


def kind_of(path: Path) -> str:
    """Tell what a path holds, as `read_faces` names it.

    Raises
    ------
    InputError
        There is nothing at the path, or a folder without pictures.
    """
    if path.is_file():
        return "npz" if path.suffix.lower() == ".npz" else "fer2013"
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder; expected FER2013's CSV, an .npz or a folder")
    names = [photo.stem for photo in find_files(path)[:_LOOKED_AT]]
    for kind, expression in (("ckplus", CKPLUS_NAME), ("jaffe", JAFFE_NAME)):
        if 2 * sum(expression.fullmatch(name) is not None for name in names) > len(names):
            return kind
    return "folder"
