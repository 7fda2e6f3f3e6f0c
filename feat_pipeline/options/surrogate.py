"""Options of the command surrogate."""

from __future__ import annotations

from dataclasses import dataclass

from feat_pipeline.declared import Options, option
from feat_pipeline.options import shared
from feat_pipeline.sources.frame import PathLike


@dataclass(frozen=True, kw_only=True)
class SurrogateOptions(Options):
    """Options of `feat_pipeline.runs.surrogate.surrogate_files`."""

    model: str | None = option(None, "which one, where the file holds several", metavar="NAME")
    groups: str | None = shared.groups(", who is then on one side only")
    labels: PathLike | None = shared.labels(f"true labels, for reference: {shared.LABELS_HELP}")
    allow_unlabelled: bool = shared.allow_unlabelled()
    terms: str = shared.terms()
    alpha: float | str = shared.alpha("cv", "cv")
    draws: int = shared.draws(200)
    seed: int = shared.seed()
