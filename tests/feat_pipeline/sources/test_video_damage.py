import zlib

import pytest

from feat_pipeline.sources.frame import Frame, Skipped
from feat_pipeline.sources.videos import probe_video, read_video
from tests.feat_pipeline.sources.made_videos import packet_places, write_video

KINDS = {
    "h264.mkv": {},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}},
    "animation.gif": {"codec": "gif", "pixels": "rgb8"},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    return {name: write_video(folder / name, 20, **options) for name, options in KINDS.items()}


def read(path):
    """The frames' pictures by their numbers, and what is told beside them."""
    items = list(read_video(path))
    frames = {item.index: zlib.crc32(item.rgb) for item in items if isinstance(item, Frame)}
    return frames, [item for item in items if isinstance(item, Skipped)]


@pytest.mark.parametrize("name", KINDS)
def test_a_whole_video_of_less_than_a_second_is_whole(made, name):
    frames, told = read(made[name])
    assert len(frames) == 20 and told == [] and probe_video(made[name]).broken == ""


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("share", [0.4, 0.9])
def test_a_cut_of_less_than_a_second_is_told_and_no_part_of_a_picture_given(made, tmp_path, name, share):
    data = made[name].read_bytes()
    path = tmp_path / name
    path.write_bytes(data[: int(len(data) * share)])
    whole, (frames, told) = read(made[name])[0], read(path)
    assert 0 < len(frames) < 20 and all(whole[number] == crc for number, crc in frames.items())
    assert "missing" in told[-1].reason and told[-1].frame >= len(frames)


@pytest.mark.parametrize("name", ["vp9.webm", "animation.gif"])
def test_a_picture_that_ends_in_zeros_is_not_given(made, tmp_path, name):
    data, (place, length) = made[name].read_bytes(), packet_places(made[name])[11]
    path = tmp_path / name
    path.write_bytes(data[: place + length // 2] + bytes(len(data) - place - length // 2))
    whole, (frames, told) = read(made[name])[0], read(path)
    assert 8 < len(frames) < 12 and all(whole[number] == crc for number, crc in frames.items())
    assert "zeros" in told[-1].reason or "missing" in told[-1].reason


def test_a_gif_that_lacks_its_end_mark_only_keeps_its_last_picture(made, tmp_path):
    path = tmp_path / "a.gif"
    path.write_bytes(made["animation.gif"].read_bytes()[:-1])
    frames, (told,) = read(path)
    assert frames == read(made["animation.gif"])[0] and told.reason.endswith("its end is missing")


def test_a_gif_with_bytes_behind_its_end_mark_is_whole(made, tmp_path):
    path = tmp_path / "a.gif"
    path.write_bytes(made["animation.gif"].read_bytes() + b"noise")
    assert read(path) == read(made["animation.gif"])


def test_a_matroska_file_of_unknown_length_is_whole(made, tmp_path):
    """As a program writes it that cannot go back, such as one that streams."""
    path = write_video(tmp_path / "live.mkv", 20, container={"live": "1"})
    frames, told = read(path)
    assert len(frames) == 20 and told == []


def test_a_matroska_file_whose_time_begins_late_is_whole(tmp_path):
    path = write_video(tmp_path / "late.mkv", 20, times_ms=[10**9 + 40 * i for i in range(20)])
    frames, told = read(path)
    assert len(frames) == 20 and told == []
