"""Pictures as data URIs, shrunk so that a whole report keeps to a stated size."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

# Widest side in px and JPEG quality, tried in turn until a picture fits its share.
_FACE_STEPS = ((320, 82), (240, 80), (200, 75), (160, 70), (112, 65), (80, 60), (64, 50))
_PHOTO_STEPS = ((1000, 80), (800, 78), (640, 75), (520, 70), (400, 65), (300, 60), (200, 50))


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
        uri = "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
        if len(uri) <= share:
            return uri
    return uri
