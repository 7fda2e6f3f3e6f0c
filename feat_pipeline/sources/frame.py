"""What every source gives: upright frames, or why there is none."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

PathLike = str | os.PathLike[str]


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a source.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (height, width, 3)
        Upright picture, RGB.
    path : str
        The file as the user wrote it.
    index : int
        Number of the frame in its file, from 0.
    time_s : float
        Time of the frame in seconds from the start of its file.
    """

    rgb: np.ndarray
    path: str
    index: int = 0
    time_s: float = 0.0


@dataclass(frozen=True)
class Skipped:
    """An input that gave no result, and why."""

    input: str
    frame: int
    reason: str


def input_name(path: PathLike) -> str:
    """Return a path as text for tables and messages; bytes that are no UTF-8 become escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def os_reason(error: Exception) -> str:
    """Say in words why the system cannot open a file."""
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return f"cannot be opened: {reason[:1].lower()}{reason[1:]}"
