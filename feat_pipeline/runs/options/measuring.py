"""Options of the runs over photos and videos."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from feat_pipeline.errors import UsageError
from feat_pipeline.extract import BACKENDS
from feat_pipeline.extract.backends.openface_tool import STALLED_S
from feat_pipeline.models import DEFAULT_MODELS
from feat_pipeline.options import Options, option, required
from feat_pipeline.output.drawing import Drawing
from feat_pipeline.runs.options import shared
from feat_pipeline.runs.options.shared import Videos
from feat_pipeline.saliency import BASELINES, METHODS
from feat_pipeline.sources.frame import PathLike
from feat_pipeline.sources.sampling import Sampling


def _backends() -> Iterable[str]:
    return ["auto", *BACKENDS]


@dataclass(frozen=True, kw_only=True)
class ExtractOptions(Videos):
    """Options of `feat_pipeline.runs.extract.extract`."""

    backend: str = option("auto", "what measures the AUs (default: %(default)s)", choices=_backends)
    detector: str = shared.detector()
    format: str = shared.table_format()
    jobs: int | None = option(
        None,
        "processes (default: 1, which uses about two cores; ray: all)",
        more="More than one are begun anew: a script that asks for them needs the guard ``if __name__ == "
        '"__main__"``.',
        parse=int,
        metavar="N",
        logged=False,
    )
    engine: str = option(
        "local",
        "this machine, or Ray (extra scale) (default: local)",
        choices=("local", "ray"),
        logged=False,
    )
    address: str | None = option(
        None, "of a Ray cluster: auto on one of its nodes, or head:6379", logged=False
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.jobs is not None and self.jobs < 1:
            raise UsageError(f"jobs: expected at least 1 process, got {self.jobs}")


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


@dataclass(frozen=True, kw_only=True)
class Asked(Options):
    """The models that answer, and what finds the faces."""

    models: Sequence[PathLike] = shared.models()
    detector: str = shared.detector()


@dataclass(frozen=True, kw_only=True)
class PredictOptions(Videos, Drawing, Asked):
    """Options of `feat_pipeline.runs.predict.predict_files`."""

    tta: bool = option(
        False,
        "look at every face more often: AUs are measured in the mirror too, networks see ten crops",
    )


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
    figures: int = option(20, "persons with a figure (default: %(default)s)", metavar="N", logged=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.figures < 0:
            raise UsageError(f"figures: expected 0 or more, got {self.figures}")


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


@dataclass(frozen=True, kw_only=True)
class OpenFaceOptions(Options):
    """Options of `feat_pipeline.runs.openface.run_openface`."""

    docker: bool = option(False, "use the image algebr/openface, whatever is installed")
    binary_dir: PathLike | None = option(
        None,
        "folder of FaceLandmarkImg (default: OPENFACE_DIR, else the PATH, else Docker)",
        more="See `feat_pipeline.extract.backends.openface_tool.find_openface`.",
        metavar="DIR",
    )
    keep_csv: bool = option(False, "keep OpenFace's own CSVs with all columns in OUT/openface")
    format: str = shared.table_format()
    stalled_s: float = option(
        STALLED_S,
        "seconds without output after which OpenFace is taken to hang (default: %(default)g)",
        flag="--timeout",
        metavar="S",
    )
