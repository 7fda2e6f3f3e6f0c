"""Options of the runs over tables and saved models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from feat_pipeline.generator.model import SHIPPED
from feat_pipeline.options import Options, option, required
from feat_pipeline.runs.options import shared
from feat_pipeline.sources.frame import PathLike


@dataclass(frozen=True, kw_only=True)
class FitOptions(Options):
    """Options of `feat_pipeline.runs.fit.fit`."""

    labels: PathLike | None = shared.labels(one_of="labels")
    label_column: str | None = option(
        None, "column of AUS that holds the labels", metavar="NAME", one_of="labels"
    )
    groups: str | None = shared.groups(", who is then in one fold only")
    folds: int = option(5, "of the cross-validation (default: %(default)s)")
    seed: int = shared.seed("of folds and draws")
    alpha: float | str | None = shared.alpha(None, "1, or 0 with --inference")
    terms: str = shared.terms()
    pairs: str | Sequence[tuple[str, str]] = option(
        "auto", "of AUs, where terms are pairs", more="See `analysis.logit.MultinomialLogit`.", cli=False
    )
    inference: bool = option(
        False,
        "also errors, tests, odds ratios and marginal effects; where they do not hold, it says so",
        more="The saved model is then the ridge that takes their place, and ``notes_`` says why.",
    )
    reference: str | None = option(None, "of the odds ratios (default: neutral)", metavar="EMOTION")
    report: bool = shared.report()


@dataclass(frozen=True, kw_only=True)
class ExplainOptions(Options):
    """Options of `feat_pipeline.runs.explain.explain_table`."""

    model: PathLike = required("a shipped model, or fit's folder", metavar="NAME|DIR")
    target: str | None = shared.target()
    rival: str | None = option(None, "to contrast it with (default: the next likely)", metavar="EMOTION")
    baseline: str = option(
        "population",
        "the face that each is compared with (default: %(default)s)",
        more="See `analysis.explain.explain`.",
        choices=("population", "neutral", "person"),
    )
    person: str | None = option(None, f"for --baseline person: {shared.PERSON_HELP}", metavar="COLUMN")
    counterfactuals: bool = option(
        True,
        "whether the smallest changes to another answer are looked for",
        more="With hinges on 35 AUs that takes about 0.2 s a face; tables of more than 200 faces get none by "
        "least squares, and then it is 0.01 s.",
        cli=False,
        logged=False,
    )
    report: bool = option(False, "also report.html", logged=False)


@dataclass(frozen=True, kw_only=True)
class CompareOptions(Options):
    """Options of `feat_pipeline.runs.compare.compare_files`."""

    labels: PathLike = required(shared.LABELS_HELP, metavar="PATH")
    groups: str | None = shared.groups(": of the labels or the predictions")
    draws: int = shared.draws(1000)
    seed: int = shared.seed()


@dataclass(frozen=True, kw_only=True)
class SurrogateOptions(Options):
    """Options of `feat_pipeline.runs.surrogate.surrogate_files`."""

    model: str | None = option(None, "which one, where the file holds several", metavar="NAME")
    groups: str | None = shared.groups(", who is then on one side only")
    labels: PathLike | None = shared.labels(f"true labels, for reference: {shared.LABELS_HELP}")
    terms: str = shared.terms()
    alpha: float | str = shared.alpha("cv", "cv")
    draws: int = shared.draws(200)
    seed: int = shared.seed()


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


@dataclass(frozen=True, kw_only=True)
class GenerateOptions(Options):
    """Options of `feat_pipeline.runs.generate.write_generated`."""

    n: int = option(16, "number of faces (default: %(default)s)")
    seed: int = shared.seed("of the noise")
    model: PathLike = option(
        SHIPPED, "generator that 'train gan' wrote (default: %(default)s)", metavar="DIR"
    )
