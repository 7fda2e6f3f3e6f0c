import time
from itertools import count

import pytest

from feat_pipeline.sources.camera import CameraSource
from feat_pipeline.sources.frame import Frame
from tests.feat_pipeline.fakes import draw_smile


@pytest.fixture
def predictor(predictor):
    """A predictor that has answered once: the first answer takes longer, as libraries are loaded for it."""
    predictor.predict(draw_smile(0))
    return predictor


def endless():
    """A camera that gives a picture each 20 ms for as long as it is looked at."""

    def pictures():
        for index in count():
            yield Frame(draw_smile(index % 40), "made", index, index / 50), time.perf_counter() + 0.02

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
