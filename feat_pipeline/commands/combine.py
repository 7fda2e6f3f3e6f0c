"""The command combine."""

from __future__ import annotations

import argparse

from analysis import filenames
from feat_pipeline.commands.parser import Commands, add_command, add_options, add_output, read_options
from feat_pipeline.commands.printing import print_results
from feat_pipeline.options.combine import CombineOptions


def add(commands: Commands) -> None:
    """Add the command to the parser's subcommands."""
    example = "feat-pipeline combine logit-embedded mycnn/ --weights 1,2 --out both"
    text = "let several models vote, as one model"
    parser = add_command(commands, "combine", _combine, text, example)
    parser.add_argument("models", nargs="+", metavar="MODEL", help="a shipped model or a folder")
    add_options(parser, CombineOptions)
    add_output(parser)


def _combine(arguments: argparse.Namespace) -> int:
    from feat_pipeline.runs.combine import combine

    options = read_options(arguments, CombineOptions)
    ensemble, notes = combine(arguments.models, out=arguments.out, overwrite=arguments.overwrite, **options)
    for name, share in ensemble.shares.items():
        print(f"{name}\t{share:.4g}")
    return print_results(notes, arguments.out, [filenames.MODEL])
