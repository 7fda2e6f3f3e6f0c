"""Which frames of a video are looked at."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass

import numpy as np

from feat_pipeline.errors import UsageError


@dataclass(frozen=True)
class Sampling:
    """Which frames of videos are looked at; see `feat_pipeline.sources.videos.read_video`."""

    start_s: float = 0.0
    end_s: float = math.inf
    every_s: float | None = None
    every_frames: int | None = None

    def __post_init__(self) -> None:
        check_range(self.start_s, self.end_s, self.every_s, self.every_frames)

    def parameters(self) -> dict[str, float | int | None]:
        """Return the choice for ``run.json``; no end is None."""
        return {**asdict(self), "end_s": None if self.end_s == math.inf else self.end_s}


def read_sampling(every: str | None = None, start_s: float = 0.0, end_s: float | None = None) -> Sampling:
    """Read a choice of frames as the command line names it.

    Parameters
    ----------
    every : str, optional
        See `parse_every`; all frames by default.
    start_s, end_s : float, optional
        In seconds; by default from the beginning to the end.

    Raises
    ------
    UsageError
        A step that is none, or an end before the start.
    """
    every_s, every_frames = parse_every(every) if every else (None, None)
    return Sampling(start_s, math.inf if end_s is None else end_s, every_s, every_frames)


_SLACK = 1e-6
"""Of a step: 0.3 s is the third step of 0.1 s, though 0.3 / 0.1 is a little less than 3."""


def parse_every(text: str) -> tuple[float | None, int | None]:
    """Read how often frames are taken, as ``--every`` names it.

    Parameters
    ----------
    text : str
        ``0.5s`` or ``200ms`` for seconds, ``10`` for every tenth frame.

    Returns
    -------
    every_s : float or None
    every_frames : int or None
        One of the two.

    Raises
    ------
    UsageError
        It is neither, or not above zero.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(ms|s|)\s*", text)
    number = float(match[1]) if match else 0.0
    if match and 0 < number < math.inf:
        if match[2]:
            return (number / 1000 if match[2] == "ms" else number), None
        if number == int(number):
            return None, int(number)
    raise UsageError(f"every: expected seconds such as 0.5s or a number of frames such as 10, got {text!r}")


def wanted_frames(
    times_s: np.ndarray,
    start_s: float = 0.0,
    end_s: float = math.inf,
    every_s: float | None = None,
    every_frames: int | None = None,
) -> np.ndarray:
    """Return the numbers of the frames that `read_video` reads, ascending."""
    chosen = (times_s >= start_s) & (times_s < end_s)
    if every_s is not None:
        step = np.floor(times_s / every_s + _SLACK)
        chosen &= np.r_[True, step[1:] > step[:-1]]
    if every_frames is not None:
        chosen &= np.arange(len(times_s)) % every_frames == 0
    return np.flatnonzero(chosen)


def check_range(start_s: float, end_s: float, every_s: float | None, every_frames: int | None) -> None:
    """Refuse a choice of frames that makes no sense, by `UsageError`; see `read_video`."""
    if not start_s < end_s:  # true of NaN too
        raise UsageError(f"start_s: expected a time before end_s, got {start_s} and {end_s}")
    if every_s is not None and every_frames is not None:
        raise UsageError("every_s and every_frames: expected one of them, got both")
    if every_s is not None and not 0 < every_s < math.inf:
        raise UsageError(f"every_s: expected seconds above 0, got {every_s}")
    if every_frames is not None and every_frames < 1:
        raise UsageError(f"every_frames: expected 1 or more, got {every_frames}")
