"""Frames in, measured faces out: the one way by which pictures become AUs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from feat_pipeline.errors import UnavailableError
from feat_pipeline.extract import FaceAUs
from feat_pipeline.extract.between import find_faces
from feat_pipeline.faces.appearance import FrameLooks
from feat_pipeline.sources.frame import Frame, Skipped

if TYPE_CHECKING:
    from analysis.autable import AUTable
    from feat_pipeline.detect import Detection, FaceDetector
    from feat_pipeline.extract import AUExtractor

    _Found = tuple[Frame, list[Detection]]

FaceRow = tuple[str, int, float, int, FaceAUs]
"""Input, frame, time (s) and number of a face, and the face."""

_T = TypeVar("_T")
_K = TypeVar("_K")
BATCH_FRAMES = 32
BATCH_PIXELS = 50_000_000  # bounds the memory: three batches are held at a time
LANDMARKS = 68
NO_FACE = "no face found"

_COLUMNS = ("x", "y", "w", "h", "confidence", "pose_Rx", "pose_Ry", "pose_Rz")


@dataclass(frozen=True, eq=False)
class Measured:
    """A frame and its faces, left to right."""

    frame: Frame
    faces: list[FaceAUs]


def measure(
    items: Iterable[Frame | Skipped], detector: FaceDetector, extractor: AUExtractor
) -> Iterator[Measured | Skipped]:
    """Find and measure the faces of every frame, in order; see `measure_chunks`."""
    for batch in measure_batches(items, detector, extractor):
        yield from batch


def measure_batches(
    items: Iterable[Frame | Skipped], detector: FaceDetector, extractor: AUExtractor
) -> Iterator[list[Measured | Skipped]]:
    """Find and measure the faces of every frame, in order, by batches; see `measure_chunks`."""
    for _, batch in measure_chunks([(None, items)], detector, extractor):
        yield batch


def measure_chunks(
    chunks: Iterable[tuple[_K, Iterable[Frame | Skipped]]],
    detector: FaceDetector,
    extractor: AUExtractor,
    *,
    detect_every_s: float = 0.0,
) -> Iterator[tuple[_K, list[Measured | Skipped]]]:
    """Find and measure the faces of every frame, in order; the next frames are read meanwhile.

    Parameters
    ----------
    chunks : iterable of (key, iterable of Frame or Skipped)
        What sources give. It is read in one thread and looked at by the detector in another, each a batch
        ahead. What was skipped is handed on. No batch holds frames of two chunks, so that the numbers of a
        chunk do not depend on what was measured before it.
    detector : FaceDetector
    extractor : AUExtractor
    detect_every_s : float
        The detector looks at a frame of a video at least so often, in seconds; where two looks agree, the
        boxes between are interpolated (see `feat_pipeline.extract.between`). 0: at every frame.

    Yields
    ------
    key, list of Measured or Skipped
        Up to `BATCH_FRAMES` of them; a chunk without a frame gives one empty list. A frame without a face is
        skipped by `NO_FACE`. One that makes the detector or the extractor fail is skipped with the failure
        as its reason, and the rest goes on.
    """
    read = _ahead(((key, batch) for key, items in chunks for batch in _batches(items)), "reader")
    found = _ahead(((key, _find(batch, detector, detect_every_s)) for key, batch in read), "detector")
    for key, batch in found:
        yield key, _measure_batch(batch, extractor)


def is_measured(face: FaceAUs) -> bool:
    """Whether every AU of a face has a value; they are NaN where the extractor failed on it."""
    return bool(np.isfinite(list(face.aus.values())).all())


def face_rows(item: Measured) -> list[FaceRow]:
    """Return one row per face for `make_table`."""
    frame = item.frame
    return [(frame.path, frame.index, frame.time_s, i, face) for i, face in enumerate(item.faces)]


def looks_of(item: Measured) -> FrameLooks:
    """Return how a frame and its faces look, for `FaceTracker`."""
    boxes = np.array([face.box_xyxy for face in item.faces]).reshape(-1, 4)
    landmarks = np.array([face.landmarks for face in item.faces]).reshape(len(boxes), LANDMARKS, 2)
    return FrameLooks.of(item.frame.rgb, boxes, landmarks)


def make_table(rows: Sequence[FaceRow], extractor: AUExtractor, **extra: Any) -> AUTable:
    """Join rows of `face_rows` to an AU table.

    Parameters
    ----------
    rows : sequence of FaceRow
    extractor : AUExtractor
        What measured them; its name, version, scale, AU columns and extra columns go into the table.
    **extra
        Further facts for the table's metadata.

    Returns
    -------
    AUTable
        Box (px), confidence, head pose (radians), AUs, 68 landmarks (px) and extra columns of every face.
    """
    import pandas as pd

    from analysis.autable import AUTable

    names = ("input", "frame", "time_s", "face")
    points = [f"{axis}_{i}" for axis in "xy" for i in range(LANDMARKS)]
    columns = [*_COLUMNS, *extractor.au_columns, *points, *extractor.extra_columns]
    numbers = [_face_numbers(row[-1], extractor) for row in rows]
    left = pd.DataFrame([row[:-1] for row in rows], columns=names)
    left = left.astype({"input": "str", "frame": "int64", "time_s": "float64", "face": "int64"})
    right = pd.DataFrame(
        np.array(numbers, dtype=np.float64).reshape(len(rows), len(columns)), columns=columns
    )
    return AUTable(
        pd.concat([left, right], axis=1),
        backend=extractor.name,
        backend_version=extractor.version,
        scale=extractor.scale,
        extra=extra or None,
    )


def _face_numbers(face: FaceAUs, extractor: AUExtractor) -> np.ndarray:
    x0, y0, x1, y1 = face.box_xyxy
    aus = [face.aus[column] for column in extractor.au_columns]
    extra = [face.extra.get(column, np.nan) for column in extractor.extra_columns]
    head = [x0, y0, x1 - x0, y1 - y0, face.confidence, *face.pose_rad]
    return np.concatenate([head, aus, np.asarray(face.landmarks).T.ravel(), extra]).astype(np.float32)


def _ahead(items: Iterator[_T], name: str) -> Iterator[_T]:
    """Compute the next item in a thread of its own while the one before is used."""
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix=name) as worker:
        upcoming = worker.submit(next, items, end)
        while (item := upcoming.result()) is not end:
            upcoming = worker.submit(next, items, end)
            yield cast("_T", item)


def _batches(items: Iterable[Frame | Skipped]) -> Iterator[list[Frame | Skipped]]:
    batch: list[Frame | Skipped] = []
    pixels, any_item = 0, False
    for item in items:
        any_item = True
        batch.append(item)
        pixels += item.rgb.size // 3 if isinstance(item, Frame) else 0
        if len(batch) == BATCH_FRAMES or pixels >= BATCH_PIXELS:
            yield batch
            batch, pixels = [], 0
    if batch or not any_item:
        yield batch


def _measure_batch(batch: list[_Found | Skipped], extractor: AUExtractor) -> list[Measured | Skipped]:
    measured = iter(_extract([item for item in batch if not isinstance(item, Skipped)], extractor))
    return [item if isinstance(item, Skipped) else next(measured) for item in batch]


def _find(batch: list[Frame | Skipped], detector: FaceDetector, every_s: float) -> list[_Found | Skipped]:
    frames = [item for item in batch if isinstance(item, Frame)]
    if len(frames) < 2 or frames[0].path != frames[-1].path:
        every_s = 0.0  # photos have nothing between them
    found = iter(find_faces(frames, lambda frame: _detect(frame, detector), every_s))
    return [item if isinstance(item, Skipped) else _with_faces(item, next(found)) for item in batch]


def _with_faces(frame: Frame, found: list[Detection] | Skipped) -> _Found | Skipped:
    if isinstance(found, Skipped):
        return found
    return (frame, found) if found else Skipped(frame.path, frame.index, NO_FACE)


def _detect(frame: Frame, detector: FaceDetector) -> list[Detection] | Skipped:
    try:
        return detector.detect(frame.rgb)
    except Exception as error:  # whatever one picture does to a third party's code, the rest goes on
        return _failed(frame, "face detection", error)


def _extract(found: list[_Found], extractor: AUExtractor) -> list[Measured | Skipped]:
    if not found:
        return []
    try:
        faces = extractor.extract([frame.rgb for frame, _ in found], [boxes for _, boxes in found])
    except Exception as error:  # as in _detect; one by one, the picture that fails is found
        if len(found) > 1:
            return [item for one in found for item in _extract([one], extractor)]
        return [_failed(found[0][0], "AU extraction", error)]
    return [Measured(frame, list(of_frame)) for (frame, _), of_frame in zip(found, faces, strict=True)]


def _failed(frame: Frame, step: str, error: Exception) -> Skipped:
    if isinstance(error, UnavailableError):
        raise error
    reason = " ".join(str(error).split()) or type(error).__name__
    return Skipped(frame.path, frame.index, f"{step} failed: {reason}")
