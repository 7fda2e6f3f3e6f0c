"""Uploaded files: each lies under a name of its own until its answer is given, and then no more."""

from __future__ import annotations

import contextlib
import re
import secrets
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from feat_pipeline.app.limits import MEGA, Limits, RefusedError

GONE = "The upload is no longer here; send it again."
_TICKET = re.compile(r"[0-9a-f]{32}")


class Uploads:
    """The folder that uploads lie in until their answer is given.

    Parameters
    ----------
    folder : Path
        Exists, and belongs to this page alone.
    limits : Limits
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder = folder
        self.limits = limits
        self._lock = threading.Lock()
        self._coming = 0

    @contextlib.contextmanager
    def room(self, size: int, most: int) -> Iterator[Path]:
        """Hand out a new file's path for an upload of `size` bytes; it is removed where the upload fails.

        Raises
        ------
        RefusedError
            It is empty, larger than `most` bytes, or too much lies here already.
        """
        if size <= 0:
            raise RefusedError("The file is empty; choose another one.")
        if size > most:
            raise RefusedError(
                f"The file has {_megabytes(size)}, and at most {_megabytes(most)} are taken here; "
                f"send a smaller one."
            )
        self.sweep()
        with self._lock:
            if self._held() + self._coming + size > self.limits.uploads_bytes:
                raise RefusedError("Many people are sending pictures just now; try again in a minute.")
            self._coming += size
        path = self.folder / secrets.token_hex(16)
        try:
            yield path
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finally:
            with self._lock:
                self._coming -= size

    @contextlib.contextmanager
    def taken(self, ticket: object) -> Iterator[Path]:
        """Hand out the file of a ticket, once; it is deleted at the end, come what may.

        Raises
        ------
        RefusedError
            There is none of that name.
        """
        name = str(ticket)
        path = self.folder / f"{name}.taken"
        if not _TICKET.fullmatch(name):
            raise RefusedError(GONE)
        try:
            (self.folder / name).rename(path)  # no one else can take it from here on, nor sweep it away
        except OSError:
            raise RefusedError(GONE) from None
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Delete what was uploaded and never asked about."""
        oldest = time.time() - self.limits.age_s
        for path in self.folder.iterdir():
            with contextlib.suppress(OSError):
                if _TICKET.fullmatch(path.name) and path.stat().st_mtime < oldest:
                    path.unlink()

    def _held(self) -> int:
        total = 0
        for path in self.folder.iterdir():
            with contextlib.suppress(OSError):
                total += path.stat().st_size
        return total


def _megabytes(size: int) -> str:
    return f"{size / MEGA:.1f} MB" if size >= MEGA / 10 else f"{size:,} bytes"
