import json

import av
import numpy as np
import pandas as pd
import pytest

from feat_pipeline.film import predict_video
from feat_pipeline.film.run import FilmPainter
from feat_pipeline.predict import Predictor
from feat_pipeline.runs.extract import extract
from feat_pipeline.runs.predict import predict_files
from feat_pipeline.sources.sampling import Sampling
from feat_pipeline.sources.videos import probe_video, read_video
from tests.feat_pipeline.fakes import FakeDetector, draw_face
from tests.feat_pipeline.film.test_writer import write_tone
from tests.feat_pipeline.sources.made_videos import packet_places, write_video

SIZE = (160, 120)
SHARP = {"qp": "6", "sc_threshold": "0"}
PANEL = 276  # width of the strip beside a picture of 360 px, the height to which 120 px are enlarged


def scene(i):
    """A smile that becomes a frown at frame 40, and another face on the right from frame 20 to 29."""
    picture = np.full((SIZE[1], SIZE[0], 3), 30, np.uint8)
    draw_face(picture, 20 + i // 6, 30, 60, smile=4 * (i < 40), frown=4 * (i >= 40))
    return draw_face(picture, 110, 40, 36, smile=4) if 20 <= i < 30 else picture


def with_eyes(i):
    """The first face with a fine pattern where its eyes would be."""
    picture = scene(i)
    y, x = np.mgrid[45:55, 35 + i // 6 : 65 + i // 6]
    picture[y, x] = 255 * ((x // 2 + y // 2) % 2)[:, :, None]
    return picture


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "video.mp4"
    return write_video(path, 60, draw=scene, size=SIZE, options=SHARP, pixels="yuv444p")


def test_every_frame_of_a_video_has_its_faces_times_and_ids(predictor, video):
    frames = list(predict_video(video, predictor))
    assert [frame.index for frame in frames] == list(range(60))
    assert [frame.time_s for frame in frames] == pytest.approx(np.arange(60) / 25)
    assert [[face.face_id for face in frame.faces] for frame in frames] == [
        [0, 1] if 20 <= i < 30 else [0] for i in range(60)
    ]
    raw = [frame.faces[0].raw.label() for frame in frames]
    steady = [frame.faces[0].labels["tiny"] for frame in frames]
    assert raw == ["happy"] * 40 + ["angry"] * 20
    assert steady[:40] == ["happy"] * 40 and steady[-1] == "angry"


def test_the_numbers_are_those_of_extract(predictor, video):
    rows = extract(video).table.frame
    faces = [face.raw for frame in predict_video(video, predictor) for face in frame.faces]
    assert [face.aus["AU12_r"] for face in faces] == pytest.approx(rows["AU12_r"].to_numpy())
    assert [face.box_xyxy[0] for face in faces] == pytest.approx(rows["x"].to_numpy())
    ids = [face.face_id for frame in predict_video(video, predictor) for face in frame.faces]
    assert ids == rows["face_id"].tolist()


def test_the_film_has_the_frames_their_times_and_a_strip_of_aus(predictor, video, tmp_path):
    list(predict_video(video, predictor, film=tmp_path / "film.mp4"))
    frames = list(read_video(tmp_path / "film.mp4"))
    assert [frame.time_s for frame in frames] == pytest.approx(probe_video(video).times_s, abs=1e-4)
    assert {frame.rgb.shape for frame in frames} == {(360, 480 + PANEL, 3)}
    assert frames[10].rgb[200, 150].astype(int) == pytest.approx([200, 200, 0], abs=16)  # the face itself
    assert (frames[10].rgb[5, 480:] > 40).mean() > 0.9  # the strip's head is no dark picture


def test_a_rate_that_varies_is_kept_and_a_rotated_video_stands_upright(predictor, tmp_path):
    times_ms = np.cumsum([0, *([20] * 10), *([500] * 3), *([33] * 12)]).tolist()
    turned = write_video(
        tmp_path / "turned.mp4", len(times_ms), draw=scene, size=SIZE, times_ms=times_ms, rotation=90
    )
    list(predict_video(turned, predictor, film=tmp_path / "film.mp4", annotate=False))
    film = list(read_video(tmp_path / "film.mp4"))
    assert [frame.time_s for frame in film] == pytest.approx(np.array(times_ms) / 1000, abs=1e-4)
    for frame, source in zip(film, read_video(turned), strict=True):
        assert frame.rgb.shape == source.rgb.shape == (160, 120, 3)
        assert np.abs(frame.rgb.astype(int) - source.rgb).mean() < 4


def test_a_part_of_a_video_becomes_a_film_of_its_own_with_its_sound(predictor, video, tmp_path):
    loud = write_tone(tmp_path / "loud.mp4", video=video)
    part = Sampling(start_s=0.8, end_s=1.6, every_s=0.2)
    frames = list(predict_video(loud, predictor, film=tmp_path / "film.mp4", sampling=part))
    assert [frame.time_s for frame in frames] == pytest.approx([0.8, 1.0, 1.2, 1.4])
    assert probe_video(tmp_path / "film.mp4").times_s == pytest.approx([0, 0.2, 0.4, 0.6])
    with av.open(str(tmp_path / "film.mp4")) as film:
        sound = film.streams.audio[0]
        assert float(sound.duration * sound.time_base) == pytest.approx(0.8, abs=0.15)


def test_a_damaged_stretch_is_told_and_the_rest_goes_on(predictor, video, tmp_path):
    data = bytearray(video.read_bytes())
    place, length = packet_places(video)[24]
    data[place + 8 : place + length] = bytes(length - 8)
    (tmp_path / "damaged.mp4").write_bytes(data)
    frames = list(predict_video(tmp_path / "damaged.mp4", predictor, film=tmp_path / "film.mp4"))
    told = [frame.item.reason for frame in frames if not frame.faces]
    assert len(told) == 1 and told[0].startswith("cannot be read from 0.920 to ")
    shown = [frame.time_s for frame in frames if frame.faces]
    assert probe_video(tmp_path / "film.mp4").times_s == pytest.approx(shown, abs=1e-4)
    assert shown[-1] == pytest.approx(2.36) and len(shown) == 60 - 13


@pytest.mark.parametrize("how", ["blur", "pixelate", "emoji"])
def test_a_hidden_face_stays_hidden_where_the_detector_loses_it(predictor, tmp_path, monkeypatch, how):
    video = write_video(tmp_path / "eyes.mp4", 40, draw=with_eyes, size=SIZE, options=SHARP)
    detect, seen = FakeDetector.detect, []

    def forgetful(self, frame_rgb):
        seen.append(0)
        found = detect(self, frame_rgb)
        return [] if len(seen) in (1, 2, 3, 30, 31, 32) else found

    monkeypatch.setattr(FakeDetector, "detect", forgetful)
    hidden = predict_video(
        video, predictor, film=tmp_path / "film.mp4", detect_every_s=0, annotate=False, hide=how
    )
    frames = list(hidden)
    assert [frame.index for frame in frames if not frame.faces] == [0, 1, 2, 29, 30, 31]
    for frame in read_video(tmp_path / "film.mp4"):
        eyes = (slice(45, 55), slice(35 + frame.index // 6, 65 + frame.index // 6))
        lost = np.abs(frame.rgb[eyes].astype(int) - with_eyes(frame.index)[eyes]).mean()
        assert lost > 40, frame.index
        assert frame.rgb[5, 5].max() < 60  # beside the face the picture stays


def test_a_frame_at_which_the_detector_fails_is_hidden_as_a_whole(predictor, tmp_path):
    def cursed(i):
        picture = scene(i)
        if i == 5:
            picture[:8, :8] = (0, 0, 255)
        return picture

    video = write_video(
        tmp_path / "video.mkv", 10, draw=cursed, size=SIZE, codec="ffv1", pixels="bgr0", options={"g": "1"}
    )
    frames = list(
        predict_video(
            video, predictor, film=tmp_path / "film.mp4", annotate=False, hide="blur", detect_every_s=0
        )
    )
    assert [frame.index for frame in frames if not frame.faces] == [5]
    assert "cursed" in frames[5].item.reason
    shown = [frame.rgb for frame in read_video(tmp_path / "film.mp4")]
    assert np.unique(shown[5][60] // 24, axis=0).shape[0] <= 8 and shown[4][5, 5].max() < 60
    assert shown[5][5, 5, 2] > 60  # blocks of the whole picture's colours


def test_a_consumer_that_stops_leaves_a_film_of_what_was_done(predictor, video, tmp_path):
    work = predict_video(video, predictor, film=tmp_path / "film.mp4")
    frames = work.frames()
    for _ in range(12):
        next(frames)
    assert not (tmp_path / "film.mp4").exists()
    frames.close()
    assert len(probe_video(tmp_path / "film.mp4").times_s) == 12
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


def test_memory_does_not_grow_with_the_length(predictor, tmp_path):
    import gc

    def alive_after(count):
        video = write_video(tmp_path / f"{count}.mp4", count, draw=scene, size=SIZE)
        most = 0
        for frame in predict_video(video, predictor, film=tmp_path / "film.mp4", annotate=False):
            if frame.index % 30 == 0:
                gc.collect()
                held = sum(o.nbytes for o in gc.get_objects() if type(o) is np.ndarray)
                most = max(most, held)
        return most

    assert alive_after(260) < alive_after(130) + 30 * SIZE[0] * SIZE[1] * 3


def test_photos_and_videos_in_one_run(fakes, video, photos, model_dir, tmp_path):
    out = tmp_path / "out"
    result = predict_files([photos, video], out=out, models=[model_dir], annotate=True)
    rows = result.predictions
    assert list(rows.columns) == [
        *("input", "frame", "time_s", "face", "x", "y", "w", "h", "confidence", "face_id", "model", "label"),
        *("p_angry", "p_happy", "p_neutral", "smooth_label"),
        *("smooth_p_angry", "smooth_p_happy", "smooth_p_neutral", "picture"),
    ]
    of_video = rows[rows["input"] == str(video)]
    assert len(of_video) == 70 and len(rows) == 73
    assert of_video["time_s"].to_numpy() == pytest.approx(of_video["frame"].to_numpy() / 25)
    assert of_video.loc[of_video["face_id"] == 1, "frame"].tolist() == list(range(20, 30))
    of_photos = rows[rows["input"] != str(video)]
    assert of_photos["smooth_label"].tolist() == of_photos["label"].tolist()
    assert of_photos["smooth_p_happy"].to_numpy() == pytest.approx(of_photos["p_happy"].to_numpy())
    assert result.run["counts"] == {"inputs": 4, "frames": 63, "faces": 73, "skipped": {"no face": 1}}
    (film,) = result.run["films"]
    assert len(probe_video(out / film["film"]).times_s) == 60
    assert sorted(path.suffix for path in (out / "annotated").iterdir()) == [".jpg", ".jpg", ".mp4"]


def test_reasons_and_pictures_are_kept_of_a_new_face_and_a_new_label(fakes, video, model_dir, tmp_path):
    out = tmp_path / "out"
    rows = predict_files(video, out=out, models=[model_dir]).predictions
    pictured = rows[rows["picture"] != ""]
    assert pictured["frame"].tolist()[:2] == [0, 20] and len(pictured) == 3
    assert pictured["smooth_label"].tolist() == ["happy", "happy", "angry"]
    reasons = [json.loads(line) for line in (out / "explanations.jsonl").read_text().splitlines()]
    assert [reason["picture"] for reason in reasons] == pictured["picture"].tolist()
    assert [reason["frame"] for reason in reasons] == pictured["frame"].tolist()


def test_the_raw_columns_are_those_of_the_frame_alone(fakes, video, model_dir, tmp_path):
    rows = predict_files(video, out=tmp_path / "out", models=[model_dir]).predictions
    frame = next(frame for frame in read_video(video) if frame.index == 42)
    (alone,) = Predictor(models=[model_dir]).predict(frame)
    row = rows[rows["frame"] == 42].iloc[0]
    assert row["p_angry"] == pytest.approx(alone.probabilities["tiny"]["angry"], rel=1e-5)
    assert row["label"] == "angry" and row["smooth_label"] == "happy"


def test_the_command_takes_photos_and_a_part_of_a_video(fakes, run, video, photos, model_dir, tmp_path):
    out = tmp_path / "out"
    code, stdout, err = run(
        *("predict", video, photos / "two.png", "--model", model_dir, "--out", out),
        *("--annotate", "--every", "0.4s", "--end", "1", "--detect-every", "0"),
    )
    assert code == 0 and "2 inputs, 4 frames, 6 faces" in err
    assert stdout.splitlines()[-1] == str(out / "annotated" / "000000_video.mp4")
    rows = pd.read_csv(out / "predictions.csv")
    assert rows.loc[rows["input"] == str(video), "frame"].tolist() == [0, 10, 20, 20]
    told = json.loads((out / "run.json").read_text())["parameters"]
    assert (told["every_s"], told["end_s"], told["detect_every_s"]) == (0.4, 1.0, 0.0)


def test_a_video_that_cannot_be_opened_is_listed(fakes, run, video, model_dir, tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    out = tmp_path / "out"
    code, _, err = run(
        *("predict", tmp_path / "text.mp4", video, "--model", model_dir, "--out", out),
        *("--annotate", "--every", "20"),
    )
    assert code == 1 and "text.mp4: is damaged, truncated or no video" in err
    assert [path.name for path in (out / "annotated").iterdir()] == ["000001_video.mp4"]


def test_notes_on_a_film_are_told(fakes, run, model_dir, tmp_path):
    black = np.zeros((301, 485, 3), np.uint8)
    odd = write_video(
        tmp_path / "odd.mkv", 3, draw=lambda i: black, size=(485, 301), codec="ffv1", pixels="bgr0"
    )
    code, _, err = run("predict", odd, "--model", model_dir, "--out", tmp_path / "out", "--annotate")
    assert code == 0 and "as H.264 needs even sides" in err


def test_ctrl_c_keeps_the_rows_and_a_film_that_plays(fakes, run, video, model_dir, tmp_path, monkeypatch):
    paint, painted = FilmPainter.paint, []

    def interrupted(self, covered):
        painted.append(0)
        if len(painted) == 16:
            raise KeyboardInterrupt
        return paint(self, covered)

    monkeypatch.setattr(FilmPainter, "paint", interrupted)
    out = tmp_path / "out"
    code, _, err = run("predict", video, "--model", model_dir, "--out", out, "--annotate")
    assert code == 130 and f"are in {out}" in err
    (film,) = (out / "annotated").iterdir()
    assert len(probe_video(film).times_s) == 15
    assert len(pd.read_csv(out / "predictions.csv")) == 15
    assert json.loads((out / "run.json").read_text())["films"][0]["film"] == f"annotated/{film.name}"


def test_a_film_of_an_earlier_run_is_no_input_and_goes_when_overwritten(fakes, video, model_dir, tmp_path):
    folder = tmp_path / "films"
    folder.mkdir()
    (folder / "a.mp4").write_bytes(video.read_bytes())
    part = Sampling(end_s=0.2)
    predict_files(folder, out=folder, models=[model_dir], annotate=True, sampling=part)
    again = predict_files(folder, out=folder, models=[model_dir], sampling=part, overwrite=True)
    assert again.run["counts"]["inputs"] == 1 and list((folder / "annotated").iterdir()) == []


@pytest.mark.slow
@pytest.mark.shared
def test_a_real_video_keeps_its_sound_its_person_and_a_steady_label(shared, tmp_path):
    source = shared / "data" / "videos" / "d19.mp4"
    result = predict_files(source, out=tmp_path, annotate=True)
    rows = result.predictions
    assert set(rows["face_id"]) == {0} and len(rows) == 250

    def runs(labels):
        return labels.groupby((labels != labels.shift()).cumsum()).size().tolist()

    raw, smooth = runs(rows["label"]), runs(rows["smooth_label"])
    assert len(smooth) < len(raw) and min(smooth) > min(raw) and min(smooth) >= 6  # a fifth of a second

    film = tmp_path / result.run["films"][0]["film"]
    assert probe_video(film).times_s == pytest.approx(probe_video(source).times_s, abs=1e-4)
    sounds = []
    for path in (source, film):
        with av.open(str(path)) as file:
            sounds.append([bytes(packet) for packet in file.demux(audio=0) if packet.size])
    assert sounds[0] == sounds[1]


def test_no_face_id_of_a_film_crosses_a_hard_cut_by_its_place(predictor, tmp_path):
    def rooms(i):
        rng = np.random.default_rng(int(i >= 13))
        room = rng.integers(0, 180, (SIZE[1] // 10, SIZE[0] // 10, 3), dtype=np.uint8)
        return draw_face(room.repeat(10, 0).repeat(10, 1), 40, 30, 60, smile=4)

    film = write_video(tmp_path / "cut.mp4", 25, draw=rooms, size=SIZE, options=SHARP, pixels="yuv444p")
    ids = [[face.face_id for face in frame.faces] for frame in predict_video(film, predictor)]
    assert ids == [[0]] * 13 + [[1]] * 12
