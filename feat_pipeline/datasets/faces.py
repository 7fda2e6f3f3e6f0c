"""Labelled face crops, as every data set hands them to training and evaluation."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from analysis.facs import EMOTIONS, canonical_emotion, in_order
from feat_pipeline.errors import UsageError

FOUR_EMOTIONS = ("angry", "fear", "happy", "sad")
SIX_EMOTIONS = tuple(name for name in EMOTIONS if name != "fear")


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
        The part of the data set, as it names it ('Training', 'PublicTest', ...); '' where it has no parts.
    rows : ndarray of int64, shape (n,)
        Number of the row in the data set's own file, or of the picture among all, from 0.
    votes : ndarray of uint8, shape (n, v), optional
        How many annotators chose each of the data set's words.
    classes : tuple of str
        The emotions.
    skipped : tuple of str
        One line for each row or picture that could not be read.
    notes : tuple of str
        What was left out for another reason.
    groups : ndarray of str, shape (n,), optional
        The person.
    names : ndarray of str, shape (n,), optional
        The picture's file, below the folder that was read.
    """

    images: np.ndarray
    labels: np.ndarray
    usage: np.ndarray
    rows: np.ndarray
    votes: np.ndarray | None = None
    classes: tuple[str, ...] = EMOTIONS
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    groups: np.ndarray | None = None
    names: np.ndarray | None = None

    @property
    def emotions(self) -> np.ndarray:
        """Names of the labels, str, shape (n,)."""
        return np.array(self.classes, dtype=str)[self.labels]

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


def with_classes(
    faces: LabelledFaces, classes: Sequence[str] | None = None, merge: Mapping[str, str] | None = None
) -> LabelledFaces:
    """Merge classes and keep some of them, by name.

    Parameters
    ----------
    faces : LabelledFaces
    classes : sequence of str, optional
        The classes to keep, in the order that labels then count them; faces of others are left out. As in
        ``merge``, aliases such as 'anger' will do.
        `FOUR_EMOTIONS` and `SIX_EMOTIONS` are sets that others have published results for.
    merge : mapping of str to str, optional
        Class to the class that it becomes part of, before some are kept, such as
        ``{'disgust': 'angry'}``.

    Returns
    -------
    LabelledFaces

    Raises
    ------
    UsageError
        A class is unknown or named twice, or fewer than two are kept.
    """
    renamed = merged(faces.classes, merge)
    kept = tuple(in_order(renamed) if classes is None else (spelt(name, renamed) for name in classes))
    check_known("classes", kept, renamed)
    if len(kept) < 2 or len(set(kept)) < len(kept):
        raise UsageError(f"classes: expected two or more, each once, got {', '.join(kept) or 'none'}")
    places = np.array([kept.index(name) if name in kept else -1 for name in renamed], np.int64)
    labels = places[faces.labels]
    return replace(faces, labels=labels, classes=kept).select(labels >= 0)


def kept_emotions(
    emotions: np.ndarray, classes: Sequence[str] | None = None, merge: Mapping[str, str] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Do with names of emotions, shape (n,), what `with_classes` does with faces.

    Returns
    -------
    emotions : ndarray of str, shape (n,)
        After merging.
    kept : ndarray of bool, shape (n,)

    Raises
    ------
    UsageError
        See `with_classes`.
    """
    names = tuple(in_order(emotions.tolist()))
    n = len(emotions)
    labels = np.array([names.index(name) for name in emotions.tolist()], np.int64)
    stand_in = LabelledFaces(np.zeros((n, 0, 0), np.uint8), labels, emotions, np.arange(n), classes=names)
    merged = with_classes(stand_in, merge=merge)
    return merged.emotions, np.isin(np.arange(n), with_classes(merged, classes).rows)


def merged(names: Sequence[str], merge: Mapping[str, str] | None) -> list[str]:
    """Rename classes as ``merge`` of `with_classes` says, which may spell them by their aliases.

    Raises
    ------
    UsageError
        It names a class that there is not, or gives one two new names.
    """
    pairs = {(spelt(old, names), spelt(new, names)) for old, new in (merge or {}).items()}
    renamed = dict(pairs)
    check_known("merge", list(renamed), names)
    if len(renamed) < len(pairs):
        raise UsageError(f"merge: expected one new name a class, got {dict(merge or {})}")
    return [renamed.get(name, name) for name in names]


def spelt(name: str, known: Sequence[str]) -> str:
    """Spell a class as a data set does: 'anger' and 'Angry' as 'angry'; a word that it lacks as it stands."""
    if name in known:
        return name
    canonical = canonical_emotion(name)
    alike = [other for other in known if other.casefold() == canonical.casefold()]
    return alike[0] if alike else canonical


def check_known(parameter: str, names: Sequence[str], known: Sequence[str]) -> None:
    """Raise `UsageError` for a name that is none of those known."""
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(f"{parameter}: expected classes out of {', '.join(known)}, got {unknown[0]!r}")


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
