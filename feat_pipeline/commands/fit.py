"""The command fit."""

from __future__ import annotations

import argparse
from pathlib import Path

from feat_pipeline.commands.parser import Commands, add_command, add_options, add_output, read_options
from feat_pipeline.commands.printing import say
from feat_pipeline.errors import EXIT_DONE
from feat_pipeline.options.fit import FitOptions
from feat_pipeline.options.shared import TABLE_HELP


def add(commands: Commands) -> None:
    """Add the command to the parser's subcommands."""
    example = "feat-pipeline fit aus/aus.csv --labels labels.csv --out mymodel --inference --report"
    parser = add_command(commands, "fit", _fit, "fit the regression to labelled AUs", example)
    parser.add_argument("table", metavar="AUS", help=TABLE_HELP)
    add_options(parser, FitOptions)
    add_output(parser)


def _fit(arguments: argparse.Namespace) -> int:
    from feat_pipeline.runs.fit import fit

    options = read_options(arguments, FitOptions)
    fitted = fit(arguments.table, out=arguments.out, overwrite=arguments.overwrite, **options)
    model = fitted.model
    for note in (*fitted.unknown, *model.notes_):
        say(note)
    for name, value in model.scores_.items():
        print(f"{name}\t{value:.4g}" if isinstance(value, float) else f"{name}\t{value}")
    say(f"wrote {Path(arguments.out)}")
    return EXIT_DONE
