"""The command compare."""

from __future__ import annotations

import argparse

from analysis import filenames
from feat_pipeline.commands.parser import Commands, add_command, add_options, add_output, read_options
from feat_pipeline.commands.printing import print_results
from feat_pipeline.options.compare import CompareOptions


def add(commands: Commands) -> None:
    """Add the command to the parser's subcommands."""
    example = "feat-pipeline compare logit.csv cnn.csv --labels labels.csv --out comparison"
    text = "compare the answers of models on the same faces"
    parser = add_command(commands, "compare", _compare, text, example)
    parser.add_argument(
        "predictions", nargs="+", metavar="PREDICTIONS", help="predictions.csv, or any CSV with input and p_*"
    )
    add_options(parser, CompareOptions)
    add_output(parser)


def _compare(arguments: argparse.Namespace) -> int:
    from feat_pipeline.runs.compare import compare_files

    options = read_options(arguments, CompareOptions)
    comparison = compare_files(
        arguments.predictions, out=arguments.out, overwrite=arguments.overwrite, **options
    )
    return print_results(
        comparison.facts["notes"],
        arguments.out,
        ["scores.csv", filenames.result_file("comparison"), filenames.REPORT],
    )
