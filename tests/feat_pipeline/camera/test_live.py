import json
from importlib.util import find_spec
from pathlib import Path
from urllib.request import urlopen

import cv2
import numpy as np
import pytest
from PIL import Image

from feat_pipeline.camera import open_source, watch
from feat_pipeline.camera import window as window_module
from feat_pipeline.camera.page import PageView
from feat_pipeline.camera.window import WindowView
from feat_pipeline.predict import Predictor
from feat_pipeline.sources.videos import probe_video, read_video
from tests.feat_pipeline.camera.conftest import Screen, endless
from tests.feat_pipeline.fakes import FakeDetector
from tests.feat_pipeline.waiting import GUARD_S, wait_until


def test_pictures_are_answered_and_shown_with_ids_that_stay(predictor, video):
    screen = Screen()
    result = watch(open_source(str(video)), predictor, screen)
    assert result.answered == len(screen.shown) > 1 and result.given == 38
    assert len(result.latencies_s) == result.answered and min(result.latencies_s) > 0
    assert {face.face_id for _, _, faces in screen.shown for face in faces} == {0}
    assert {face.label() for _, _, faces in screen.shown for face in faces} == {"happy"}
    assert screen.shown[0][0].shape == (360, 480 + 276, 3)


def test_the_delay_does_not_grow_where_answers_take_longer_than_pictures(predictor, video, monkeypatch):
    source, screen = open_source(str(video)), Screen()
    newest, detect = source.newest, FakeDetector.detect
    taken = []

    def noted(timeout_s):
        given = source.given
        live = newest(timeout_s)
        taken.extend([] if live is None else [(given, live.frame.index)])
        return live

    def slow(self, frame_rgb):
        due = min(source.given + 4, 38)
        wait_until(lambda: source.given >= due)
        return detect(self, frame_rgb)

    monkeypatch.setattr(source, "newest", noted)
    monkeypatch.setattr(FakeDetector, "detect", slow)
    result = watch(source, predictor, screen)
    assert result.answered == len(taken) < 14 and result.given == 38
    assert screen.shown[-1][1] == pytest.approx(37 / 25)  # the last picture is answered, not one long past
    assert all(index >= given - 1 for given, index in taken)  # each was the newest that there was


def test_one_picture_gives_the_numbers_that_its_file_gives(predictor, video):
    screen = Screen()
    watch(open_source(str(video)), predictor, screen)
    _, _, (face,) = screen.shown[0]
    (alone,) = predictor.predict(next(iter(read_video(video))))
    assert face.raw.probabilities == alone.probabilities and face.raw.aus == alone.aus


def test_the_user_ends_pauses_and_saves(predictor, tmp_path):
    source, screen, told = endless(), Screen(at2="pause", at3="quit"), []
    screen.actions[1] = "save"
    original, given = screen.action, []

    def action():
        if len(screen.shown) == 2 and 2 not in screen.actions and len(given) < 2:  # it is paused
            given.append(source.given)
            wait_until(lambda: source.given > given[0] + 10)
            return "pause" if len(given) == 2 else ""
        return original()

    screen.action = action
    result = watch(source, predictor, screen, save_to=tmp_path, tell_saved=told.append)
    assert result.answered == 3
    (saved,) = tmp_path.iterdir()
    assert result.saved == told == [saved] and saved.name.startswith("camera_20") and saved.suffix == ".png"
    assert np.array_equal(np.asarray(Image.open(saved)), screen.shown[0][0])
    assert screen.shown[2][1] - screen.shown[1][1] > 0.15  # what passed during the pause is not shown


def test_what_is_shown_is_recorded_at_its_times(predictor, video, tmp_path):
    screen = Screen()
    watch(open_source(str(video)), predictor, screen, record=tmp_path / "film.mp4")
    times_s = np.array([time_s for _, time_s, _ in screen.shown])
    assert probe_video(tmp_path / "film.mp4").times_s == pytest.approx(times_s - times_s[0], abs=1e-4)


def test_ctrl_c_ends_in_order_and_keeps_the_recording(predictor, video, tmp_path):
    class Impatient(Screen):
        def show(self, *picture):
            super().show(*picture)
            if len(self.shown) == 3:
                raise KeyboardInterrupt

    result = watch(open_source(str(video)), predictor, Impatient(), record=tmp_path / "film.mp4")
    assert result.answered == 2 and len(probe_video(tmp_path / "film.mp4").times_s) == 2


def test_a_picture_at_which_the_detector_fails_is_told_once_and_hidden_as_a_whole(
    predictor, video, monkeypatch
):
    def fails(self, frame_rgb):
        raise RuntimeError("broken")

    monkeypatch.setattr(FakeDetector, "detect", fails)
    screen = Screen()
    result = watch(open_source(str(video)), predictor, screen, hide="blur")
    assert result.answered > 1
    assert [note.split(": ", 1)[1] for note in result.notes] == ["face detection failed: broken"]
    picture = screen.shown[0][0][:, :480]
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) <= 16 * 12 + 1


def test_hidden_faces_are_hidden_in_window_and_recording(predictor, video):
    screen = Screen()
    watch(open_source(str(video)), predictor, screen, hide="emoji")
    face = screen.shown[0][0][170:190, 150:170].reshape(-1, 3).mean(axis=0)
    assert np.abs(face - (200, 200, 0)).max() > 30


@pytest.fixture
def keyboard(monkeypatch):
    """OpenCV's window, faked: pictures shown, and keys that are pressed after so many of them."""
    shown, keys = [], {}
    monkeypatch.setattr(cv2, "namedWindow", lambda *arguments: None)
    monkeypatch.setattr(cv2, "resizeWindow", lambda *arguments: None)
    monkeypatch.setattr(cv2, "destroyAllWindows", lambda: shown.append("closed"))
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *arguments: 1.0)
    monkeypatch.setattr(cv2, "imshow", lambda title, picture_bgr: shown.append(picture_bgr))
    monkeypatch.setattr(cv2, "waitKey", lambda wait_ms: keys.pop(len(shown), -1))
    monkeypatch.setattr(window_module, "has_screen", lambda: True)
    return shown, keys


@pytest.mark.parametrize("key", [27, ord("q"), ord("Q")])
def test_keys_in_the_window_end_and_save(fakes, run, video, model_dir, tmp_path, keyboard, key):
    shown, keys = keyboard
    keys |= {1: ord("s"), 2: key}
    code, out, err = run("camera", "--source", video, "--model", model_dir, "--save-to", tmp_path)
    (saved,) = tmp_path.glob("*.png")
    assert code == 0 and out == f"{saved}\n" and "2 of " in err and "pictures answered" in err
    assert shown.pop() == "closed" and len(shown) == 2
    assert np.array_equal(np.asarray(Image.open(saved))[:, :, ::-1], shown[0])


def test_space_pauses_and_goes_on(predictor, keyboard, monkeypatch):
    shown, _ = keyboard
    pressed = []

    def wait_key(wait_ms):
        pressed.append(len(shown))
        if len(pressed) > 30 and pressed[-1] > pressed[29]:
            return 27
        return 32 if len(pressed) in (3, 30) else -1

    monkeypatch.setattr(cv2, "waitKey", wait_key)
    with WindowView() as window:
        watch(endless(), predictor, window)
    assert len(set(pressed[3:30])) == 1 and pressed[-2] == pressed[29] < pressed[-1]


def test_closing_the_window_ends(predictor, keyboard, monkeypatch):
    shown, _ = keyboard
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *arguments: 0.0 if len(shown) > 1 else 1.0)
    with WindowView() as window:
        assert watch(endless(), predictor, window).answered == 2


def test_without_a_screen_the_window_is_refused_and_the_page_taken(fakes, run, video, model_dir, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    arguments = ("camera", "--source", video, "--model", model_dir)
    code, out, err = run(*arguments, "--view", "window")
    assert (code, out) == (2, "") and "there is no screen here" in err and "--view page" in err
    code, out, err = run(*arguments)
    assert code == 0 and out.startswith("http://127.0.0.1:") and out.endswith("/\n")
    assert "open this address in a browser" in err


def test_the_page_shows_what_the_camera_sees(predictor, video, tmp_path):
    seen = {}

    class Watched(PageView):
        def show(self, *picture):
            super().show(*picture)
            if not seen:
                seen.update(json.load(urlopen(self.address + "answers.json", timeout=GUARD_S)))

    with Watched("smile.mp4") as page:
        watch(open_source(str(video)), predictor, page)
    assert seen["source"] == "smile.mp4" and seen["running"] and seen["time_s"] == 0
    (face,) = seen["faces"]
    assert face["label"] == "happy" and face["text"].startswith("happy ") and "AU12" in face["text"]


def test_the_command_records_and_refuses_to_overwrite(fakes, run, video, model_dir, tmp_path):
    target = tmp_path / "film.mp4"
    arguments = ("camera", "--source", video, "--model", model_dir, "--view", "page", "--record", target)
    code, out, _ = run(*arguments)
    assert code == 0 and out.splitlines()[1] == str(target)
    code, _, err = run(*arguments)
    assert code == 2 and "exists already; add --overwrite" in err
    assert run(*arguments, "--overwrite")[0] == 0
    code, _, err = run(*arguments[:-1], tmp_path / "film.avi")
    assert code == 2 and "record: expected a file that ends with .mp4" in err


def test_the_command_hides_faces_in_what_it_records(fakes, run, video, model_dir, tmp_path):
    target = tmp_path / "film.mp4"
    arguments = ("camera", "--source", video, "--model", model_dir, "--view", "page", "--record", target)
    code, _, err = run(*arguments, "--emoji", "--hide", "blur")
    assert code == 2 and "a face is covered in one way" in err
    assert run(*arguments, "--hide", "emoji")[0] == 0
    for frame in read_video(target):
        face = frame.rgb[170:190, 150:330].reshape(-1, 3).astype(int)
        assert np.abs(face - (200, 200, 0)).max(axis=1).min() > 20


def test_a_camera_that_is_not_there_is_one_line(fakes, run, model_dir):
    code, out, err = run("camera", "--source", "99", "--model", model_dir)
    assert (code, out) == (2, "") and err.count("\n") == 1 and "source 99: no camera" in err


@pytest.mark.slow
def test_real_pictures_are_answered():
    folder = Path(find_spec("feat").origin).parent / "tests" / "data"
    screen = Screen()
    result = watch(open_source(str(folder / "single_face.mp4")), Predictor(), screen)
    assert result.answered >= 2 and result.given == 72
    assert all(len(faces) == 1 and faces[0].label() for _, _, faces in screen.shown)
