"""Labelled faces as one ``.npz`` file, which numpy reads anywhere."""

from __future__ import annotations

import os
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from analysis.files import atomic_path
from feat_pipeline.datasets.faces import LabelledFaces
from feat_pipeline.errors import InputError
from feat_pipeline.files import named_errors

_TEXTS = ("classes", "skipped", "notes")


def save_faces(faces: LabelledFaces, path: str | os.PathLike[str]) -> Path:
    """Write faces, every field of `LabelledFaces` under its name; those that are None are left out.

    Raises
    ------
    OutputError
        The file cannot be written; nothing is left of it then.
    """
    path = Path(path)
    content = {f.name: getattr(faces, f.name) for f in fields(faces)}
    arrays: dict[str, Any] = {
        name: np.array(value, dtype=str) if name in _TEXTS else value
        for name, value in content.items()
        if value is not None
    }
    with named_errors(path), atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)
    return path


def load_faces(path: str | os.PathLike[str]) -> LabelledFaces:
    """Read what `save_faces` wrote.

    Raises
    ------
    InputError
        The file is missing, damaged, or holds something else.
    """
    path = Path(path)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            content = {f.name: kept[f.name] for f in fields(LabelledFaces) if f.name in kept}
        content |= {name: tuple(map(str, content[name])) for name in _TEXTS if name in content}
        faces = LabelledFaces(**content)
        lengths = {len(value) for value in content.values() if isinstance(value, np.ndarray)}
        if len(lengths) != 1 or faces.images.ndim != 3 or faces.images.dtype != np.uint8:
            raise ValueError(f"images of {faces.images.dtype}, shape {faces.images.shape}")
        if len(faces) and not 0 <= faces.labels.min() <= faces.labels.max() < len(faces.classes):
            raise ValueError(f"a label beyond the {len(faces.classes)} classes")
    except (OSError, EOFError, AttributeError, TypeError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: is no file of labelled faces ({error}); write it again") from None
    return faces
