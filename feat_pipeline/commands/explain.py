"""The command explain."""

from __future__ import annotations

import argparse
from typing import Any

from analysis import filenames
from feat_pipeline.commands.options import (
    PERSON_HELP,
    TABLE_HELP,
    add_command,
    add_output,
)
from feat_pipeline.commands.printing import print_results


def add(commands: Any) -> None:
    """Add the command to the parser's subcommands."""
    example = "feat-pipeline explain aus/aus.csv --model mymodel --out reasons --report"
    text = "name and explain the emotion of every face in an AU table"
    parser = add_command(commands, "explain", _explain, text, example)
    parser.add_argument("table", metavar="AUS", help=TABLE_HELP)
    parser.add_argument("--model", required=True, metavar="NAME|DIR", help="a shipped model, or fit's folder")
    parser.add_argument("--target", metavar="EMOTION", help="to explain (default: each face's own answer)")
    parser.add_argument("--rival", metavar="EMOTION", help="to contrast it with (default: the next likely)")
    parser.add_argument(
        "--baseline",
        choices=["population", "neutral", "person"],
        default="population",
        help="the face that each is compared with (default: %(default)s)",
    )
    parser.add_argument("--person", metavar="COLUMN", help=f"for --baseline person: {PERSON_HELP}")
    parser.add_argument("--report", action="store_true", help="also report.html")
    add_output(parser)


def _explain(arguments: argparse.Namespace) -> int:
    from feat_pipeline.runs.explain import explain_table

    notes = explain_table(
        arguments.table,
        model=arguments.model,
        out=arguments.out,
        target=arguments.target,
        rival=arguments.rival,
        baseline=arguments.baseline,
        person=arguments.person,
        report=arguments.report,
        overwrite=arguments.overwrite,
    )
    return print_results(
        notes,
        arguments.out,
        [filenames.PREDICTIONS, filenames.EXPLANATIONS, filenames.CONTRIBUTIONS, filenames.RUN],
    )
