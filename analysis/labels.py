"""Which emotion each row of an AU table was labelled with, and whose face it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from analysis.autable import AUTable
from analysis.autable.csvs import read_csv
from analysis.errors import FitError, TableError
from analysis.facs import canonical_emotion, parse_column

_INPUT_NAMES = ("input", "image", "file", "path", "filename", "file_name", "image_path")
_LABEL_NAMES = ("label", "emotion", "expression", "class")


def read_labels(path: str | Path, *further: str, unique: bool = True) -> pd.DataFrame:
    """Read a file of labels.

    Parameters
    ----------
    path : str or Path
        A CSV with a column `input` (or `image`, `file`, `path`, `filename`, `file_name`, `image_path`)
        that names the photo and a column `label` (or `emotion`, `expression`, `class`); or a folder
        with one sub-folder an emotion, whose name labels the files in it.
    *further : str
        Other columns to keep, as text, where the file has them.
    unique : bool
        Whether an input that is labelled in two ways is an error; else it has two rows.

    Returns
    -------
    DataFrame
        Columns `input` (str) and `label` (str, aliases such as 'happiness' made canonical), and
        those of `further` that there are. Rows without a label are left out.

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
        input=raw[image].fillna("").map(str.strip), label=raw[label].fillna("").map(canonical_emotion)
    )
    labels = labels[(labels["label"] != "") & (labels["input"] != "")].drop_duplicates(ignore_index=True)
    if labels.empty:
        raise FitError(f"{path}: no row has both {image} and {label}")
    twice = labels.loc[labels["input"].duplicated(), "input"]
    if unique and len(twice):
        name = twice.iloc[0]
        given = ", ".join(labels.loc[labels["input"] == name, "label"])
        raise FitError(
            f"{path}: {name} is labelled {given} ({len(twice)} such inputs); keep one label of each"
        )
    return labels


def _folder_labels(folder: Path) -> pd.DataFrame:
    files = sorted(path for path in folder.glob("*/**/*") if path.is_file() and not path.name.startswith("."))
    if not files:
        raise FitError(f"{folder}: no file in a sub-folder; expected one sub-folder an emotion")
    labels = [canonical_emotion(path.relative_to(folder).parts[0]) for path in files]
    return pd.DataFrame({"input": [path.as_posix() for path in files], "label": labels})


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
    if not matched.all():
        left = inputs[~matched]
        notes.append(
            f"{len(left)} of {len(inputs)} rows have no label and are left out, such as {left.iloc[0]}"
        )
    kept = table.with_rows(matched)
    picture = [name for name in ("input", "frame") if name in kept.frame.columns]
    several = kept.frame.duplicated(picture).sum()
    if several:
        notes.append(f"faces that share their photo's label with another face of it: {several}")
    return kept, found[matched].to_numpy().astype(str), notes


def match_labels(
    inputs: pd.Series, labels: pd.DataFrame, column: str = "label"
) -> tuple[pd.Series, list[str]]:
    """Look the labels of files up by their names.

    Parameters
    ----------
    inputs : (n,) Series of str
        Files, as a table names them.
    labels : DataFrame
        As `read_labels` returns it.
    column : str
        Its column to look up.

    Returns
    -------
    found : (n,) Series
        NaN where there is no label.
    notes : list of str
        How the names were matched.

    Raises
    ------
    FitError
        Where no file has a label; with examples of both sides.

    Notes
    -----
    A file is matched by its whole name, else by that without its folder, else also without its
    ending; the latter two only where they stand for one file on both sides.
    """
    found = inputs.map(dict(zip(labels["input"], labels[column], strict=True)))
    notes = []
    for what, shorten in (("file name", _name), ("file name without ending", _stem)):
        unmatched = found.isna()
        if not unmatched.any():
            break
        short = inputs[unmatched].map(_unambiguous(inputs, labels, column, shorten))
        if short.notna().any():
            found = found.fillna(short)
            notes.append(f"{short.notna().sum()} of {len(inputs)} rows found their label by {what}")
    if found.isna().all():
        raise FitError(
            f"no label matches a row: labels name {_examples(labels['input'])}, "
            f"the table {_examples(inputs)}; their file names must agree"
        )
    return found, notes


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
    y = np.array([canonical_emotion(_label_text(label)) for label in column[present]], dtype=str)
    return table.with_rows(present), y, notes


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
    people = column.map(_label_text).str.strip()
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


def _label_text(value: object) -> str:
    """Write 3.0 as 3: an empty cell elsewhere makes a column of whole numbers one of floats."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _spellings(names: tuple[str, ...]) -> list[str]:
    return [spelling for name in names for spelling in (name, name.capitalize(), name.upper())]


def _column_of(frame: pd.DataFrame, names: tuple[str, ...], path: Path) -> str:
    by_lower: dict[str, str] = {str(column).lower(): column for column in reversed(list(frame.columns))}
    for name in names:
        if name in by_lower:
            return by_lower[name]
    has = ", ".join(map(str, frame.columns))
    raise FitError(f"{path}: no column {names[0]!r} (or {', '.join(names[1:])}); it has {has}")


def _name(path: str) -> str:
    return PurePosixPath(path.replace("\\", "/")).name


def _stem(path: str) -> str:
    return PurePosixPath(_name(path)).stem


def _unambiguous(
    inputs: pd.Series, labels: pd.DataFrame, column: str, shorten: Callable[[str], str]
) -> dict[str, str]:
    """Map whole inputs to labels over a shorter name that stands for one file on either side."""
    short = labels["input"].map(shorten)
    once = ~short.duplicated(keep=False)
    label_of = dict(zip(short[once], labels[column][once], strict=True))
    whole = pd.Series(inputs.unique())
    names = whole.map(shorten)
    alone = ~names.duplicated(keep=False) & names.isin(label_of)
    return dict(zip(whole[alone], names[alone].map(label_of), strict=True))


def _examples(names: pd.Series) -> str:
    return ", ".join(repr(name) for name in names.iloc[:2])
