"""Options of the command predict."""

from __future__ import annotations

from dataclasses import dataclass

from feat_pipeline.declared import option
from feat_pipeline.options.shared import Asked, Videos
from feat_pipeline.output.drawing import Drawing


@dataclass(frozen=True, kw_only=True)
class PredictOptions(Videos, Drawing, Asked):
    """Options of `feat_pipeline.runs.predict.predict_files`."""

    tta: bool = option(
        False,
        "look at every face more often: AUs are measured in the mirror too, networks see ten crops",
    )
