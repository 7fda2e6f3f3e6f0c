"""The command openface."""

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
from feat_pipeline.errors import UsageError
from feat_pipeline.options.openface import OpenFaceOptions


def add(commands: Commands) -> None:
    """Add the command to the parser's subcommands."""
    parser = add_command(
        commands,
        "openface",
        _openface,
        "measure folders of photos and videos with OpenFace's own programs, installed or in Docker",
        "feat-pipeline openface photos/ film.mp4 --out aus --docker",
    )
    add_photos(parser, "photos, videos, or folders; subfolders for each class become the column emotion")
    add_options(parser, OpenFaceOptions)
    add_output(parser)


def _openface(arguments: argparse.Namespace) -> int:
    from feat_pipeline.runs.openface import run_openface

    if arguments.docker and arguments.binary_dir:
        raise UsageError("docker, binary-dir: name one of the two")
    options = read_options(arguments, OpenFaceOptions)
    result = run_openface(arguments.paths, out=arguments.out, overwrite=arguments.overwrite, **options)
    print_paths(arguments.out, [f"aus.{arguments.format}", filenames.SKIPPED, filenames.RUN])
    return conclude(result.run, result.errors)
