"""Options of the command generate."""

from __future__ import annotations

from dataclasses import dataclass

from feat_pipeline.declared import Options, option
from feat_pipeline.generator.model import SHIPPED
from feat_pipeline.options import shared
from feat_pipeline.sources.frame import PathLike


@dataclass(frozen=True, kw_only=True)
class GenerateOptions(Options):
    """Options of `feat_pipeline.runs.generate.write_generated`."""

    n: int = option(16, "number of faces (default: %(default)s)")
    seed: int = shared.seed("of the noise")
    model: PathLike = option(
        SHIPPED, "generator that 'train gan' wrote (default: %(default)s)", metavar="DIR"
    )
