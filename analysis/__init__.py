"""Numbers in, explanations out: AU tables, the multinomial logit on them, and what it says of a face.

Names are handed on lazily, so that importing the package costs next to nothing. The function that
explains one face has its module's name: ``from analysis.explain import explain``.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "AUTable": "autable",
    "AnalysisError": "errors",
    "FaceExplanation": "explain",
    "FitError": "errors",
    "ModelError": "errors",
    "MultinomialLogit": "logit",
    "TableError": "errors",
    "build_report": "report",
    "contributions": "explain",
    "cross_validate": "scores",
    "explain_many": "explain",
    "join_labels": "labels",
    "read_labels": "labels",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'analysis' has no attribute {name!r}")
    return getattr(importlib.import_module(f"analysis.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
