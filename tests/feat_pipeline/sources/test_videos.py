import math
import os
import zlib
from fractions import Fraction

import numpy as np
import pytest

from feat_pipeline.errors import InputError, UsageError
from feat_pipeline.sources import videos as video
from feat_pipeline.sources.frame import Frame, Skipped
from feat_pipeline.sources.kinds import VIDEO_SUFFIXES
from feat_pipeline.sources.sampling import parse_every, wanted_frames
from feat_pipeline.sources.videos import probe_video, read_video
from tests.feat_pipeline.sources.made_videos import (
    grey,
    number_of,
    packet_places,
    quarters,
    write_sound,
    write_video,
)

KINDS = {
    "h264.mp4": {},
    "open-gop.mp4": {"options": {"x264-params": "open-gop=1:bframes=3:keyint=12:scenecut=0"}},
    "no-keyframes-but-refresh.mp4": {"options": {"x264-params": "intra-refresh=1:keyint=12:bframes=0"}},
    "h264.mkv": {},
    "h264.flv": {},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}},
    "no-order-of-display.avi": {"unit": Fraction(1, 25)},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"bf": "0"}, "unit": Fraction(1, 25)},
    "mjpeg.avi": {"codec": "mjpeg", "pixels": "yuvj420p", "unit": Fraction(1, 25)},
    "mpeg2.mpg": {"codec": "mpeg2video", "options": {"bf": "2"}, "unit": Fraction(1, 25)},
    "h264.m2ts": {},
    "wmv2.wmv": {"codec": "wmv2", "unit": Fraction(1, 25)},
    "animation.gif": {"codec": "gif", "pixels": "rgb8", "unit": Fraction(1, 100)},
}


def signature(items):
    """What is compared of frames: number, time and every byte."""
    return [(i.index, i.time_s, i.rgb.shape, zlib.crc32(i.rgb)) if isinstance(i, Frame) else i for i in items]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    return {name: write_video(folder / name, **options) for name, options in KINDS.items()}


@pytest.mark.parametrize("name", KINDS)
def test_frames_come_in_order_upright_and_at_their_times(made, name):
    info = probe_video(made[name])
    frames = list(read_video(made[name]))
    assert info.times_s == pytest.approx(np.arange(60) * 0.04, abs=0.0011) and info.times_s[0] == 0
    assert [f.index for f in frames] == list(range(60)) and [f.time_s for f in frames] == list(info.times_s)
    assert all(f.rgb.shape == (64, 96, 3) and f.rgb.dtype == np.uint8 for f in frames)
    assert (info.width, info.height, info.rotation_deg, info.broken) == (96, 64, 0, "")
    assert info.duration_s == pytest.approx(2.4, abs=0.003) and info.rate == pytest.approx(25, rel=0.001)
    assert [number_of(f.rgb) for f in frames] == list(range(60))
    assert frames[0].path == str(made[name])


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("step_s", [0.37, 1.0])
def test_consecutive_intervals_give_the_very_frames_of_the_whole(made, name, step_s):
    whole = signature(read_video(made[name]))
    parts = []
    for i in range(math.ceil(2.4 / step_s)):
        parts += signature(read_video(made[name], start_s=i * step_s, end_s=(i + 1) * step_s))
    assert parts == whole and len(whole) == 60


def test_frames_of_a_varying_rate_keep_their_own_times(tmp_path):
    times_ms = np.cumsum(np.random.default_rng(5).integers(5, 90, 40)) + 700
    path = write_video(tmp_path / "varying.mkv", 40, times_ms=times_ms.tolist())
    frames = list(read_video(path))
    expected = (times_ms - times_ms[0]) / 1000
    assert [f.time_s for f in frames] == pytest.approx(expected)
    assert [number_of(f.rgb) for f in frames] == list(range(40))
    inside = [f.index for f in read_video(path, start_s=0.5, end_s=1.25)]
    assert inside == np.flatnonzero((expected >= 0.5) & (expected < 1.25)).tolist()


def test_steps_count_from_the_start_of_the_file_wherever_reading_begins(made):
    path = made["h264.mp4"]
    assert [f.index for f in read_video(path, every_frames=7)] == [0, 7, 14, 21, 28, 35, 42, 49, 56]
    assert [f.index for f in read_video(path, every_frames=7, start_s=0.6, end_s=1.4)] == [21, 28]
    assert [f.index for f in read_video(path, every_s=0.5)] == [0, 13, 25, 38, 50]
    assert [f.index for f in read_video(path, every_s=0.5, start_s=0.9)] == [25, 38, 50]
    assert wanted_frames(np.arange(10) / 10, every_s=0.1).tolist() == list(range(10))
    assert wanted_frames(np.array([0, 0.1, 2.5, 2.6]), every_s=1).tolist() == [0, 2]
    every = {f.index: f.rgb for f in read_video(path, every_s=0.5)}
    whole = {f.index: f.rgb for f in read_video(path)}
    assert all(np.array_equal(rgb, whole[i]) for i, rgb in every.items())


def test_only_what_the_codec_needs_is_decoded(made, monkeypatch):
    decoded = []
    decode = video._Reader._decode
    monkeypatch.setattr(
        video._Reader,
        "_decode",
        lambda self, packet, order: decoded.append(order) or decode(self, packet, order),
    )
    list(read_video(made["h264.mp4"], every_s=1.0))
    assert len(decoded) < 30 < 60
    decoded.clear()
    for start in (0.0, 0.96, 1.44, 1.92):  # where keyframes stand
        list(read_video(made["h264.mp4"], start_s=start, end_s={0.0: 0.96, 1.92: 9}.get(start, start + 0.48)))
    assert (
        len(decoded) < 60 + 4 * 6
    )  # each interval's end asks for the few frames that the decoder holds back


@pytest.mark.parametrize(
    ("rotation", "mirrored", "clockwise", "corners"),
    [
        (None, False, 0, "rgbw"),
        (90, False, 270, "gwrb"),
        (180, False, 180, "wbgr"),
        (-90, False, 90, "brwg"),
        (None, True, 0, "grwb"),
        (90, True, 270, "wgbr"),
    ],
)
def test_the_rotation_flag_is_applied(tmp_path, rotation, mirrored, clockwise, corners):
    path = write_video(
        tmp_path / "turned.mp4", 3, draw=lambda i: quarters(), rotation=rotation, mirrored=mirrored
    )
    info = probe_video(path)
    frame = next(read_video(path))
    turned = clockwise in (90, 270)
    assert (info.width, info.height, info.rotation_deg) == (*((64, 96) if turned else (96, 64)), clockwise)
    assert frame.rgb.shape == (info.height, info.width, 3) and frame.rgb.flags.c_contiguous
    seen = [frame.rgb[y, x] > 128 for y in (8, -8) for x in (8, -8)]
    names = {(True, False, False): "r", (False, True, False): "g", (False, False, True): "b"}
    assert "".join(names.get(tuple(map(bool, c)), "w") for c in seen) == corners


def test_pixels_that_are_not_square_are_made_square(tmp_path):
    path = write_video(tmp_path / "wide.mp4", 2, aspect=Fraction(4, 3), rotation=90)
    info = probe_video(path)
    assert (info.width, info.height) == (64, 128) and next(read_video(path)).rgb.shape == (128, 64, 3)


def test_see_through_parts_are_laid_over_white(tmp_path):
    from PIL import Image

    pictures = [Image.new("RGBA", (30, 20), (0, 0, 0, 0)) for _ in range(2)]
    for i, picture in enumerate(pictures):
        picture.paste((255, 0, 0, 255), (0, 0, 10 + i, 10))
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=100, disposal=2)
    rgb = next(read_video(tmp_path / "a.gif")).rgb
    assert rgb[5, 5].tolist() == [255, 0, 0] and rgb[15, 25].tolist() == [255, 255, 255]


def test_a_file_whose_time_stamps_do_not_begin_at_zero_begins_at_zero(tmp_path):
    path = write_video(tmp_path / "late.mp4", 20, container={"use_editlist": "0"})
    times = [f.time_s for f in read_video(path)]
    assert times == pytest.approx(np.arange(20) * 0.04)


def test_frames_that_an_edit_list_hides_are_not_given(feat_photos):
    info = probe_video(feat_photos / "no_face.mp4")  # 98 stored, 3 hidden
    whole = signature(read_video(feat_photos / "no_face.mp4"))
    assert len(whole) == len(info.times_s) == 95 and info.times_s[0] == 0
    parts = signature(read_video(feat_photos / "no_face.mp4", end_s=1.5))
    parts += signature(read_video(feat_photos / "no_face.mp4", start_s=1.5))
    assert parts == whole


@pytest.mark.parametrize("name", ["single_face.mp4", "face_noface.mov"])
def test_real_videos_read_as_opencv_reads_them(feat_photos, name):
    import cv2

    capture = cv2.VideoCapture(str(feat_photos / name))
    count = 0
    for frame in read_video(feat_photos / name, end_s=1.0):
        there, bgr = capture.read()
        assert there and np.array_equal(frame.rgb, bgr[..., ::-1])
        count += 1
    assert count == 30


@pytest.mark.shared
@pytest.mark.parametrize("name", ["videos/d19.mp4", "openface/subj01_timepoint01.mp4"])
def test_real_videos_read_in_intervals_as_whole(shared, name):
    path = shared / "data" / name
    info = probe_video(path)
    whole = signature(read_video(path, info=info))
    parts = []
    for start in range(0, math.ceil(info.duration_s), 3):
        parts += signature(read_video(path, start_s=start, end_s=start + 3, info=info))
    assert parts == whole and len(whole) == {"videos/d19.mp4": 250}.get(name, 158)


def truncated(path, share, tmp_path):
    data = path.read_bytes()
    target = tmp_path / f"cut{path.suffix}"
    target.write_bytes(data[: int(len(data) * share)])
    return target


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_of_a_truncated_video_what_is_there_is_used_and_the_rest_told(tmp_path, suffix):
    unit = Fraction(1, 25) if suffix == ".avi" else Fraction(1, 1000)
    options = {"movflags": "faststart"} if suffix == ".mp4" else {}
    path = write_video(tmp_path / f"whole{suffix}", 80, container=options, unit=unit)
    whole = {f.index: zlib.crc32(f.rgb) for f in read_video(path)}
    cut = truncated(path, 0.6, tmp_path)
    *frames, end = read_video(cut)
    info = probe_video(cut)
    assert isinstance(end, Skipped) and info.broken
    assert end.reason.startswith(f"cannot be read from {info.duration_s:.3f} s on: ")
    assert 20 < end.frame == len(info.times_s) < 75 and 0.8 < info.duration_s < 3.0
    good = [f for f in frames if isinstance(f, Frame)]
    assert len(good) > 20 and all(zlib.crc32(f.rgb) == whole[f.index] for f in good)
    halves = signature(read_video(cut, end_s=0.7)) + signature(read_video(cut, start_s=0.7))
    assert halves == signature(read_video(cut))  # told once, by the interval that holds the last frame


def test_a_damaged_stretch_is_skipped_up_to_the_next_keyframe(tmp_path):
    path = write_video(tmp_path / "whole.mp4")
    whole = {f.index: zlib.crc32(f.rgb) for f in read_video(path)}
    data = bytearray(path.read_bytes())
    place, length = packet_places(path)[26]  # in the third of five groups of 12
    data[place + 4 : place + length] = bytes(length - 4)
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(data)
    items = list(read_video(damaged))
    (skipped,) = [i for i in items if isinstance(i, Skipped)]
    good = {i.index: zlib.crc32(i.rgb) for i in items if isinstance(i, Frame)}
    assert all(whole[i] == value for i, value in good.items())
    assert set(good) >= {*range(24), *range(36, 60)} and 5 < 60 - len(good) <= 12
    assert 24 <= skipped.frame < 30 and skipped.reason.startswith("cannot be read from 1.")
    assert f"({60 - len(good)} frames)" in skipped.reason
    parts = [*read_video(damaged, end_s=0.5), *read_video(damaged, start_s=0.5)]
    assert signature(parts) == signature(items)


def test_an_avi_without_its_index_is_read(tmp_path):
    path = write_video(tmp_path / "whole.avi", codec="mjpeg", pixels="yuvj420p", unit=Fraction(1, 25))
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"idx1")])
    assert [number_of(f.rgb) for f in read_video(path, start_s=1.0) if isinstance(f, Frame)] == list(
        range(25, 60)
    )


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("missing.mp4", None, "no such file"),
        ("empty.mp4", b"", "the file is empty"),
        ("text.mp4", b"not a video at all\n" * 50, "no video of a known kind"),
        (
            "playlist.mp4",
            b"#EXTM3U\n#EXTINF:10,\n/etc/hostname\n#EXT-X-ENDLIST\n",
            "no video of a known kind",
        ),
        ("script.mp4", b"ffconcat version 1.0\nfile /etc/hostname\n", "no video of a known kind"),
    ],
)
def test_what_is_no_video_is_refused_by_name(tmp_path, name, content, reason):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=reason) as caught:
        next(read_video(path))
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_a_file_of_sound_a_folder_and_a_pipe_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"sound\.m4a: holds no video stream \(only audio\)"):
        probe_video(write_sound(tmp_path / "sound.m4a"))
    with pytest.raises(InputError, match="is a folder, expected a video"):
        probe_video(tmp_path)
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(InputError, match="pipe"):
        probe_video(tmp_path / "pipe.mp4")


def test_a_video_without_one_readable_frame_is_refused(tmp_path):
    path = write_video(tmp_path / "whole.mp4", 10)
    data = bytearray(path.read_bytes())
    for place, length in packet_places(path):
        data[place : place + length] = b"\xff" * length
    path.write_bytes(data)
    with pytest.raises(InputError, match="no frame of it can be decoded"):
        probe_video(path)


def test_a_video_with_too_many_pixels_is_refused_before_it_is_decoded(made):
    with pytest.raises(InputError, match=r"96 x 64 = 6,144 pixels a frame, more than the limit of 6,000"):
        probe_video(made["h264.mp4"], max_pixels=6000)


def test_one_frame_is_a_video(tmp_path):
    path = write_video(tmp_path / "one.mp4", 1)
    (frame,) = read_video(path)
    info = probe_video(path)
    assert frame.time_s == 0 and len(info.times_s) == 1 and math.isnan(info.rate) and info.broken == ""


def test_an_odd_name_is_a_name_and_no_address(tmp_path, made, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("http:x.mp4", "-i.mp4", "grüße 100%d.mp4"):
        (tmp_path / name).write_bytes(made["h264.mp4"].read_bytes())
        assert next(read_video(name)).path == name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.5s", (0.5, None)),
        ("200ms", (0.2, None)),
        ("10", (None, 10)),
        (" 2 s ", (2.0, None)),
        (".5s", (0.5, None)),
    ],
)
def test_a_step_is_read_as_seconds_or_frames(text, expected):
    assert parse_every(text) == expected


@pytest.mark.parametrize("text", ["", "0", "0s", "-1s", "1.5", "1m", "s", "nan", "1e9", "inf s"])
def test_a_wrong_step_is_refused(text):
    with pytest.raises(UsageError, match=r"every: expected seconds such as 0\.5s or a number of frames"):
        parse_every(text)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"start_s": 2.0, "end_s": 1.0}, "start_s"),
        ({"start_s": math.nan}, "start_s"),
        ({"every_s": 0.0}, "every_s"),
        ({"every_frames": 0}, "every_frames"),
        ({"every_frames": 2, "every_s": 1.0}, "one of them"),
    ],
)
def test_wrong_options_are_refused(made, options, reason):
    with pytest.raises(UsageError, match=reason):
        next(read_video(made["h264.mp4"], **options))


def test_an_interval_without_a_frame_is_empty(made):
    assert list(read_video(made["h264.mp4"], start_s=5.0)) == []


def test_suffixes_are_lower_case_and_apart_from_photos():
    from feat_pipeline.sources.kinds import PHOTO_SUFFIXES

    assert {".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v"} <= VIDEO_SUFFIXES
    assert not VIDEO_SUFFIXES & PHOTO_SUFFIXES and all(s == s.lower() for s in VIDEO_SUFFIXES)


def test_the_greys_tell_their_number():
    assert [number_of(grey(i)) for i in (0, 31, 79)] == [0, 31, 79]
