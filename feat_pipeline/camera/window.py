"""The live picture in a window, where there is a screen."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence

import numpy as np

from feat_pipeline.film.follow import FollowedFace

TITLE = "feat-pipeline camera: ESC or q quits, s saves, space pauses"

_ACTIONS = {27: "quit", ord("q"): "quit", ord("Q"): "quit", ord("s"): "save", ord("S"): "save", 32: "pause"}
_LARGEST = 1280, 720  # of the window when it opens; it can be made larger


class WindowView:
    """Shows pictures in a window of OpenCV and reads the keys pressed in it; a context manager."""

    def __init__(self) -> None:
        self._shown = False

    def __enter__(self) -> WindowView:
        return self

    def __exit__(self, *error: object) -> None:
        import cv2

        if self._shown:
            cv2.destroyAllWindows()

    def show(self, picture_rgb: np.ndarray, time_s: float, faces: Sequence[FollowedFace]) -> None:
        """Show the next picture."""
        import cv2

        if not self._shown:
            height, width = picture_rgb.shape[:2]
            scale = min(1.0, _LARGEST[0] / width, _LARGEST[1] / height)
            cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
            cv2.resizeWindow(TITLE, round(scale * width), round(scale * height))
            self._shown = True
        cv2.imshow(TITLE, np.ascontiguousarray(picture_rgb[:, :, ::-1]))

    def action(self) -> str:
        """Return what the user asks for: 'quit' (also by closing the window), 'save', 'pause' or ''."""
        import cv2

        if not self._shown:
            return ""
        action = _ACTIONS.get(cv2.waitKey(1) & 0xFF, "")
        if cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1:
            return "quit"
        return action


def has_screen() -> bool:
    """Tell whether a window can be opened here."""
    import cv2

    if re.search(r"GUI:\s*NONE", cv2.getBuildInformation()):
        return False
    if not sys.platform.startswith("linux"):
        return True
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    # A screen that is named but cannot be reached ends the process; so another one tries.
    attempt = "import cv2; cv2.namedWindow('feat-pipeline'); cv2.waitKey(1)"
    try:
        done = subprocess.run([sys.executable, "-c", attempt], capture_output=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
