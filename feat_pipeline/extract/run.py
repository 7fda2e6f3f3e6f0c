"""Photos in, an AU table out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from feat_pipeline.detect import make_detector
from feat_pipeline.errors import UsageError
from feat_pipeline.extract import choose_backend, make_extractor
from feat_pipeline.extract.measure import Measured, face_rows, make_table, measure
from feat_pipeline.outputs import OutputFolder, named_errors, progress
from feat_pipeline.runlog import RunLog
from feat_pipeline.sources import PathLike, Skipped, find_photos, read_frame

if TYPE_CHECKING:
    import pandas as pd

    from analysis.autable import AUTable

FORMATS = ("csv", "parquet")
OUTPUTS = ("aus.csv", "aus.meta.json", "aus.parquet", "skipped.csv", "run.json")


@dataclass(frozen=True, eq=False)
class ExtractResult:
    """What `extract` found.

    Parameters
    ----------
    table : AUTable
        One row per face.
    skipped : DataFrame
        Columns ``input, frame, reason``.
    run : dict
        Parameters, versions, counts and seconds.
    errors : list of Skipped
        The inputs that were skipped for an error; a picture without a face is none.
    """

    table: AUTable
    skipped: pd.DataFrame
    run: dict[str, Any]
    errors: list[Skipped]


def extract(
    paths: PathLike | Iterable[PathLike],
    *,
    out: PathLike | None = None,
    backend: str = "auto",
    detector: str = "mtcnn",
    format: str = "csv",
    overwrite: bool = False,
) -> ExtractResult:
    """Measure the AUs of every face in photos and folders.

    Parameters
    ----------
    paths : path or iterable of paths
        Photos and folders; folders are searched with their subfolders.
    out : path, optional
        Folder that takes ``aus.csv`` or ``aus.parquet``, ``skipped.csv`` and ``run.json``. When the work is
        interrupted, it takes what was measured until then.
    backend, detector : str
        Names out of ``feat_pipeline.extract.BACKENDS`` and ``feat_pipeline.detect.DETECTORS``.
    format : {'csv', 'parquet'}
        Format of the table.
    overwrite : bool
        Whether results of an earlier run in ``out`` may be replaced.

    Returns
    -------
    ExtractResult

    Raises
    ------
    InputError
        A path is missing or a folder holds no photo.
    OutputError
        ``out`` cannot be written, or holds results and ``overwrite`` is false.
    UnavailableError, UsageError
        The backend or detector cannot run here or does not exist.
    """
    if format not in FORMATS:
        raise UsageError(f"format: expected one of {', '.join(FORMATS)}, got {format!r}")
    photos = find_photos(paths)
    folder = None if out is None else OutputFolder(out, OUTPUTS, overwrite=overwrite)
    face_detector, extractor = make_detector(detector), make_extractor(backend)
    why = {"auto": choose_backend()[1]} if backend == "auto" else {}
    log = RunLog(
        "extract",
        {"backend": backend, "detector": detector, "format": format},
        backend={"name": extractor.name, "version": extractor.version, "scale": extractor.scale, **why},
        detector=detector,
    )
    rows: list[tuple[Any, ...]] = []

    def finish() -> ExtractResult:
        table = make_table(rows, extractor, detector=detector, **why)
        if folder:
            folder.clear()
            with folder.all_or_nothing():
                with named_errors(folder.path):
                    table.write(folder.path / f"aus.{format}")
                log.write(folder)
        return ExtractResult(table, log.skipped_frame(), log.record(), log.errors)

    try:
        found = measure(map(read_frame, photos), face_detector, extractor)
        for item in progress(found, total=len(photos), unit="photo"):
            log.add(item)
            if isinstance(item, Measured):
                rows += face_rows(item)
    except BaseException as error:
        log.stop(error)
        finish()
        if folder:
            error.add_note(log.kept_in(folder))
        raise
    return finish()
