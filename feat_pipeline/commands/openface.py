"""The command openface."""

from __future__ import annotations

import argparse
from typing import Any

from analysis import filenames
from feat_pipeline.commands.options import add_command, add_output
from feat_pipeline.commands.printing import conclude, print_paths


def add(commands: Any) -> None:
    """Add the command to the parser's subcommands."""
    parser = add_command(
        commands,
        "openface",
        _openface,
        "measure folders of photos and videos with OpenFace's own programs, installed or in Docker",
        "feat-pipeline openface photos/ film.mp4 --out aus --docker",
    )
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="photos, videos, or folders; subfolders for each class become the column emotion",
    )
    parser.add_argument(
        "--docker", action="store_true", help="use the image algebr/openface, whatever is installed"
    )
    parser.add_argument(
        "--binary-dir",
        metavar="DIR",
        help="folder of FaceLandmarkImg (default: OPENFACE_DIR, else the PATH, else Docker)",
    )
    parser.add_argument(
        "--keep-csv", action="store_true", help="keep OpenFace's own CSVs with all columns in OUT/openface"
    )
    parser.add_argument(
        "--format", choices=["csv", "parquet"], default="csv", help="of the table (default: csv)"
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=300.0,
        metavar="S",
        help="seconds without output after which OpenFace is taken to hang (default: %(default)g)",
    )
    add_output(parser)


def _openface(arguments: argparse.Namespace) -> int:
    from feat_pipeline.errors import UsageError
    from feat_pipeline.runs.openface import run_openface

    if arguments.docker and arguments.binary_dir:
        raise UsageError("docker, binary-dir: name one of the two")
    result = run_openface(
        arguments.paths,
        out=arguments.out,
        docker=arguments.docker,
        binary_dir=arguments.binary_dir,
        keep_csv=arguments.keep_csv,
        format=arguments.format,
        stalled_s=arguments.timeout,
        overwrite=arguments.overwrite,
    )
    print_paths(arguments.out, [f"aus.{arguments.format}", filenames.SKIPPED, filenames.RUN])
    return conclude(result.run, result.errors)
