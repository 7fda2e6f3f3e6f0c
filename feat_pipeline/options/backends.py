"""Options of the command backends --compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from feat_pipeline.declared import Options, option
from feat_pipeline.extract import BACKENDS
from feat_pipeline.options import shared
from feat_pipeline.sources.sampling import Sampling


@dataclass(frozen=True, kw_only=True)
class ComparisonOptions(Options):
    """Options of `feat_pipeline.runs.backends.compare_backends`."""

    backends: Sequence[str] | None = option(
        None,
        "with --compare: only these; may be repeated (default: all that can run here)",
        flag="--backend",
        choices=BACKENDS,
        metavar="NAME",
        repeated=True,
    )
    detector: str = shared.detector("with --compare: finds the faces, once for all")
    sampling: Sampling | None = option(None, "which frames of videos are looked at (default: all)", cli=False)
