"""What a model learns from and what it is judged by, out of one labelled data set."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.folders import split_of
from feat_pipeline.datasets.copies import near_copy_groups
from feat_pipeline.datasets.faces import LabelledFaces, copied_from
from feat_pipeline.errors import InputError, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from analysis.autable import AUTable


@dataclass(frozen=True)
class HeldOut:
    """Two parts of a data set that share no person and, of pictures, no near copy, where that is known.

    Attributes
    ----------
    X, judged : ndarray of uint8, shape (n, h, w), or AUTable
    y, judged_y : ndarray of str, shape (n,)
    notes : tuple of str
        How the parts were made.
    copies : ndarray of bool, shape (n,), optional
        Which faces of ``judged`` are exact copies of learned ones, where the data set's own parts were
        taken.
    shares : DataFrame of float, shape (n, K), optional
        What faces of ``X`` are learned towards instead of ``y``; columns are the classes.
    """

    X: Any
    y: np.ndarray
    judged: Any
    judged_y: np.ndarray
    notes: tuple[str, ...]
    copies: np.ndarray | None = None
    shares: pd.DataFrame | None = None

    def digest(self) -> str:
        """Fingerprint of faces, labels and parts, for a training that is gone on with later."""
        digest = hashlib.blake2b(digest_size=16)
        soft = () if self.shares is None else (self.shares.to_numpy(),)
        for part in (self.X, self.y.astype(str), self.judged, self.judged_y.astype(str), *soft):
            values = part if isinstance(part, np.ndarray) else part.frame.to_numpy(str)
            digest.update(repr((values.shape, values.dtype)).encode())
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()


def parts_of_faces(
    faces: LabelledFaces, *, share: float = 0.1, seed: int = 0, shares: pd.DataFrame | None = None
) -> HeldOut:
    """Split faces as their data set does, else hold a share out.

    Parameters
    ----------
    faces : LabelledFaces
        Parts that `analysis.folders.split_of` counts as 'train' and 'val' (by `usage`) are taken; further
        ones, such as PrivateTest or test, are looked at by nobody.
    share : float
        Share that is held out where the data set has no part to judge by. Persons, where `groups` names
        them, and near copies stay on one side.
    seed : int
        Draws it.
    shares : DataFrame, optional
        A row for each of the faces, for `HeldOut.shares`.

    Returns
    -------
    HeldOut

    Raises
    ------
    InputError
        A class is in one person or picture only, or a part to judge by has a class that is not learned.
    UsageError
        ``share`` is not between 0 and .5.
    """
    learned, judged = _sides(faces.usage)
    if judged.any():
        sides = replace(faces, usage=np.where(learned, "learned", "other"))
        copies = copied_from(sides, "learned")[judged]
        note = _judged_by(faces.usage[judged])
    else:
        known = faces.select(learned)
        groupings = [near_copy_groups(known.images)]
        if known.groups is not None:
            groupings.append(known.groups)
        held, note = _held_out(known.emotions, groupings, share, seed)
        what = "near copies" if known.groups is None else "persons and near copies"
        note, copies = f"{note}; {what} stay on one side", None
        learned, judged = _within(learned, ~held), _within(learned, held)
    y = faces.emotions
    _check_learned(y[learned], y[judged])
    soft = None if shares is None else shares[learned]
    return HeldOut(faces.images[learned], y[learned], faces.images[judged], y[judged], (note,), copies, soft)


def parts_of_table(
    table: AUTable,
    y: np.ndarray,
    groups: np.ndarray | None = None,
    *,
    usage: np.ndarray | None = None,
    share: float = 0.1,
    seed: int = 0,
) -> HeldOut:
    """Split an AU table's rows by ``usage``, or hold a share of them out, as `parts_of_faces` does.

    Rows with an AU without a value are left out.
    """
    from analysis.aumatrix import named_matrix

    complete = ~np.isnan(named_matrix(table).values).any(axis=1)
    learned, judged = _sides(np.full(len(y), "") if usage is None else usage)
    learned, judged = learned & complete, judged & complete
    if usage is not None and judged.any():
        note = _judged_by(usage[judged])
    else:
        groupings = [] if groups is None else [np.asarray(groups)[learned]]
        held, note = _held_out(y[learned], groupings, share, seed)
        note += "; persons stay on one side" if groupings else ""
        learned, judged = _within(learned, ~held), _within(learned, held)
    _check_learned(y[learned], y[judged])
    left = int((~complete).sum())
    notes = [note, *([f"{left} rows with an AU without a value were left out"] if left else [])]
    return HeldOut(table.with_rows(learned), y[learned], table.with_rows(judged), y[judged], tuple(notes))


def _sides(usage: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mask the parts to learn from and to judge by."""
    splits = np.array([split_of(part) for part in usage.tolist()])
    learned, judged = splits == "train", splits == "val"
    if not learned.any():
        learned = usage.astype(str) == ""
    if not learned.any():
        parts = ", ".join(sorted(set(usage.tolist())))
        raise InputError(f"data: expected a part to learn from, training or train, got {parts}")
    return learned, judged


def _within(mask: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return a mask of those rows of `mask` that are chosen."""
    inside = np.zeros(len(mask), bool)
    inside[np.flatnonzero(mask)[chosen]] = True
    return inside


def _judged_by(usage: np.ndarray) -> str:
    return f"judged by the {len(usage):,} faces of {', '.join(sorted(set(usage.tolist())))}"


def _check_learned(learned: np.ndarray, judged: np.ndarray) -> None:
    unknown = sorted(set(judged.tolist()) - set(learned.tolist()))
    if unknown:
        raise InputError(f"class {unknown[0]}: has faces to judge by and none to learn from; add some")


def _held_out(y: np.ndarray, groupings: list[np.ndarray], share: float, seed: int) -> tuple[np.ndarray, str]:
    """Mask a share of the rows, of each class about alike, whole groups only."""
    from analysis.splits import grouped_folds, merged_groups, rarest

    if not 0 < share <= 0.5:
        raise UsageError(f"held-out: expected a share above 0, at most .5, got {share:g}")
    groups = merged_groups(*groupings) if groupings else np.arange(len(y))
    name, count = rarest(y, groups)
    if count < 2:
        raise InputError(
            f"class {name}: is in one picture or person only; expected two or more of each class"
        )
    folds = min(round(1 / share), count)
    held = np.zeros(len(y), bool)
    held[grouped_folds(y, groups, folds=folds, seed=seed)[0][1]] = True
    why = "" if folds == round(1 / share) else f", as {name} is in {count} only"
    return held, f"judged by {held.sum():,} of {len(y):,} faces, one in {folds}{why}"
