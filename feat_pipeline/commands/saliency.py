"""The command saliency."""

from __future__ import annotations

import argparse

from analysis import filenames
from feat_pipeline.commands.parser import (
    Commands,
    add_command,
    add_options,
    add_output,
    add_photos,
    read_options,
)
from feat_pipeline.commands.printing import conclude, print_paths, say
from feat_pipeline.options.saliency import SaliencyOptions


def add(commands: Commands) -> None:
    """Add the commands to the parser's subcommands."""
    example = "feat-pipeline saliency photos/ --model mycnn --out looks"
    text = "show where a model of face crops looks, and whether the Action Units lie there"
    parser = add_command(commands, "saliency", _saliency, text, example)
    add_photos(parser)
    add_options(parser, SaliencyOptions)
    add_output(parser)


def _saliency(arguments: argparse.Namespace) -> int:
    from feat_pipeline.runs.saliency import saliency_files

    options = read_options(arguments, SaliencyOptions)
    result = saliency_files(arguments.paths, out=arguments.out, overwrite=arguments.overwrite, **options)
    for note in result.agreement.facts["notes"]:
        say(note)
    say(result.agreement.summary())
    print_paths(
        arguments.out,
        [
            "saliency.csv",
            filenames.result_file("agreement"),
            filenames.SKIPPED,
            filenames.RUN,
            filenames.REPORT,
        ],
    )
    return conclude(result.run, result.errors)
