"""Whether a video file ends where it says, as far as FFmpeg does not tell: Matroska (WebM) and GIF."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

_SEGMENT = 0x18538067
_TAIL = 64
"""Zeros at the end of a file that no coder writes."""


def lost_end(path: str | os.PathLike[str], format_name: str) -> tuple[str, bool]:
    """Tell what a file lacks at its end.

    Parameters
    ----------
    path : path
    format_name : str
        As FFmpeg calls its format.

    Returns
    -------
    reason : str
        Empty where nothing is missing, or where this format is not looked at.
    last_is_part : bool
        Whether FFmpeg may give a part of the last picture for the whole.
    """
    with Path(path).open("rb") as file:
        if "matroska" in format_name:
            return _matroska(file)
        if format_name == "gif":
            return _gif(file)
    return "", False


def _matroska(file: IO[bytes]) -> tuple[str, bool]:
    size = os.fstat(file.fileno()).st_size
    head = _number(file, keep_marker=True), _number(file)
    if head[1] is None:
        return "", False
    file.seek(head[1], os.SEEK_CUR)
    kind, length = _number(file, keep_marker=True), _number(file)
    if kind == _SEGMENT and length is not None and (missing := file.tell() + length - size) > 0:
        return f"its last {missing:,} bytes are missing", False
    file.seek(max(0, size - _TAIL))
    zeros = not any(file.read())
    return ("its last bytes are zeros" if zeros else ""), zeros


def _number(file: IO[bytes], *, keep_marker: bool = False) -> int | None:
    """Read a number of variable length (RFC 8794, section 4); None where it says 'unknown' or is none."""
    first = file.read(1)
    length = 9 - first[0].bit_length() if first else 9
    rest = file.read(length - 1) if length <= 8 else b""
    if length > 8 or len(rest) < length - 1:
        return None
    value = int.from_bytes(first + rest)
    marker = 1 << (7 * length)
    if keep_marker:
        return value
    return None if value == 2 * marker - 1 else value - marker


def _gif(file: IO[bytes]) -> tuple[str, bool]:
    """Go from block to block (GIF89a) to the trailer."""
    lost = "its end is missing"
    head = file.read(13)
    if len(head) < 13:
        return lost, True
    file.seek(_colours(head[10]), os.SEEK_CUR)
    length = b""
    while True:
        match file.read(1):
            case b"\x3b":
                return "", False
            case b"\x21":
                file.seek(1, os.SEEK_CUR)
            case b"\x2c":
                place = file.read(9)
                if len(place) < 9:
                    return lost, True
                file.seek(_colours(place[8]) + 1, os.SEEK_CUR)
            case b"":
                return lost, length != b"\0"
            case _:
                return lost, True
        while (length := file.read(1)) not in (b"", b"\0"):
            file.seek(length[0], os.SEEK_CUR)


def _colours(flags: int) -> int:
    """Length of the table of colours that follows, in bytes."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 128 else 0
