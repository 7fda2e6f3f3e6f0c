"""Whether all of a photo is there, where Pillow takes a part of it for the whole.

What no decoder can know stays unseen: JPEG, WebP, BMP and plain TIFF carry no check sums, so that changed
bytes may give a changed picture.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import IO

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import IMAGELENGTH, TiffImageFile

_BLOCK = 8
"""Side of the blocks that JPEG codes, px."""
_TAIL = 64
"""Zeros at the end of a file that no coder writes."""
_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PNG_PASSES = (
    (0, 8, 0, 8),
    (4, 8, 0, 8),
    (0, 4, 4, 8),
    (2, 4, 0, 4),
    (0, 2, 2, 4),
    (1, 2, 0, 2),
    (0, 1, 1, 2),
)
"""Of an interlaced PNG: first column and step, first row and step."""


def check_layout(image: Image.Image) -> None:
    """Refuse a TIFF that has no place for some of its rows, before it is decoded.

    Raises
    ------
    ValueError
        There are fewer strips than its height asks for.
    """
    if isinstance(image, TiffImageFile) and image.tile:
        bottom = max(tile[1][3] for tile in image.tile if tile[1])
        rows = int(image.tag_v2[IMAGELENGTH])  # image.height is that of the upright picture
        if bottom < rows:
            raise ValueError(f"it holds {bottom:,} of {rows:,} rows")


def check_whole(file: IO[bytes], image: Image.Image) -> None:
    """Refuse a decoded picture that is not the whole one.

    Parameters
    ----------
    file : binary file
        What it was read from; left at any place.
    image : Image
        As its decoder left it.

    Raises
    ------
    ValueError
        Of a JPEG, coded data end before the picture does; of a PNG, a check sum is wrong or rows are missing;
        of a WebP, its last part is zeros.
    """
    check = _CHECKS.get(image.format or "")
    if check is not None:
        check(file, image)


def _last_part(image: Image.Image, left: int, top: int) -> np.ndarray:
    """Return what lies right of and below a place, unconverted; `Image.crop` has a limit of its own."""
    size = image.width - left, image.height - top
    return np.asarray(image.resize(size, Image.Resampling.NEAREST, box=(left, top, *image.size)))


def _check_jpeg(file: IO[bytes], image: Image.Image) -> None:
    """Where data run out, libjpeg repeats the last colour to the end, and tells nobody; FFmpeg refuses."""
    left, top = (
        (side - 1) // _BLOCK * _BLOCK + 1 for side in image.size
    )  # 1 px blends with the block before
    corner = _last_part(image, min(left, image.width - 1), min(top, image.height - 1))
    file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
    ends_in_zeros = not any(file.read())
    if (corner != corner[-1, -1]).any() and not ends_in_zeros:
        return
    file.seek(0)
    data = file.read()
    if ends_in_zeros and b"\xff\xd9" not in data[data.rfind(b"\xff\xda") :]:
        raise ValueError(f"its last {len(data) - len(data.rstrip(bytes(1))):,} bytes are zeros")
    import av

    decoder = av.CodecContext.create("mjpeg", "r")
    decoder.options = {"err_detect": "explode"}
    try:
        decoder.decode(av.Packet(data))
    except av.InvalidDataError:
        raise ValueError("its data end before the picture does") from None
    except av.FFmpegError:  # a kind of JPEG that FFmpeg does not know
        return


def _check_png(file: IO[bytes], image: Image.Image) -> None:
    head, data = b"", []
    for kind, content, stated in _png_chunks(file):
        if kind[:1].isupper() and zlib.crc32(kind + content) != stated:  # a picture needs these
            raise ValueError(f"the check sum of its part {kind.decode('latin-1')} is wrong")
        head = content if kind == b"IHDR" else head
        if kind == b"IDAT":
            data.append(content)
    if not _last_part(image, 0, image.height - 1).any():  # rows that do not come are left 0
        expected, inflater, inflated = _png_size(head), zlib.decompressobj(), 0
        for content in data:
            left = content
            while left and inflated < expected:
                inflated += len(inflater.decompress(left, 1 << 20))
                left = inflater.unconsumed_tail
        inflated += len(inflater.flush()) if inflated < expected else 0
        if inflated < expected:
            raise ValueError(f"it holds {inflated:,} of {expected:,} bytes of its rows")


def _png_chunks(file: IO[bytes]) -> Iterator[tuple[bytes, bytes, int]]:
    file.seek(8)
    kind = b""
    while kind != b"IEND" and len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        content, stated = file.read(length), file.read(4)
        if len(stated) < 4:  # cut off behind the picture, else it could not be decoded
            return
        yield kind, content, int.from_bytes(stated)


def _png_size(head: bytes) -> int:
    """How many bytes the rows take, each with the byte that names its filter."""
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", head)
    size = 0
    for x, x_step, y, y_step in _PNG_PASSES if interlaced else ((0, 1, 0, 1),):
        columns, rows = -((x - width) // x_step), -((y - height) // y_step)
        if columns > 0 and rows > 0:
            size += rows * (1 + (columns * depth * _PNG_SAMPLES[colour] + 7) // 8)
    return size


def _check_webp(file: IO[bytes], image: Image.Image) -> None:
    """Compressed data hold no long run of zeros; where a copy broke off, the rest of the file may."""
    file.seek(0)
    data = file.read()
    data = data[: 8 + int.from_bytes(data[4:8], "little")]
    zeros = len(data) - len(data.rstrip(b"\0"))
    if zeros > max(_TAIL, len(data) // 8):
        raise ValueError(f"its last {zeros:,} bytes are zeros")


_CHECKS: dict[str, Callable[[IO[bytes], Image.Image], None]] = {
    "JPEG": _check_jpeg,
    "PNG": _check_png,
    "WEBP": _check_webp,
}
