"""CSVs of any sane dialect: separators, decimal commas, and which cells are numbers, which text."""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.au_names import BARE, read_names
from analysis.autable.damage import check_names, holds_nul
from analysis.columns import ID_COLUMNS
from analysis.errors import TableError
from analysis.facs import parse_column

_MISSING = ["", "NaN", "nan", "NA", "N/A", "null", "NULL", "None"]
_MISSING += [f"{blanks}-nan{kind}" for blanks in ("", " ", "  ") for kind in ("", "(ind)")]  # C++ writes them
_BLANK = frozenset(mark.strip() for mark in _MISSING)
_NUMBER_CELL = re.compile(r"[+-]?((0|[1-9]\d*)(\.\d*)?|\.\d+)(e[+-]?\d+)?|[+-]?inf(inity)?", re.IGNORECASE)
"""'007' is none: it names something."""
_NUMERIC = {*ID_COLUMNS} - {"input"}
_POINTS = re.compile(r"[xyzXYZ]_\d+|pose_.+|gaze_.+|eye_lmk_.+|mesh_.+|p_.+")
_LOOKED_AT = 2000  # rows that tell whether numbers have points or commas
_COMMA_NUMBER = re.compile(r"[+-]?\d*,\d+(e[+-]?\d+)?", re.IGNORECASE)
_NAMES = {";": "semicolons", "\t": "tabs"}


@dataclass(frozen=True)
class Layout:
    """How a CSV is written.

    Attributes
    ----------
    names : list of str
        Its columns, without blanks around them.
    separator, decimal : str
    skipped : int
        Lines before that of the names.
    """

    names: list[str]
    separator: str = ","
    decimal: str = "."
    skipped: int = 0

    @property
    def notes(self) -> list[str]:
        """What is unusual about it."""
        found = [f"values separated by {_NAMES[self.separator]}"] if self.separator != "," else []
        found += ["numbers with decimal commas"] if self.decimal == "," else []
        return [f"read as {' and '.join(found)}"] if found else []


def read_csv(path: Path, *text_columns: str, skip: Collection[str] = ()) -> pd.DataFrame:
    """Read a CSV of any sane dialect.

    Parameters
    ----------
    path : Path
        UTF-8 text, separated by commas, semicolons or tabs, numbers with points or commas; blanks around
        column names are dropped.
    *text_columns : str
        Columns to take as they stand: a photo named 'NA' is no missing value, nor '007' a number.
    skip : collection of str
        Columns that need not be read.

    Returns
    -------
    DataFrame
        A column that is no measurement holds numbers only if all its cells are some; else 'NA', 'nan',
        'None' and 'null' are text in it, as a person may be called. ``attrs['notes']`` tells what is
        unusual about the file.

    Raises
    ------
    TableError
        Where the file is missing, empty or no such CSV.
    """
    layout = layout_of(path)
    frame = parse(path, layout, text_columns, skip, str(path))
    frame.attrs["notes"] = [f"{path.name}: {note}" for note in layout.notes]
    return frame


def layout_of(path: Path) -> Layout:
    """Tell how a CSV is written, by its line of names and its first rows; TableError as `read_csv`."""
    if holds_nul(path):
        raise TableError(f"{path}: not a CSV of UTF-8 text (it holds NUL bytes); save it as UTF-8")
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            first = next(lines, "")
            stated = re.fullmatch(r'"?sep=(.)"?', first.strip())  # as Excel writes it
            rest = [next(lines, "")] if stated else [first]
            rest += islice(lines, _LOOKED_AT)
        by_sign = {sign: next(csv.reader(rest, delimiter=sign), []) for sign in (",", ";", "\t")}
        separator = (
            stated[1] if stated and stated[1] in by_sign else max(by_sign, key=lambda s: len(by_sign[s]))
        )
        header = [name.strip() for name in by_sign[separator]]
        cells = (
            cell.strip() for row in islice(csv.reader(rest, delimiter=separator), 1, None) for cell in row
        )
        decimal = "," if any(map(_COMMA_NUMBER.fullmatch, cells)) else "."
    except (UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{path}: not a CSV of UTF-8 text ({str(error).splitlines()[0]})") from None
    except OSError as error:
        raise TableError(f"{path}: cannot be read ({error.strerror or error})") from None
    if not header:
        raise TableError(f"{path}: the file is empty; expected a CSV with a line of column names")
    if any("\n" in name or "\r" in name for name in header):
        raise TableError(f"{path}: a column name goes on over lines; close its quotation mark")
    check_names(header, path)
    return Layout(header, separator, decimal, 1 if stated else 0)


def with_au_names(layout: Layout, source: str) -> Layout:
    """Write the AU columns among the names as this project does; TableError where two are the same."""
    return replace(layout, names=read_names(layout.names, source))


def parse(
    csv_file: Path | io.StringIO,
    layout: Layout,
    text_columns: Collection[str],
    skip: Collection[str],
    source: str,
) -> pd.DataFrame:
    """Read the rows of a CSV; see `read_csv`."""
    skipped = set(skip)
    wanted = [name for name in layout.names if name not in skipped]
    if not wanted:
        raise TableError(
            f"{source}: its first line holds no column name that is used; expected such as AU12_r"
        )
    text = {name for name in wanted if name in text_columns or not _is_measured(name)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                csv_file,
                sep=layout.separator,
                decimal=layout.decimal,
                header=0,
                skiprows=layout.skipped,
                names=layout.names,
                usecols=wanted if skipped else None,
                index_col=False,
                encoding="utf-8-sig",
                low_memory=False,
                keep_default_na=False,
                na_values={name: _MISSING for name in wanted if name not in text},
                dtype=dict.fromkeys(text, str),
            ).copy()
    except pd.errors.ParserWarning:
        raise TableError(
            f"{source}: some rows have more values than the {len(layout.names)} column names"
        ) from None
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise TableError(f"{source}: not a CSV of UTF-8 text ({str(error).splitlines()[0]})") from None
    except OSError as error:
        raise TableError(f"{source}: cannot be read ({error.strerror or error})") from None
    open_columns = text.difference(text_columns)
    if not open_columns:
        return frame
    return pd.DataFrame(
        {
            name: _typed(frame[name], layout.decimal) if name in open_columns else frame[name]
            for name in wanted
        }
    )


def _is_measured(name: str) -> bool:
    return bool(parse_column(name) or BARE.fullmatch(name) or name in _NUMERIC or _POINTS.fullmatch(name))


def _typed(column: pd.Series, decimal: str) -> pd.Series:
    """Make numbers or truth values of a column of text if all its cells are some."""
    # plain lists: of a table of thousands of columns, each of pandas' text methods would cost milliseconds
    cells = ["" if cell is None or cell != cell else str(cell).strip() for cell in column.tolist()]
    given = [cell for cell in cells if cell not in _BLANK]
    if set(given) <= {"True", "False"} and len(given) == len(cells):
        return pd.Series([cell == "True" for cell in cells], index=column.index)
    points = [cell.replace(",", ".") for cell in given] if decimal == "," else given
    if all(map(_NUMBER_CELL.fullmatch, points)) and (given or not any(cells)):
        numbers = iter(pd.to_numeric(np.array(points, dtype=object), errors="coerce").tolist())
        values = [np.nan if cell in _BLANK else next(numbers) for cell in cells]
        return pd.Series(values, index=column.index, dtype=None if given else float)
    return column.where(pd.Series([cell != "" for cell in cells], index=column.index), None)


def lines_of(path: Path) -> list[str]:
    """Read the lines of a CSV that hold something; TableError where it is no text, or empty."""
    try:
        lines: Iterable[str] = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise TableError(f"{path}: not a CSV of UTF-8 text ({error})") from None
    except OSError as error:
        raise TableError(f"{path}: cannot be read ({error.strerror or error})") from None
    found = [line for line in lines if line.strip()]
    if not found:
        raise TableError(f"{path}: the file is empty; expected a CSV with a line of column names")
    return found
