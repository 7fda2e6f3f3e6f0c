"""From a CSV or Parquet file to the columns of an AU table, as far as reading goes without checking."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from analysis.au_names import read_names, reading_notes
from analysis.autable.csvs import layout_of, lines_of, parse, with_au_names
from analysis.autable.damage import check_names, check_width, checked_meta, lost_rows
from analysis.autable.dialects import OWN, Dialect, dialect_of
from analysis.autable.videos import VIDEO_NAMES, naming_column, with_fine_times, with_videos
from analysis.autable.write import meta_path
from analysis.columns import ID_COLUMNS, POSE_COLUMNS
from analysis.errors import TableError
from analysis.facs import parse_column
from analysis.files import JsonObject


@dataclass
class Read:
    """Rows as they came, with `input`, `frame` and `face` filled in, their metadata, and what was changed."""

    frame: pd.DataFrame
    meta: JsonObject
    notes: list[str]


def read_table(path: Path, meta_key: bytes, text_columns: Collection[str] = ()) -> Read:
    """Read rows and metadata, whoever wrote them.

    Parameters
    ----------
    path : Path
        A CSV or Parquet file, or a folder of CSVs with one picture or video each, as OpenFace's
        `FaceLandmarkImg -fdir` writes it.
    meta_key : bytes
        The key of the metadata in a Parquet schema.
    text_columns : collection of str
        Columns to take as text, such as labels and persons.

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
        frame, dialect, left_out, notes = _read_folder(path, text_columns)
        found = _translated(frame, dialect, left_out, path)
        return Read(found.frame, found.meta, [*notes, *found.notes])
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise TableError(
            f"{path}: expected an AU table (.csv or .parquet) or a folder of CSVs, "
            f"got {suffix or 'no suffix'}"
        )
    if not path.is_file():
        raise TableError(f"{path}: no such file; expected an AU table, as 'feat-pipeline extract' writes it")
    if suffix == ".parquet":
        frame, meta, notes = _read_parquet(path, meta_key)
        dialect = dialect_of(frame.columns, str(path))
        left_out = [] if meta else dialect.left_out(frame.columns)
        frame = frame.drop(columns=left_out).copy()
    else:
        meta = _read_meta(path)
        frame, dialect, left_out, notes = _read_one(path, text_columns, foreign=not meta)
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


def _read_one(
    path: Path, text_columns: Collection[str], *, foreign: bool = True
) -> tuple[pd.DataFrame, Dialect, list[str], list[str]]:
    as_written = layout_of(path)
    layout = with_au_names(as_written, str(path))
    header = layout.names
    dialect = dialect_of(header, str(path))
    left_out = dialect.left_out(header) if foreign else []
    text = [name for name in header if name.lower() in VIDEO_NAMES]
    frame = parse(path, layout, ("input", *text, *text_columns), left_out, str(path))
    with path.open(encoding="utf-8-sig") as lines:
        short = check_width(path, islice(lines, 1 + layout.skipped, None), len(header), layout.separator)
    notes = [f"{path.name}: {note}" for note in (*layout.notes, *reading_notes(as_written.names, header))]
    if short:
        some, have = ("row", "has") if len(short) == 1 else ("rows", "have")
        rows = ", ".join(map(str, short[:5])) + (" ..." if len(short) > 5 else "")
        notes.append(
            f"{path.name}: {some} {rows} of {len(frame)} {have} fewer values than the {len(header)} columns; "
            "what lacks counts as missing"
        )
    return frame, dialect, left_out, notes


def _read_folder(
    folder: Path, text_columns: Collection[str]
) -> tuple[pd.DataFrame, Dialect, list[str], list[str]]:
    """Read CSVs with the same columns in one go; one by one, 700 columns take long."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv" and path.is_file())
    if not files:
        raise TableError(f"{folder}: no .csv in this folder; expected OpenFace's CSVs, one for each picture")
    as_written, rows, counts = layout_of(files[0]), [], []
    for path in files:
        names, *lines = lines_of(path)[as_written.skipped :]
        found = [name.strip() for name in next(csv.reader([names], delimiter=as_written.separator))]
        if found != as_written.names:
            raise TableError(
                f"{path}: its columns are not those of {files[0].name} beside it; leave tables of one "
                "kind in the folder, or read them one at a time"
            )
        if short := check_width(path, lines, len(found), as_written.separator):
            raise TableError(f"{path}: row {short[0]} has fewer values than the {len(found)} columns")
        rows += lines
        counts.append(len(lines))
    layout = replace(with_au_names(as_written, str(folder)), skipped=0)
    dialect = dialect_of(layout.names, str(folder))
    left_out = dialect.left_out(layout.names)
    text = io.StringIO("\n".join([names, *rows]))
    frame = parse(text, layout, ("input", *text_columns), left_out, str(folder))
    if len(frame) != len(rows):
        raise TableError(f"{folder}: some values hold line breaks; read its files one at a time")
    if "input" not in frame.columns:
        inputs = [name for path, n in zip(files, counts, strict=True) for name in [_measured_file(path)] * n]
        frame["input"] = inputs
        if "frame" not in frame.columns and "face" not in frame.columns:
            frame["frame"] = np.concatenate([np.arange(n) for n in counts])
    notes = [*layout.notes, *reading_notes(as_written.names, layout.names)]
    return _filled(frame, folder), dialect, left_out, [f"{folder.name}: {note}" for note in notes]


def _translated(frame: pd.DataFrame, dialect: Dialect, left_out: list[str], path: Path) -> Read:
    found = dialect.translate(frame, str(path))
    notes = [f"{path.name}: {note}" for note in found.notes]
    named = [name for name in left_out if name and not name.startswith("Unnamed")]
    if named:
        some = ", ".join(named[:: max(1, len(named) // 4)][:5])
        notes.append(f"{path.name}: left out {len(named)} columns that nothing here uses, such as {some}")
    unused = [name for name in found.frame.columns if _is_unused(name, found.frame[name])]
    if unused:
        some = ", ".join(unused[:3]) + (", ..." if len(unused) > 3 else "")
        notes.append(
            f"{path.name}: columns of numbers that are no AUs and no model uses: {len(unused)} ({some})"
        )
    frame = found.frame if "face" in found.frame.columns else found.frame.assign(face=0)
    frame, coarse = with_fine_times(frame)
    notes += [f"{path.name}: {note}" for note in coarse]
    if dialect is OWN and not found.scale:
        return Read(frame, {}, notes)
    meta = {"backend": found.backend, "backend_version": found.backend_version, "extra": found.extra}
    return Read(frame, meta | ({"scale": found.scale} if found.scale else {}), notes)


def _is_unused(name: str, values: pd.Series) -> bool:
    """Whether a column looks like a measurement, with fractions, and is none that is known here."""
    if name in {*ID_COLUMNS, *POSE_COLUMNS} or parse_column(name) or re.fullmatch(r"[xy]_\d+", name):
        return False
    return bool(values.dtype.kind == "f" and (values.dropna() % 1 != 0).any())


def _read_meta(path: Path) -> JsonObject:
    meta_file = meta_path(path)
    if not meta_file.is_file():
        return {}
    try:
        meta = json.loads(meta_file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise TableError(f"{meta_file}: not readable as JSON ({error}); remove or mend it") from None
    return checked_meta(meta, meta_file)


def _read_parquet(path: Path, meta_key: bytes) -> tuple[pd.DataFrame, JsonObject, list[str]]:
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
    as_written = [str(name).strip() for name in frame.columns]
    check_names(as_written, path)
    names = read_names(as_written, str(path))
    indices = [name for name in names if re.fullmatch(r"__index_level_\d+__", name)]  # as pandas calls them
    notes = [f"{path.name}: {note}" for note in reading_notes(as_written, names)]
    return frame.set_axis(names, axis=1).drop(columns=indices), checked_meta(meta, path), notes


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
