"""Pixels in, Action Units and explained emotions out.

Names are handed on lazily: importing this package loads no heavy library.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from feat_pipeline.models import list_models, load_model
    from feat_pipeline.predict import FacePrediction, Predictor
    from feat_pipeline.render import annotate
    from feat_pipeline.runs.extract import ExtractResult

_HOMES = {
    "ExtractResult": "feat_pipeline.runs.extract",
    "FacePrediction": "feat_pipeline.predict",
    "Predictor": "feat_pipeline.predict",
    "annotate": "feat_pipeline.render",
    "list_models": "feat_pipeline.models",
    "load_model": "feat_pipeline.models",
}

__all__ = [
    "ExtractResult",
    "FacePrediction",
    "Predictor",
    "__version__",
    "annotate",
    "list_models",
    "load_model",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
