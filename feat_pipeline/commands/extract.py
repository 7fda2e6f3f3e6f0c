"""The command extract."""

from __future__ import annotations

import argparse
from typing import Any

from analysis import filenames
from feat_pipeline.commands.options import (
    add_command,
    add_output,
    add_photos,
    add_sampling,
    read_sampling,
)
from feat_pipeline.commands.printing import conclude, print_paths
from feat_pipeline.extract import BACKENDS


def add(commands: Any) -> None:
    """Add the command to the parser's subcommands."""
    parser = add_command(
        commands,
        "extract",
        _extract,
        "measure the AUs of every face in photos and videos",
        "feat-pipeline extract photos/ film.mp4 --out aus --jobs 2",
    )
    add_photos(parser, "photos, videos, or folders with all their subfolders")
    parser.add_argument(
        "--backend",
        choices=["auto", *BACKENDS],
        default="auto",
        help="what measures the AUs (default: %(default)s)",
    )
    parser.add_argument(
        "--format", choices=["csv", "parquet"], default="csv", help="of the table (default: csv)"
    )
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="processes (default: 1, which uses about two cores; ray: all)"
    )
    parser.add_argument(
        "--engine",
        choices=["local", "ray"],
        default="local",
        help="this machine, or Ray (extra scale) (default: local)",
    )
    parser.add_argument("--address", help="of a Ray cluster: auto on one of its nodes, or head:6379")
    add_sampling(parser)
    add_output(parser)


def _extract(arguments: argparse.Namespace) -> int:
    from feat_pipeline.runs.extract import extract

    result = extract(
        arguments.paths,
        out=arguments.out,
        backend=arguments.backend,
        detector=arguments.detector,
        format=arguments.format,
        sampling=read_sampling(arguments),
        detect_every_s=arguments.detect_every,
        jobs=arguments.jobs,
        engine=arguments.engine,
        address=arguments.address,
        overwrite=arguments.overwrite,
    )
    print_paths(arguments.out, [f"aus.{arguments.format}", filenames.SKIPPED, filenames.RUN])
    return conclude(result.run, result.errors)
