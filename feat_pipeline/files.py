"""Errors of the file system, told as one line that names the file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from feat_pipeline.errors import OutputError
from feat_pipeline.sources.frame import PathLike


@contextlib.contextmanager
def named_errors(path: PathLike) -> Iterator[None]:
    """Turn the system's errors into an `OutputError` that names the folder or file."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{path}: cannot be written ({reason}); name another folder with --out") from None
