"""Labels and persons of the faces that a run compares or explains."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from feat_pipeline.errors import UsageError
from feat_pipeline.sources.frame import PathLike

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def check_draws(draws: int, seed: int) -> None:
    """Refuse what no bootstrap can be drawn by, with a UsageError."""
    if draws < 2:
        raise UsageError(f"draws: expected 2 or more, got {draws}")
    if not 0 <= seed < 2**32:
        raise UsageError(f"seed: expected 0 to {2**32 - 1}, got {seed}")


@overload
def labelled(
    faces: pd.DataFrame, labels: PathLike, groups: str | None
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray, list[str]]: ...


@overload
def labelled(
    faces: pd.DataFrame, labels: PathLike | None, groups: str | None
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray, list[str]]: ...


def labelled(
    faces: pd.DataFrame, labels: PathLike | None, groups: str | None
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray, list[str]]:
    """Find label and person of each face.

    Parameters
    ----------
    faces : DataFrame
        n rows with the column ``input``.
    labels : path, optional
        CSV with the columns ``input, label``.
    groups : str, optional
        Column of ``faces`` or of the labels, or ``COLUMN:REGEX``.

    Returns
    -------
    y : (m,) ndarray of str, or None
        The labels of the faces that have one.
    persons : (m,) ndarray of str, or None
    kept : (n,) bool ndarray
        Which faces these are: all, without labels.
    notes : list of str
        How files were matched, and what was left out.

    Raises
    ------
    FitError
        The labels cannot be read or are of other faces, or no column names the persons so.
    """
    import numpy as np

    from analysis.labels import group_column, match_labels, read_labels

    notes: list[str] = []
    y, kept = None, np.ones(len(faces), dtype=bool)
    if labels is not None:
        wanted = [] if groups is None else [groups, groups.partition(":")[0]]
        stated = read_labels(str(labels), *dict.fromkeys(name for name in wanted if name not in faces))
        inputs = faces["input"].astype(str)
        found, notes = match_labels(inputs, stated)
        kept = found.notna().to_numpy()
        if not kept.all():
            notes.append(f"{(~kept).sum()} of {len(kept)} faces have no label and are left out")
        y = found[kept].to_numpy().astype(str)
        further = [name for name in stated if name not in ("input", "label")]
        faces = faces.assign(**{name: match_labels(inputs, stated, name)[0] for name in further})
    return y, None if groups is None else group_column(faces[kept], groups), kept, notes
