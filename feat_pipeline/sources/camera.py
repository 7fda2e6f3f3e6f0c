"""Where live pictures come from: a camera, a network stream, or a file that is played in real time.

A thread of its own reads, and keeps the newest picture only: whoever is slow sees fewer pictures, never older
ones.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from feat_pipeline.errors import InputError
from feat_pipeline.sources.frame import Frame, Skipped, input_name

_OPEN_S, _READ_S = 10.0, 10.0  # that a network stream may keep silent
_URL = re.compile(r"(?i)(rtsps?|rtmps?|https?|udp|tcp|srt)://")


@dataclass(frozen=True, eq=False)
class LiveFrame:
    """One picture and when it was due.

    Parameters
    ----------
    frame : Frame
        Its `time_s` counts from the first picture on.
    due_s : float
        On `time.perf_counter`'s clock: when the camera gave it, or when its turn in the file had come.
    """

    frame: Frame
    due_s: float


Pictures = Iterator[tuple[Frame, float]]


class CameraSource:
    """Reads pictures in a thread and keeps the newest; a context manager.

    Parameters
    ----------
    name : str
        For messages; without a password.
    pictures : iterator of (Frame, float)
        Pictures and the moment at which each is due, which this waits for.
    close : callable
        Lets go of the device; called by the reading thread when it ends.
    rate : float
        Pictures a second that are to be expected.

    Attributes
    ----------
    given : int
        Pictures that were due until now, seen or not.
    error : str
        Why there are no more; empty at the end of a file.
    """

    def __init__(self, name: str, pictures: Pictures, close: Callable[[], None], rate: float) -> None:
        self.name, self.rate = name, rate
        self.given = 0
        self.error = ""
        self._pictures, self._close = pictures, close
        self._newest: LiveFrame | None = None
        self._ended = False
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, name="camera", daemon=True)

    def __enter__(self) -> CameraSource:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(timeout=_READ_S)

    @property
    def ended(self) -> bool:
        """Whether the last picture was taken, and there are no more."""
        with self._changed:
            return self._ended and self._newest is None

    def newest(self, timeout_s: float) -> LiveFrame | None:
        """Return the newest picture that was not taken yet, and wait for it; None where none comes."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._ended, timeout_s)
            taken, self._newest = self._newest, None
            return taken

    def _read(self) -> None:
        try:
            for frame, due_s in self._pictures:
                if self._stop.wait(max(0.0, due_s - time.perf_counter())):
                    break
                with self._changed:
                    self._newest = LiveFrame(frame, due_s)
                    self.given += 1
                    self._changed.notify_all()
        except Exception as error:  # whatever a driver raises, the program says so and ends in order
            self.error = " ".join(str(error).split()) or type(error).__name__
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
            self._close()


def open_source(source: str) -> CameraSource:
    """Open a camera by its number, a stream by its address, or a video file.

    Parameters
    ----------
    source : str
        ``0`` is the first camera; ``rtsp://…`` and the like are streams; else a file, which is played in
        real time.

    Returns
    -------
    CameraSource

    Raises
    ------
    InputError
        It cannot be opened; the message names it and what to do.
    """
    if re.fullmatch(r"\d+", source):
        return _open_device(int(source))
    if _URL.match(source):
        return _open_stream(source)
    return _open_file(Path(source))


def _open_device(number: int) -> CameraSource:
    import cv2

    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # the error below says it better
    try:
        device = cv2.VideoCapture(number)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if not device.isOpened():
        device.release()
        raise InputError(
            f"source {number}: no camera with this number can be opened; plug it in, close programs that use "
            f"it, allow access to it; or name another number, an rtsp:// address or a video with --source"
        )
    device.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # a driver's queue would be delay
    rate = device.get(cv2.CAP_PROP_FPS)

    def pictures() -> Pictures:
        first_s, index = math.nan, 0
        while True:
            there, picture_bgr = device.read()
            now_s = time.perf_counter()
            if not there:
                raise InputError("the camera gives no more pictures; was it unplugged?")
            first_s = now_s if math.isnan(first_s) else first_s
            rgb = np.ascontiguousarray(cv2.cvtColor(picture_bgr, cv2.COLOR_BGR2RGB))
            yield Frame(rgb, f"camera {number}", index, now_s - first_s), now_s
            index += 1

    return CameraSource(f"camera {number}", pictures(), device.release, rate if rate > 0 else 30.0)


def _open_stream(address: str) -> CameraSource:
    import av

    name = re.sub(r"(?<=://)[^/@]*@", "", address)  # without the password
    options = {"rtsp_transport": "tcp", "fflags": "nobuffer"}
    try:
        container = av.open(address, options=options, timeout=(_OPEN_S, _READ_S), metadata_errors="replace")
        streams = container.streams.video
        if not streams:
            container.close()
            raise InputError("holds no video")
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise InputError(
            f"source {name}: cannot be opened ({reason}); check the address, the network, and the name and "
            f"password in rtsp://name:password@host/path"
        ) from None
    stream = streams[0]
    stream.thread_type = "SLICE"  # threads by frames would hold pictures back

    def pictures() -> Pictures:
        first_s = math.nan
        for index, picture in enumerate(container.decode(stream)):
            now_s = time.perf_counter()
            first_s = now_s if math.isnan(first_s) else first_s
            rgb = np.rot90(picture.to_ndarray(format="rgb24"), round(picture.rotation / 90) % 4)
            yield Frame(np.ascontiguousarray(rgb), name, index, now_s - first_s), now_s

    return CameraSource(name, pictures(), container.close, float(stream.average_rate or 25))


def _open_file(path: Path) -> CameraSource:
    from feat_pipeline.sources.videos import probe_video, read_video

    try:
        info = probe_video(path)
    except InputError as error:
        raise InputError(
            f"source {error}; name a camera by its number, an rtsp:// address or a video file with --source"
        ) from None

    def pictures() -> Pictures:
        begin_s = math.nan
        for item in read_video(path, info=info):
            if isinstance(item, Skipped):  # a damaged stretch passes as time
                continue
            begin_s = time.perf_counter() - item.time_s if math.isnan(begin_s) else begin_s
            yield item, begin_s + item.time_s

    rate = info.rate if info.rate > 0 else 25.0
    return CameraSource(input_name(path), pictures(), lambda: None, rate)
