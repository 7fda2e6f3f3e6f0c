"""Options of the command combine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from feat_pipeline.declared import Options, option
from feat_pipeline.options import shared
from feat_pipeline.sources.frame import PathLike


@dataclass(frozen=True, kw_only=True)
class CombineOptions(Options):
    """Options of `feat_pipeline.runs.combine.combine`."""

    weights: Sequence[float] | None = option(
        None, "one a model (default: all alike)", parse=shared.numbers, metavar="W,W,..."
    )
    predictions: PathLike | None = option(
        None, "answers of all of them, by which the weights are chosen", metavar="PATH"
    )
    labels: PathLike | None = shared.labels(f"of these answers: {shared.LABELS_HELP}")
    common: bool = option(False, "vote on the emotions that all of them know")
