"""Options of the command explain."""

from __future__ import annotations

from dataclasses import dataclass

from feat_pipeline.declared import Options, option, required
from feat_pipeline.options import shared
from feat_pipeline.sources.frame import PathLike


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
