"""Progress bars on a terminal, and none in a pipe."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any


def progress(items: Iterable[Any], *, total: int, unit: str, part: str | None = None) -> Iterable[Any]:
    """Show a progress bar with rate and time left on a terminal, and nothing in a pipe.

    The bar of a `part` of the work is headed by it, and vanishes when that is done.
    """
    if not sys.stderr.isatty():
        return items
    from tqdm import tqdm

    return tqdm(items, total=total, unit=unit, desc=part, leave=part is None, dynamic_ncols=True)


@contextlib.contextmanager
def progress_bar(*, total: int, done: int, unit: str) -> Iterator[Callable[[int], Any]]:
    """Show how far the work is, as `progress`; the function that is handed out takes what was done since."""
    if not sys.stderr.isatty():
        yield lambda count: None
        return
    from tqdm import tqdm

    with tqdm(total=total, initial=done, unit=unit, dynamic_ncols=True) as bar:
        yield bar.update
