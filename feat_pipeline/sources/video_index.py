"""What a video file holds, told by its packets: every frame's time, its keyframes, where it breaks off.

FFmpeg (through PyAV) reads the file. Packets are listed without being decoded, so that an hour of video takes
about a second, and reading can begin at any time by the keyframe before it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from feat_pipeline.errors import InputError
from feat_pipeline.sources.frame import PathLike, input_name
from feat_pipeline.sources.photos import MAX_PIXELS
from feat_pipeline.sources.video_damage import lost_end

if TYPE_CHECKING:
    from fractions import Fraction

    import av
    from av.container import InputContainer
    from av.video.stream import VideoStream

# Playlists and scripts, which would open other files, are no videos: FFmpeg gets to know only these.
_FORMATS = ",".join(
    [
        *("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "gif", "asf", "flv"),
        *("mpeg", "mpegts", "mpegvideo", "ogg", "mxf", "dv"),
    ]
)
# A jump within the others may change the time stamps: they are in part guessed from what was read before.
_SEEKABLE = {"mov", "matroska", "avi", "flv", "asf", "mpegts"}
_MOST_READ_ERRORS = 3
_EXACT = 2**53  # beyond it a time stamp is damage, and no float holds it
_SHORT_S = 1.0  # a Matroska file that ends this much before the end it states is truncated


@dataclass(frozen=True, eq=False)
class PacketIndex:
    """Where the frames of a video stand in its file; frames are numbered by time, packets as they come.

    Attributes
    ----------
    stamps : ndarray of int64, shape (n,)
        Time stamp of each frame in units of the stream, ascending.
    orders : ndarray of int64, shape (n,)
        Number of its packet in the file.
    keys : ndarray of int64, shape (k, 3)
        Of each keyframe, in file order: time stamp, number of the packet, time stamp to seek by. Frames that
        an edit list hides are among them, because others need them.
    by_number : bool
        The file's time stamps do not tell which frame a decoded picture is (AVI knows no order of display):
        pictures are counted instead.
    can_seek : bool
        Whether decoding can begin at a keyframe; else the file is read from its beginning.
    """

    stamps: np.ndarray
    orders: np.ndarray
    keys: np.ndarray
    by_number: bool
    can_seek: bool


@dataclass(frozen=True, eq=False)
class VideoInfo:
    """What a video file holds.

    Parameters
    ----------
    path : str
        The file as the user wrote it.
    width, height : int
        Of its upright frames with square pixels, in px.
    rotation_deg : int
        By how much the stored frames are turned clockwise to stand upright: 0, 90, 180 or 270; a mirroring
        left to right may follow.
    times_s : ndarray of float64, shape (n,)
        Time of every frame in seconds from the first one, ascending; the rate may vary.
    key_times_s : ndarray of float64, shape (k,)
        Times of the keyframes, from which reading can begin.
    duration_s : float
        Time at which the last frame ends.
    rate : float
        Mean frames per second; NaN for a single frame.
    broken : str
        Why the file cannot be read to its end; empty where it can.
    orientation : tuple of bool
        Whether the stored picture is transposed, then mirrored left to right, then upside down.
    packets : PacketIndex
        What reading needs.
    """

    path: str
    width: int
    height: int
    rotation_deg: int
    times_s: np.ndarray
    key_times_s: np.ndarray
    duration_s: float
    rate: float
    broken: str = ""
    orientation: tuple[bool, bool, bool] = (False, False, False)
    packets: PacketIndex = field(repr=False, kw_only=True)


def probe_video(path: PathLike, *, max_pixels: int = MAX_PIXELS) -> VideoInfo:
    """List the frames of a video file; all but the first stay undecoded.

    Parameters
    ----------
    path : str or path-like
        The file.
    max_pixels : int
        A video with more pixels a frame is refused.

    Returns
    -------
    VideoInfo

    Raises
    ------
    InputError
        The file is missing, empty, damaged from its beginning, holds no video, or is too large.
    """
    import av

    name = input_name(path)
    try:
        with open_video(path) as container:
            return _probe(container, name, max_pixels, lost_end(path, container.format.name))
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    except (av.FFmpegError, OSError, ValueError) as error:
        raise InputError(f"{name}: {_reason(error)}") from None


def open_video(path: PathLike) -> InputContainer:
    """Open a regular file as a video; FFmpeg's errors and the system's pass through."""
    import av

    file = Path(path)
    size = file.stat().st_size
    if file.is_dir():
        raise InputError("is a folder, expected a video")
    if not file.is_file():  # a pipe or device would block for ever
        raise InputError("is no regular file, expected a video")
    if not size:
        raise InputError("the file is empty")
    options = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}
    return av.open("file:" + os.fspath(file), options=options, metadata_errors="replace")


def video_stream(container: InputContainer) -> VideoStream:
    """Return the stream with the video; a cover picture is none.

    Raises
    ------
    InputError
        There is no such stream, or nothing here decodes it.
    """
    import av

    cover = av.stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & cover]
    if not streams:
        kinds = sorted({str(stream.type) for stream in container.streams})
        raise InputError(f"holds no video stream (only {', '.join(kinds) or 'nothing'}); name a video file")
    best = container.streams.best("video")
    stream = next((s for s in streams if best is not None and s.index == best.index), streams[0])
    if stream.codec_context is None:
        raise InputError("its video codec cannot be decoded here; convert it to H.264 in MP4")
    # One thread gives every error its packet, and the same picture wherever reading began.
    stream.codec_context.thread_count = 1
    return stream


def read_packets(
    container: InputContainer, streams: list[Any], errors: list[str] | None = None
) -> Iterator[av.Packet]:
    """Yield the packets of some streams; unreadable places are passed over, and named in `errors`."""
    import av

    failures = 0
    while failures < _MOST_READ_ERRORS:
        try:
            for packet in container.demux(streams):
                if packet.size:  # an empty packet asks the decoder for what it holds back, or is no frame
                    failures = 0
                    yield packet
            return
        except IndexError:  # PyAV, at the end of a file in which further streams turned up on the way
            return
        except (av.FFmpegError, OSError) as error:
            failures += 1
            if errors is not None:
                errors.append(_reason(error))


def _probe(container: InputContainer, name: str, max_pixels: int, lost: tuple[str, bool]) -> VideoInfo:
    stream = video_stream(container)
    _check_size(stream.codec_context.width, stream.codec_context.height, max_pixels)
    formats = container.format.name.split(",")
    counted = "mov" in formats or "avi" in formats  # they tell how many frames there are
    matroska = "matroska" in formats
    rows: list[tuple[Any, ...]] = []
    errors: list[str] = []
    first, end_s, read, places = None, 0.0, 0, 0
    for packet in read_packets(container, list(container.streams) if matroska else [stream], errors):
        last = packet.pts if packet.pts is not None else packet.dts
        if last is not None and packet.time_base:
            end_s = max(end_s, float((last + (packet.duration or 0)) * packet.time_base))
        if packet.stream_index != stream.index:
            continue
        rows.append((packet.pts, packet.dts, packet.is_keyframe, packet.is_discard, packet.is_corrupt, read))
        read += 1
        if (
            "avi" in formats and last is not None
        ):  # an empty chunk stands for a frame that was dropped on purpose
            places = max(places, last + 1)
        if first is None:
            first = _first_picture(stream, packet)
    cut = False
    while rows and rows[-1][4]:
        cut = bool(rows.pop())
    if first is None and rows:
        first = _first_picture(stream, None)
    if first is None or not rows:
        detail = f" ({errors[0]})" if errors else ""
        raise InputError(f"no frame of it can be decoded{detail}; save or download it again")
    broken, last_is_part = lost
    if last_is_part and broken and len(rows) > 1:
        rows.pop()
    stated = (container.duration or 0) / 1e6
    if errors or cut:
        broken = errors[-1] if errors else "its last frame is cut off"
    elif counted and max(read, places) < stream.frames:
        broken = f"{read:,} of {stream.frames:,} frames are there"
    elif matroska and stated - end_s > _SHORT_S:  # it states when it ends, whenever it begins
        broken = f"{end_s:.3f} of {stated:.3f} s are there"
    return _info(container, stream, name, rows, first, broken, max_pixels)


def _first_picture(stream: VideoStream, packet: av.Packet | None) -> av.VideoFrame | None:
    import av

    try:
        frames = stream.codec_context.decode(packet)
    except (av.FFmpegError, OSError):
        return None
    return frames[0] if frames else None


def _info(
    container: InputContainer,
    stream: VideoStream,
    name: str,
    rows: list[tuple[Any, ...]],
    first: av.VideoFrame,
    broken: str,
    max_pixels: int,
) -> VideoInfo:
    reordered = bool(stream.codec_context.has_b_frames)
    seekable = not _SEEKABLE.isdisjoint(container.format.name.split(","))
    stamped = all(row[0] is not None and abs(row[0]) < _EXACT for row in rows)
    by_number = not stamped or (container.format.name == "avi" and reordered)
    base = stream.time_base
    unit_s = (base.numerator, base.denominator) if base else (1, 1)
    column = 0 if stamped and not by_number else 1
    timed = all(row[column] is not None and abs(row[column]) < _EXACT for row in rows)
    if not timed:
        rate = stream.average_rate or stream.guessed_rate
        if not rate:
            raise InputError("its frames have no time stamps and it states no rate; convert it to MP4")
        unit_s = (rate.denominator, rate.numerator)
        rows = [(i, i, *row[2:]) for i, row in enumerate(rows)]
    stamps = np.array([row[column] for row in rows], dtype=np.int64)
    orders = np.array([row[5] for row in rows], dtype=np.int64)
    seeks = np.array([row[1] if row[1] is not None else row[0] for row in rows], dtype=np.int64)
    key, hidden = (np.array([row[i] for row in rows], dtype=bool) for i in (2, 3))
    if hidden.all():
        raise InputError("its edit list hides every frame; convert it with ffmpeg -ignore_editlist 1")
    keys = np.stack([stamps, orders, seeks], axis=1)[key]
    stamps, orders, key = stamps[~hidden], orders[~hidden], key[~hidden]
    sort = np.argsort(stamps, kind="stable")
    stamps, key = stamps[sort], key[sort]
    orders = np.sort(orders) if by_number else orders[sort]
    times = (stamps - stamps[0]) * unit_s[0] / unit_s[1]
    steps = np.diff(times)
    typical = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    orientation, rotation = _orientation(first)
    width, height = shown_size(first.width, first.height, stream.sample_aspect_ratio, max_pixels)
    _check_size(width, height, max_pixels)
    if orientation[0]:
        width, height = height, width
    can_seek = timed and seekable and not (by_number and reordered)
    return VideoInfo(
        path=name,
        width=width,
        height=height,
        rotation_deg=rotation,
        times_s=times,
        key_times_s=times[key],
        duration_s=float(times[-1]) + typical,
        rate=(len(times) - 1) / float(times[-1]) if times[-1] > 0 else float("nan"),
        broken=broken,
        orientation=orientation,
        packets=PacketIndex(stamps, orders, keys, by_number, can_seek),
    )


def shown_size(width: int, height: int, aspect: Fraction | None, max_pixels: int) -> tuple[int, int]:
    """Size in square pixels; an absurd shape of the pixels is taken for damage and passed over."""
    wide = round(width * float(aspect)) if aspect else width
    return (wide if width / 4 <= wide <= width * 4 and wide * height <= max_pixels else width), height


def _orientation(frame: av.VideoFrame) -> tuple[tuple[bool, bool, bool], int]:
    """How the stored picture is turned by its display matrix, to the nearest right angle."""
    found: Any = frame.side_data.get("DISPLAYMATRIX")
    if found is None:
        return (False, False, False), 0
    a, b, _, c, d = np.frombuffer(bytes(found), dtype="<i4", count=5).astype(float)
    transposed = abs(b) + abs(c) > abs(a) + abs(d)
    mirrored, flipped = (c < 0, b < 0) if transposed else (a < 0, d < 0)
    if a * d < b * c:  # the angle is that before a mirroring
        a = -a
    clockwise = round(float(np.degrees(np.arctan2(b, a))) / 90) % 4 * 90
    return (bool(transposed), bool(mirrored), bool(flipped)), clockwise


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise InputError(
            f"{width:,} x {height:,} = {width * height:,} pixels a frame, more than the limit of "
            f"{max_pixels:,}; shrink the video first"
        )


def _reason(error: Exception) -> str:
    """Say in one line what FFmpeg or the system could not do."""
    import av

    if isinstance(error, av.FFmpegError) and not isinstance(error, FileNotFoundError | PermissionError):
        text = " ".join(str(error.strerror or error).split())
        return f"is damaged, truncated or no video of a known kind ({text[:1].lower()}{text[1:]})"
    text = str(getattr(error, "strerror", None) or error)
    return f"cannot be opened: {text[:1].lower()}{text[1:]}"
