"""The command combine."""

from __future__ import annotations

import argparse
from typing import Any

from analysis import filenames
from feat_pipeline.commands.options import (
    LABELS_HELP,
    add_command,
    add_output,
)
from feat_pipeline.commands.printing import print_results


def add(commands: Any) -> None:
    """Add the command to the parser's subcommands."""
    example = "feat-pipeline combine logit-embedded mycnn/ --weights 1,2 --out both"
    text = "let several models vote, as one model"
    parser = add_command(commands, "combine", _combine, text, example)
    parser.add_argument("models", nargs="+", metavar="MODEL", help="a shipped model or a folder")
    parser.add_argument(
        "--weights", type=_numbers, metavar="W,W,...", help="one a model (default: all alike)"
    )
    parser.add_argument(
        "--predictions", metavar="PATH", help="answers of all of them, by which the weights are chosen"
    )
    parser.add_argument("--labels", metavar="PATH", help=f"of these answers: {LABELS_HELP}")
    parser.add_argument("--common", action="store_true", help="vote on the emotions that all of them know")
    add_output(parser)


def _numbers(text: str) -> list[float]:
    return [float(number) for number in text.split(",")]


def _combine(arguments: argparse.Namespace) -> int:
    from feat_pipeline.runs.combine import combine

    ensemble, notes = combine(
        arguments.models,
        out=arguments.out,
        weights=arguments.weights,
        predictions=arguments.predictions,
        labels=arguments.labels,
        common=arguments.common,
        overwrite=arguments.overwrite,
    )
    for name, share in ensemble.shares.items():
        print(f"{name}\t{share:.4g}")
    return print_results(notes, arguments.out, [filenames.MODEL])
