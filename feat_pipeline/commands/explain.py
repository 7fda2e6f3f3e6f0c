"""The command explain."""

from __future__ import annotations

import argparse

from analysis import filenames
from feat_pipeline.commands.parser import Commands, add_command, add_options, add_output, read_options
from feat_pipeline.commands.printing import print_results
from feat_pipeline.options.explain import ExplainOptions
from feat_pipeline.options.shared import TABLE_HELP


def add(commands: Commands) -> None:
    """Add the command to the parser's subcommands."""
    example = "feat-pipeline explain aus/aus.csv --model mymodel --out reasons --report"
    text = "name and explain the emotion of every face in an AU table"
    parser = add_command(commands, "explain", _explain, text, example)
    parser.add_argument("table", metavar="AUS", help=TABLE_HELP)
    add_options(parser, ExplainOptions)
    add_output(parser)


def _explain(arguments: argparse.Namespace) -> int:
    from feat_pipeline.runs.explain import explain_table

    options = read_options(arguments, ExplainOptions)
    notes = explain_table(arguments.table, out=arguments.out, overwrite=arguments.overwrite, **options)
    return print_results(
        notes,
        arguments.out,
        [filenames.PREDICTIONS, filenames.EXPLANATIONS, filenames.CONTRIBUTIONS, filenames.RUN],
    )
