"""Pictures as the bytes of a file."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def jpeg(rgb: np.ndarray, quality: int = 90) -> bytes:
    """Encode a uint8 RGB picture of shape (height, width, 3)."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def png(picture: np.ndarray) -> bytes:
    """Encode a uint8 picture, RGB or RGBA of shape (height, width, 3 or 4), losslessly."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()
