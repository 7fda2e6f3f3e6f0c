"""Where the weights that ship with the package lie."""

from __future__ import annotations

from pathlib import Path


def models_dir() -> Path:
    """Return the folder of the shipped models: package data, or the checkout's ``models/``."""
    package = Path(__file__).resolve().parent.parent
    shipped = package / "shipped"
    return shipped if shipped.is_dir() else package.parent / "models"
