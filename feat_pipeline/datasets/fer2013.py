"""FER2013 from Kaggle's CSV, and the votes of FER+ beside it.

Goodfellow et al. (2013), *Challenges in representation learning*; Barsoum et al. (2016), *Training deep
networks for facial expression recognition with crowd-sourced label distribution* (FER+).
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import hashlib
import io
import json
import lzma
import os
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import numpy as np

from analysis.facs import EMOTIONS
from feat_pipeline.datasets.faces import LabelledFaces
from feat_pipeline.datasets.npz import load_faces, save_faces
from feat_pipeline.errors import InputError

SIDE = 48
PARTS = ("Training", "PublicTest", "PrivateTest")
COLUMNS = ("emotion", "pixels", "Usage")
VOTES = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
)
_MEMBERS = ("fer2013.csv", "icml_face_data.csv")
_FORMAT = 2


def read_fer2013(
    path: str | os.PathLike[str],
    *,
    votes: str | os.PathLike[str] | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> LabelledFaces:
    """Read FER2013 as Kaggle publishes it.

    Parameters
    ----------
    path : path
        ``fer2013.csv`` or ``icml_face_data.csv``, plain or packed as ``.xz``, ``.gz`` or ``.zip``.
    votes : path, optional
        FER+'s ``fer2013new.csv``, one row for each row of the CSV, in the same order.
    cache : path, optional
        A folder that keeps what was read as ``.npz``, for the next time (0.2 s instead of 10).

    Returns
    -------
    LabelledFaces
        48x48 px, `EMOTIONS` as classes; columns of the votes as `VOTES`. Damaged rows are left out and named
        in `skipped`.

    Raises
    ------
    InputError
        The file is missing, is no such CSV, holds no usable row, or the votes belong to other rows.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected FER2013's fer2013.csv or icml_face_data.csv")
    kept = None if cache is None else Path(cache) / f"fer2013-{_fingerprint(path)}.npz"
    faces = None
    if kept is not None and kept.is_file():
        with contextlib.suppress(InputError):  # a damaged cache is made again
            faces = load_faces(kept)
    if faces is None:
        faces = _parse(path)
        if kept is not None:
            save_faces(faces, kept)
    return faces if votes is None else _with_votes(faces, Path(votes))


def _parse(path: Path) -> LabelledFaces:
    images, found, skipped = [], [], []
    with _read_errors(path), _open_text(path) as file:
        reader = csv.reader(file)
        places = _places(path, next(reader, []))
        for number, cells in enumerate(row for row in reader if row):
            try:
                label, image, usage = _face(cells, places)
            except ValueError as error:
                skipped.append(f"{path.name}, row {number + 1}: {error}")
                continue
            images.append(image)
            found.append((label, usage, number))
    if not images:
        first = f" ({skipped[0]})" if skipped else ""
        raise InputError(f"{path}: holds no usable row{first}; expected the columns {', '.join(COLUMNS)}")
    labels, usages, rows = zip(*found, strict=True)
    return LabelledFaces(
        np.stack(images), np.array(labels, np.int64), np.array(usages), np.array(rows, np.int64),
        skipped=tuple(skipped),
    )  # fmt: skip


def _places(path: Path, header: list[str]) -> list[int]:
    names = [name.strip().lower() for name in header]
    missing = [name for name in COLUMNS if name.lower() not in names]
    if missing:
        raise InputError(
            f"{path}: expected the columns {', '.join(COLUMNS)}; {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing, the header is {','.join(header)[:80]!r}"
        )
    return [names.index(name.lower()) for name in COLUMNS]


def _face(cells: list[str], places: list[int]) -> tuple[int, np.ndarray, str]:
    if len(cells) <= max(places):
        raise ValueError(f"{len(cells)} columns, expected {max(places) + 1}")
    emotion, text, usage = (cells[place].strip() for place in places)
    if emotion not in map(str, range(len(EMOTIONS))):
        raise ValueError(f"emotion {emotion[:20]!r}, expected 0 to {len(EMOTIONS) - 1}")
    if usage not in PARTS:
        raise ValueError(f"usage {usage[:20]!r}, expected one of {', '.join(PARTS)}")
    return int(emotion), _pixels(text), usage


def _pixels(text: str) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # numpy's way to tell of text that is no number
        try:
            values = np.fromstring(text, np.int64, sep=" ")
        except (DeprecationWarning, ValueError):
            raise ValueError("pixels that are no whole numbers") from None
    if len(values) != SIDE * SIDE:
        raise ValueError(f"{len(values)} pixels, expected {SIDE * SIDE}")
    if values.min() < 0 or values.max() > 255:
        raise ValueError(f"a pixel of {values[(values < 0) | (values > 255)][0]}, expected 0 to 255")
    return values.astype(np.uint8).reshape(SIDE, SIDE)


def _with_votes(faces: LabelledFaces, path: Path) -> LabelledFaces:
    with _read_errors(path), _open_text(path) as file:
        table = [row for row in csv.reader(file) if row]
    header = [name.strip() for name in table[0]] if table else []
    missing = [name for name in ("Usage", *VOTES) if name not in header]
    if missing:
        raise InputError(f"{path}: expected FER+'s fer2013new.csv; the column {missing[0]} is missing")
    table = table[1:]
    places = [header.index(name) for name in VOTES]
    part = header.index("Usage")
    expected = len(faces) + len(faces.skipped)
    if len(table) != expected:
        raise InputError(
            f"{path}: expected {expected} rows, one for each row of FER2013, got {len(table)}; "
            f"take the FER+ file that belongs to it"
        )
    with _read_errors(path):
        parts = np.array([row[part].strip() for row in table])
        votes = np.array([[int(row[place]) for place in places] for row in table], np.uint8)
    if (parts[faces.rows] != faces.usage).any():
        wrong = faces.rows[parts[faces.rows] != faces.usage][0]
        raise InputError(f"{path}: row {wrong + 1} is of {parts[wrong]}, FER2013's is not; the order differs")
    return replace(faces, votes=votes[faces.rows])


@contextlib.contextmanager
def _read_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except (
        OSError,
        EOFError,
        ValueError,
        IndexError,
        OverflowError,
        RuntimeError,  # a zip with a password, or packed in a way that Python does not know
        csv.Error,
        lzma.LZMAError,
        zlib.error,
        zipfile.BadZipFile,
    ) as error:
        raise InputError(f"{path}: cannot be read ({error}); fetch it again") from None


@contextlib.contextmanager
def _open_text(path: Path) -> Iterator[TextIO]:
    openers = {".xz": lzma.open, ".gz": gzip.open}
    if path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path) as archive, archive.open(_member(path, archive)) as raw:
            yield io.TextIOWrapper(raw, "utf-8-sig", newline="")
        return
    opener = openers.get(path.suffix.lower(), open)
    with opener(path, "rt", encoding="utf-8-sig", newline="") as file:  # type: ignore[operator]
        yield file


def _member(path: Path, archive: zipfile.ZipFile) -> str:
    tables = [name for name in archive.namelist() if name.lower().endswith(".csv")]
    known = [name for name in tables if Path(name).name.lower() in _MEMBERS]
    if not known and len(tables) != 1:
        raise InputError(
            f"{path}: expected {' or '.join(_MEMBERS)} inside, got {', '.join(tables) or 'no CSV'}"
        )
    return (known or tables)[0]


def _fingerprint(path: Path) -> str:
    state = path.stat()
    about = json.dumps([_FORMAT, str(path.resolve()), state.st_size, state.st_mtime_ns])
    return hashlib.blake2b(about.encode(), digest_size=8).hexdigest()
