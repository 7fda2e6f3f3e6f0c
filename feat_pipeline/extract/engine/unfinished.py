"""What an extraction has measured so far, so that a run that was killed goes on where it was."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.files import atomic_path
from feat_pipeline.extract.engine.chunks import Chunk
from feat_pipeline.extract.tally import Tally

if TYPE_CHECKING:
    import pandas as pd

FOLDER = ".unfinished"
MANIFEST = "manifest.json"

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
    """

    def __init__(self, out: Path, settings: dict[str, Any]) -> None:
        self.folder = out / FOLDER
        self._settings = settings

    def begin(self, chunks: Sequence[Chunk]) -> list[str]:
        """Write the manifest and return the key of each chunk; what belongs to none of them is removed."""
        keys = [self._key(chunk) for chunk in chunks]
        self.folder.mkdir(parents=True, exist_ok=True)
        wanted = {MANIFEST, *(f"{key}.parquet" for key in keys)}
        for file in self.folder.iterdir():
            if file.name not in wanted:
                file.unlink()
        with atomic_path(self.folder / MANIFEST) as temporary:
            temporary.write_text(json.dumps({"settings": self._settings, "chunks": keys}, indent=1) + "\n")
        return keys

    def has(self, key: str) -> bool:
        """Whether a chunk was measured."""
        return self._file(key).is_file()

    def write(self, key: str, rows: pd.DataFrame, tally: Tally) -> None:
        """Keep what was measured of a chunk, whole or not at all."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        arrow = pa.Table.from_pandas(rows, preserve_index=False)
        meta = {**(arrow.schema.metadata or {}), _TALLY: json.dumps(tally.to_dict()).encode()}
        with atomic_path(self._file(key)) as temporary:
            pq.write_table(arrow.replace_schema_metadata(meta), temporary)

    def tally(self, key: str) -> Tally:
        """Return the counts of a chunk."""
        import pyarrow.parquet as pq

        return Tally.from_dict(json.loads(pq.read_schema(self._file(key)).metadata[_TALLY]))

    def rows(self, keys: Sequence[str]) -> Iterator[pd.DataFrame]:
        """Yield the rows of chunks, one chunk at a time."""
        import pyarrow.parquet as pq

        for key in keys:
            yield pq.read_table(self._file(key)).to_pandas()

    def remove(self) -> None:
        """Remove the folder; the results hold what it held."""
        shutil.rmtree(self.folder)

    def _file(self, key: str) -> Path:
        return self.folder / f"{key}.parquet"

    def _key(self, chunk: Chunk) -> str:
        told = json.dumps([self._settings, chunk.identity()], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:32]


def remove_leftovers(folder: Path) -> None:
    """Remove half-written files that a killed run left, of the form ``.PID.tmp.csv``."""
    for file in folder.iterdir():
        if re.fullmatch(r"\.\d+\.tmp(\.\w+)?", file.name):
            file.unlink()
