"""Results as facts and tables, in one JSON file that comes back number for number."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from analysis import filenames
from analysis.errors import AnalysisError
from analysis.files import JsonObject, atomic_path

if TYPE_CHECKING:
    import pandas as pd

VERSION = 1


class Result(Protocol):
    """What an analysis found, such as an `Inference`: facts, and tables by name."""

    @property
    def facts(self) -> JsonObject:
        """Numbers, words and lists, as JSON holds them."""

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Tables of numbers, booleans or text."""


def save_result(
    folder: str | Path, kind: str, facts: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Path:
    """Write a result, atomically.

    Parameters
    ----------
    folder : str or Path
        Takes the file `<kind>.json`.
    kind : str
        'inference', 'comparison', 'surrogate' or 'agreement'.
    facts : mapping of str to JSON values
        Numbers, words and lists; NaN is written as null.
    tables : mapping of str to DataFrame
        Columns of numbers, booleans or text; the index is left out.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OSError
        Where it cannot be written.
    """
    content = {"format": kind, "version": VERSION, "facts": plain(facts)}
    content["tables"] = {
        name: {"columns": [str(c) for c in table.columns], "rows": plain(table.to_numpy(dtype=object))}
        for name, table in tables.items()
    }
    target = Path(folder) / filenames.result_file(kind)
    with atomic_path(target) as temporary:
        temporary.write_text(
            json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n",
            encoding="utf-8",
            errors="backslashreplace",
        )
    return target


def load_result(folder: str | Path, kind: str) -> tuple[JsonObject, dict[str, pd.DataFrame]]:
    """Read a result that `save_result` wrote.

    Parameters
    ----------
    folder : str or Path
        Holds `<kind>.json`.
    kind : str
        As for `save_result`.

    Returns
    -------
    facts : dict
    tables : dict of str to DataFrame
        A null in a column of numbers comes back as NaN.

    Raises
    ------
    AnalysisError
        Where the file is missing or is no such result.
    """
    import pandas as pd

    file = Path(folder) / filenames.result_file(kind)
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["format"] != kind or content["version"] != VERSION:
            raise ValueError(f"format {content['format']!r}, version {content['version']!r}")
        tables = {
            name: pd.DataFrame(table["rows"], columns=table["columns"]).infer_objects()
            for name, table in content["tables"].items()
        }
        return content["facts"], tables
    except OSError as error:
        raise AnalysisError(f"{file}: cannot be read ({error.strerror or error})") from None
    except (KeyError, TypeError, ValueError) as error:
        raise AnalysisError(f"{file}: expected a result of kind {kind!r} ({error}); make it again") from None


def plain(value: Any) -> Any:
    """Turn numpy values, arrays and mappings into what JSON knows; NaN and infinity become null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset, np.ndarray)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    return None if isinstance(value, float) and not np.isfinite(value) else value
