"""Chunks measured on this machine: in this process, or in several."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from feat_pipeline.extract.engine.chunks import Chunk, Photos, Stretch
from feat_pipeline.extract.engine.unfinished import UnfinishedRows
from feat_pipeline.extract.measure import FaceRow, Measured, face_rows, looks_of, make_table, measure_chunks
from feat_pipeline.extract.tally import Tally
from feat_pipeline.registry import resolve
from feat_pipeline.sources.frame import Skipped, input_name

if TYPE_CHECKING:
    import pandas as pd

    from feat_pipeline.detect import FaceDetector
    from feat_pipeline.extract import AUExtractor

Task = tuple[str, Chunk]
Keep = Callable[[str, "pd.DataFrame", Tally], None]
LOOK = "look"
"""Column of what was measured of videos: how each face and its frame look, which tells who is who."""
CRASHED = "the process that measured it died (a crash in a decoder, or too little memory)"


@dataclass(frozen=True)
class Setup:
    """What measures, as other processes can make it too.

    Parameters
    ----------
    detector, backend : str
        Entries of the registries, ``module:Class``.
    detect_every_s : float
        See `feat_pipeline.extract.measure.measure_chunks`.
    """

    detector: str
    backend: str
    detect_every_s: float

    def make(self) -> tuple[FaceDetector, AUExtractor]:
        """Build both."""
        return resolve(self.detector)(), resolve(self.backend)()


def measure_here(
    tasks: Iterable[Task], keep: Keep, setup: Setup, made: tuple[FaceDetector, AUExtractor]
) -> Iterator[Task]:
    """Measure chunks one after the other and keep each; yields what is done.

    Parameters
    ----------
    tasks : iterable of (key, Chunk)
    keep : callable
        Takes key, rows and tally of each, as `UnfinishedRows.write`.
    setup : Setup
    made : (FaceDetector, AUExtractor)
        Of that setup.
    """
    detector, extractor = made
    sources = ((task, task[1].read()) for task in tasks)
    found = measure_chunks(sources, detector, extractor, detect_every_s=setup.detect_every_s)
    current: Task | None = None
    rows: list[tuple[Any, ...]] = []
    looks: list[bytes] = []
    tally = Tally()
    for task, batch in found:
        if current is not None and task is not current:
            keep(current[0], _table(rows, looks, extractor), tally)
            yield current
            rows, looks, tally = [], [], Tally()
        current = task
        for item in batch:
            tally.add(item)
            if isinstance(item, Measured):
                rows += face_rows(item)
                looks += looks_of(item).to_bytes() if isinstance(task[1], Stretch) else []
    if current is not None:
        keep(current[0], _table(rows, looks, extractor), tally)
        yield current


def _table(rows: Sequence[FaceRow], looks: Sequence[bytes], extractor: AUExtractor) -> pd.DataFrame:
    frame = make_table(rows, extractor).frame
    return frame.assign(**{LOOK: looks}) if looks else frame


def measure_in_processes(
    tasks: Sequence[Task], parts: UnfinishedRows, setup: Setup, jobs: int
) -> Iterator[Task]:
    """Measure chunks in several processes; yields what is done, in any order.

    Parameters
    ----------
    tasks : sequence of (key, Chunk)
    parts : UnfinishedRows
    setup : Setup
    jobs : int
        Processes.

    Notes
    -----
    When a process dies, what was under way is measured again, by one process a chunk, and where that dies
    too, by one an input: what kills it then is listed with `CRASHED` as its reason.
    """
    left = dict(tasks)
    try:
        for task in _in_pool(list(left.items()), parts, setup, jobs):
            del left[task[0]]
            yield task
        return
    except BrokenProcessPool:
        pass
    for task in list(left.items()):
        try:
            yield from _in_pool([task], parts, setup, 1)
        except BrokenProcessPool:
            _one_by_one(task, parts, setup)
            yield task


def _one_by_one(task: Task, parts: UnfinishedRows, setup: Setup) -> None:
    """Measure each input of a chunk in a process of its own."""
    import pandas as pd

    key, chunk = task
    pieces: list[Chunk] = [Photos((p,)) for p in chunk.paths] if isinstance(chunk, Photos) else [chunk]
    frames, tally = [], Tally()
    for piece in pieces:
        try:
            list(_in_pool([(f"{key}-alone", piece)], parts, setup, 1))
        except BrokenProcessPool:
            path = piece.paths[0] if isinstance(piece, Photos) else piece.path
            tally.add(Skipped(input_name(path), 0, CRASHED))
        else:
            frames += list(parts.rows([f"{key}-alone"]))
            tally.merge(parts.tally(f"{key}-alone"))
    whole = pd.concat(frames, ignore_index=True) if frames else make_table([], setup.make()[1]).frame
    parts.write(key, whole, tally)


def _in_pool(tasks: list[Task], parts: UnfinishedRows, setup: Setup, jobs: int) -> Iterator[Task]:
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(
        min(jobs, len(tasks)) or 1, mp_context=context, initializer=_start, initargs=(setup, parts)
    )
    done = False
    try:
        waiting: dict[Future[None], Task] = {pool.submit(_measure_one, task): task for task in tasks}
        for future in as_completed(waiting):
            future.result()
            yield waiting[future]
        done = True
    finally:
        if not done:
            for process in list((pool._processes or {}).values()):
                process.terminate()
        pool.shutdown(wait=done, cancel_futures=True)


_ready: tuple[Setup, UnfinishedRows, Any] | None = None


def _start(setup: Setup, parts: UnfinishedRows) -> None:
    """Prepare a process: it leaves Ctrl-C to its parent, dies with it, and takes one core."""
    global _ready
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    import cv2

    cv2.setNumThreads(1)
    _ready = setup, parts, setup.make()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _measure_one(task: Task) -> None:
    assert _ready is not None  # by _start
    setup, parts, made = _ready
    list(measure_here([task], parts.write, setup, made))
