"""Pictures as data URIs, shrunk so that a whole report keeps to a stated size."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

# Widest side in px and JPEG quality, tried in turn until a picture fits its share.
_FACE_STEPS = ((320, 82), (240, 80), (200, 75), (160, 70), (112, 65), (80, 60), (64, 50))
_MOST_VECTORS, _DPI = 400_000, 160
_PHOTO_STEPS = ((1000, 80), (800, 78), (640, 75), (520, 70), (400, 65), (300, 60), (200, 50))


def inside(directory: Path, picture: str | None) -> Path | None:
    """Return a picture's path, unless it is missing or lies outside the directory."""
    if not picture:
        return None
    base = directory.resolve()
    try:
        path = (base / str(picture)).resolve()
        return path if path.is_relative_to(base) and path.is_file() else None
    except (OSError, ValueError):
        return None


def face_uris(paths: Sequence[Path | None], budget: int = 4_000_000) -> list[str | None]:
    """Shrink the pictures of faces, each to its equal share of the budget.

    Parameters
    ----------
    paths : sequence of Path or None
        Picture files; None stands for a face without a picture.
    budget : int, default 4000000
        Bytes that all the data URIs together may take.

    Returns
    -------
    list of str or None
        A ``data:image/jpeg`` URI for each path; None where there is no readable picture.
    """
    return _uris(paths, budget, 40_000, _FACE_STEPS)


def figure_uri(figure: Figure) -> str:
    """Write a figure as a data URI: as vectors, or as pixels where those would be many."""
    from matplotlib import rc_context

    buffer = io.BytesIO()
    # Text as outlines: the reader's machine may lack the font, and labels would then run into each other.
    with rc_context({"svg.fonttype": "path", "svg.hashsalt": "figure"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    if buffer.tell() <= _MOST_VECTORS:
        return _data_uri("image/svg+xml", buffer)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    return _data_uri("image/png", buffer)


def picture_uri(rgb: np.ndarray, side: int = 128) -> str:
    """Shrink a picture, uint8 RGB of shape (height, width, 3), to a JPEG of at most `side` px: some 5 kB."""
    from PIL import Image

    picture = Image.fromarray(rgb)
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return _data_uri("image/jpeg", buffer)


def photo_uris(paths: Sequence[Path | None], budget: int = 3_000_000) -> list[str | None]:
    """Shrink whole photos, each to its equal share of the budget; otherwise as `face_uris`."""
    return _uris(paths, budget, 250_000, _PHOTO_STEPS)


def _uris(
    paths: Sequence[Path | None], budget: int, most: int, steps: Sequence[tuple[int, int]]
) -> list[str | None]:
    share = min(most, budget // max(1, len(paths)))
    return [None if path is None else _uri(path, share, steps) for path in paths]


def _uri(path: Path, share: int, steps: Sequence[tuple[int, int]]) -> str | None:
    from PIL import Image

    try:
        with Image.open(path) as opened:
            opened.draft("RGB", (steps[0][0], steps[0][0]))
            picture = opened.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    uri = ""
    for side, quality in steps:
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality)
        uri = _data_uri("image/jpeg", buffer)
        if len(uri) <= share:
            return uri
    return uri


def _data_uri(kind: str, buffer: io.BytesIO) -> str:
    return f"data:{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
