from fractions import Fraction

import av
import numpy as np
import pytest

from feat_pipeline.errors import OutputError
from feat_pipeline.film import FilmWriter
from feat_pipeline.sources.videos import probe_video, read_video
from tests.feat_pipeline.sources.made_videos import grey, number_of, quarters, write_video

TONE_RATE = 32_000


def write_tone(path, seconds=2.4, *, codec="aac", begin_s=0.0, video=None, layout="mono", rate=TONE_RATE):
    """Add a tone, of 400 Hz and from 1 s on 800 Hz, to the pictures of `video`; pictures are copied."""
    with av.open(str(path), "w") as file, av.open(str(video)) as pictures:
        shown = file.add_stream_from_template(pictures.streams.video[0])
        sound = file.add_stream(codec, rate=rate, layout=layout)
        for packet in pictures.demux(video=0):
            if packet.size:
                packet.stream = shown
                file.mux(packet)
        t = np.arange(int(seconds * rate)) / rate
        wave = 0.5 * np.sin(2 * np.pi * np.where(t < 1, 400, 800) * t)
        channels = 1 if layout == "mono" else 2
        for start in range(0, len(t), 1024):
            part = np.repeat(wave[None, start : start + 1024], channels, axis=0).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=layout)
            frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
            frame.pts = start + round(begin_s * rate)
            file.mux(sound.encode(frame))
        file.mux(sound.encode(None))
    return path


def sound_of(path):
    """Samples of a file's sound and the time of the first, as a player hears it."""
    with av.open(str(path)) as file:
        stream = file.streams.audio[0]
        frames = [f for f in file.decode(stream) if f.pts is not None]
        samples = np.concatenate([f.to_ndarray().astype(float).mean(axis=0) for f in frames])
        return samples, float(frames[0].pts * frames[0].time_base), stream.codec_context.sample_rate


def pitch_change_s(path):
    """When the tone changes."""
    samples, first_s, rate = sound_of(path)
    pitches = [
        np.abs(np.fft.rfft(samples[i : i + 1600] * np.hanning(1600))).argmax() * rate / 1600
        for i in range(0, len(samples) - 1600, 160)
    ]
    return first_s + (next(i for i, hertz in enumerate(pitches) if hertz > 600) * 160 + 800) / rate


def copy(source, target, **options):
    """Write a video's frames anew; the writer."""
    with FilmWriter(target, rate=25, sound_of=source, **options) as film:
        for frame in read_video(source):
            film.add(frame.rgb, frame.time_s)
    return film


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("pictures") / "pictures.mp4", 60)


def test_pictures_come_back_with_their_times_and_colours(tmp_path):
    times_s = [0.0, 0.04, 0.1234, 0.5, 0.5001, 2.0]
    with FilmWriter(tmp_path / "film.mp4", rate=25) as film:
        for i, time_s in enumerate(times_s):
            film.add(quarters() if i == 3 else grey(10 * i), 7 + time_s)
    frames = list(read_video(tmp_path / "film.mp4"))
    assert [f.time_s for f in frames] == pytest.approx(times_s, abs=1e-5)
    assert [number_of(f.rgb) for f in frames if f.index != 3] == [0, 10, 20, 40, 50]
    corners = frames[3].rgb[[8, 8, -8, -8], [8, -8, 8, -8]]
    assert np.abs(corners.astype(int) - [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255] * 3]).max() < 12


def test_the_file_is_h264_that_players_know_and_can_start_before_it_is_there(tmp_path):
    with FilmWriter(tmp_path / "film.mp4", rate=25) as film:
        for i in range(60):
            film.add(grey(i), i / 25)
    with av.open(str(tmp_path / "film.mp4")) as file:
        context = file.streams.video[0].codec_context
        assert (context.name, context.pix_fmt, context.colorspace, context.color_range) == (
            "h264",
            "yuv420p",
            1,
            1,
        )
        assert float(file.streams.video[0].duration * file.streams.video[0].time_base) == pytest.approx(2.4)
        assert len(probe_video(tmp_path / "film.mp4").key_times_s) == 2  # a player can jump
    data = (tmp_path / "film.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_odd_sizes_become_even_and_that_is_said(tmp_path):
    with FilmWriter(tmp_path / "film.mp4", rate=25) as film:
        film.add(grey(20, (100, 68))[:65, :97], 0)
    info = probe_video(tmp_path / "film.mp4")
    assert (info.width, info.height) == (98, 66)
    assert film.notes == [
        "97 x 65 px became 98 x 66, as H.264 needs even sides: the last column or row is there twice"
    ]


def test_a_picture_of_another_size_is_fitted_in(tmp_path):
    with FilmWriter(tmp_path / "film.mp4", rate=25) as film:
        film.add(grey(20), 0)
        film.add(grey(20, (48, 64)), 0.04)
    first, second = (frame.rgb for frame in read_video(tmp_path / "film.mp4"))
    assert first.shape == second.shape == (64, 96, 3)
    assert second[32, 48].mean() > 50 and second[32, 5].mean() < 20


@pytest.mark.parametrize("codec", ["aac", "mp3"])
def test_sound_that_mp4_can_hold_is_copied_byte_by_byte(tmp_path, pictures, codec):
    source = write_tone(tmp_path / "source.mp4", codec=codec, video=pictures)
    film = copy(source, tmp_path / "film.mp4", whole_sound=True)
    packets = []
    for path in (source, film.path):
        with av.open(str(path)) as file:
            packets.append([(bytes(p), p.pts, p.duration) for p in file.demux(audio=0) if p.size])
    assert packets[0] == packets[1] and len(packets[0]) > 60 and film.notes == []
    assert pitch_change_s(film.path) == pytest.approx(pitch_change_s(source), abs=1e-6)


@pytest.mark.parametrize(("name", "codec"), [("source.mkv", "flac"), ("source.mov", "pcm_s16le")])
def test_other_sound_becomes_aac_that_stays_with_the_pictures(tmp_path, pictures, name, codec):
    source = write_tone(tmp_path / name, codec=codec, video=pictures, layout="stereo", rate=48_000)
    film = copy(source, tmp_path / "film.mp4")
    with av.open(str(film.path)) as file:
        assert file.streams.audio[0].codec_context.name == "aac"
    assert pitch_change_s(film.path) == pytest.approx(1.0, abs=0.04)
    assert len(sound_of(film.path)[0]) / 48_000 == pytest.approx(2.4, abs=0.06)


def test_sound_begins_where_a_part_of_the_video_begins(tmp_path, pictures):
    source = write_tone(tmp_path / "source.mp4", video=pictures)
    for codec in ("copied", "encoded"):
        if codec == "encoded":
            source = write_tone(tmp_path / "source.mkv", codec="flac", video=pictures)
        with FilmWriter(tmp_path / f"{codec}.mp4", rate=25, sound_of=source) as film:
            for frame in read_video(source, start_s=0.8, end_s=1.6):
                film.add(frame.rgb, frame.time_s)
        assert pitch_change_s(film.path) == pytest.approx(0.2, abs=0.05)
        samples, first_s, rate = sound_of(film.path)
        assert first_s + len(samples) / rate == pytest.approx(0.8, abs=0.1)


def test_sound_that_sets_in_late_stays_late(tmp_path, pictures):
    source = write_tone(tmp_path / "source.mp4", seconds=1.3, begin_s=0.5, video=pictures)
    assert pitch_change_s(copy(source, tmp_path / "film.mp4").path) == pytest.approx(1.5, abs=0.05)


def test_a_video_without_sound_gives_a_film_without(tmp_path, pictures):
    film = copy(pictures, tmp_path / "film.mp4")
    with av.open(str(film.path)) as file:
        assert not file.streams.audio and film.notes == []


def test_nothing_is_left_where_the_disk_fills_up(tmp_path, monkeypatch):
    film = FilmWriter(tmp_path / "film.mp4", rate=25)
    film.add(grey(0), 0)
    monkeypatch.setattr(film, "_encode", _no_space)
    with pytest.raises(
        OutputError, match=r"film\.mp4: the film cannot be written \(No space left on device\)"
    ):
        film.add(grey(1), 0.04)
    film.close()
    assert list(tmp_path.iterdir()) == [] and not film.done


def _no_space(*arguments):
    raise OSError(28, "No space left on device")


def test_an_interruption_keeps_a_film_that_plays(tmp_path):
    with pytest.raises(KeyboardInterrupt), FilmWriter(tmp_path / "film.mp4", rate=25) as film:
        for i in range(20):
            film.add(grey(i), i / 25)
            assert not (tmp_path / "film.mp4").exists()  # nobody sees half a film
        raise KeyboardInterrupt
    frames = list(read_video(tmp_path / "film.mp4"))
    assert [number_of(f.rgb) for f in frames] == list(range(20)) and film.done
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


def test_an_interruption_while_it_is_finished_leaves_nothing(tmp_path, monkeypatch):
    film = FilmWriter(tmp_path / "film.mp4", rate=25)
    film.add(grey(0), 0)

    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(film, "_finish", interrupted)
    with pytest.raises(KeyboardInterrupt):
        film.close()
    assert list(tmp_path.iterdir()) == []


def test_a_film_without_a_picture_is_none(tmp_path):
    with FilmWriter(tmp_path / "film.mp4", rate=25):
        pass
    assert list(tmp_path.iterdir()) == []
