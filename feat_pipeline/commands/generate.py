"""The command generate."""

from __future__ import annotations

import argparse

from feat_pipeline.commands.parser import Commands, add_command, add_options, add_output, read_options
from feat_pipeline.commands.printing import print_paths, say
from feat_pipeline.errors import EXIT_DONE
from feat_pipeline.options.generate import GenerateOptions


def add(commands: Commands) -> None:
    """Add the command to the parser's subcommands."""
    example = "feat-pipeline generate --emotion happy --n 64 --seed 1 --out made"
    text = "make small grey faces of nobody for an emotion, and a grid of them"
    parser = add_command(commands, "generate", _generate, text, example)
    parser.add_argument("--emotion", required=True, help="which, such as happy")
    add_options(parser, GenerateOptions)
    add_output(parser)


def _generate(arguments: argparse.Namespace) -> int:
    from feat_pipeline.runs.generate import write_generated

    options = read_options(arguments, GenerateOptions)
    names = write_generated(arguments.emotion, out=arguments.out, overwrite=arguments.overwrite, **options)
    print_paths(arguments.out, names)
    say("these are no persons: never show them as such, nor judge people by what was learned from them")
    return EXIT_DONE
