"""From a CSV or Parquet file to the columns of an AU table, as far as reading goes without checking."""

from __future__ import annotations

import csv
import io
import json
import re
import warnings
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from analysis.autable.damage import check_names, check_width, checked_meta, holds_nul, lost_rows
from analysis.autable.dialects import OWN, Dialect, dialect_of
from analysis.autable.videos import VIDEO_NAMES, naming_column, with_fine_times, with_videos
from analysis.autable.write import meta_path
from analysis.errors import TableError
from analysis.files import JsonObject

_MISSING = ["", "NaN", "nan", "NA", "N/A", "null", "NULL", "None"]
_MISSING += [f"{blanks}-nan{kind}" for blanks in ("", " ", "  ") for kind in ("", "(ind)")]  # C++ writes them


@dataclass
class Read:
    """Rows as they came, with `input`, `frame` and `face` filled in, their metadata, and what was changed."""

    frame: pd.DataFrame
    meta: JsonObject
    notes: list[str]


def read_table(path: Path, meta_key: bytes) -> Read:
    """Read rows and metadata, whoever wrote them.

    Parameters
    ----------
    path : Path
        A CSV or Parquet file, or a folder of CSVs with one picture or video each, as OpenFace's
        `FaceLandmarkImg -fdir` writes it.
    meta_key : bytes
        The key of the metadata in a Parquet schema.

    Returns
    -------
    Read
        Metadata are empty where the file carries none and its columns tell nothing.

    Raises
    ------
    TableError
        Where the file is missing or is no such table, or a folder's files do not belong together.
    """
    if path.is_dir():
        return _translated(*_read_folder(path), path)
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise TableError(
            f"{path}: expected an AU table (.csv or .parquet) or a folder of CSVs, "
            f"got {suffix or 'no suffix'}"
        )
    if not path.is_file():
        raise TableError(f"{path}: no such file; expected an AU table, as 'feat-pipeline extract' writes it")
    if suffix == ".parquet":
        frame, meta = _read_parquet(path, meta_key)
        dialect = dialect_of(frame.columns, str(path))
        left_out = [] if meta else dialect.left_out(frame.columns)
        frame = frame.drop(columns=left_out).copy()
        notes: list[str] = []
    else:
        meta = _read_meta(path)
        frame, dialect, left_out, notes = _read_one(path, foreign=not meta)
    notes += lost_rows(path, meta.get("rows"), len(frame))
    if meta:
        return Read(_filled(frame, path), meta, notes)
    frame, named = _with_inputs(frame, path)
    found = _translated(frame, dialect, left_out, path)
    return Read(found.frame, found.meta, [*notes, *named, *found.notes])


def _with_inputs(frame: pd.DataFrame, path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Tell which photo or video each row is of."""
    column = None if "input" in frame.columns else naming_column(frame.columns)
    if column is not None:
        frame = frame.assign(input=frame[column].fillna("").astype(str).str.strip())
        if "frame" not in frame.columns and "face" not in frame.columns:
            frame = frame.assign(frame=frame.groupby("input", sort=False).cumcount())
        return _filled(frame, path), [f"{path.name}: column {column!r} names the photo or video of each row"]
    given = "input" in frame.columns
    frame = _filled(frame, path)
    if given:
        return frame, []
    frame, notes = with_videos(frame, _measured_file(path))
    return frame, [f"{path.name}: {note}" for note in notes]


def _read_one(path: Path, *, foreign: bool = True) -> tuple[pd.DataFrame, Dialect, list[str], list[str]]:
    header = _header(path)
    dialect = dialect_of(header, str(path))
    left_out = dialect.left_out(header) if foreign else []
    text = [name for name in header if name.lower() in VIDEO_NAMES]
    frame = read_csv(path, "input", *text, skip=left_out)
    with path.open(encoding="utf-8-sig") as lines:
        next(lines)
        short = check_width(path, lines, len(header))
    notes = []
    if short:
        some, have = ("row", "has") if len(short) == 1 else ("rows", "have")
        rows = ", ".join(map(str, short[:5])) + (" ..." if len(short) > 5 else "")
        notes.append(
            f"{path.name}: {some} {rows} of {len(frame)} {have} fewer values than the {len(header)} columns; "
            "what lacks counts as missing"
        )
    return frame, dialect, left_out, notes


def _read_folder(folder: Path) -> tuple[pd.DataFrame, Dialect, list[str]]:
    """Read CSVs with the same columns in one go; one by one, 700 columns take long."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv" and path.is_file())
    if not files:
        raise TableError(f"{folder}: no .csv in this folder; expected OpenFace's CSVs, one for each picture")
    header, rows, counts = _header(files[0]), [], []
    for path in files:
        names, *lines = _lines(path)
        if [name.strip() for name in next(csv.reader([names]))] != header:
            raise TableError(
                f"{path}: its columns are not those of {files[0].name} beside it; leave tables of one "
                "kind in the folder, or read them one at a time"
            )
        if short := check_width(path, lines, len(header)):
            raise TableError(f"{path}: row {short[0]} has fewer values than the {len(header)} columns")
        rows += lines
        counts.append(len(lines))
    dialect = dialect_of(header, str(folder))
    left_out = dialect.left_out(header)
    frame = _parse(io.StringIO("\n".join([names, *rows])), header, ("input",), left_out, str(folder))
    if len(frame) != len(rows):
        raise TableError(f"{folder}: some values hold line breaks; read its files one at a time")
    if "input" not in frame.columns:
        inputs = [name for path, n in zip(files, counts, strict=True) for name in [_measured_file(path)] * n]
        frame["input"] = inputs
        if "frame" not in frame.columns and "face" not in frame.columns:
            frame["frame"] = np.concatenate([np.arange(n) for n in counts])
    return _filled(frame, folder), dialect, left_out


def _lines(path: Path) -> list[str]:
    try:
        lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise TableError(f"{path}: not a CSV of UTF-8 text ({error})") from None
    except OSError as error:
        raise TableError(f"{path}: cannot be read ({error.strerror or error})") from None
    if not lines:
        raise TableError(f"{path}: the file is empty; expected a CSV with a line of column names")
    return lines


def _translated(frame: pd.DataFrame, dialect: Dialect, left_out: list[str], path: Path) -> Read:
    found = dialect.translate(frame, str(path))
    notes = [f"{path.name}: {note}" for note in found.notes]
    named = [name for name in left_out if name and not name.startswith("Unnamed")]
    if named:
        some = ", ".join(named[:: max(1, len(named) // 4)][:5])
        notes.append(f"{path.name}: left out {len(named)} columns that nothing here uses, such as {some}")
    frame = found.frame if "face" in found.frame.columns else found.frame.assign(face=0)
    frame, coarse = with_fine_times(frame)
    notes += [f"{path.name}: {note}" for note in coarse]
    if dialect is OWN:
        return Read(frame, {}, notes)
    meta = {"backend": found.backend, "backend_version": found.backend_version, "extra": found.extra}
    return Read(frame, meta | ({"scale": found.scale} if found.scale else {}), notes)


def read_csv(path: Path, *text_columns: str, skip: Collection[str] = ()) -> pd.DataFrame:
    """Read a CSV of any sane dialect.

    Parameters
    ----------
    path : Path
        UTF-8 text, separated by commas; blanks around column names are dropped.
    *text_columns : str
        Columns to take as they stand: a photo named 'NA' is no missing value, nor '007' a number.
    skip : collection of str
        Columns that need not be read.

    Returns
    -------
    DataFrame

    Raises
    ------
    TableError
        Where the file is missing, empty or no such CSV.
    """
    return _parse(path, _header(path), text_columns, skip, str(path))


def _parse(
    csv_file: Path | io.StringIO,
    header: list[str],
    text_columns: Collection[str],
    skip: Collection[str],
    source: str,
) -> pd.DataFrame:
    skipped = set(skip)
    wanted = [name for name in header if name not in skipped]
    if not wanted:
        raise TableError(
            f"{source}: its first line holds no column name that is used; expected such as AU12_r"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                csv_file,
                header=0,
                names=header,
                usecols=wanted if skipped else None,
                index_col=False,
                encoding="utf-8-sig",
                low_memory=False,
                keep_default_na=False,
                na_values={name: _MISSING for name in wanted if name not in text_columns},
                dtype={name: str for name in text_columns if name in header},
            ).copy()
    except pd.errors.ParserWarning:
        raise TableError(
            f"{source}: some rows have more values than the {len(header)} column names"
        ) from None
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise TableError(f"{source}: not a CSV of UTF-8 text ({str(error).splitlines()[0]})") from None
    except OSError as error:
        raise TableError(f"{source}: cannot be read ({error.strerror or error})") from None


def _header(path: Path) -> list[str]:
    if holds_nul(path):
        raise TableError(f"{path}: not a CSV of UTF-8 text (it holds NUL bytes); save it as UTF-8")
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            header = [name.strip() for name in next(csv.reader(lines), [])]
    except (UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{path}: not a CSV of UTF-8 text ({str(error).splitlines()[0]})") from None
    except OSError as error:
        raise TableError(f"{path}: cannot be read ({error.strerror or error})") from None
    if not header:
        raise TableError(f"{path}: the file is empty; expected a CSV with a line of column names")
    if any("\n" in name or "\r" in name for name in header):
        raise TableError(f"{path}: a column name goes on over lines; close its quotation mark")
    separator = next((sign for sign in ";\t" if len(header) == 1 and sign in header[0]), None)
    if separator:
        raise TableError(f"{path}: values are separated by {separator!r}; save it as a CSV with commas")
    check_names(header, path)
    return header


def _read_meta(path: Path) -> JsonObject:
    meta_file = meta_path(path)
    if not meta_file.is_file():
        return {}
    try:
        meta = json.loads(meta_file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise TableError(f"{meta_file}: not readable as JSON ({error}); remove or mend it") from None
    return checked_meta(meta, meta_file)


def _read_parquet(path: Path, meta_key: bytes) -> tuple[pd.DataFrame, JsonObject]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as file:  # of paths pyarrow takes UTF-8 alone
            arrow = pq.read_table(file)
        meta = json.loads((arrow.schema.metadata or {}).get(meta_key, b"{}"))
        frame = arrow.to_pandas(ignore_metadata=True)  # pandas' own trusts what it says there
    except (pa.ArrowException, OSError, ValueError, RecursionError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise TableError(f"{path}: not a Parquet file ({reason})") from None
    names = [str(name).strip() for name in frame.columns]
    check_names(names, path)
    indices = [name for name in names if re.fullmatch(r"__index_level_\d+__", name)]  # as pandas calls them
    return frame.set_axis(names, axis=1).drop(columns=indices), checked_meta(meta, path)


def _filled(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    new: dict[str, str | int | range] = {}
    if "input" not in frame.columns:
        new["input"] = _measured_file(path)
    if "frame" not in frame.columns:
        one_picture = "input" in frame.columns or "face" in frame.columns
        new["frame"] = 0 if one_picture else range(len(frame))
    return frame.assign(**new) if new else frame


def _measured_file(path: Path) -> str:
    """Name the photo or video that a CSV without `input` is about, by OpenFace's details where they are."""
    details = path.with_name(f"{path.stem}_of_details.txt")
    if details.is_file():
        for line in details.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("Input:") and (name := line.removeprefix("Input:").strip()):
                return PurePosixPath(name.replace("\\", "/")).name
    return path.name
