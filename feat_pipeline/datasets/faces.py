"""Labelled face crops, as every data set hands them to training and evaluation."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, replace

import numpy as np

from analysis.facs import EMOTIONS


@dataclass(frozen=True)
class LabelledFaces:
    """Face crops of one size with their emotions.

    Attributes
    ----------
    images : ndarray of uint8, shape (n, height, width)
        Grey crops.
    labels : ndarray of int64, shape (n,)
        Indices into `classes`.
    usage : ndarray of str, shape (n,)
        The part of the data set, as it names it ('Training', 'PublicTest', ...).
    rows : ndarray of int64, shape (n,)
        Number of the row in the data set's own file, from 0.
    votes : ndarray of uint8, shape (n, v), optional
        How many annotators chose each of the data set's words.
    classes : tuple of str
        The emotions.
    skipped : tuple of str
        One line for each row that could not be read.
    """

    images: np.ndarray
    labels: np.ndarray
    usage: np.ndarray
    rows: np.ndarray
    votes: np.ndarray | None = None
    classes: tuple[str, ...] = EMOTIONS
    skipped: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, rows: np.ndarray) -> LabelledFaces:
        """Return the faces of a mask, shape (n,), or of indices."""
        chosen = {
            f.name: value[rows]
            for f in fields(self)
            if isinstance(value := getattr(self, f.name), np.ndarray)
        }
        return replace(self, **chosen)

    def part(self, usage: str) -> LabelledFaces:
        """Return the faces of one part of the data set."""
        return self.select(self.usage == usage)


def copy_groups(images: np.ndarray) -> np.ndarray:
    """Give a number to each group of pictures that are equal in every pixel.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height, width)

    Returns
    -------
    ndarray of int64, shape (n,)
        Equal numbers for equal pictures, counted in the order of their first appearance.
    """
    seen: dict[bytes, int] = {}
    digests = (hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images)
    return np.array([seen.setdefault(digest, len(seen)) for digest in digests], np.int64)


def copied_from(faces: LabelledFaces, part: str) -> np.ndarray:
    """Tell which faces of other parts stand in ``part`` too, pixel for pixel.

    Parameters
    ----------
    faces : LabelledFaces
    part : str
        For FER2013 'Training': 288 faces of PrivateTest are copies of Training faces.

    Returns
    -------
    ndarray of bool, shape (n,)
        False for the faces of ``part`` itself.
    """
    groups = copy_groups(faces.images)
    inside = faces.usage == part
    return np.isin(groups, groups[inside]) & ~inside
