"""Labels and persons of the faces that a run compares or explains."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from feat_pipeline.errors import UsageError
from feat_pipeline.sources.frame import PathLike

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from analysis.autable import AUTable


def check_draws(draws: int, seed: int) -> None:
    """Refuse what no bootstrap can be drawn by, with a UsageError."""
    if draws < 2:
        raise UsageError(f"draws: expected 2 or more, got {draws}")
    if not 0 <= seed < 2**32:
        raise UsageError(f"seed: expected 0 to {2**32 - 1}, got {seed}")


@overload
def labelled(
    faces: pd.DataFrame, labels: PathLike, groups: str | None, *, allow_unlabelled: bool = ...
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray, list[str]]: ...


@overload
def labelled(
    faces: pd.DataFrame, labels: PathLike | None, groups: str | None, *, allow_unlabelled: bool = ...
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray, list[str]]: ...


def labelled(
    faces: pd.DataFrame, labels: PathLike | None, groups: str | None, *, allow_unlabelled: bool = False
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
    allow_unlabelled : bool
        Whether more than half of the faces may lack a label.

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
        The labels cannot be read, are of other faces or of less than half of them, or no column names the
        persons so.
    """
    import numpy as np

    from analysis.label_matching import check_labelled, match_labels, unlabelled_note
    from analysis.labels import group_column, read_labels

    notes: list[str] = []
    y, kept = None, np.ones(len(faces), dtype=bool)
    if labels is not None:
        stated = read_labels(str(labels), *(name for name in persons_columns(groups) if name not in faces))
        inputs = faces["input"].astype(str)
        found, notes = match_labels(inputs, stated)
        kept = found.notna().to_numpy()
        notes += unlabelled_note(inputs, found.notna(), "faces")
        check_labelled(int(kept.sum()), len(kept), allow_unlabelled, notes)
        notes = [*stated.attrs["notes"], *notes]
        y = found[kept].to_numpy().astype(str)
        further = [name for name in stated if name not in ("input", "label")]
        faces = faces.assign(**{name: match_labels(inputs, stated, name)[0] for name in further})
    return y, None if groups is None else group_column(faces[kept], groups), kept, notes


def kept_together(persons: np.ndarray | None, same: np.ndarray) -> np.ndarray | None:
    """Join persons and copies to what stands on one side of a split; None where each row is its own."""
    import numpy as np

    from analysis.splits import merged_groups

    if len(np.unique(same)) == len(same):
        return persons
    return same if persons is None else merged_groups(persons, same)


def persons_columns(groups: str | None) -> list[str]:
    """Name the columns that `groups` may mean: all of it, and what stands before its colon."""
    return [] if groups is None else list(dict.fromkeys((groups, groups.partition(":")[0])))


def labelled_table(
    table: AUTable,
    labels: PathLike | None,
    label_column: str | None,
    groups: str | None,
    *,
    allow_unlabelled: bool = False,
) -> tuple[AUTable, np.ndarray, np.ndarray | None, list[str]]:
    """Find label and person of each row of an AU table.

    Parameters
    ----------
    table : AUTable
        n rows.
    labels : path, optional
        See `analysis.labels.read_labels`.
    label_column : str, optional
        Column of the table that holds the labels, where there is no such file.
    groups : str, optional
        Column of the table or of the labels, or ``COLUMN:REGEX``.
    allow_unlabelled : bool
        Whether more than half of the rows may lack a label.

    Returns
    -------
    table : AUTable
        The m rows that have a label.
    y : (m,) ndarray of str
    persons : (m,) ndarray of str, or None
    notes : list of str
        How files were matched, and what was left out.

    Raises
    ------
    FitError
        As `labelled`.
    """
    from analysis.label_matching import check_labelled, match_labels
    from analysis.labels import column_labels, group_column, join_labels, read_labels

    if labels is None:
        rows, y, notes = column_labels(table, str(label_column))
        frame = rows.frame
    else:
        wanted = [name for name in persons_columns(groups) if name not in table.frame]
        stated = read_labels(str(labels), *wanted)
        rows, y, notes = join_labels(table, stated)
        inputs = table.frame["input"].astype(str)
        kept = match_labels(inputs, stated)[0].notna().to_numpy()
        further = [name for name in stated if name not in ("input", "label")]
        persons = {name: match_labels(inputs, stated, name)[0][kept].to_numpy() for name in further}
        frame = rows.frame.assign(**persons)
    check_labelled(len(y), len(table), allow_unlabelled, notes)
    return rows, y, None if groups is None else group_column(frame, groups), notes
