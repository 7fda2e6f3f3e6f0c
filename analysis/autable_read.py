"""From a CSV or Parquet file to the columns of an AU table, as far as reading goes without checking."""

from __future__ import annotations

import csv
import json
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.errors import TableError
from analysis.facs import parse_column

_MISSING = ["", "NaN", "nan", "NA", "N/A", "null", "NULL", "None"]
_OPENFACE_NAMES = {"face_id": "face", "timestamp": "time_s"}


def read_frame(path: Path, *, parquet: bool, meta_key: bytes) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read rows and metadata.

    Parameters
    ----------
    path : Path
        A CSV or Parquet file.
    parquet : bool
        Which of the two it is.
    meta_key : bytes
        The key of the metadata in a Parquet schema.

    Returns
    -------
    frame : DataFrame
        With `input`, `frame` and `face` filled in where the file has none.
    meta : dict
        Empty where the file carries none.

    Raises
    ------
    TableError
        Where the file is missing or is no such table.
    """
    if not path.is_file():
        raise TableError(f"{path}: no such file; expected an AU table, as 'feat-pipeline extract' writes it")
    frame, meta = _read_parquet(path, meta_key) if parquet else (read_csv(path, "input"), _read_meta(path))
    frame = frame.rename(columns={k: v for k, v in _OPENFACE_NAMES.items() if v not in frame.columns})
    return _filled(_failed_as_nan(frame), path), meta


def read_csv(path: Path, *text_columns: str) -> pd.DataFrame:
    """Read a CSV of any sane dialect.

    Parameters
    ----------
    path : Path
        UTF-8 text, separated by commas; blanks around column names are dropped.
    *text_columns : str
        Columns to take as they stand: a photo named 'NA' is no missing value, nor '007' a number.

    Returns
    -------
    DataFrame

    Raises
    ------
    TableError
        Where the file is missing, empty or no such CSV.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            header = [name.strip() for name in next(csv.reader(lines), [])]
        if not header:
            raise TableError(f"{path}: the file is empty; expected a CSV with a line of column names")
        separator = next((sign for sign in ";\t" if len(header) == 1 and sign in header[0]), None)
        if separator:
            raise TableError(f"{path}: values are separated by {separator!r}; save it as a CSV with commas")
        repeated = sorted({name for name in header if header.count(name) > 1})
        if repeated:
            raise TableError(
                f"{path}: columns stand twice: {', '.join(repeated)}; rename or remove one of each"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                path,
                header=0,
                names=header,
                index_col=False,
                encoding="utf-8-sig",
                low_memory=False,
                keep_default_na=False,
                na_values={name: _MISSING for name in header if name not in text_columns},
                dtype={name: str for name in text_columns if name in header},
            ).copy()
    except pd.errors.ParserWarning:
        raise TableError(f"{path}: some rows have more values than the {len(header)} column names") from None
    except (UnicodeDecodeError, csv.Error, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise TableError(f"{path}: not a CSV of UTF-8 text ({str(error).splitlines()[0]})") from None
    except OSError as error:
        raise TableError(f"{path}: cannot be read ({error.strerror or error})") from None


def _read_meta(path: Path) -> dict[str, Any]:
    meta_file = path.with_suffix(".meta.json")
    if not meta_file.is_file():
        return {}
    try:
        meta = json.loads(meta_file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TableError(f"{meta_file}: not readable as JSON ({error}); remove or mend it") from None
    if not isinstance(meta, dict):
        raise TableError(f"{meta_file}: expected a JSON object, got {type(meta).__name__}")
    return meta


def _read_parquet(path: Path, meta_key: bytes) -> tuple[pd.DataFrame, dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        arrow = pq.read_table(path)
        meta = json.loads((arrow.schema.metadata or {}).get(meta_key, b"{}"))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise TableError(f"{path}: not a Parquet file ({str(error).splitlines()[0]})") from None
    frame = arrow.to_pandas()
    return frame.rename(columns={name: str(name).strip() for name in frame.columns}), meta


def _failed_as_nan(frame: pd.DataFrame) -> pd.DataFrame:
    if "success" not in frame.columns:
        return frame
    failed = pd.to_numeric(frame["success"], errors="coerce") == 0
    aus = [name for name in frame.columns if parse_column(name)]
    if failed.any() and aus:
        frame[aus] = frame[aus].mask(failed, axis=0)
    return frame


def _filled(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    new: dict[str, Any] = {}
    if "input" not in frame.columns:
        new["input"] = path.name
    if "frame" not in frame.columns:
        new["frame"] = 0 if "input" in frame.columns else range(len(frame))
    if "face" not in frame.columns:
        new["face"] = 0
    return frame.assign(**new) if new else frame
