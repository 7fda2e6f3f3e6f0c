"""Writing a file so that a reader sees all of it or nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

JsonObject: TypeAlias = dict[str, Any]
"""An object of JSON: its values are numbers, words, booleans, null, and lists and objects of these."""

_NUMBERS = count()


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Hand out a temporary path that takes the place of `path` when the block ends well.

    Parameters
    ----------
    path : str or Path
        The file to write. Its folder is made where it is missing.

    Yields
    ------
    Path
        A path in the same folder, to be written by the block. It is removed where the block raises.

    Raises
    ------
    OSError
        Where the folder cannot be written; it names `path` where the system names no file, as of a full disk.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # One number of process and file: several files of a folder may be under way at a time.
    temporary = path.with_name(f".{os.getpid()}{next(_NUMBERS):06d}.tmp{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        named = error.filename not in (None, temporary, str(temporary))
        if error.errno is not None and not named:
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)
