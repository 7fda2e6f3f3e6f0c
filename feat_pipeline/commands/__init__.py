"""The commands of the program, by subject; each module adds its own to the parser."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from feat_pipeline.detect import DEFAULT_DETECTOR, DETECTORS
from feat_pipeline.models import DEFAULT_MODELS
from feat_pipeline.sources.photos import input_name


def add_command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], text: str, example: str
) -> argparse.ArgumentParser:
    """Add one command with its help, its example and the function that runs it."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=text[:1].upper() + text[1:] + ".",
        epilog=f"example: {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    parser.set_defaults(run=run)
    return parser


def add_models(parser: argparse.ArgumentParser) -> None:
    """Add `--model`, which may be repeated."""
    parser.add_argument(
        "--model",
        action="append",
        metavar="NAME|DIR",
        help=f"a shipped model or a folder; may be repeated (default: {', '.join(DEFAULT_MODELS)})",
    )


def add_detector(
    parser: argparse.ArgumentParser,
    text: str = "face detector; none: each picture is one face",
    default: str = DEFAULT_DETECTOR,
) -> None:
    """Add `--detector`."""
    parser.add_argument(
        "--detector", choices=list(DETECTORS), default=default, help=f"{text} (default: %(default)s)"
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add `--out` and `--overwrite`."""
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the results; made if absent")
    parser.add_argument("--overwrite", action="store_true", help="replace the results that DIR holds")


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows in aligned columns."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_paths(folder: str, names: Iterable[str]) -> None:
    """Print the files that a command wrote."""
    for name in names:
        print(input_name(Path(folder, name)))


def say(text: str) -> None:
    """Tell the user something that is not data, on stderr."""
    print(f"feat-pipeline: {text}", file=sys.stderr)
