import argparse

import pytest

from feat_pipeline.camera.page import PageView
from feat_pipeline.cli import build_parser
from feat_pipeline.commands import camera
from feat_pipeline.network import LOOPBACK, is_loopback
from feat_pipeline.render.covers import HIDINGS


def choices_of(command, option):
    (subparsers,) = (a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    actions = subparsers.choices[command]._actions
    return next(action.choices for action in actions if option in action.option_strings)


def test_the_page_of_the_command_listens_where_the_page_of_python_does():
    asked = build_parser().parse_args(["camera"])
    assert (asked.host, asked.port) == (LOOPBACK, 0)
    with PageView("camera 0") as page:
        assert page.address.startswith(f"http://{asked.host}:")


def test_faces_are_covered_by_all_that_can_be_drawn():
    assert tuple(choices_of("camera", "--hide")) == HIDINGS == tuple(choices_of("predict", "--hide"))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_who_opens_the_page_to_others_is_warned(host, capsys):
    asked = build_parser().parse_args(["camera", "--view", "page", "--host", host])
    with camera._view(asked, "camera 0"):
        pass
    warned = "whoever has this address can look through the camera" in capsys.readouterr().err
    assert warned is not is_loopback(host)
