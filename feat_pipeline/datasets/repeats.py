"""Pictures that stand more than once in what is learned from: under two emotions, or under one."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from analysis.folders import split_of
from analysis.splits import merged_groups
from feat_pipeline.datasets.copies import near_copy_groups
from feat_pipeline.datasets.faces import LabelledFaces, copy_groups
from feat_pipeline.datasets.listing import Listed
from feat_pipeline.errors import UsageError
from feat_pipeline.sources.frame import Skipped
from feat_pipeline.sources.photos import read_frame

#: Correlation of thumbnails from which two faces are one picture saved anew. In CK+, where a person's
#: pictures differ by the expression alone, 51 pairs of two emotions reach .98 and none reaches .995.
SAME = 0.995
MOST_COMPARED = 20_000  # faces whose near copies are looked for: it takes a few seconds
_KEPT = "learned from all the same"
_MEND = "mend the labels, or add --keep-copies to learn from them all the same"


def without_repeats(faces: LabelledFaces, *, keep: bool = False, near: bool = True) -> LabelledFaces:
    """Leave out faces to learn from that stand under two emotions, or again under one; notes tell which.

    Parameters
    ----------
    faces : LabelledFaces
        Parts to judge by are left as they are, their copies among the learned are told.
    keep : bool
        Tell them only.
    near : bool
        Whether pictures count as one that are nearly equal (`SAME`), where there are at most
        `MOST_COMPARED`; else those of equal pixels alone.

    Returns
    -------
    LabelledFaces

    Raises
    ------
    UsageError
        All faces of a class stand under another emotion too.
    """
    learned = np.array([split_of(part) in ("train", "") for part in faces.usage.tolist()], bool)
    contrary, said = _contrary(faces, learned, near)
    groups = copy_groups(faces.images)
    rows = np.flatnonzero(learned & ~contrary)
    _, first = np.unique(groups[rows], return_index=True)
    repeated = np.zeros(len(faces), bool)
    repeated[np.delete(rows, first)] = True
    kept = faces if keep else faces.select(~(contrary | repeated))
    gone = sorted(set(faces.emotions.tolist()) - set(kept.emotions.tolist()))
    if gone:
        raise UsageError(f"class {gone[0]}: is left without a picture, as {said}; {_MEND}")
    notes = []
    if said:
        notes.append(f"{said}: {_KEPT if keep else f'left out; {_MEND}'}")
    if repeated.any():
        partners = [
            (int(rows[groups[rows] == groups[row]][0]), int(row)) for row in np.flatnonzero(repeated)[:2]
        ]
        notes.append(
            f"{repeated.sum():,} faces are pictures that stand twice under one emotion, such as "
            f"{_pairs(faces, partners)}: {_KEPT if keep else 'each counts once'}"
        )
    notes += _across(faces, groups, learned)
    return replace(kept, notes=(*faces.notes, *notes))


def listed_without_repeats(listed: Listed, *, keep: bool = False) -> Listed:
    """Do with picture files what `without_repeats` does with faces, by the pixels of the whole picture."""
    classes = tuple(sorted({picture.label for picture in listed.pictures}))
    digests = [_digest(picture.path) for picture in listed.pictures]
    stand_in = LabelledFaces(
        np.array(digests, np.uint8).reshape(len(digests), 1, -1),
        np.array([classes.index(picture.label) for picture in listed.pictures], np.int64),
        np.array([picture.part for picture in listed.pictures], dtype=str),
        np.arange(len(digests)),
        classes=classes,
        names=np.array(["/".join(picture.path.parts[-2:]) for picture in listed.pictures], dtype=str),
    )
    kept = without_repeats(stand_in, keep=keep, near=False)
    pictures = [listed.pictures[row] for row in kept.rows]
    return replace(listed, pictures=pictures, notes=[*listed.notes, *kept.notes])


def _contrary(faces: LabelledFaces, learned: np.ndarray, near: bool) -> tuple[np.ndarray, str]:
    """Mask the learned faces that are one picture with a learned face of another emotion, and name them."""
    rows = np.flatnonzero(learned)
    images, labels = faces.images[rows], faces.labels[rows]
    groups = copy_groups(images)
    if near and len(rows) <= MOST_COMPARED:
        groups = merged_groups(groups, near_copy_groups(images, least=SAME))
    order = np.lexsort((labels, groups))
    before, after = order[:-1], order[1:]
    differ = (groups[before] == groups[after]) & (labels[before] != labels[after])
    found = np.zeros(len(faces), bool)
    found[rows[np.isin(groups, groups[after[differ]])]] = True
    if not differ.any():
        return found, ""
    emotions: dict[int, list[str]] = {}
    for a, b in zip(before[differ], after[differ], strict=True):
        emotions.setdefault(int(groups[a]), [faces.classes[labels[a]]]).append(faces.classes[labels[b]])
    kinds = Counter(" and ".join(names) for names in emotions.values()).most_common()
    counts = ", ".join(f"{names}: {count:,}" for names, count in kinds[:3])
    pairs = list(zip(rows[before[differ]].tolist(), rows[after[differ]].tolist(), strict=True))
    what = f"{len(emotions):,} pictures stand" if len(emotions) > 1 else "1 picture stands"
    return found, f"{what} under two emotions ({counts}), such as {_pairs(faces, pairs)}"


def _across(faces: LabelledFaces, groups: np.ndarray, learned: np.ndarray) -> list[str]:
    """Tell the faces of other parts that are among the learned too."""
    place = {int(group): int(row) for row, group in reversed([*enumerate(groups.tolist())]) if learned[row]}
    pairs = [(place[groups[row]], int(row)) for row in np.flatnonzero(~learned) if groups[row] in place]
    if not pairs:
        return []
    other = sum(faces.labels[a] != faces.labels[b] for a, b in pairs)
    parts = ", ".join(sorted({str(faces.usage[row]) for _, row in pairs}))
    return [
        f"{len(pairs):,} faces of {parts} stand among those to learn from too ({other} under another "
        f"emotion), such as {_pairs(faces, pairs)}"
    ]


def _pairs(faces: LabelledFaces, pairs: list[tuple[int, int]]) -> str:
    called = [f"row {row}" for row in faces.rows] if faces.names is None else faces.names.tolist()
    emotions = faces.emotions
    return "; ".join(
        f"{called[a]} ({emotions[a]}) and {called[b]} ({emotions[b]})" for a, b in dict.fromkeys(pairs[:2])
    )


def _digest(path: Path) -> list[int]:
    """Return what is equal for pictures of equal pixels; of one that cannot be read its name's."""
    frame = read_frame(path)
    if isinstance(frame, Skipped):
        content = str(path).encode()
    else:
        content = repr(frame.rgb.shape).encode() + frame.rgb.tobytes()
    return list(hashlib.blake2b(content, digest_size=16).digest())
