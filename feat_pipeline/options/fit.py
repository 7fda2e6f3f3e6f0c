"""Options of the command fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from feat_pipeline.declared import Options, option
from feat_pipeline.options import shared
from feat_pipeline.sources.frame import PathLike


@dataclass(frozen=True, kw_only=True)
class FitOptions(Options):
    """Options of `feat_pipeline.runs.fit.fit`."""

    labels: PathLike | None = shared.labels(one_of="labels")
    label_column: str | None = option(
        None, "column of AUS that holds the labels", metavar="NAME", one_of="labels"
    )
    allow_unlabelled: bool = shared.allow_unlabelled()
    groups: str | None = shared.groups(", who is then in one fold only")
    backend: str | None = option(
        None,
        "what measured the AUs, where the table does not say (its .meta.json is gone)",
        metavar="NAME",
    )
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
