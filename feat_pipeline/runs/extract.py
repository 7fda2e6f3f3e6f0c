"""Photos and videos in, an AU table out."""

from __future__ import annotations

import math
import os
import shlex
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis import filenames
from analysis.autable import LANDMARK_COLUMNS, AUTable
from analysis.autable.write import write_tables
from feat_pipeline.declared import declarations, takes
from feat_pipeline.detect import DETECTORS, make_detector
from feat_pipeline.errors import UnavailableError, require
from feat_pipeline.extract import BACKENDS, choose_backend, make_extractor
from feat_pipeline.extract.engine.chunks import Chunk, Photos, plan, unit_of
from feat_pipeline.extract.engine.processes import LOOK, Setup, Task, measure_here, measure_in_processes
from feat_pipeline.extract.engine.unfinished import UnfinishedRows, remove_leftovers
from feat_pipeline.extract.measure import make_table
from feat_pipeline.files import named_errors
from feat_pipeline.options.extract import ExtractOptions
from feat_pipeline.output.folder import OutputFolder, only_run
from feat_pipeline.output.runlog import RunLog
from feat_pipeline.progress import progress_bar
from feat_pipeline.sources.find import find_files
from feat_pipeline.sources.frame import PathLike, Skipped, input_name
from feat_pipeline.sources.sampling import Sampling

if TYPE_CHECKING:
    import pandas as pd

    from feat_pipeline.detect import FaceDetector
    from feat_pipeline.extract import AUExtractor

Engine = Callable[[Sequence[Task], UnfinishedRows], Iterator[Task]]
OUTPUTS = (*filenames.AU_TABLE, filenames.SKIPPED, filenames.RUN)


@dataclass(frozen=True, eq=False)
class ExtractResult:
    """What `extract` found.

    Parameters
    ----------
    skipped : DataFrame
        Columns ``input, frame, reason``.
    run : dict
        Parameters, versions, counts and seconds.
    errors : list of Skipped
        The inputs that were skipped for an error; a picture without a face is none.
    path : Path or None
        The file of the table.

    Attributes
    ----------
    table : AUTable
        One row per face; read from the file when it is first asked for.
    """

    skipped: pd.DataFrame
    run: dict[str, Any]
    errors: list[Skipped]
    path: Path | None
    kept: AUTable | None = None

    @cached_property
    def table(self) -> AUTable:  # noqa: D102
        if self.kept is not None:
            return self.kept
        assert self.path is not None  # one of both is there
        return AUTable.read(self.path)


@takes(ExtractOptions)
def extract(
    paths: PathLike | Iterable[PathLike],
    *,
    out: PathLike | None = None,
    overwrite: bool = False,
    **options: object,
) -> ExtractResult:
    """Measure the AUs of every face in photos, videos and folders.

    Parameters
    ----------
    paths : path or iterable of paths
        Photos, videos and folders; folders are searched with their subfolders.
    out : path, optional
        Folder that takes ``aus.csv`` or ``aus.parquet``, ``skipped.csv`` and ``run.json``. What is measured
        is kept in its hidden folder ``.unfinished`` until they are written: when the work is interrupted or
        killed, the same call goes on where it was, and writes the table that it would have written.
    overwrite : bool
        Whether results of an earlier run in ``out`` may be replaced.
    **options : object
        Those of `ExtractOptions`, by name.

    Returns
    -------
    ExtractResult
        The table has the column ``face_id`` where a video is among the inputs: the same number for the same
        face throughout it (see `feat_pipeline.faces.track`).

    Raises
    ------
    InputError
        A path is missing or a folder holds no photo.
    OutputError
        ``out`` cannot be written, holds results and ``overwrite`` is false, or another run writes into it.
    UnavailableError, UsageError
        The backend or detector cannot run here or does not exist, or an option has a wrong value.
    """
    chosen = ExtractOptions.of(options)
    given = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    job = _Job(find_files(given, videos=True), chosen)
    if out is None:
        with tempfile.TemporaryDirectory() as folder:
            return job.run(Path(folder), None)
    with only_run(out):
        results = OutputFolder(out, OUTPUTS, overwrite=overwrite, goes_on=True)
        return job.run(Path(out), results, command=_command(given, out, chosen), overwrite=overwrite)


class _Job:
    """One extraction."""

    def __init__(self, files: list[Path], options: ExtractOptions) -> None:
        self._files, self._options = files, options
        backend, self._why = options.backend, {}
        self.made: tuple[FaceDetector, AUExtractor] = make_detector(options.detector), make_extractor(backend)
        self._extractor = self.made[1]
        if backend == "auto":
            backend, self._why["auto"] = choose_backend()
        self.setup = Setup(DETECTORS[options.detector], BACKENDS[backend], options.detect_every_s)
        self._chunks = plan(files, options.sampling or Sampling())
        self._videos = not all(isinstance(chunk, Photos) for chunk in self._chunks)
        self._log = self._begin_log()
        self._engine = self._choose_engine()

    def _begin_log(self) -> RunLog:
        options, extractor = self._options, self._extractor
        log = RunLog(
            "extract",
            options.parameters() | (options.video_parameters() if self._videos else {}),
            backend={
                "name": extractor.name, "version": extractor.version, "scale": extractor.scale, **self._why
            },
            detector=options.detector,
        )  # fmt: skip
        log.inputs = len(self._files) if self._videos else None
        return log

    def _choose_engine(self) -> Engine:
        jobs = self._options.jobs
        if self._options.engine == "ray":
            require("ray", extra="scale", what="engine ray")
            from feat_pipeline.extract.engine.ray import measure_on_ray

            return partial(measure_on_ray, setup=self.setup, actors=jobs, address=self._options.address)
        if jobs is not None and jobs > 1:
            return partial(measure_in_processes, setup=self.setup, jobs=jobs)
        return lambda tasks, parts: measure_here(tasks, parts.write, self.setup, self.made)

    def run(
        self, out: Path, folder: OutputFolder | None, *, command: str = "", overwrite: bool = False
    ) -> ExtractResult:
        """Measure what is not measured yet and write the results."""
        parts = UnfinishedRows(out, self._settings(), command)
        keys: list[str] = []
        try:
            with named_errors(out):
                keys = parts.begin(self._chunks, overwrite=overwrite)
                remove_leftovers(out)
                self._measure(keys, parts)
                for key in keys:
                    self._log.tally.merge(parts.tally(key))
                kept = None
                if folder is None:
                    kept = self._table(parts, keys)
                else:
                    self._write(folder, parts, keys)
        except UnavailableError:
            raise
        except BaseException as error:
            if folder is not None and keys:
                error.add_note(_kept(parts, keys, self._chunks))
            raise
        parts.remove()
        log = self._log
        path = None if folder is None else out / self._table_name
        return ExtractResult(log.skipped_frame(), log.record(), log.errors, path, kept)

    def _write(self, folder: OutputFolder, parts: UnfinishedRows, keys: Sequence[str]) -> None:
        """Write all results, or none."""
        folder.clear()
        with folder.all_or_nothing():
            rows = self._log.tally.faces
            write_tables(self._tables(parts, keys), folder.path / self._table_name, rows=rows)
            self._log.write(folder)

    @property
    def _table_name(self) -> str:
        return f"aus.{self._options.format}"

    def _settings(self) -> dict[str, Any]:
        from feat_pipeline.version import __version__

        extractor = self._extractor
        return {
            "feat-pipeline": __version__,
            "backend": [extractor.name, extractor.version, self.setup.backend],
            "detector": self.setup.detector,
            "detect_every_s": self.setup.detect_every_s,
        }

    def _measure(self, keys: list[str], parts: UnfinishedRows) -> None:
        tasks = list(dict(zip(keys, self._chunks, strict=True)).items())
        missing = [task for task in tasks if not parts.has(task[0])]
        total, left = (sum(chunk.frames for _, chunk in some) for some in (tasks, missing))
        found = self._engine(missing, parts) if missing else iter(())
        unit = "frame" if self._videos else "photo"
        with progress_bar(total=total, done=total - left, unit=unit) as advance:
            for _, chunk in found:
                advance(chunk.frames)

    def _tables(self, parts: UnfinishedRows, keys: Sequence[str]) -> Iterator[AUTable]:
        """Tables of all chunks, at least one; without rows only where there are none at all."""
        frames: Iterator[pd.DataFrame] = (rows for rows in parts.rows(keys) if len(rows))
        if self._videos:
            frames = _with_face_ids(frames)
        empty = True
        for rows in frames:
            empty = False
            yield self._as_table(rows)
        if empty:
            rows = make_table([], self._extractor).frame
            yield self._as_table(rows.assign(face_id=0) if self._videos else rows)

    def _table(self, parts: UnfinishedRows, keys: Sequence[str]) -> AUTable:
        import pandas as pd

        tables = list(self._tables(parts, keys))
        return self._as_table(pd.concat([table.frame for table in tables], ignore_index=True))

    def _as_table(self, rows: pd.DataFrame) -> AUTable:
        extractor = self._extractor
        extra: dict[str, Any] = {"detector": self._options.detector, **self._why}
        if self._videos:
            extra["detect_every_s"] = self.setup.detect_every_s
        return AUTable(
            rows,
            backend=extractor.name,
            backend_version=extractor.version,
            scale=extractor.scale,
            extra=extra,
        )


def _with_face_ids(chunks: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Add ``face_id``, chunk after chunk, so that a face keeps its number throughout its input."""
    from feat_pipeline.faces.appearance import FrameLooks
    from feat_pipeline.faces.track import FaceTracker, gap_bound

    current, tracker = "", FaceTracker()
    for chunk in chunks:
        rows = chunk.drop(columns=LOOK, errors="ignore")
        packed = chunk[LOOK].tolist() if LOOK in chunk else None
        name, frame = rows["input"].to_numpy(), rows["frame"].to_numpy()
        times_s = rows["time_s"].to_numpy()
        x, y, w, h = rows[["x", "y", "w", "h"]].to_numpy().T
        boxes_xyxy = np.column_stack([x, y, x + w, y + h])
        landmarks = rows[list(LANDMARK_COLUMNS)].to_numpy().reshape(len(rows), 2, -1).transpose(0, 2, 1)
        begins = np.flatnonzero(np.r_[True, (name[1:] != name[:-1]) | (frame[1:] != frame[:-1])])
        ids: list[int] = []
        for a, b in pairwise([*begins, len(rows)]):
            if name[a] != current:
                current = name[a]
                tracker = FaceTracker(gap_bound(times_s[name == current]))
            looks = None if packed is None else FrameLooks.from_bytes(packed[a:b])
            ids += tracker.update(float(times_s[a]), boxes_xyxy[a:b], landmarks[a:b], looks)
        yield rows.assign(face_id=ids)


_MOST_NAMED = 5


def _command(given: Sequence[PathLike], out: PathLike, options: ExtractOptions) -> str:
    """Return the command line of an extraction."""
    words = [input_name(path) for path in given[:_MOST_NAMED]]
    if len(given) > _MOST_NAMED:
        words.append(f"... ({len(given)} paths)")
    words = ["feat-pipeline", "extract", *words, "--out", input_name(out)]
    for name, default, declared in declarations(ExtractOptions):
        value = getattr(options, name)
        if declared.cli and value != default:
            words += [declared.flag or f"--{name.replace('_', '-')}", str(value)]
    sampling = options.sampling or Sampling()
    every = f"{sampling.every_s:g}s" if sampling.every_s is not None else sampling.every_frames
    words += [] if every is None else ["--every", str(every)]
    words += ["--start", f"{sampling.start_s:g}"] if sampling.start_s else []
    words += ["--end", f"{sampling.end_s:g}"] if sampling.end_s != math.inf else []
    return shlex.join(words)


def _kept(parts: UnfinishedRows, keys: Sequence[str], chunks: Sequence[Chunk]) -> str:
    done = sum(chunk.frames for key, chunk in zip(keys, chunks, strict=True) if parts.has(key))
    total = sum(chunk.frames for chunk in chunks)
    return (
        f"{done:,} of {total:,} {unit_of(chunks)} are measured and kept in {parts.folder}; "
        f"the same command goes on from there"
    )
