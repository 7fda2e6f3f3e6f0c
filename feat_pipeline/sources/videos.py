"""Videos become frames: upright RGB pictures by their own time stamps, one at a time.

Reading begins at the keyframe before the first wanted frame and jumps over stretches without one, so that
consecutive intervals of a file give the very frames of the whole file and nearly nothing is decoded twice.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from bisect import bisect_right, insort
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from feat_pipeline.errors import InputError
from feat_pipeline.sources.frame import Frame, PathLike, Skipped
from feat_pipeline.sources.photos import MAX_PIXELS, from_array
from feat_pipeline.sources.sampling import check_range, parse_every, wanted_frames
from feat_pipeline.sources.video_index import (
    VideoInfo,
    open_video,
    probe_video,
    read_packets,
    shown_size,
    video_stream,
)

if TYPE_CHECKING:
    import av

__all__ = ["VideoInfo", "parse_every", "probe_video", "read_video"]

"""The usual ones of them, as users are told."""
_JUMP = 8
"""Packets that are rather decoded than jumped over: a jump costs as much."""


def read_video(
    path: PathLike,
    *,
    start_s: float = 0.0,
    end_s: float = math.inf,
    every_s: float | None = None,
    every_frames: int | None = None,
    info: VideoInfo | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Iterator[Frame | Skipped]:
    """Read the frames of a video in the order of their times; one is held at a time.

    Parameters
    ----------
    path : str or path-like
        The file.
    start_s, end_s : float
        Frames with ``start_s <= time_s < end_s`` are read, seconds from the first frame.
    every_s : float, optional
        Take the first frame of each such step of time, counted from the file's start. All by default.
    every_frames : int, optional
        Take each such frame, counted from the file's start.
    info : VideoInfo, optional
        What `probe_video` found in the file, where it is known already.
    max_pixels : int
        A video with more pixels a frame is refused.

    Yields
    ------
    Frame or Skipped
        Frames have the number and the time that they have in the whole file. A stretch that cannot be read
        is one `Skipped`, numbered by its first wanted frame: what the decoder reports as damaged, up to the
        next keyframe, and what a truncated file lacks. HEVC, VP9 and MJPEG report little of their damage.

    Raises
    ------
    InputError
        As `probe_video`, at the first step.
    UsageError
        ``start_s`` does not come before ``end_s``, both or no positive ``every_*`` are given.
    """
    check_range(start_s, end_s, every_s, every_frames)
    info = probe_video(path, max_pixels=max_pixels) if info is None else info
    wanted = wanted_frames(info.times_s, start_s, end_s, every_s, every_frames)
    if len(wanted):
        yield from _Reader(path, info, wanted, max_pixels).read()
    last_s = float(info.times_s[-1])
    if info.broken and start_s <= last_s < end_s:
        reason = f"cannot be read from {info.duration_s:.3f} s on: {info.broken}"
        yield Skipped(info.path, len(info.times_s), reason)


class _BadStart(Exception):  # noqa: N818 - no error: reading begins at an earlier keyframe then
    """Decoding cannot begin at this keyframe."""


class _Reader:
    """One pass over the wanted frames of one file."""

    def __init__(self, path: PathLike, info: VideoInfo, wanted: np.ndarray, max_pixels: int) -> None:
        self.path, self.info, self.max_pixels = path, info, max_pixels
        self.wanted: list[int] = wanted.tolist()
        self.done = 0  # how many of the wanted frames were given or missed
        packets = info.packets
        self.stamps, self.orders, self.by_number = packets.stamps, packets.orders, packets.by_number
        self.keys: list[list[int]] = packets.keys[np.argsort(packets.keys[:, 0], kind="stable")].tolist()
        self.bad_keys: set[int] = set() if packets.can_seek else set(range(len(self.keys)))
        self.bad: list[int] = []  # numbers of the packets on which the decoder failed, ascending
        self.missed: list[int] = []
        self.why = ""

    def read(self) -> Iterator[Frame | Skipped]:
        """Decode from one keyframe after another until every wanted frame was given or missed."""
        import av

        try:
            with contextlib.ExitStack() as self.files:
                self._open()
                while self.done < len(self.wanted):
                    key = self._key(self.wanted[self.done])
                    try:
                        yield from self._read_from(key)
                    except _BadStart:
                        self.bad_keys.add(key)
        except (av.FFmpegError, OSError, InputError) as error:
            self.why = " ".join(str(getattr(error, "strerror", None) or error).split())
            self._miss_all()
        yield from self._tell_missed()

    def _open(self) -> None:
        self.files.close()
        self.container = self.files.enter_context(open_video(self.path))
        self.stream = video_stream(self.container)

    def _key(self, number: int) -> int:
        """Return the number of the last keyframe not after a frame, -1 for the file's start."""
        key = bisect_right(self.keys, int(self.stamps[number]), key=lambda row: row[0]) - 1
        while key in self.bad_keys:
            key -= 1
        return key

    def _read_from(self, key: int) -> Iterator[Frame | Skipped]:
        first = 0 if key < 0 else self._number_of_key(key)
        begun = key < 0
        upcoming = first
        for order, packet in self._packets(key):
            for frame in self._decode(packet, order):
                number = upcoming if self.by_number else self._number(frame, upcoming)
                if number is None:  # it belongs before the keyframe, or to no packet
                    continue
                if not begun:
                    self._check_start(key, first, number, frame)
                begun, upcoming = True, number + 1
                yield from self._give(number, frame)
                if self.done == len(self.wanted):
                    return
            if packet is not None and self._far(order):
                return
        if not begun:
            raise _BadStart
        self._miss_all()

    def _packets(self, key: int) -> Iterator[tuple[int, av.Packet | None]]:
        """Yield the packets from a keyframe on with their numbers; None at the end empties the decoder."""
        if key < 0:
            self._open()
            order = -1
            packets = read_packets(self.container, [self.stream])
        else:
            order = self.keys[key][1] - 1
            packets = self._seek(key)
        for packet in packets:
            order += 1
            yield order, packet
        yield order, None

    def _seek(self, key: int) -> Iterator[av.Packet]:
        import av

        stamp, _, seek_stamp = self.keys[key]
        try:
            self.container.seek(seek_stamp, stream=self.stream)
        except av.FFmpegError:
            raise _BadStart from None
        packets = read_packets(self.container, [self.stream])
        for packet in packets:
            own = packet.dts if self.by_number else packet.pts
            if packet.is_keyframe and own == stamp:
                return itertools.chain([packet], packets)
            if packet.is_keyframe and own is not None and own > stamp:
                break
        raise _BadStart

    def _decode(self, packet: av.Packet | None, order: int) -> list[av.VideoFrame]:
        import av

        if packet is not None and packet.is_corrupt:
            self._mark(order, "a part of the file is missing")
            return []
        try:
            return self.stream.codec_context.decode(packet)
        except (av.FFmpegError, OSError) as error:
            self._mark(order, str(error.strerror or error))
            return []

    def _number(self, frame: av.VideoFrame, upcoming: int) -> int | None:
        """Return which frame of the file a picture is; of frames with the same time the next."""
        if frame.pts is None:
            return None
        number = max(upcoming, int(np.searchsorted(self.stamps, frame.pts)))
        return number if number < len(self.stamps) and self.stamps[number] == frame.pts else None

    def _number_of_key(self, key: int) -> int:
        stamp, order, _ = self.keys[key]
        return int(
            np.searchsorted(self.orders, order) if self.by_number else np.searchsorted(self.stamps, stamp)
        )

    def _check_start(self, key: int, first: int, number: int, frame: av.VideoFrame) -> None:
        """Expect the keyframe itself as the first picture; where an edit list hides it, the next."""
        hidden = self.stamps[first] != self.keys[key][0]
        if number != first or not (frame.key_frame or hidden):
            raise _BadStart

    def _far(self, order: int) -> bool:
        """Whether the next wanted frame is reached faster from a keyframe of its own."""
        key = self._key(self.wanted[self.done])
        return key >= 0 and self.keys[key][1] > order + _JUMP

    def _give(self, number: int, frame: av.VideoFrame) -> Iterator[Frame | Skipped]:
        if frame.is_corrupt:
            self._mark(int(self.orders[number]), "the decoder had to make up a part of the picture")
        while self.done < len(self.wanted) and self.wanted[self.done] < number:
            self._miss()
        if self.done == len(self.wanted) or self.wanted[self.done] != number:
            return
        rgb = None if self._is_damaged(number) else self._picture(frame, number)
        if rgb is None:
            self._miss()
            return
        yield from self._tell_missed()
        self.done += 1
        yield Frame(rgb, self.info.path, number, float(self.info.times_s[number]))

    def _picture(self, frame: av.VideoFrame, number: int) -> np.ndarray | None:
        import av

        aspect = self.stream.sample_aspect_ratio
        width, height = shown_size(frame.width, frame.height, aspect, self.max_pixels)
        try:
            if width * height > self.max_pixels:
                raise ValueError(f"{width:,} x {height:,} pixels are too many")
            seen_through = any(part.is_alpha for part in frame.format.components)
            kind = "rgba" if seen_through else "rgb24"
            rgb = frame.reformat(width, height, kind, threads=1).to_ndarray()
        except (av.FFmpegError, ValueError, OSError, MemoryError) as error:
            self._mark(int(self.orders[number]), str(error))
            return None
        if seen_through:
            rgb = from_array(rgb).rgb
        transposed, mirrored, flipped = self.info.orientation
        rgb = rgb.swapaxes(0, 1) if transposed else rgb
        return np.ascontiguousarray(rgb[:: -1 if flipped else 1, :: -1 if mirrored else 1])

    def _mark(self, order: int, why: str) -> None:
        insort(self.bad, order)
        self.why = self.why or " ".join(why.split())

    def _is_damaged(self, number: int) -> bool:
        """Whether the decoder failed between the keyframe that a frame rests on and the frame itself."""
        key = self._key(number)
        began = self.keys[key][1] if key >= 0 else -1
        last = bisect_right(self.bad, int(self.orders[number])) - 1
        return last >= 0 and self.bad[last] >= began

    def _miss(self) -> None:
        self.missed.append(self.wanted[self.done])
        self.done += 1

    def _miss_all(self) -> None:
        while self.done < len(self.wanted):
            self._miss()

    def _tell_missed(self) -> Iterator[Skipped]:
        """One frame that does not come, without an error, was none: the second field of one, or a repeat."""
        if len(self.missed) > 1 or (self.missed and self.why):
            first, last = self.info.times_s[[self.missed[0], self.missed[-1]]]
            count = f"{len(self.missed)} frames" if len(self.missed) > 1 else "a frame"
            reason = f"cannot be read from {first:.3f} to {last:.3f} s ({count}): {self.why or 'damaged'}"
            yield Skipped(self.info.path, self.missed[0], reason)
        self.missed, self.why = [], ""
