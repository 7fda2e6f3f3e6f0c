"""Folders of photos and videos through OpenFace's own programs, from face detection on, into one AU table."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis import filenames
from analysis.autable import ID_COLUMNS, LANDMARK_COLUMNS, POSE_COLUMNS, AUTable
from analysis.errors import FitError, TableError
from analysis.facs import canonical_emotion
from analysis.folders import emotion_level
from feat_pipeline.declared import takes
from feat_pipeline.errors import InputError, UsageError
from feat_pipeline.extract.backends.openface_pictures import (
    AU_COLUMNS,
    GAZE,
    GAZE_COLUMNS,
    MEASURED,
    PRESENT_COLUMNS,
    REST,
    Pictures,
    read_written,
)
from feat_pipeline.extract.backends.openface_tool import (
    VIDEO,
    OpenFace,
    OpenFaceError,
    find_openface,
)
from feat_pipeline.extract.measure import NO_FACE
from feat_pipeline.files import named_errors
from feat_pipeline.options.openface import OpenFaceOptions
from feat_pipeline.output.folder import OutputFolder, only_run
from feat_pipeline.output.runlog import RunLog
from feat_pipeline.progress import progress_bar
from feat_pipeline.sources.find import find_files
from feat_pipeline.sources.frame import PathLike, Skipped, input_name
from feat_pipeline.sources.kinds import is_video
from feat_pipeline.sources.photos import read_frame
from feat_pipeline.sources.videos import probe_video

if TYPE_CHECKING:
    import pandas as pd

OUTPUTS = (*filenames.AU_TABLE, filenames.SKIPPED, filenames.RUN, "openface/*.csv")
#: OpenFace loads its models anew for each lot of photos, which takes seconds; pixels bound the disk it takes.
MOST_PHOTOS, MOST_PIXELS = 500, 400_000_000

_COLUMNS = (
    *ID_COLUMNS, *POSE_COLUMNS, *AU_COLUMNS, *LANDMARK_COLUMNS, *PRESENT_COLUMNS, *GAZE_COLUMNS,
)  # fmt: skip
_LONGEST_NAME = 120


@dataclass(frozen=True, eq=False)
class OpenFaceResult:
    """What `run_openface` found.

    Parameters
    ----------
    table : AUTable
        A row for each face of a photo and each frame of a video.
    skipped : DataFrame
        Columns ``input, frame, reason``.
    run : dict
        Parameters, versions, counts and seconds.
    errors : list of Skipped
        The inputs that were skipped for an error; one without a face is none.
    """

    table: AUTable
    skipped: pd.DataFrame
    run: dict[str, Any]
    errors: list[Skipped]


@takes(OpenFaceOptions)
def run_openface(
    paths: PathLike | Iterable[PathLike],
    *,
    out: PathLike,
    overwrite: bool = False,
    **options: object,
) -> OpenFaceResult:
    """Let OpenFace find and measure the faces of photos and videos.

    Photos go through ``FaceLandmarkImg`` as copies with plain names, so that ``a.jpg`` and ``a.png`` do not
    collide and every format that this package reads will do; videos go through ``FeatureExtraction``, which
    follows one face.

    Parameters
    ----------
    paths : path or iterable of paths
        Photos, videos and folders, which are searched with their subfolders. Where all files lie in
        subfolders of the given ones, two or more, the subfolders' names become the column ``emotion``.
    out : path
        Folder that takes ``aus.csv`` or ``aus.parquet``, ``skipped.csv`` and ``run.json``. When the work
        breaks off, it takes what was measured until then.
    overwrite : bool
        Whether results of an earlier run in ``out`` may be replaced.
    **options : object
        Those of `OpenFaceOptions`, by name.

    Returns
    -------
    OpenFaceResult
        The box of a face is that around its landmarks, and ``confidence`` OpenFace's. Frames of videos count
        from 0, and their times are OpenFace's. A frame on which it failed has NaN.

    Raises
    ------
    InputError
        A path is missing or a folder holds no photo or video; OpenFace breaks on every photo.
    OutputError
        ``out`` cannot be written, holds results and ``overwrite`` is false, or another run writes into it.
    UnavailableError, UsageError
        OpenFace is not on this machine, or an option has a wrong value.
    """
    chosen = OpenFaceOptions.of(options)
    if not chosen.stalled_s > 0:
        raise UsageError(f"timeout: expected more than 0 seconds, got {chosen.stalled_s:g}")
    given = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    files = find_files(given, videos=True)
    tool = find_openface(chosen.binary_dir, docker=chosen.docker)
    with only_run(out):
        folder = OutputFolder(out, OUTPUTS, overwrite=overwrite)
        with tempfile.TemporaryDirectory(prefix="feat-openface-") as work:
            job = _Job(files, tool, Path(work), chosen)
            return job.run(folder, class_names(given, files))


def class_names(given: Sequence[PathLike], files: Sequence[Path]) -> list[str]:
    """Return the emotion of each file by the subfolder that it lies in; nothing where they name no classes.

    Parameters
    ----------
    given : sequence of path
        As the user named them.
    files : sequence of Path
        What `find_files` made of them.

    Returns
    -------
    list of str
        Names of the first folders below the given ones that are no ``train`` and ``test``, as
        `analysis.facs.canonical_emotion` writes them; empty where a file lies in no such folder, all lie in
        one, or parts stand beside other folders.
    """
    folders = [Path(path) for path in given]
    below = []
    for file in files:
        inside = [file.relative_to(folder) for folder in folders if file.is_relative_to(folder)]
        below.append(max(inside, key=lambda path: len(path.parts), default=Path()))
    try:
        level = emotion_level(below)
    except FitError:  # parts beside other folders
        return []
    if any(len(path.parts) < level + 2 for path in below):
        return []
    names = [canonical_emotion(path.parts[level]) for path in below]
    return names if len(set(names)) > 1 else []


class _Job:
    """One run over all files."""

    def __init__(self, files: list[Path], tool: OpenFace, work: Path, options: OpenFaceOptions) -> None:
        self._files, self._tool, self._work, self._options = files, tool, work, options
        self._flags = (*MEASURED, *GAZE, *(REST if options.keep_csv else ()))
        self._parts: dict[int, pd.DataFrame] = {}
        self._kept = work / "csv"
        self._kept.mkdir()
        self._done = 0
        videos = any(is_video(file) for file in files)
        self._log = RunLog(
            "openface",
            {
                "format": options.format,
                "docker": tool.folder is None,
                "keep_csv": options.keep_csv,
                "timeout": options.stalled_s,
            },
            backend={"name": "openface", "version": tool.version, "scale": "r"},
            detector="openface",
        )
        self._log.inputs = len(files) if videos else None
        self._columns = (*_COLUMNS, "face_id") if videos else _COLUMNS

    def run(self, folder: OutputFolder, emotions: list[str]) -> OpenFaceResult:
        try:
            with progress_bar(total=len(self._files), done=0, unit="file") as advance:
                for count in self._steps():
                    self._done += count
                    advance(count)
        except BaseException as error:
            if self._done:
                self._log.stop(error)
                self._finish(folder, emotions)
                error.add_note(f"what was measured of {self._done} inputs until then is in {folder.path}")
            raise
        return self._finish(folder, emotions)

    def _steps(self) -> Iterator[int]:
        """Measure lots of photos, and videos; yields how many files each step was."""
        numbers = [n for n, file in enumerate(self._files) if not is_video(file)]
        while numbers:
            count = self._photos(numbers)
            numbers = numbers[count:]
            yield count
        for number, file in enumerate(self._files):
            if is_video(file):
                self._video(number, file)
                yield 1

    def _photos(self, numbers: list[int]) -> int:
        """Measure the next lot of photos; returns how many were read for it."""
        with self._folder() as work:
            pictures, pixels, count = Pictures(work, self._tool, self._flags, self._options.stalled_s), 0, 0
            shown = []
            for number in numbers[:MOST_PHOTOS]:
                if pixels >= MOST_PIXELS:
                    break
                count += 1
                frame = read_frame(self._files[number])
                if isinstance(frame, Skipped):
                    self._skip(number, frame.reason, "error")
                    continue
                pictures.add(number, frame.rgb)
                pixels += frame.rgb.size // 3
                shown.append(number)
            rows = pictures.look()
            for number in shown:
                found = rows[rows["number"] == number]
                if number in pictures.failures:
                    self._skip(number, f"OpenFace broke on it: {pictures.failures[number]}", "error")
                elif not len(found):
                    self._skip(number, NO_FACE, "no face")
                else:
                    self._keep(number, found.assign(frame=0, time_s=0.0, face_id=found["face"]))
                    self._keep_file(number, pictures.csv(number))
        return count

    def _video(self, number: int, file: Path) -> None:
        name = input_name(file)
        try:
            probe_video(file)
            with self._folder() as work:
                rows = self._track(file, work, number)
        except OpenFaceError as error:
            self._skip(number, f"OpenFace broke on it: {error}", "error")
            return
        except (InputError, TableError) as error:
            self._skip(number, str(error).removeprefix(f"{name}: "), "error")
            return
        failed = rows[list(AU_COLUMNS)].isna().all(axis=1).to_numpy()
        if failed.all():
            self._skip(number, NO_FACE, "no face")
            return
        self._keep(number, rows)
        if failed.any():
            frames = rows["frame"].to_numpy()
            reason = f"{NO_FACE} in {failed.sum()} of {len(frames)} frames, from this one on"
            self._log.skip(Skipped(name, int(frames[failed][0]), reason), "not measured")

    def _track(self, file: Path, work: Path, number: int) -> pd.DataFrame:
        """Follow the face of one video by FeatureExtraction."""
        plain = f"video{file.suffix.lower()}"
        source, outside = file.absolute(), {}
        if self._tool.folder is None:
            outside = {source: plain}
        else:  # a plain name for the program, which splits paths at will
            with contextlib.suppress(OSError):
                (work / plain).symlink_to(source)
                source = work / plain
        out = work / "out"
        out.mkdir()
        arguments = ["-f", source, "-out_dir", out, "-of", "video", *self._flags]
        self._tool.run(VIDEO, arguments, work=work, videos=outside, stalled_s=self._options.stalled_s)
        if not (out / "video.csv").is_file():
            raise OpenFaceError(f"{VIDEO} ended well but wrote no CSV")
        rows = read_written(out)
        self._keep_file(number, out / "video.csv")
        return rows.assign(frame=rows["frame"].astype("int64") - 1)

    def _keep(self, number: int, rows: pd.DataFrame) -> None:
        """Add the box around the landmarks, and bring the columns into order."""
        points = rows[list(LANDMARK_COLUMNS)].to_numpy(np.float64).reshape(len(rows), 2, 68)
        first, size = points.min(2), np.ptp(points, axis=2)
        box = {"x": first[:, 0], "y": first[:, 1], "w": size[:, 0], "h": size[:, 1]}
        rows = rows.assign(input=input_name(self._files[number]), **box)
        self._parts[number] = rows.reindex(columns=list(self._columns))  # no gaze where it has no eye model
        self._log.tally.frames += rows["frame"].nunique()
        self._log.tally.faces += len(rows)

    def _skip(self, number: int, reason: str, kind: str) -> None:
        self._log.tally.frames += 1
        self._log.skip(Skipped(input_name(self._files[number]), 0, reason), kind)

    def _keep_file(self, number: int, csv_file: Path) -> None:
        if self._options.keep_csv:
            name = input_name(self._files[number].name)[-_LONGEST_NAME:]
            shutil.copyfile(csv_file, self._kept / f"{number:06d}_{name}.csv")

    @contextlib.contextmanager
    def _folder(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(dir=self._work) as folder:
            yield Path(folder)

    def _finish(self, folder: OutputFolder, emotions: list[str]) -> OpenFaceResult:
        table, log = self._table(emotions), self._log
        place = {input_name(file): number for number, file in enumerate(self._files)}
        log.skipped.sort(key=lambda skipped: place[skipped.input])
        folder.clear()
        with folder.all_or_nothing():
            for file in sorted(self._kept.iterdir()):
                folder.write(f"openface/{file.name}", file.read_bytes())
            with named_errors(folder.path):
                table.write(folder.path / f"aus.{self._options.format}")
            log.write(folder)
        return OpenFaceResult(table, log.skipped_frame(), log.record(), log.errors)

    def _table(self, emotions: list[str]) -> AUTable:
        import pandas as pd

        empty = pd.DataFrame({name: np.array([], np.float64) for name in self._columns})
        parts = []
        for number in sorted(self._parts):
            rows = self._parts[number]
            parts.append(rows.assign(emotion=emotions[number]) if emotions else rows)
        frame = pd.concat(parts or [empty.astype({"input": "str"})], ignore_index=True)
        whole = [name for name in ("frame", "face", "face_id") if name in frame]
        return AUTable(
            frame.astype(dict.fromkeys(whole, "int64")),
            backend="openface",
            backend_version=self._tool.version,
            scale="r",
            extra={"detector": "openface"},
        )
