"""Environment variables of this process, lent and given back."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


@contextmanager
def restored_variables(names: Iterable[str]) -> Iterator[None]:
    """Give these variables back at the end of the block as they were, or were not, at its begin."""
    before = {name: os.environ.get(name) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
