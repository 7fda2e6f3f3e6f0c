"""Which emotion each row of an AU table was labelled with, and whose face it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.autable import AUTable
from analysis.autable.csvs import read_csv
from analysis.errors import FitError, TableError
from analysis.facs import normal_text, parse_column
from analysis.folders import emotion_level
from analysis.label_matching import match_labels, path_parts, unlabelled_note
from analysis.text import merged_labels

_INPUT_NAMES = ("input", "image", "file", "path", "filename", "file_name", "image_path")
_LABEL_NAMES = ("label", "emotion", "expression", "class")


def read_labels(path: str | Path, *further: str, unique: bool = True) -> pd.DataFrame:
    """Read a file of labels.

    Parameters
    ----------
    path : str or Path
        A CSV with a column `input` (or `image`, `file`, `path`, `filename`, `file_name`, `image_path`)
        that names the photo and a column `label` (or `emotion`, `expression`, `class`); or a folder
        with one sub-folder an emotion, whose name labels the files in it; folders such as ``train`` and
        ``test`` may stand above these or in them.
    *further : str
        Other columns to keep, as text, where the file has them.
    unique : bool
        Whether an input that is labelled in two ways is an error; else it has two rows.

    Returns
    -------
    DataFrame
        Columns `input` (str) and `label` (str, aliases such as 'happiness' made canonical), and
        those of `further` that there are. Rows without a label are left out. ``attrs['notes']`` tells
        how the file was read, and which labels were taken for the same.

    Raises
    ------
    FitError
        Where the file is missing or no CSV, lacks one of the columns, has no row, or labels one
        input in two ways; where the folder has no file in a sub-folder.
    """
    path = Path(path)
    if path.is_dir():
        return _folder_labels(path)
    if not path.is_file():
        raise FitError(
            f"{path}: no such file; expected a CSV with the columns input,label or a folder with one "
            "sub-folder an emotion"
        )
    try:
        raw = read_csv(path, *_spellings(_INPUT_NAMES), *_spellings(_LABEL_NAMES), *further)
    except TableError as error:
        raise FitError(str(error)) from None
    image, label = _column_of(raw, _INPUT_NAMES, path), _column_of(raw, _LABEL_NAMES, path)
    labels = raw[[name for name in further if name in raw]].assign(
        input=raw[image].fillna("").map(str.strip), label=raw[label].fillna("").map(str.strip)
    )
    labels = labels[(labels["label"] != "") & (labels["input"] != "")]
    if labels.empty:
        raise FitError(f"{path}: no row has both {image} and {label}")
    merged, notes = merged_labels(labels["label"])
    labels = labels.assign(label=merged).drop_duplicates(ignore_index=True)
    labels.attrs["notes"] = [*raw.attrs["notes"], *(f"{path.name}: {note}" for note in notes)]
    twice = labels.loc[labels["input"].map(path_parts).duplicated(), "input"]
    if unique and len(twice):
        name = twice.iloc[0]
        same = labels["input"].map(path_parts) == path_parts(name)
        given = ", ".join(labels.loc[same, "label"])
        raise FitError(
            f"{path}: {name} is labelled {given} ({len(twice)} such inputs); keep one label of each"
        )
    return labels


def _folder_labels(folder: Path) -> pd.DataFrame:
    files = sorted(path for path in folder.glob("*/**/*") if path.is_file() and not path.name.startswith("."))
    if not files:
        raise FitError(f"{folder}: no file in a sub-folder; expected one sub-folder an emotion")
    level = emotion_level([path.relative_to(folder) for path in files])
    inside = [path for path in files if len(path.relative_to(folder).parts) > level + 1]
    if not inside:
        raise FitError(f"{folder}: its folders name parts of a data set; expected one sub-folder an emotion")
    labels, notes = merged_labels(path.relative_to(folder).parts[level] for path in inside)
    found = pd.DataFrame({"input": [path.as_posix() for path in inside], "label": labels})
    found.attrs["notes"] = notes
    return found


def join_labels(table: AUTable, labels: pd.DataFrame) -> tuple[AUTable, np.ndarray, list[str]]:
    """Find the label of each face.

    Parameters
    ----------
    table : AUTable
        The faces.
    labels : DataFrame
        As `read_labels` returns it.

    Returns
    -------
    table : AUTable
        The faces that have a label.
    y : (n,) ndarray of str
        Their labels.
    notes : list of str
        How rows were matched, and what was left out.

    Raises
    ------
    FitError
        Where no face has a label; with examples of both sides.
    """
    inputs = table.frame["input"].astype(str)
    found, notes = match_labels(inputs, labels)
    matched = found.notna().to_numpy()
    notes = [*labels.attrs.get("notes", []), *notes, *unlabelled_note(inputs, found.notna())]
    kept = table.with_rows(matched)
    picture = [name for name in ("input", "frame") if name in kept.frame.columns]
    several = kept.frame.duplicated(picture).sum()
    if several:
        notes.append(f"faces that share their photo's label with another face of it: {several}")
    return kept, found[matched].to_numpy().astype(str), notes


def column_labels(table: AUTable, name: str) -> tuple[AUTable, np.ndarray, list[str]]:
    """Take the labels from a column of the AU table.

    Parameters
    ----------
    table : AUTable
        The faces.
    name : str
        The column.

    Returns
    -------
    table, y, notes
        As `join_labels` returns them; rows whose label is empty are left out.

    Raises
    ------
    FitError
        Where there is no such column, or it is empty.
    """
    if name not in table.frame.columns:
        known = [column for column in table.frame.columns if column not in table.au_columns]
        raise FitError(f"label column {name!r}: no such column; the table has {', '.join(known[:30])}")
    column = table.frame[name]
    present = (column.notna() & (column.astype(str).str.strip() != "")).to_numpy()
    if not present.any():
        raise FitError(f"label column {name!r}: no row has a label")
    gone = len(present) - int(present.sum())
    notes = [f"{gone} of {len(present)} rows have no label and are left out"] if gone else []
    y, merged = merged_labels(column[present])
    return table.with_rows(present), y, [*notes, *merged]


def group_column(table: AUTable | pd.DataFrame, spec: str) -> np.ndarray:
    r"""Take the persons, or other groups, of rows from a column.

    Parameters
    ----------
    table : AUTable or DataFrame
        The rows.
    spec : str
        A column, such as 'subject'; or a column, a colon and a regular expression whose first
        group (or whole match) is the person: 'input:(S\d+)_' for CK+'s 'S005_001_00000011.png',
        'input:([^/]+)_\d+' for 'faces/First_Last_0001.jpg', 'input:([A-Z]{2})\.' for JAFFE's
        'KA.AN1.39.tiff'.

    Returns
    -------
    (n,) ndarray of str

    Raises
    ------
    FitError
        Where there is no such column, the expression is none, or some rows have no person.
    """
    frame = table.frame if isinstance(table, AUTable) else table
    name, colon, pattern = (spec, "", "") if spec in frame.columns else spec.partition(":")
    if name not in frame.columns:
        known = [str(column) for column in frame.columns if not parse_column(str(column))]
        raise FitError(
            f"groups: no column {name!r}; name one that says who each face is: {', '.join(known[:15])}"
        )
    column = frame[name]
    present = column.notna() & (column.astype("str").str.strip() != "")
    people = column.map(normal_text)
    if colon:
        people = people.map(_first_group(pattern))
        present &= people.notna()
    if not present.all():
        bad = column[~present]
        shown = ", ".join(f"row {row + 1}: {column.iloc[row]!r}" for row in np.flatnonzero(~present)[:3])
        what = f"does not match {pattern!r}" if colon else "is empty"
        raise FitError(
            f"groups: column {name!r} {what} in {len(bad)} of {len(frame)} rows ({shown}); "
            "every row needs its person"
        )
    return np.asarray(people.to_numpy().astype(str))


def _first_group(pattern: str) -> Callable[[str], str | None]:
    try:
        search = re.compile(pattern).search
    except re.error as error:
        raise FitError(f"groups: {pattern!r} is no regular expression ({error})") from None

    def first(text: str) -> str | None:
        found = search(text)
        return (found[1] if found.re.groups else found[0]) if found else None

    return first


def _spellings(names: tuple[str, ...]) -> list[str]:
    return [spelling for name in names for spelling in (name, name.capitalize(), name.upper())]


def _column_of(frame: pd.DataFrame, names: tuple[str, ...], path: Path) -> str:
    by_lower: dict[str, str] = {str(column).lower(): column for column in reversed(list(frame.columns))}
    for name in names:
        if name in by_lower:
            return by_lower[name]
    has = ", ".join(map(str, frame.columns))
    raise FitError(f"{path}: no column {names[0]!r} (or {', '.join(names[1:])}); it has {has}")
