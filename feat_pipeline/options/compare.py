"""Options of the command compare."""

from __future__ import annotations

from dataclasses import dataclass

from feat_pipeline.declared import Options, required
from feat_pipeline.options import shared
from feat_pipeline.sources.frame import PathLike


@dataclass(frozen=True, kw_only=True)
class CompareOptions(Options):
    """Options of `feat_pipeline.runs.compare.compare_files`."""

    labels: PathLike = required(shared.LABELS_HELP, metavar="PATH")
    groups: str | None = shared.groups(": of the labels or the predictions")
    allow_unlabelled: bool = shared.allow_unlabelled()
    draws: int = shared.draws(1000)
    seed: int = shared.seed()
