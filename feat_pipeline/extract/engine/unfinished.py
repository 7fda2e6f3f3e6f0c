"""What an extraction has measured so far, so that a run that was killed goes on where it was."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.files import atomic_path
from feat_pipeline.extract.engine.chunks import Chunk, is_changed, unit_of
from feat_pipeline.extract.engine.kept import FOLDER, MANIFEST, KeptWork, kept_work
from feat_pipeline.extract.tally import Tally

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

_TALLY = b"tally"


class UnfinishedRows:
    """One Parquet file for each measured chunk, in a hidden folder beside the results.

    Parameters
    ----------
    out : Path
        Folder of the results.
    settings : dict
        What the numbers depend on besides the inputs: backend, detector, versions. A part is named by a
        digest of these and of its inputs' names, sizes and times of change, so that nothing is taken over
        that would come out otherwise now.
    command : str
        What a user types to go on with this work.
    """

    def __init__(self, out: Path, settings: dict[str, Any], command: str = "") -> None:
        self.folder = out / FOLDER
        self._settings, self._command = settings, command

    def begin(self, chunks: Sequence[Chunk], *, overwrite: bool = False) -> list[str]:
        """Write the manifest and return the key of each chunk.

        What is kept of other chunks is removed where a file of theirs has changed since, which nobody can go
        on with, or where `overwrite` says so.

        Raises
        ------
        OutputError
            Something is kept that another run could go on with, and `overwrite` is false.
        """
        keys = [self._key(chunk) for chunk in chunks]
        kept = kept_work(self.folder.parent)
        if kept is not None:
            self._check_kept(kept, keys, overwrite)
        self.folder.mkdir(parents=True, exist_ok=True)
        wanted = {MANIFEST, *(f"{key}.parquet" for key in keys)}
        for file in self.folder.iterdir():
            if file.name not in wanted:
                file.unlink()
        self._write_manifest(dict(zip(keys, chunks, strict=True)))
        return keys

    def _check_kept(self, kept: KeptWork, keys: Iterable[str], overwrite: bool) -> None:
        foreign = kept.without(keys)
        changed = [key for key, (_, files) in foreign.chunks.items() if any(map(is_changed, files))]
        lost = foreign.without(changed)
        if lost.measured and not overwrite:
            raise lost.refusal(f", which this run would drop: {self._difference(kept)}")
        if lost.measured:
            logger.warning("%s, dropped by --overwrite", lost)
        if changed:
            count = foreign.measured - lost.measured
            logger.warning("%d %s are measured again, since files among them changed", count, kept.unit)

    def _difference(self, kept: KeptWork) -> str:
        now = json.loads(json.dumps(self._settings))
        differ = [name for name in now if now[name] != (kept.settings or {}).get(name)]
        return f"it differs in {', '.join(differ)}" if differ else "its inputs are others"

    def _write_manifest(self, chunks: dict[str, Chunk]) -> None:
        content = {
            "command": self._command,
            "settings": self._settings,
            "unit": unit_of(chunks.values()),
            "chunks": {key: (chunk.frames, chunk.files()) for key, chunk in chunks.items()},
        }
        with atomic_path(self.folder / MANIFEST) as temporary:
            temporary.write_text(json.dumps(content) + "\n", encoding="utf-8")

    def has(self, key: str) -> bool:
        """Whether a chunk was measured."""
        return self._file(key).is_file()

    def write(self, key: str, rows: pd.DataFrame, tally: Tally) -> None:
        """Keep what was measured of a chunk, whole or not at all."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        arrow = pa.Table.from_pandas(rows, preserve_index=False)
        meta = {**(arrow.schema.metadata or {}), _TALLY: json.dumps(tally.to_dict()).encode()}
        with atomic_path(self._file(key)) as temporary, temporary.open("wb") as file:
            # a file and not its path, of which pyarrow takes UTF-8 alone
            pq.write_table(arrow.replace_schema_metadata(meta), file)

    def tally(self, key: str) -> Tally:
        """Return the counts of a chunk."""
        import pyarrow.parquet as pq

        with self._file(key).open("rb") as file:
            return Tally.from_dict(json.loads(pq.read_schema(file).metadata[_TALLY]))

    def rows(self, keys: Sequence[str]) -> Iterator[pd.DataFrame]:
        """Yield the rows of chunks, one chunk at a time."""
        import pyarrow.parquet as pq

        for key in keys:
            with self._file(key).open("rb") as file:
                yield pq.read_table(file).to_pandas()

    def remove(self) -> None:
        """Remove the folder; the results hold what it held."""
        shutil.rmtree(self.folder)

    def _file(self, key: str) -> Path:
        return self.folder / f"{key}.parquet"

    def _key(self, chunk: Chunk) -> str:
        content = json.dumps([self._settings, chunk.identity()], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:32]


def remove_leftovers(folder: Path) -> None:
    """Remove half-written files that a killed run left, of the form ``.PID.tmp.csv``."""
    for file in folder.iterdir():
        if re.fullmatch(r"\.\d+\.tmp(\.\w+)?", file.name):
            file.unlink()
