"""Options of the command saliency."""

from __future__ import annotations

from dataclasses import dataclass

from feat_pipeline.declared import Options, option, required
from feat_pipeline.models import DEFAULT_MODELS
from feat_pipeline.options import shared
from feat_pipeline.saliency import BASELINES, METHODS
from feat_pipeline.sources.frame import PathLike


@dataclass(frozen=True, kw_only=True)
class SaliencyOptions(Options):
    """Options of `feat_pipeline.runs.saliency.saliency_files`."""

    detector: str = shared.detector(logged=False)
    model: PathLike = required("the model to look into, such as train's folder", metavar="DIR")
    against: PathLike = option(
        DEFAULT_MODELS[0],
        "a regression on AUs, or surrogate's folder for the model (default: %(default)s)",
        metavar="NAME|DIR",
    )
    method: str = option(
        METHODS[0],
        "occlusion and shapley explain any model, the others need its gradients (default: %(default)s)",
        choices=METHODS,
    )
    baseline: str = option(BASELINES[0], "in place of a pixel (default: %(default)s)", choices=BASELINES)
    target: str | None = shared.target()
    person: str | None = option(None, "whose first group names the person in a photo's path", metavar="REGEX")
    figures: int = option(
        12, "that get a figure (default: %(default)s)", flag="--faces", metavar="N", logged=False
    )
    draws: int = shared.draws(1000, "of the nulls and the bootstrap")
    seed: int = shared.seed("of all draws")
