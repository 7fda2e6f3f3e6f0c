"""Options that several runs have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from feat_pipeline.declared import Options, option
from feat_pipeline.detect import DEFAULT_DETECTOR, DETECTORS
from feat_pipeline.errors import UsageError
from feat_pipeline.extract import DETECT_EVERY_S
from feat_pipeline.models import DEFAULT_MODELS
from feat_pipeline.sources.frame import PathLike
from feat_pipeline.sources.sampling import Sampling

TABLE_HELP = "AU table: aus.csv or .parquet; OpenFace, py-feat and blendshape CSVs; a folder of OpenFace CSVs"
LABELS_HELP = "CSV with the columns input,label, or a folder with one sub-folder an emotion"
PERSON_HELP = "column that names the person, or COLUMN:REGEX whose first group does"

FORMATS = ("csv", "parquet")
TERMS = ("linear", "hinges", "pairs")
VIDEOS = "videos"
"""Heading of what is looked at of videos."""


@dataclass(frozen=True, kw_only=True)
class Videos(Options):
    """What is looked at of videos."""

    sampling: Sampling | None = option(
        None, "which frames of videos are looked at (default: all)", cli=False, logged=False
    )
    detect_every_s: float = option(
        DETECT_EVERY_S,
        "the detector looks at least so often; boxes between two looks that agree are interpolated (default: "
        "%(default)s s; 0: every frame)",
        more="See `feat_pipeline.extract.between.find_faces`.",
        flag="--detect-every",
        metavar="S",
        group=VIDEOS,
        logged=False,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.detect_every_s >= 0:
            raise UsageError(f"detect_every_s: expected 0 or more seconds, got {self.detect_every_s}")

    def video_parameters(self) -> dict[str, Any]:
        """Return these options for the ``run.json`` of a run over videos."""
        sampling = self.sampling or Sampling()
        return {**sampling.parameters(), "detect_every_s": self.detect_every_s}


def detector(
    help: str = "face detector; none: each picture is one face",
    default: str = DEFAULT_DETECTOR,
    **declared: Any,
) -> str:
    """Declare ``detector``."""
    return option(default, f"{help} (default: %(default)s)", choices=DETECTORS, **declared)


@dataclass(frozen=True, kw_only=True)
class DetectorOptions(Options):
    """The detector alone."""

    detector: str = detector()


def models() -> Any:
    """Declare ``models``."""
    return option(
        DEFAULT_MODELS,
        f"a shipped model or a folder; may be repeated (default: {', '.join(DEFAULT_MODELS)})",
        flag="--model",
        metavar="NAME|DIR",
        repeated=True,
    )


def labels(help: str = LABELS_HELP, **declared: Any) -> Any:
    """Declare ``labels``."""
    return option(None, help, metavar="PATH", **declared)


def allow_unlabelled(**declared: Any) -> bool:
    """Declare ``allow_unlabelled``."""
    return option(False, "go on where more than half of the faces have no label", **declared)


def groups(which: str) -> str | None:
    """Declare ``groups``, the column of persons; `which` ends the help."""
    return option(None, PERSON_HELP + which, metavar="COLUMN")


def table_format() -> str:
    """Declare ``format``."""
    return option("csv", "of the table (default: csv)", choices=FORMATS)


def terms() -> str:
    """Declare ``terms``."""
    return option(
        "linear",
        "each AU as a line, with bends, or also chosen pairs of AUs (default: %(default)s)",
        more="See `analysis.logit.MultinomialLogit`.",
        choices=TERMS,
    )


def alpha(default: Any, default_text: str) -> Any:
    """Declare ``alpha``; the help names its default as `default_text`."""
    return option(
        default,
        f"ridge strength, 0 for none, cv to choose it by cross-validation (default: {default_text})",
        parse=_strength,
        metavar="NUMBER|cv",
    )


def draws(default: int, of: str = "of the bootstrap") -> int:
    """Declare ``draws``."""
    return option(default, f"{of} (default: %(default)s)")


def seed(of: str = "of the bootstrap", **declared: Any) -> int:
    """Declare ``seed``."""
    return option(0, f"{of} (default: %(default)s)", **declared)


def target() -> str | None:
    """Declare ``target``."""
    return option(None, "to explain (default: each face's own answer)", metavar="EMOTION")


def report() -> bool:
    """Declare ``report``."""
    return option(False, "also report.html")


def listed(text: str) -> list[str]:
    """Read names with commas between them."""
    return [name.strip() for name in text.split(",") if name.strip()]


def numbers(text: str) -> list[float]:
    """Read numbers with commas between them."""
    try:
        return [float(number) for number in text.split(",")]
    except ValueError:
        raise UsageError(f"expected numbers such as 1,2, got {text!r}") from None


def _strength(text: str) -> float | str:
    try:
        return text if text == "cv" else float(text)
    except ValueError:
        raise UsageError(f"expected a number or 'cv', got {text!r}") from None


@dataclass(frozen=True, kw_only=True)
class Asked(Options):
    """The models that answer, and what finds the faces."""

    models: Sequence[PathLike] = models()
    detector: str = detector()
