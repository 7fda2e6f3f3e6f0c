"""A folder of the user's own emoji: one PNG for each emotion, named by it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from feat_pipeline.errors import InputError
from feat_pipeline.sources.frame import PathLike, input_name

LARGEST_PX = 2048  # of a side; a larger picture would only cost memory
_MOST_PIXELS = 50_000_000


def read_emoji_set(folder: PathLike, emotions: Iterable[str]) -> dict[str, np.ndarray]:
    """Read one PNG for each emotion: ``happy.png`` and so on, of any size, with or without transparency.

    Parameters
    ----------
    folder : path
        Capital letters in the names do not matter.
    emotions : iterable of str
        Those that the models name.

    Returns
    -------
    dict of str to ndarray of uint8, shape (h, w, 4)
        RGBA by emotion, sides up to 2048 px.

    Raises
    ------
    InputError
        The folder cannot be read, a picture is missing (all that were expected are named), or one is
        damaged or no PNG.
    """
    name = input_name(folder)
    expected = [f"{emotion}.png" for emotion in emotions]
    try:
        held = {found.name.lower(): found for found in sorted(Path(folder).iterdir())}
    except OSError as error:
        raise InputError(
            f"emoji set {name}: cannot be read ({error.strerror}); name a folder that holds "
            f"{', '.join(expected)}"
        ) from None
    missing = [file for file in expected if file.lower() not in held]
    if missing:
        raise InputError(
            f"emoji set {name}: {', '.join(missing)} {'are' if missing[1:] else 'is'} missing; expected are "
            f"{', '.join(expected)}"
        )
    return {file.removesuffix(".png"): _read(held[file.lower()]) for file in expected}


def _read(path: Path) -> np.ndarray:
    name = input_name(path)
    try:
        with path.open("rb") as file:
            image = PngImageFile(file)
            if image.width * image.height > _MOST_PIXELS:
                raise InputError(
                    f"{name}: {image.width:,} x {image.height:,} pixels are too many; shrink it to "
                    f"{LARGEST_PX} px"
                )
            image.load()
            picture = _rgba(image)
            picture.thumbnail((LARGEST_PX, LARGEST_PX))
            return np.array(picture)
    except InputError:
        raise
    except Exception as error:  # decoders raise nearly every built-in exception on damaged files
        detail = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{name}: is no readable PNG ({detail}); save it again as PNG") from None


def _rgba(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits, which Pillow would clip at 255
        image = Image.fromarray((np.asarray(image).astype(np.uint32) // 257).astype(np.uint8))
    return image.convert("RGBA")
