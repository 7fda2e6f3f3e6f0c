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
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from feat_pipeline.errors import InputError
from feat_pipeline.sources.frame import Frame, PathLike, Skipped, input_name
from feat_pipeline.sources.photo_damage import check_layout, check_whole

MAX_PIXELS = 100_000_000
PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff"})
PHOTO_KINDS = "JPEG, PNG, WebP, BMP or TIFF"
"""The same, as users are told."""

# The classes are called directly: Image.open would refuse by Pillow's own pixel limit, not by ours.
_OPENERS: tuple[tuple[bytes, Callable[[IO[bytes]], Image.Image]], ...] = (
    (b"\xff\xd8\xff", JpegImageFile),
    (b"\x89PNG\r\n\x1a\n", PngImageFile),
    (b"RIFF", WebPImageFile),
    (b"BM", BmpImageFile),
    (b"II*\0", TiffImageFile),
    (b"MM\0*", TiffImageFile),
    (b"II+\0", TiffImageFile),
    (b"MM\0+", TiffImageFile),
)


def read_photo(path: PathLike, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read a JPEG, PNG, WebP, BMP or TIFF file.

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
        raise InputError(f"{name}: {_os_reason(error)}") from None


def find_photos(paths: PathLike | Iterable[PathLike], *, videos: frozenset[str] = frozenset()) -> list[Path]:
    """List the photos, and perhaps videos, that files and folders stand for.

    Folders are searched with all their subfolders, in sorted order; hidden files and files without the suffix
    of a photo are passed over there. A file given by name is always listed. What gives no photo, while other
    paths do, is listed itself, so that reading it reports why: a missing path, an empty folder, a subfolder
    that cannot be opened.

    Parameters
    ----------
    paths : path or iterable of paths
        Files and folders; the answer keeps their order and names each file once.
    videos : frozenset of str
        Suffixes of videos, in lower case, that count too.

    Returns
    -------
    list of Path
        Each given path joined with the part below it.

    Raises
    ------
    InputError
        No path gives a photo: each is missing, or a folder that cannot be opened or holds none.
    """
    given = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    if not all(map(os.fspath, given)) or not given:
        raise InputError("no photo or folder was given, or an empty name; name at least one")
    found: dict[Path, None] = {}
    refused: list[InputError] = []
    for path in map(Path, given):
        try:
            found.update(dict.fromkeys(_photos_below(path, videos) if _is_folder(path) else [path]))
        except InputError as error:
            found[path] = None
            refused.append(error)
    if len(refused) == len(given):
        raise refused[0]
    return list(found)


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
    """Read every photo of files and folders, one at a time, in the order of `find_photos`.

    Raises
    ------
    InputError
        As `find_photos`, at the first step.
    """
    for path in find_photos(paths):
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


def _os_reason(error: Exception) -> str:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return f"cannot be opened: {reason[:1].lower()}{reason[1:]}"


def _is_folder(path: Path) -> bool:
    try:
        exists, folder = path.exists(), path.is_dir()
    except (OSError, ValueError) as error:
        raise InputError(f"{input_name(path)}: {_os_reason(error)}") from None
    if not exists:
        raise InputError(f"{input_name(path)}: no such file or folder; check the path")
    return folder


def _photos_below(folder: Path, videos: frozenset[str]) -> list[Path]:
    suffixes = PHOTO_SUFFIXES | videos
    photos: list[Path] = []

    def unreadable(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise InputError(f"{input_name(folder)}: the folder {_os_reason(error)}")
        photos.append(Path(error.filename))

    seen: set[tuple[int, int]] = set()
    for here, folders, files in os.walk(folder, onerror=unreadable, followlinks=True):
        status = Path(here).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        photos += [Path(here, name) for name in sorted(files) if _is_wanted(name, suffixes)]
    if not photos:
        kinds = PHOTO_KINDS.replace(" or ", ", ") + " or video" if videos else PHOTO_KINDS
        raise InputError(f"{input_name(folder)}: the folder holds no {kinds} file; name another folder")
    return photos


def _is_wanted(name: str, suffixes: frozenset[str]) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in suffixes


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
        return f"the folder {_os_reason(error)}"
    return "is a folder, expected a photo or a folder with photos"


def _decode(file: IO[bytes], max_pixels: int) -> np.ndarray:
    head = file.read(16)
    file.seek(0)
    if not head:
        raise InputError("the file is empty")
    opener = next((cls for magic, cls in _OPENERS if head.startswith(magic)), None)
    if opener is None or (opener is WebPImageFile and head[8:12] != b"WEBP"):
        raise InputError(f"is no {PHOTO_KINDS} picture; convert it to one of these")
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
