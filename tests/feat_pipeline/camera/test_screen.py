"""The window on a real screen: Xvfb (Debian's package xvfb), where it is installed."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.feat_pipeline.waiting import GUARD_S, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.camera]

WINDOW = """
import sys, threading
import cv2, numpy as np
from feat_pipeline.camera.window import WindowView, has_screen
assert has_screen()
picture = np.zeros((240, 320, 3), np.uint8)
picture[:, :160] = (255, 0, 0)
picture[:, 160:] = (0, 0, 255)
with WindowView() as window:
    seen = threading.Thread(target=sys.stdin.readline)
    seen.start()
    while seen.is_alive():
        window.show(picture, 0.1, [])
        assert window.action() == ""
"""


@pytest.fixture
def screen(tmp_path):
    """A screen of 800x600 in a file that can be read."""
    program = shutil.which("Xvfb")
    if program is None:
        pytest.skip("Xvfb is not installed (apt install xvfb)")
    read, write = os.pipe()
    server = subprocess.Popen(
        [program, "-displayfd", str(write), "-screen", "0", "800x600x24", "-fbdir", str(tmp_path)],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    try:
        os.close(write)
        with os.fdopen(read) as number:
            yield f":{number.readline().strip()}", tmp_path / "Xvfb_screen0"
    finally:
        server.terminate()
        server.wait(timeout=GUARD_S)


def seen(file):
    """The screen's RGB pixels. Xvfb's file is a picture of xwd: head, colours, then 32 bits a pixel."""
    data = file.read_bytes()
    head = np.frombuffer(data[:100], ">u4")
    start = int(head[0] + 12 * head[19])
    pixels = np.frombuffer(data[start : start + 800 * 600 * 4], np.uint8).reshape(600, 800, 4)
    return pixels[:, :, 2::-1]


def test_a_picture_is_seen_on_the_screen_with_its_colours(screen, tmp_path):
    display, file = screen
    environment = os.environ | {"DISPLAY": display, "QT_LOGGING_RULES": "*=false"}
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", WINDOW],
        env=environment,
        stdin=subprocess.PIPE,
        text=True,
    )

    def of_colour(picture, colour):
        return (picture == colour).all(axis=2)

    try:
        wait_until(lambda: process.poll() is not None or of_colour(seen(file), (0, 0, 255)).sum() > 20_000)
        picture = seen(file)
        Image.fromarray(picture).save(tmp_path / "screen.png")
        red, blue = of_colour(picture, (255, 0, 0)), of_colour(picture, (0, 0, 255))
        assert red.sum() > 20_000 and blue.sum() > 20_000
        assert red.nonzero()[1].max() < blue.nonzero()[1].min()  # red on the left
    finally:
        process.communicate("\n", timeout=GUARD_S)
    assert process.returncode == 0


def test_a_screen_that_is_named_but_not_there_is_none():
    code = "from feat_pipeline.camera.window import has_screen; print(has_screen())"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=os.environ | {"DISPLAY": ":4711"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "False\n"


def test_the_command_opens_its_window_and_ends_with_the_film(screen, video, tmp_path):
    display, _ = screen
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "feat_pipeline.cli", "camera", "--source", str(video)],
        env=os.environ | {"DISPLAY": display},
        capture_output=True,
        text=True,
        timeout=GUARD_S,
    )
    assert done.returncode == 0 and done.stdout == "", done.stderr
    assert "ESC or q quits" in done.stderr and "pictures answered" in done.stderr
