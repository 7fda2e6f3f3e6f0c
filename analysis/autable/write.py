"""AU tables into a file, part by part, so that a long one never stands in memory as a whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from analysis.errors import TableError
from analysis.files import JsonObject, atomic_path

if TYPE_CHECKING:
    import pandas as pd

META_KEY = b"autable"


class Table(Protocol):
    """What is written of an `AUTable`: its rows, and the metadata that travel with them."""

    frame: pd.DataFrame

    @property
    def meta(self) -> JsonObject:
        """Backend, scale, columns; must be JSON."""


def write_tables(tables: Iterable[Table], path: str | Path, *, rows: int) -> Path:
    """Write tables one below the other, with the metadata of the first, atomically.

    Parameters
    ----------
    tables : iterable of Table, such as AUTable
        At least one; all with the columns of the first.
    path : str or Path
        Ends in `.csv` (metadata go to `<stem>.meta.json` beside it; six significant digits) or `.parquet`
        (metadata inside; exact; one row group a table).
    rows : int
        Their rows together, for the metadata.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    TableError
        For another suffix, no table, or a table with other columns.
    OSError
        Where the folder cannot be written.
    """
    path = Path(path)
    check_suffix(path)
    upcoming = iter(tables)
    first = next(upcoming, None)
    if first is None:
        raise TableError(f"{path}: expected at least one table, got none")
    meta = {**first.meta, "rows": rows}
    frames = _alike(chain([first], upcoming), list(first.frame.columns), path)
    if path.suffix.lower() == ".parquet":
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            _write_parquet(frames, file, meta)
        return path
    with atomic_path(path) as temporary:
        _write_csv(frames, temporary)
        with atomic_path(meta_path(path)) as described:
            described.write_text(json.dumps(meta, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def meta_path(path: str | Path) -> Path:
    """Where the metadata of a CSV stand: `aus.meta.json` beside `aus.csv`."""
    return Path(path).with_suffix(".meta.json")


def check_suffix(path: Path) -> None:
    """Refuse a file that is neither `.csv` nor `.parquet`, by `TableError`."""
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise TableError(f"{path}: an AU table ends in .csv or .parquet, got {path.suffix or 'no suffix'}")


def _alike(tables: Iterable[Table], columns: list[str], path: Path) -> Iterator[pd.DataFrame]:
    for table in tables:
        if list(table.frame.columns) != columns:
            raise TableError(f"{path}: the tables differ in their columns; write them to files of their own")
        yield table.frame


def _write_csv(frames: Iterable[pd.DataFrame], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        for number, frame in enumerate(frames):
            text = frame.copy(deep=False)
            if "time_s" in text and text["time_s"].dtype.kind == "f":
                text["time_s"] = [f"{s:.10g}" if s == s else "" for s in text["time_s"]]
            text.to_csv(file, index=False, header=number == 0, float_format="%.6g", lineterminator="\n")


def _write_parquet(frames: Iterable[pd.DataFrame], file: BinaryIO, meta: JsonObject) -> None:
    """Write into an open file: of paths pyarrow takes UTF-8 alone."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = None
    try:
        for frame in frames:
            arrow = pa.Table.from_pandas(frame, preserve_index=False)
            if writer is None:
                described = {**(arrow.schema.metadata or {}), META_KEY: json.dumps(meta).encode()}
                schema = arrow.schema.with_metadata(described)
                writer = pq.ParquetWriter(file, schema)
            writer.write_table(arrow.cast(schema))
    finally:
        if writer is not None:
            writer.close()
