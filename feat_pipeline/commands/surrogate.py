"""The command surrogate."""

from __future__ import annotations

import argparse

from analysis import filenames
from feat_pipeline.commands.parser import Commands, add_command, add_options, add_output, read_options
from feat_pipeline.commands.printing import print_results, say
from feat_pipeline.options.shared import TABLE_HELP
from feat_pipeline.options.surrogate import SurrogateOptions


def add(commands: Commands) -> None:
    """Add the command to the parser's subcommands."""
    example = "feat-pipeline surrogate --aus aus/aus.csv --predictions cnn.csv --out why-cnn"
    text = "explain any model's answers by AUs, and tell how far that holds"
    parser = add_command(commands, "surrogate", _surrogate, text, example)
    parser.add_argument("--aus", required=True, metavar="AUS", help=TABLE_HELP)
    parser.add_argument(
        "--predictions", required=True, metavar="CSV", help="the model's answers, with input and p_*"
    )
    add_options(parser, SurrogateOptions)
    add_output(parser)


def _surrogate(arguments: argparse.Namespace) -> int:
    from feat_pipeline.runs.surrogate import surrogate_files

    options = read_options(arguments, SurrogateOptions)
    surrogate = surrogate_files(
        arguments.aus, arguments.predictions, out=arguments.out, overwrite=arguments.overwrite, **options
    )
    say(surrogate.facts["verdict"])
    return print_results(
        surrogate.facts["notes"],
        arguments.out,
        ["fidelity.csv", filenames.result_file("surrogate"), filenames.REPORT],
    )
