"""What an extraction that was stopped left measured, so that no other run takes it away in silence."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from analysis.files import JsonObject
from feat_pipeline.errors import OutputError
from feat_pipeline.extract.engine.chunks import FileState

logger = logging.getLogger(__name__)

FOLDER = ".unfinished"
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class KeptWork:
    """What lies measured in a folder of results.

    Parameters
    ----------
    out : Path
        Folder of the results.
    chunks : dict of str to (int, list of FileState)
        Frames of each measured chunk and the state of its files at that time, by its key.
    total : int
        Frames of the whole work, measured or not.
    unit, command : str
        ``photos`` or ``frames``, and what a user types to go on.
    settings : dict
        See `feat_pipeline.extract.engine.unfinished.UnfinishedRows`.
    """

    out: Path
    chunks: dict[str, tuple[int, list[FileState]]]
    total: int
    unit: str = "parts"
    command: str = ""
    settings: JsonObject | None = None

    @property
    def measured(self) -> int:
        """How many frames are measured."""
        return sum(count for count, _ in self.chunks.values())

    def without(self, keys: Iterable[str]) -> KeptWork:
        """Leave out some chunks."""
        away = set(keys)
        return replace(self, chunks={key: each for key, each in self.chunks.items() if key not in away})

    def refusal(self, why: str = "") -> OutputError:
        """Return the error that says how much is kept and how to go on with it."""
        return OutputError(
            f"{self}{why}; to go on with it: {self.command or 'the command that began it'}; "
            f"add --overwrite to drop it, or name another folder with --out"
        )

    def __str__(self) -> str:
        measured = f"{self.measured:,} of {self.total:,} {self.unit} measured"
        return f"{self.out}: holds {measured} by an extraction that was stopped"


def kept_work(out: Path) -> KeptWork | None:
    """Find what a stopped extraction left in a folder of results; None where nothing is measured."""
    try:
        keys = {file.stem for file in (out / FOLDER).glob("*.parquet")}
    except OSError:
        return None
    if not keys:
        return None
    try:
        known = json.loads((out / FOLDER / MANIFEST).read_text(encoding="utf-8"))
        planned = {str(key): (int(frames), list(files)) for key, (frames, files) in known["chunks"].items()}
        unit, command, settings = str(known["unit"]), str(known["command"]), dict(known["settings"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError):  # damaged, or of an earlier version
        return KeptWork(out, {key: (1, []) for key in keys}, len(keys))
    kept = {key: planned[key] for key in planned if key in keys}
    total = sum(count for count, _ in planned.values())
    return KeptWork(out, kept, total, unit, command, settings) if kept else None


def check_no_kept_work(out: Path, *, overwrite: bool) -> None:
    """Refuse a folder in which an extraction is unfinished, for a run that would not go on with it.

    Raises
    ------
    OutputError
        Something is kept there, and `overwrite` is false.
    """
    kept = None if overwrite else kept_work(out)
    if kept is not None:
        raise kept.refusal()


def drop_kept_work(out: Path) -> None:
    """Remove what a stopped extraction left in a folder of results, and say so."""
    kept = kept_work(out)
    if kept is not None:
        logger.warning("%s, dropped by --overwrite", kept)
        shutil.rmtree(out / FOLDER)
