import time
from itertools import count

import numpy as np
import pytest

from feat_pipeline.predict import Predictor
from feat_pipeline.sources.camera import CameraSource
from feat_pipeline.sources.frame import Frame
from tests.feat_pipeline.fakes import draw_face
from tests.feat_pipeline.sources.made_videos import write_video

SIZE = (160, 120)


def smile(i):
    """A smiling face that moves to the right."""
    return draw_face(np.full((SIZE[1], SIZE[0], 3), 30, np.uint8), 20 + i, 30, 60, smile=4)


@pytest.fixture(scope="session")
def video(tmp_path_factory):
    """A second and a half of a smile, 25 pictures a second."""
    path = tmp_path_factory.mktemp("camera") / "smile.mp4"
    return write_video(path, 38, draw=smile, size=SIZE, options={"qp": "6"}, pixels="yuv444p")


@pytest.fixture
def predictor(fakes, model_dir):
    """A predictor that has answered once: the first answer takes longer, as libraries are loaded for it."""
    made = Predictor(models=[model_dir])
    made.predict(smile(0))
    return made


def endless():
    """A camera that gives a picture each 20 ms for as long as it is looked at."""

    def pictures():
        for index in count():
            yield Frame(smile(index % 40), "made", index, index / 50), time.perf_counter() + 0.02

    return CameraSource("made", pictures(), lambda: None, 50.0)


class Screen:
    """A view that notes what it is shown, and asks for what it is told at those pictures."""

    def __init__(self, **actions):
        self.actions = {int(at.removeprefix("at")): action for at, action in actions.items()}
        self.shown = []
        self.asked = 0

    def show(self, picture_rgb, time_s, faces):
        self.shown.append((picture_rgb, time_s, faces))

    def action(self):
        self.asked += 1
        return self.actions.pop(len(self.shown), "")
