"""The command extract."""

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
from feat_pipeline.commands.printing import conclude, print_paths
from feat_pipeline.options.extract import ExtractOptions


def add(commands: Commands) -> None:
    """Add the command to the parser's subcommands."""
    example = "feat-pipeline extract photos/ film.mp4 --out aus --jobs 2"
    text = "measure the AUs of every face in photos and videos"
    parser = add_command(commands, "extract", _extract, text, example)
    add_photos(parser, "photos, videos, or folders with all their subfolders")
    add_options(parser, ExtractOptions)
    add_output(parser)


def _extract(arguments: argparse.Namespace) -> int:
    from feat_pipeline.runs.extract import extract

    options = read_options(arguments, ExtractOptions)
    result = extract(arguments.paths, out=arguments.out, overwrite=arguments.overwrite, **options)
    print_paths(arguments.out, [f"aus.{arguments.format}", filenames.SKIPPED, filenames.RUN])
    return conclude(result.run, result.errors)
