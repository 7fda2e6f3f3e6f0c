"""Entries of the registries: names of classes that are imported only when they are asked for."""

from __future__ import annotations

import importlib
from typing import Any


def resolve(entry: str) -> Any:
    """Import what an entry such as ``'feat_pipeline.detect.mtcnn:MtcnnDetector'`` names."""
    module_name, name = entry.partition("[")[0].split(":")  # another package's may name an extra, 'm:C [gpu]'
    return getattr(importlib.import_module(module_name.strip()), name.strip())
