"""What several runs write alike: a result of an analysis with its tables, and what measured the AUs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from analysis import filenames
from feat_pipeline.files import named_errors
from feat_pipeline.output.folder import OutputFolder

if TYPE_CHECKING:
    import pandas as pd

    from analysis.autable import AUTable


class Result(Protocol):
    """A result of `analysis`: facts and tables."""

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Tables by name."""

    def save(self, folder: str | Path) -> Path:
        """Write facts and tables into a folder, as one file."""


def write_result(
    folder: OutputFolder, result: Result, tables: Iterable[str], record: Mapping[str, Any]
) -> None:
    """Write a result, some of its tables as CSV, and ``run.json``.

    Parameters
    ----------
    folder : OutputFolder
    result : Result
    tables : iterable of str
        Names of the tables; each becomes ``<name>.csv``.
    record : mapping
        Content of ``run.json``.

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    with named_errors(folder.path):
        result.save(folder.path)
    for name in tables:
        folder.write(f"{name}.csv", result.tables[name].to_csv(index=False, float_format="%.6g"))
    folder.write_json(filenames.RUN, record)


def backend_of(table: AUTable) -> dict[str, str]:
    """Return what ``run.json`` says of the backend that measured a table."""
    return {"name": table.backend, "version": table.backend_version, "scale": table.scale}
