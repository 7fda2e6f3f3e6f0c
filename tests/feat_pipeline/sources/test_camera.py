import threading
import time

import cv2
import numpy as np
import pytest

from feat_pipeline.errors import InputError
from feat_pipeline.sources.camera import CameraSource, open_source
from feat_pipeline.sources.frame import Frame
from tests.feat_pipeline.waiting import GUARD_S, wait_until


def made(index):
    return Frame(np.zeros((4, 5, 3), np.uint8), "made", index, index / 10)


def test_a_file_is_played_in_real_time_and_then_ends(video):
    frames = []
    with open_source(str(video)) as source:
        while not source.ended:
            live = source.newest(GUARD_S)
            if live is not None:
                assert time.perf_counter() >= live.due_s  # never before its turn
                frames.append(live)
    assert source.given == 38 and source.rate == pytest.approx(25) and source.error == ""
    assert frames[-1].frame.index == 37
    due_s = np.diff([live.due_s for live in frames])
    assert due_s == pytest.approx(np.diff([live.frame.time_s for live in frames]))


def test_who_is_slow_gets_the_newest_picture_and_never_an_older_one(video):
    with open_source(str(video)) as source:
        first = source.newest(GUARD_S)
        assert first is not None
        wait_until(lambda: source.given >= first.frame.index + 9)
        given = source.given
        second = source.newest(GUARD_S)
        assert second is not None
        assert second.frame.index >= max(given - 1, first.frame.index + 8)  # it is not one that came first


def test_a_camera_that_fails_tells_why_and_lets_go_of_the_device():
    let_go = threading.Event()

    def pictures():
        yield made(0), time.perf_counter()
        raise RuntimeError("unplugged")

    with CameraSource("camera 0", pictures(), let_go.set, 25.0) as source:
        assert source.newest(GUARD_S).frame.index == 0
        assert source.newest(GUARD_S) is None and source.ended
    assert source.error == "unplugged" and let_go.is_set()


def test_leaving_stops_the_reader_though_pictures_go_on():
    def endless():
        index = 0
        while True:
            time.sleep(0.001)
            yield made(index), time.perf_counter()
            index += 1

    with CameraSource("camera 0", endless(), lambda: None, 25.0) as source:
        assert source.newest(GUARD_S) is not None
    assert not any(thread.name == "camera" for thread in threading.enumerate())


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("99", r"source 99: no camera with this number can be opened; plug it in, .*--source"),
        ("no/such.mp4", r"source no/such\.mp4: cannot be opened: no such file.*--source"),
        ("rtsp://me:secret@127.0.0.1:9/x", r"source rtsp://127\.0\.0\.1:9/x: cannot be opened \(.*refused\)"),
    ],
)
def test_what_cannot_be_opened_is_named_with_what_to_do(source, message, capfd):
    with pytest.raises(InputError, match=message) as raised:
        open_source(source)
    assert "secret" not in str(raised.value) and capfd.readouterr().err == ""


def test_a_camera_gives_upright_rgb_and_is_asked_to_hold_nothing_back(monkeypatch):
    asked = {}

    class Device:
        def __init__(self, number):
            assert number == 1

        def isOpened(self):
            return True

        def set(self, what, value):
            asked[what] = value

        def get(self, what):
            return 15.0

        def read(self):
            time.sleep(0.01)
            return True, np.full((4, 6, 3), (10, 20, 30), np.uint8)

        def release(self):
            asked["released"] = True

    monkeypatch.setattr(cv2, "VideoCapture", Device)
    with open_source("1") as source:
        live = source.newest(GUARD_S)
    assert live.frame.rgb.shape == (4, 6, 3) and live.frame.rgb[0, 0].tolist() == [30, 20, 10]
    assert asked == {cv2.CAP_PROP_BUFFERSIZE: 1, "released": True} and source.rate == 15.0
    assert source.name == live.frame.path == "camera 1"
