"""Damage to a table's file that pandas passes over: NUL bytes, short rows, metadata that do not fit."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from analysis.errors import TableError
from analysis.files import JsonObject

MOST_COLUMNS = 10_000
"""OpenFace writes some 700, py-feat 2,000; pandas takes seconds for more than this."""

_JSON_NAMES = {str: "text", int: "a whole number", dict: "an object"}


def holds_nul(path: Path) -> bool:
    """Whether a file is UTF-16 or another that is no text, or was overwritten by a copy that broke off."""
    try:
        with path.open("rb") as file:
            return any(b"\0" in part for part in iter(lambda: file.read(1 << 20), b""))
    except OSError as error:
        raise TableError(f"{path}: cannot be read ({error.strerror or error})") from None


def check_names(names: list[str], path: Path) -> None:
    """Refuse columns with the same name, and more of them than any program writes."""
    if len(names) > MOST_COLUMNS:
        raise TableError(f"{path}: {len(names):,} columns; expected a table of at most {MOST_COLUMNS:,}")
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        shown = ", ".join(map(repr, repeated[:5])) + (" ..." if len(repeated) > 5 else "")
        raise TableError(f"{path}: columns stand twice: {shown}; rename or remove one of each")


def check_width(path: Path, rows: Iterable[str], width: int, separator: str = ",") -> list[int]:
    """Refuse rows with too many values, and return the numbers of those with too few.

    Of the first pandas tells nothing where columns are skipped, of the second nothing at all. Rows with
    quotation marks are left to it.
    """
    short, total, inside = [], 0, False
    for row in rows:
        quoted = inside or '"' in row
        inside ^= row.count('"') % 2 == 1  # a quoted value may go on over lines
        if inside or not row.strip():
            continue
        total += 1
        if quoted:
            continue
        if row.rstrip(f"{separator} \n").count(separator) >= width:
            mend = "; with commas between values numbers must have points" if separator == "," else ""
            raise TableError(f"{path}: row {total} has more values than the {width} column names{mend}")
        if row.count(separator) < width - 1:
            short.append(total)
    if total and len(short) == total:
        raise TableError(
            f"{path}: every row has fewer values than the {width} column names; "
            f"expected {separator!r} between them, as between the names"
        )
    return short


def checked_meta(meta: object, source: Path) -> JsonObject:
    """Refuse metadata that nothing here wrote."""
    if not isinstance(meta, dict):
        raise TableError(f"{source}: expected metadata as a JSON object, got {type(meta).__name__}")
    kinds = {"backend": str, "backend_version": str, "scale": str, "rows": int, "extra": dict}
    for name, kind in kinds.items():
        if not isinstance(meta.get(name, kind()), kind):
            raise TableError(
                f"{source}: {name}: expected {_JSON_NAMES[kind]}, got {str(meta[name])[:40]!r}; "
                "mend or remove the file"
            )
    try:
        json.dumps(meta, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise TableError(f"{source}: not readable as text ({error.reason}); remove or mend it") from None
    return meta


def lost_rows(path: Path, stated: int | None, rows: int) -> list[str]:
    """Tell of rows that the metadata count otherwise, as of a file that was cut off."""
    if stated in (None, rows):
        return []
    return [f"{path.name}: holds {rows} rows, its metadata say {stated}: rows were lost, removed or added"]
