"""Pixels in, Action Units and explained emotions out.

Names are handed on lazily: importing this package loads no heavy library.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feat_pipeline.version import __version__

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


def _foreign_analysis() -> str | None:
    """Return the file or folder of an ``analysis`` that hides the package beside this one; none is run."""
    try:
        spec = find_spec("analysis")
    except ValueError:  # one that is imported already has no spec
        return getattr(sys.modules["analysis"], "__file__", None) or "a module made in this session"
    if spec is None:
        return None  # the first import of it says so
    folders = [Path(folder).resolve() for folder in spec.submodule_search_locations or ()]
    if Path(__file__).resolve().parents[1] / "analysis" in folders:
        return None
    return str(next(iter(folders), spec.origin))


def _is_run_by_name() -> bool:
    """Whether this is ``python -m feat_pipeline``: while Python looks for that module, argv[0] is -m."""
    target = sys.orig_argv[-len(sys.argv)].partition(".")[0] if sys.argv[:1] == ["-m"] else ""
    return target == __name__ or (target.startswith("-") and target.endswith(f"m{__name__}"))


if _foreign_analysis() and _is_run_by_name() and not sys.flags.safe_path:
    sys.path.append(sys.path.pop(0))  # the working folder, which the installed program does not search either
if _hiding := _foreign_analysis():
    raise ImportError(
        f"feat_pipeline needs its own package 'analysis', but 'import analysis' gives {_hiding}: rename that "
        "file or folder, or work in another folder, and start Python anew",
        name="analysis",
        path=_hiding,
    )
