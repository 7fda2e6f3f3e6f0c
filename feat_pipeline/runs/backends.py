"""Every backend that can run here, on the same faces: what they say and how fast."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.autable import AUTable
from analysis.backends import Agreement, compare_all
from feat_pipeline.declared import takes
from feat_pipeline.detect import make_detector
from feat_pipeline.errors import InputError, UnavailableError, UsageError
from feat_pipeline.extract import BACKENDS, available_backends, make_extractor
from feat_pipeline.extract.engine.chunks import plan
from feat_pipeline.extract.measure import BATCH_FRAMES, Measured, face_rows, make_table
from feat_pipeline.files import named_errors
from feat_pipeline.options.backends import ComparisonOptions
from feat_pipeline.output.folder import OutputFolder
from feat_pipeline.progress import progress
from feat_pipeline.sources.find import find_files
from feat_pipeline.sources.frame import Frame, PathLike, Skipped
from feat_pipeline.sources.sampling import Sampling

if TYPE_CHECKING:
    import pandas as pd

    from feat_pipeline.detect import Detection, FaceDetector
    from feat_pipeline.extract import AUExtractor, FaceAUs

TABLES = frozenset({".csv", ".parquet"})
OUTPUTS = ("agreement.csv", "pairs.csv", "speed.csv", "agreement.png")

_Batch = tuple[list[Frame], list[list["Detection"]]]


@dataclass(frozen=True, eq=False)
class BackendComparison:
    """What `compare_backends` found.

    Parameters
    ----------
    agreement : Agreement
    speed : DataFrame
        ``backend, version, scale, faces, seconds, faces_per_second``, a row for each backend that ran: the
        seconds that measuring the detected faces took, without reading, detection and start.
    failures : dict of str to str
        Backend, or input, and why it is left out.
    """

    agreement: Agreement
    speed: pd.DataFrame
    failures: dict[str, str]


@takes(ComparisonOptions)
def compare_backends(
    paths: PathLike | Iterable[PathLike],
    *,
    out: PathLike | None = None,
    overwrite: bool = False,
    **options: object,
) -> BackendComparison:
    """Measure the same faces by several backends, or take tables that did, and compare them in pairs.

    Parameters
    ----------
    paths : path or iterable of paths
        Photos, videos and folders of them, which backends measure here; and AU tables, ``.csv`` or
        ``.parquet``, of any program that `analysis.autable.AUTable.read` knows, to be laid beside.
    out : path, optional
        Folder that takes `OUTPUTS` and each backend's table, ``aus-<backend>.csv``.
    overwrite : bool
        Whether results of an earlier comparison in ``out`` may be replaced.
    **options : object
        Those of `ComparisonOptions`, by name.

    Returns
    -------
    BackendComparison

    Raises
    ------
    InputError
        A path is missing, or there is no face.
    UnavailableError
        Fewer than two backends can run here, or ran.
    UsageError
        A name is unknown.
    TableError
        A table cannot be read, or two have no input or no AU in common.
    OutputError
        ``out`` cannot be written, or holds results.
    """
    chosen = ComparisonOptions.of(options)
    given = [Path(path) for path in ([paths] if isinstance(paths, (str, os.PathLike)) else paths)]
    tables = _named([path for path in given if path.suffix.lower() in TABLES])
    media = [path for path in given if path.suffix.lower() not in TABLES]
    names = _backends(chosen.backends, 2 - len(tables)) if media else []
    written = (*OUTPUTS, *(f"aus-{name}{suffix}" for name in BACKENDS for suffix in (".csv", ".meta.json")))
    folder = None if out is None else OutputFolder(out, written, overwrite=overwrite)
    measured = _Measuring()
    if media:
        measured.run(media, names, make_detector(chosen.detector), chosen.sampling or Sampling())
    failed = "".join(f"; {name}: {reason}" for name, reason in measured.failures.items())
    tables |= measured.tables
    if len(tables) < 2:
        raise UnavailableError(
            f"two or more are needed to compare, got {', '.join(tables) or 'none'}{failed}"
        )
    agreement = compare_all(tables)
    result = BackendComparison(agreement, _speed_frame(measured.speed), measured.failures)
    if folder:
        folder.clear()
        _write(folder, result, measured.tables)
    return result


def _backends(wanted: Sequence[str] | None, fewest: int) -> list[str]:
    unknown = sorted(set(wanted or ()) - set(BACKENDS))
    if unknown:
        raise UsageError(f"backend: expected some of {', '.join(BACKENDS)}, got {', '.join(unknown)}")
    statuses = [s for s in available_backends() if wanted is None or s.name in wanted]
    lacking = [s.mend for s in statuses if not s.available]
    if wanted and lacking:
        raise UnavailableError("; ".join(lacking))
    ready = [s.name for s in statuses if s.available]
    if len(ready) < fewest:
        raise UnavailableError(
            f"two or more must be there to compare, and of the backends {', '.join(ready) or 'none'} can run "
            "here; feat-pipeline backends tells what mends the others, or name an AU table to lay beside"
        )
    return ready


def _named(paths: Sequence[Path]) -> dict[str, AUTable]:
    """Read tables, called by the shortest part of their paths that tells them apart."""
    names = [str(path) for path in paths]
    for parts in range(1, max((len(path.parts) for path in paths), default=0)):
        short = [str(Path(*path.parts[-parts:]).with_suffix("")) for path in paths]
        if len(set(short)) == len(short):
            names = short
            break
    return {name: AUTable.read(path) for name, path in zip(names, paths, strict=True)}


class _Measuring:
    """What one backend after the other says, so that one network is in memory at a time."""

    def __init__(self) -> None:
        self.tables: dict[str, AUTable] = {}
        self.speed: list[dict[str, Any]] = []
        self.failures: dict[str, str] = {}

    def run(
        self, paths: Sequence[Path], names: Sequence[str], detector: FaceDetector, sampling: Sampling
    ) -> None:
        """Measure all faces by each backend."""
        faces = _Faces(find_files(paths, videos=True), detector, sampling)
        for name in names:
            try:
                extractor = make_extractor(name)
                rows, seconds = _measure_all(faces, extractor, name)
            except UnavailableError as error:
                self.failures[name] = str(error)
                continue
            self.failures |= faces.failures
            if not faces.count:
                raise InputError(
                    "the detector finds no face in these photos; name others, or another detector"
                )
            if not rows:
                self.failures[name] = "it fails on every face"
                continue
            self.tables[name] = make_table(rows, extractor, detector=detector.name)
            self.speed.append(
                {
                    "backend": name,
                    "version": extractor.version,
                    "scale": extractor.scale,
                    "faces": len(rows),
                    "seconds": seconds,
                    "faces_per_second": len(rows) / seconds,
                }
            )


class _Faces:
    """The same faces for every backend: detected once, pictures read again, so that memory stays small."""

    def __init__(self, files: Sequence[Path], detector: FaceDetector, sampling: Sampling) -> None:
        self._chunks = plan(files, sampling)
        self._detector = detector
        self._found: dict[tuple[str, int], list[Detection]] = {}
        self.failures: dict[str, str] = {}
        self.frames = sum(chunk.frames for chunk in self._chunks)

    @property
    def count(self) -> int:
        """How many faces were found so far."""
        return sum(map(len, self._found.values()))

    def batches(self, part: str) -> Iterator[_Batch]:
        """Read pictures with their faces, up to `BATCH_FRAMES` at a time."""
        items = (item for chunk in self._chunks for item in chunk.read())
        frames: list[Frame] = []
        for item in progress(items, total=self.frames, unit="picture", part=part):
            if isinstance(item, Skipped):
                self.failures[item.input] = item.reason
            elif self._faces_of(item):
                frames.append(item)
            if len(frames) == BATCH_FRAMES:
                yield frames, [self._faces_of(frame) for frame in frames]
                frames = []
        if frames:
            yield frames, [self._faces_of(frame) for frame in frames]

    def _faces_of(self, frame: Frame) -> list[Detection]:
        key = (frame.path, frame.index)
        if key not in self._found:
            try:
                self._found[key] = self._detector.detect(frame.rgb)
            except Exception as error:  # whatever one picture does to a third party's code, the rest goes on
                self._found[key] = []
                self.failures[frame.path] = f"face detection failed: {' '.join(str(error).split())}"
        return self._found[key]


def _measure_all(faces: _Faces, extractor: AUExtractor, name: str) -> tuple[list[tuple[Any, ...]], float]:
    """Rows for `make_table` and the seconds that the extractor took for them."""
    rows: list[tuple[Any, ...]] = []
    seconds = 0.0
    for frames, found in faces.batches(name):
        if not seconds:
            with suppress(Exception):  # the first call of a network costs more than those after it
                extractor.extract([frames[0].rgb], [found[0][:1]])
        began = time.perf_counter()
        measured = _extract(frames, found, extractor)
        seconds += time.perf_counter() - began
        rows += [row for item in measured for row in face_rows(item)]
    return rows, max(seconds, 1e-9)


def _extract(frames: list[Frame], found: list[list[Detection]], extractor: AUExtractor) -> list[Measured]:
    """Measure a batch; a picture that makes the extractor fail is left out."""
    try:
        answers: list[list[FaceAUs]] = extractor.extract([frame.rgb for frame in frames], found)
    except UnavailableError:
        raise
    except Exception:  # as in _faces_of; one by one, the picture that fails is found
        if len(frames) == 1:
            return []
        return [
            item
            for frame, faces in zip(frames, found, strict=True)
            for item in _extract([frame], [faces], extractor)
        ]
    return [Measured(frame, faces) for frame, faces in zip(frames, answers, strict=True)]


def _speed_frame(speed: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    columns = ["backend", "version", "scale", "faces", "seconds", "faces_per_second"]
    return pd.DataFrame(speed, columns=columns)


def _write(folder: OutputFolder, result: BackendComparison, tables: dict[str, AUTable]) -> None:
    import io

    from analysis.plots import agreement_map

    picture = io.BytesIO()
    agreement_map(result.agreement.frame).savefig(picture, format="png", dpi=150)
    frames = {
        "agreement.csv": result.agreement.frame,
        "pairs.csv": result.agreement.pairs,
        "speed.csv": result.speed,
    }
    with folder.all_or_nothing():
        for name, frame in frames.items():
            folder.write(name, frame.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
        folder.write("agreement.png", picture.getvalue())
        with named_errors(folder.path):
            for name, table in tables.items():
                table.write(folder.path / f"aus-{name}.csv")
