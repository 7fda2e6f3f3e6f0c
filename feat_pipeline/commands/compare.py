"""The command compare."""

from __future__ import annotations

import argparse
from typing import Any

from analysis import filenames
from feat_pipeline.commands.options import (
    LABELS_HELP,
    PERSON_HELP,
    add_command,
    add_draws,
    add_output,
)
from feat_pipeline.commands.printing import print_results


def add(commands: Any) -> None:
    """Add the command to the parser's subcommands."""
    example = "feat-pipeline compare logit.csv cnn.csv --labels labels.csv --out comparison"
    text = "compare the answers of models on the same faces"
    parser = add_command(commands, "compare", _compare, text, example)
    parser.add_argument(
        "predictions", nargs="+", metavar="PREDICTIONS", help="predictions.csv, or any CSV with input and p_*"
    )
    parser.add_argument("--labels", required=True, metavar="PATH", help=LABELS_HELP)
    parser.add_argument("--groups", metavar="COLUMN", help=f"{PERSON_HELP}: of the labels or the predictions")
    add_draws(parser, 1000)
    add_output(parser)


def _compare(arguments: argparse.Namespace) -> int:
    from feat_pipeline.runs.compare import compare_files

    comparison = compare_files(
        arguments.predictions,
        labels=arguments.labels,
        out=arguments.out,
        groups=arguments.groups,
        draws=arguments.draws,
        seed=arguments.seed,
        overwrite=arguments.overwrite,
    )
    return print_results(
        comparison.facts["notes"],
        arguments.out,
        ["scores.csv", filenames.result_file("comparison"), filenames.REPORT],
    )
