"""The command surrogate."""

from __future__ import annotations

import argparse
from typing import Any

from analysis import filenames
from feat_pipeline.commands.options import (
    LABELS_HELP,
    PERSON_HELP,
    TABLE_HELP,
    add_command,
    add_draws,
    add_output,
    add_regression,
)
from feat_pipeline.commands.printing import print_results, say


def add(commands: Any) -> None:
    """Add the command to the parser's subcommands."""
    example = "feat-pipeline surrogate --aus aus/aus.csv --predictions cnn.csv --out why-cnn"
    text = "explain any model's answers by AUs, and tell how far that holds"
    parser = add_command(commands, "surrogate", _surrogate, text, example)
    parser.add_argument("--aus", required=True, metavar="AUS", help=TABLE_HELP)
    parser.add_argument(
        "--predictions", required=True, metavar="CSV", help="the model's answers, with input and p_*"
    )
    parser.add_argument("--model", metavar="NAME", help="which one, where the file holds several")
    parser.add_argument("--labels", metavar="PATH", help=f"true labels, for reference: {LABELS_HELP}")
    parser.add_argument("--groups", metavar="COLUMN", help=f"{PERSON_HELP}, who is then on one side only")
    add_regression(parser, alpha="cv")
    add_draws(parser, 200)
    add_output(parser)


def _surrogate(arguments: argparse.Namespace) -> int:
    from feat_pipeline.runs.surrogate import surrogate_files

    surrogate = surrogate_files(
        arguments.aus,
        arguments.predictions,
        out=arguments.out,
        model=arguments.model,
        labels=arguments.labels,
        groups=arguments.groups,
        terms=arguments.terms,
        alpha="cv" if arguments.alpha is None else arguments.alpha,
        draws=arguments.draws,
        seed=arguments.seed,
        overwrite=arguments.overwrite,
    )
    say(surrogate.facts["verdict"])
    return print_results(
        surrogate.facts["notes"],
        arguments.out,
        ["fidelity.csv", filenames.result_file("surrogate"), filenames.REPORT],
    )
