"""The sound of a video goes over into a film: as it is where MP4 can hold it, else as AAC."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

from feat_pipeline.errors import InputError
from feat_pipeline.sources.frame import PathLike
from feat_pipeline.sources.video_index import open_video, probe_video, read_packets, video_stream

COPIED = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "opus"})
"""Codecs that go over as they are: players know them in MP4."""

_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_RUN_UP_S = 0.1  # of copied sound before the first frame: decoders need some, players do not let it sound


class Sound:
    """Moves the sound of one video into a film that is being written.

    Parameters
    ----------
    path : path
        The video. Where it has no sound, or none that can be read, nothing is moved.
    film : av.container.OutputContainer
        Gets one stream more; its header is not written yet.
    begin_s : float
        Time of the video with which the film begins, seconds from the video's first frame.

    Attributes
    ----------
    notes : list of str
        What became of the sound, where it is not simply there.
    """

    def __init__(self, path: PathLike, film: Any, *, begin_s: float) -> None:
        import av

        self.notes: list[str] = []
        self._film, self._begin_s = film, begin_s
        self._files = contextlib.ExitStack()
        self._packets: Iterator[Any] = iter(())
        self._waiting: Any = None
        self._out: Any = None
        self._resampler: Any = None
        self._errors: list[str] = []
        self._last_dts: float = -math.inf
        try:
            container = self._files.enter_context(open_video(path))
            self._stream: Any = container.streams.best("audio")
            if self._stream is None:
                return
            if self._stream.codec_context is None:
                raise InputError("nothing here knows its codec")
            base, first = video_stream(container).time_base, int(probe_video(path).packets.stamps[0])
            self._zero_s = begin_s + (float(first * base) if base else 0.0)
            self._copied = self._stream.codec_context.codec.canonical_name in COPIED
            self._out = self._new_stream()
        except (av.FFmpegError, OSError, InputError, ValueError) as error:
            self.notes.append(f"without its sound, which cannot be read ({_line(error)})")
            return
        self._packets = read_packets(container, [self._stream], self._errors)
        self._waiting = next(self._packets, None)

    def copy_until(self, time_s: float) -> None:
        """Move what begins to sound before a time of the video, seconds from its first frame."""
        while self._waiting is not None and self._film_s(self._waiting) < time_s - self._begin_s:
            packet, self._waiting = self._waiting, next(self._packets, None)
            if self._copied:
                self._copy(packet)
            else:
                self._encode(packet)

    def finish(self) -> None:
        """Empty the encoder, and tell what is missing."""
        if self._out is not None and not self._copied:
            self._mux(self._resampler.resample(None) if self._resampler else [])
            if self._resampler:
                self._film.mux(self._out.encode(None))
        if self._errors:
            self.notes.append(f"a part of its sound is missing ({self._errors[0]})")

    def close(self) -> None:
        """Close the video."""
        self._files.close()

    def _new_stream(self) -> Any:
        if self._copied:
            return self._film.add_stream_from_template(self._stream)
        context = self._stream.codec_context
        rate = min(_AAC_RATES, key=lambda known: abs(known - (context.sample_rate or 48000)))
        return self._film.add_stream("aac", rate=rate, layout="mono" if context.channels == 1 else "stereo")

    def _film_s(self, packet: Any) -> float:
        """Time of the film at which a packet sounds; one without a time goes with that before it."""
        stamp = packet.pts if packet.pts is not None else packet.dts
        return -math.inf if stamp is None else float(stamp * packet.time_base) - self._zero_s

    def _copy(self, packet: Any) -> None:
        begins_s = self._film_s(packet)
        if begins_s < -_RUN_UP_S or packet.is_corrupt:
            return
        shift = round(self._zero_s / packet.time_base)
        packet.pts = (packet.pts if packet.pts is not None else packet.dts) - shift
        packet.dts = packet.pts
        if packet.dts <= self._last_dts:  # a damaged file repeats itself; the film's times must go up
            return
        self._last_dts = packet.dts
        packet.stream = self._out
        self._film.mux(packet)

    def _encode(self, packet: Any) -> None:
        import av

        try:
            frames = self._stream.codec_context.decode(packet)
        except (av.FFmpegError, OSError) as error:
            self._errors.append(_line(error))
            return
        for frame in frames:
            if frame.pts is None or float(frame.pts * frame.time_base) < self._zero_s:
                continue
            frame.pts -= round(self._zero_s / frame.time_base)
            try:
                self._mux(self._resampled(frame))
            except ValueError:  # it changed its rate or channels on the way
                self._mux(self._resampler.resample(None))
                self._resampler = None
                self._mux(self._resampled(frame))

    def _resampled(self, frame: Any) -> list[Any]:
        import av

        if self._resampler is None:
            context = self._out.codec_context
            self._resampler = av.AudioResampler(
                format=context.format,
                layout=context.layout,
                rate=context.sample_rate,
                options={"async": "1"},  # gaps become silence, so that sound and picture stay together
            )
        return self._resampler.resample(frame)

    def _mux(self, frames: list[Any]) -> None:
        for frame in frames:
            self._film.mux(self._out.encode(frame))


def _line(error: Exception) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error).split())
