"""Options of the command series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from feat_pipeline.declared import option
from feat_pipeline.errors import UsageError
from feat_pipeline.models import DEFAULT_MODELS
from feat_pipeline.options import shared
from feat_pipeline.options.shared import Videos
from feat_pipeline.sources.frame import PathLike


@dataclass(frozen=True, kw_only=True)
class SeriesOptions(Videos):
    """Options of `feat_pipeline.runs.series.series_files`."""

    detector: str = shared.detector(logged=False)
    neutral: str | tuple[float, float] = option(
        "percentile",
        "a person's neutral face, which is taken off: the 10th percentile of each AU, nothing, or the median "
        "from second A to B (default: %(default)s)",
        more="See `analysis.series.au_series`.",
        metavar="percentile|none|A-B",
    )
    smooth_s: float = option(0.1, "window of the mean (default: %(default)s s)", flag="--smooth", metavar="S")
    aus: Sequence[str] | None = option(
        None, "the AUs to keep (default: all)", parse=shared.listed, metavar="AU06,AU12"
    )
    model: PathLike | None = option(
        None,
        f"regression on AUs that names each frame's emotion (default: {DEFAULT_MODELS[0]})",
        more="It looks at the AUs as measured; the shipped one answers where the table is of its backend.",
        metavar="NAME|DIR",
        logged=False,
    )
    min_seen_s: float = option(
        0.5,
        "persons who were measured for less are left out, and told (default: %(default)s s)",
        more="Unless that leaves nobody in a video.",
        flag="--min-seen",
        metavar="S",
    )
    fps: float | None = option(
        None,
        "of tables of numbered photos: how many were taken a second; those of one folder are one sequence",
        parse=float,
        metavar="N",
    )
    figures: int = option(20, "persons with a figure (default: %(default)s)", metavar="N", logged=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.min_seen_s < float("inf"):
            raise UsageError(f"min_seen_s: expected seconds from 0 on, got {self.min_seen_s}")
        if self.fps is not None and not 0 < self.fps < float("inf"):
            raise UsageError(f"fps: expected photos a second above 0, got {self.fps}")
        if self.figures < 0:
            raise UsageError(f"figures: expected 0 or more, got {self.figures}")
