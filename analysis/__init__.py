"""Numbers in, explanations out: AU tables, the multinomial logit on them, and what it says of a face.

Names are handed on lazily, so that importing the package costs next to nothing. The function that
explains one face has its module's name: ``from analysis.explain.faces import explain``.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "AUTable": "autable",
    "AnalysisError": "errors",
    "Comparison": "compare",
    "FaceExplanation": "explain",
    "FitError": "errors",
    "Inference": "inference",
    "ModelError": "errors",
    "MultinomialLogit": "logit",
    "Surrogate": "surrogate",
    "TableError": "errors",
    "build_report": "report",
    "calibrate": "baseline",
    "contributions": "explain.contributions",
    "counterfactual": "explain.counterfactual",
    "cross_validate": "compare.scores",
    "explain_many": "explain",
    "fit_surrogate": "surrogate",
    "group_column": "labels",
    "infer": "inference",
    "join_labels": "labels",
    "leaks": "duplicates",
    "near_duplicates": "duplicates",
    "person_baselines": "baseline",
    "read_labels": "labels",
    "write_tables": "tables",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'analysis' has no attribute {name!r}")
    return getattr(importlib.import_module(f"analysis.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
