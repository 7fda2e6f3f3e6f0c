import os
from pathlib import Path

import pytest


@pytest.fixture
def locked(monkeypatch):
    """Close a folder to reading, also for a superuser."""
    scandir = os.scandir

    def close(folder):
        def refuse(path="."):
            if Path(path) == folder:
                raise PermissionError(13, "Permission denied", str(path))
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refuse)

    return close
