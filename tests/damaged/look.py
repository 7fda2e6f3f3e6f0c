"""What the readers make of a file, told by a process that may hang or die of it."""

from __future__ import annotations

import multiprocessing
import resource
import time
import traceback
import warnings
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

MOST_SECONDS, MOST_MEGABYTES = (
    10.0,
    1500,
)  # of processor time, which other work on the machine does not add to
_PATIENCE_S = 120.0  # for a process that waits and does nothing
_ADDRESSES = (
    12 << 30
)  # bytes of addresses, so that a reader that wants all memory fails instead of the machine


@dataclass(frozen=True)
class Seen:
    """What came of a file.

    Parameters
    ----------
    values : dict of str to int
        What was read, by frame or row, as check sums.
    reasons : list of str
        What was told about it.
    fault : str
        What must never be: a traceback, a hang, a death, too much memory.
    """

    values: dict[str, int] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    fault: str = ""


class Looker:
    """A process that reads files one after the other; a new one is begun where it hangs or dies."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._begin()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._end()

    def look(self, kind: str, path: Path) -> Seen:
        """Read a file as one of the `KINDS`."""
        self._here.send((kind, path))
        if not self._here.poll(_PATIENCE_S):
            self._end()
            self._begin()
            return Seen(fault=f"hangs: no answer within {_PATIENCE_S:g} s")
        try:
            return self._here.recv()
        except EOFError:
            self._process.join()
            code = self._process.exitcode
            self._begin()
            return Seen(fault=f"the process died, exit code {code}")

    def _begin(self) -> None:
        self._here, there = self._context.Pipe()
        self._process = self._context.Process(target=_answer, args=(there,), daemon=True)
        self._process.start()
        there.close()
        self._here.recv()  # once everything is imported, the clock of the first file may run

    def _end(self) -> None:
        self._process.kill()
        self._process.join()
        self._here.close()


def _answer(pipe: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESSES, _ADDRESSES))
    _limit_processor_time()
    for module in ("av", "cv2", "pyarrow.parquet", "onnxruntime", "safetensors.numpy"):
        __import__(module)
    _import_pandera()
    warnings.simplefilter("error")
    warnings.simplefilter("ignore", DeprecationWarning)
    pipe.send("ready")
    with suppress(EOFError):
        while True:
            asked = pipe.recv()
            _limit_processor_time()
            pipe.send(_judged(*asked))


def _limit_processor_time() -> None:
    """Let the system kill this process where it computes on and on, in whatever library."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime + 3 * MOST_SECONDS)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))


def _import_pandera() -> None:
    """It imports most of itself when it first checks a table."""
    import pandas as pd

    from analysis.autable.schema import validated

    validated(pd.DataFrame({"AU12_r": [1.0]}), ["AU12_r"], (0.0, 5.0), "r", "table")


def _judged(kind: str, path: Path) -> Seen:
    from feat_pipeline.errors import FeatPipelineError

    begun = time.process_time()
    try:
        values, reasons = KINDS[kind](path)
    except FeatPipelineError as error:
        values, reasons = {}, [str(error)]
    except BaseException:
        return Seen(fault=traceback.format_exc())
    seconds = time.process_time() - begun
    megabytes = _peak_kilobytes() >> 10
    fault = f"took {seconds:.1f} s" if seconds > MOST_SECONDS else ""
    fault = f"took {megabytes} MB" if megabytes > MOST_MEGABYTES else fault
    return Seen(values, reasons, fault)


def _peak_kilobytes() -> int:
    """Return the most memory that this process has had; Linux counts its parent's into ru_maxrss."""
    status = Path("/proc/self/status")
    if status.is_file():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


Found = tuple[dict[str, int], list[str]]


def _photo(path: Path) -> Found:
    from feat_pipeline.sources.frame import Skipped
    from feat_pipeline.sources.photos import read_frame

    item = read_frame(path)
    if isinstance(item, Skipped):
        return {}, [f"{item.input}: {item.reason}"]
    return {"0": _sum(item.rgb, item.rgb.shape)}, []


def _video(path: Path) -> Found:
    from feat_pipeline.sources.frame import Frame
    from feat_pipeline.sources.videos import read_video

    values, reasons = {}, []
    for item in read_video(path):
        if isinstance(item, Frame):
            values[str(item.index)] = _sum(item.rgb, item.rgb.shape)
        else:
            reasons.append(f"{item.input}: {item.reason}")
    return values, reasons


def _aus(path: Path) -> Found:
    from analysis.autable import AUTable

    table = AUTable.read(path / "aus.csv" if path.is_dir() else path)
    return _rows(table.frame[[name for name in table.frame.columns if name != "input"]]), table.notes


def _labels(path: Path) -> Found:
    from analysis.labels import read_labels

    return _rows(read_labels(path, "subject")), []


def _answers(path: Path) -> Found:
    from feat_pipeline.output.predictions_read import read_prediction_files

    answers = read_prediction_files([path]).values()
    values = {f"{n}: {row}": v for n, one in enumerate(answers) for row, v in _rows(one.frame).items()}
    return values, [f"{one.file}: {note}" for one in answers for note in one.notes]


def _faces(path: Path) -> Found:
    from feat_pipeline.datasets.fer2013 import read_fer2013

    faces = read_fer2013(path)
    rows = zip(faces.rows.tolist(), faces.images, faces.labels.tolist(), faces.usage, strict=True)
    return {str(row): _sum(image, label, usage) for row, image, label, usage in rows}, list(faces.skipped)


def _model(path: Path) -> Found:
    import numpy as np

    from feat_pipeline.models import load_model

    model: Any = load_model(path)
    answers = model.predict_proba(np.array([[0.5, 1.0], [3.0, 0.0]]))
    if answers.shape != (2, len(model.classes_)) or not np.allclose(answers.sum(axis=1), 1):
        raise RuntimeError(f"{path}: it answers {answers} of {model.classes_}")
    return {str(row): _sum(answer.round(9), model.classes_) for row, answer in enumerate(answers)}, []


def _rows(frame: Any) -> dict[str, int]:
    """Check sums of a table's columns and rows; what blanks were around text does not count."""
    lines = frame.to_csv(index=False, header=False, lineterminator="\0").split("\0")[: len(frame)]
    return {"columns": _sum(",".join(frame.columns))} | {str(n): _sum(line) for n, line in enumerate(lines)}


def _sum(*parts: Any) -> int:
    total = 0
    for part in parts:
        data = part.tobytes() if hasattr(part, "tobytes") else str(part).encode("utf-8", "surrogateescape")
        total = zlib.crc32(data, total)
    return total


KINDS: dict[str, Callable[[Path], Found]] = {
    "photo": _photo,
    "video": _video,
    "aus": _aus,
    "metadata": _aus,
    "labels": _labels,
    "answers": _answers,
    "faces": _faces,
    "model": _model,
}
