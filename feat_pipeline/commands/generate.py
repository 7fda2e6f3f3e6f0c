"""The command generate."""

from __future__ import annotations

import argparse
from typing import Any

from feat_pipeline.commands.options import add_command, add_output
from feat_pipeline.commands.printing import print_paths, say
from feat_pipeline.errors import EXIT_DONE
from feat_pipeline.generator.model import SHIPPED


def add(commands: Any) -> None:
    """Add the command to the parser's subcommands."""
    example = "feat-pipeline generate --emotion happy --n 64 --seed 1 --out made"
    text = "make small grey faces of nobody for an emotion, and a grid of them"
    parser = add_command(commands, "generate", _generate, text, example)
    parser.add_argument("--emotion", required=True, help="which, such as happy")
    parser.add_argument("--n", type=int, default=16, help="number of faces (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the noise (default: %(default)s)")
    parser.add_argument(
        "--model",
        default=SHIPPED,
        metavar="DIR",
        help="generator that 'train gan' wrote (default: %(default)s)",
    )
    add_output(parser)


def _generate(arguments: argparse.Namespace) -> int:
    from feat_pipeline.runs.generate import write_generated

    names = write_generated(
        arguments.emotion,
        n=arguments.n,
        out=arguments.out,
        seed=arguments.seed,
        model=arguments.model,
        overwrite=arguments.overwrite,
    )
    print_paths(arguments.out, names)
    say("these are no persons: never show them as such, nor judge people by what was learned from them")
    return EXIT_DONE
