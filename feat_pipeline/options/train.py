"""Options of the command train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from feat_pipeline.declared import Options, option
from feat_pipeline.detect import DETECTORS
from feat_pipeline.errors import UsageError
from feat_pipeline.models.views import VIEWS
from feat_pipeline.options import shared
from feat_pipeline.sources.frame import PathLike

_FACES, _TRAINING = "faces", "training"


def _pairs(text: str) -> dict[str, str]:
    pairs = [(old, new) for old, _, new in (name.partition("=") for name in shared.listed(text))]
    if not all(old and new and "=" not in new for old, new in pairs):
        raise UsageError(f"expected pairs such as disgust=angry, got {text!r}")
    return dict(pairs)


def _classes() -> Sequence[str] | None:
    return option(
        None, "emotions to keep (default: all)", parse=shared.listed, metavar="A,B,...", group=_FACES
    )


def _detector(**declared: Any) -> str | None:
    return option(
        None,
        "finds the largest face in each picture (default: the whole picture is the face; for the models of "
        "AUs mtcnn)",
        choices=DETECTORS,
        group=_FACES,
        **declared,
    )


def _size() -> int:
    return option(48, "of the crops, px (default: %(default)s)", group=_FACES)


def _device() -> str | None:
    return option(None, "where networks learn: cpu, cuda, cuda:1 (default: a GPU if any)", group=_TRAINING)


def _resume() -> bool:
    return option(False, "go on with the training in DIR", group=_TRAINING, logged=False)


@dataclass(frozen=True, kw_only=True)
class TrainOptions(Options):
    """Options of `feat_pipeline.runs.train.train_model`; the data's are explained at `read_faces`."""

    kind: str = option("auto", "of the data; see `feat_pipeline.datasets.read.read_faces`", cli=False)
    person: str | None = option(
        None,
        "whose first group names the person in a picture's path, or an AU table's COLUMN or COLUMN:REGEX: "
        "nobody is then both learned from and judged by",
        metavar="REGEX",
        group=_FACES,
    )
    labels: PathLike | None = option(
        None,
        "emotions by file, of pictures or of an AU table: columns such as image,emotion",
        metavar="CSV",
        group=_FACES,
    )
    label_column: str | None = option(
        None, "of an AU table: its column of labels", metavar="NAME", group=_FACES
    )
    allow_unlabelled: bool = shared.allow_unlabelled(group=_FACES)
    votes: PathLike | None = option(
        None,
        "of FER2013: FER+'s fer2013new.csv; networks learn the annotators' shares, all are judged by what "
        "most of them chose",
        metavar="CSV",
        group=_FACES,
    )
    classes: Sequence[str] | None = _classes()
    merge: Mapping[str, str] | None = option(
        None, "emotions to count as another one", parse=_pairs, metavar="A=B,...", group=_FACES
    )
    detector: str | None = _detector()
    size: int = _size()
    held_out: float = option(
        0.1,
        "to judge by, where the data have no part for it (default: %(default)s)",
        metavar="SHARE",
        group=_FACES,
    )
    keep_copies: bool = option(
        False,
        "learn from pictures that stand under two emotions, or twice under one, too",
        group=_FACES,
    )
    device: str | None = _device()
    settings: Mapping[str, Any] | None = option(
        None, "further settings of the model, such as those of `ModelSettings`", cli=False
    )
    seed: int = shared.seed("of all that is random", group=_TRAINING)
    resume: bool = _resume()


@dataclass(frozen=True, kw_only=True)
class ModelSettings(Options):
    """Settings of a model that the command line can change; None: the model's own."""

    epochs: int | None = option(
        None, "passes over the faces (default: the model's own)", parse=int, group=_TRAINING
    )
    batch: int | None = option(
        None, "faces a step (default: 128, fewer where there are few)", parse=int, group=_TRAINING
    )
    rate: float | None = option(
        None, "highest learning rate (default: the model's own)", parse=float, group=_TRAINING
    )
    patience: int | None = option(
        None, "epochs without progress after which it stops", parse=int, group=_TRAINING
    )
    architecture: str | None = option(
        None,
        "of cnn: a published network's, such as patr8609 (default: our own)",
        metavar="NAME",
        group=_TRAINING,
    )
    start: PathLike | None = option(
        None,
        "of cnn: the trained one to begin from, with a lower rate; kept where no epoch is better",
        metavar="NAME|DIR",
        group=_TRAINING,
    )
    views: str | None = option(
        None,
        "of cnn: looks at a face that its answer is the mean of (default: mirror)",
        choices=VIEWS,
        group=_TRAINING,
    )


@dataclass(frozen=True, kw_only=True)
class GanOptions(Options):
    """Options of `feat_pipeline.runs.train_gan.train_gan`, beside its recipe."""

    device: str | None = _device()
    classes: Sequence[str] | None = _classes()
    size: int = _size()
    detector: str | None = _detector(logged=False)
    resume: bool = _resume()
