"""Errors of the file system, told as one line that names the file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from feat_pipeline.errors import OutputError
from feat_pipeline.sources.frame import PathLike, input_name


@contextlib.contextmanager
def named_errors(path: PathLike) -> Iterator[None]:
    """Turn the system's errors into an `OutputError` that names this folder or file, and the file in it."""
    try:
        yield
    except OutputError:  # it is an OSError too, and says all
        raise
    except OSError as error:
        reason, name = error.strerror or str(error), input_name(path)
        file = input_name(error.filename or path)
        where = "" if file == name else f" at {file}"
        raise OutputError(
            f"{name}: cannot be written ({reason}){where}; name another folder with --out"
        ) from None
