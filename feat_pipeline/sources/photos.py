"""Photos, folders and arrays become frames: upright RGB pictures with a name.

Frames are uint8 RGB of shape (height, width, 3) with the EXIF orientation applied. What cannot be read is
handed on as `Skipped` with its reason, so that one bad file never ends a run.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageOps
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from feat_pipeline.errors import InputError
from feat_pipeline.sources.find import find_files
from feat_pipeline.sources.frame import Frame, PathLike, Skipped, input_name, os_reason
from feat_pipeline.sources.kinds import HEAD_BYTES, PHOTO_KINDS, kind_of_bytes
from feat_pipeline.sources.photo_damage import check_layout, check_whole

MAX_PIXELS = 100_000_000


def _open_heif(file: IO[bytes]) -> Image.Image:
    from pillow_heif import HeifImageFile

    return HeifImageFile(file)


# The classes are called directly: Image.open would refuse by Pillow's own pixel limit, not by ours.
_OPENERS: dict[str, Callable[[IO[bytes]], Image.Image]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "WebP": WebPImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
    "AVIF": AvifImageFile,
    "HEIC": _open_heif,
    "JPEG 2000": Jpeg2KImageFile,
}


def read_photo(path: PathLike, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read a JPEG, PNG, WebP, BMP, TIFF, HEIC, AVIF or JPEG 2000 file.

    Transparent parts are laid over white, 16-bit greys are scaled to 8 bits, and of an animated or multi-page
    file the first picture is taken.

    Parameters
    ----------
    path : str or path-like
        The file.
    max_pixels : int
        A picture of more pixels is refused before it is decoded.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        Upright RGB picture.

    Raises
    ------
    InputError
        The file is missing, empty, truncated, no picture of these kinds, or too large.
    """
    name = input_name(path)
    try:
        with _open_regular(Path(path)) as file:
            return _decode(file, max_pixels)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{name}: {os_reason(error)}") from None


def read_frame(path: PathLike, *, max_pixels: int = MAX_PIXELS) -> Frame | Skipped:
    """Read one photo, or say why it cannot be read (see `read_photo`)."""
    name = input_name(path)
    try:
        return Frame(read_photo(path, max_pixels=max_pixels), name)
    except InputError as error:
        return Skipped(name, 0, str(error).removeprefix(f"{name}: "))


def read_frames(
    paths: PathLike | Iterable[PathLike], *, max_pixels: int = MAX_PIXELS
) -> Iterator[Frame | Skipped]:
    """Read every photo of files and folders, one at a time, in the order of `find_files`.

    Raises
    ------
    InputError
        As `find_files`, at the first step.
    """
    for path in find_files(paths):
        yield read_frame(path, max_pixels=max_pixels)


def from_array(array: np.ndarray, path: str = "array") -> Frame:
    """Make a frame from a picture in memory.

    Parameters
    ----------
    array : ndarray of uint8, shape (height, width), (height, width, 3) or (height, width, 4)
        Grey, RGB or RGBA picture; RGBA is laid over white.
    path : str
        Name of the picture in tables.

    Returns
    -------
    Frame

    Raises
    ------
    InputError
        The array has another shape or type, or no pixels.
    """
    array = np.asarray(array)
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or channels not in (1, 3, 4) or not array.size:
        raise InputError(
            f"array: expected uint8 of shape (height, width), (height, width, 3) or (height, width, 4), "
            f"got {array.dtype} of shape {array.shape}; convert it first"
        )
    if channels == 1:
        array = np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2)
    elif channels == 4:
        array = np.asarray(_over_white(Image.fromarray(array)))
    return Frame(np.ascontiguousarray(array), path)


def _open_regular(path: Path) -> IO[bytes]:
    if path.is_dir():
        raise InputError(_folder_reason(path))
    if path.exists() and not path.is_file():  # a pipe or device would block for ever
        raise InputError("is no regular file, expected a photo")
    return path.open("rb")


def _folder_reason(path: Path) -> str:
    try:
        os.scandir(path).close()
    except OSError as error:
        return f"the folder {os_reason(error)}"
    return "is a folder, expected a photo or a folder with photos"


def _decode(file: IO[bytes], max_pixels: int) -> np.ndarray:
    head = file.read(HEAD_BYTES)
    file.seek(0)
    if not head:
        raise InputError("the file is empty")
    opener = _opener(head)
    try:
        with warnings.catch_warnings():  # Pillow's, of broken EXIF data and other by-work
            warnings.simplefilter("ignore")
            image = opener(file)
            _check_size(image.size, max_pixels)
            check_layout(image)
            image.load()
            check_whole(file, image)
            image = ImageOps.exif_transpose(image)
            return np.ascontiguousarray(_to_rgb(image))
    except InputError:
        raise
    except Exception as error:  # decoders raise nearly every built-in exception on damaged files
        detail = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"is damaged or truncated ({detail}); save or download it again") from None


def _opener(head: bytes) -> Callable[[IO[bytes]], Image.Image]:
    """Return what reads a photo that begins so; InputError, which says what it is, where nothing does."""
    if head.startswith(b"BM"):  # of a damaged one, too
        return BmpImageFile
    kind = kind_of_bytes(head)
    if kind is None:
        raise InputError(f"is no {PHOTO_KINDS} picture; convert it to one of these")
    if kind.holds == "photo":
        return _OPENERS[kind.name]
    what = (
        f"a video ({kind.name})" if kind.holds == "video" else f"a {kind.name} file, which is not read here"
    )
    raise InputError(f"is {what}, no {PHOTO_KINDS} picture; convert it to one of these")


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise InputError(
            f"{width:,} x {height:,} = {width * height:,} pixels, more than the limit of {max_pixels:,}; "
            f"shrink the picture first"
        )


def _to_rgb(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        values = np.asarray(image).astype(np.uint32)
        grey = ((values + 128) // 257).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.mode in ("I", "F"):
        raise InputError(f"has 32 bits a pixel (mode {image.mode}); save it with 8 or 16 bits")
    if image.has_transparency_data:
        image = _over_white(image)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _over_white(image: Image.Image) -> Image.Image:
    picture = image.convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture).convert("RGB")
