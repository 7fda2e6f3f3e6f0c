"""The command report."""

from __future__ import annotations

import argparse
from pathlib import Path

from analysis import filenames
from feat_pipeline.commands.parser import Commands, add_command
from feat_pipeline.errors import EXIT_DONE, UsageError


def add(commands: Commands) -> None:
    """Add the command to the parser's subcommands."""
    text = "turn a folder of results into one HTML file that opens without a network"
    parser = add_command(commands, "report", _report, text, "feat-pipeline report result")
    parser.add_argument("directory", metavar="DIR", help="what extract, fit or predict wrote")
    parser.add_argument("--out", metavar="FILE", help="the file to write (default: DIR/report.html)")
    parser.add_argument("--overwrite", action="store_true", help="replace a report that is there")


def _report(arguments: argparse.Namespace) -> int:
    from analysis.report import build_report

    target = Path(arguments.out or Path(arguments.directory, filenames.REPORT))
    if target.exists() and not arguments.overwrite:
        raise UsageError(
            f"{target}: exists already; add --overwrite to replace it, or name another file with --out"
        )
    print(build_report(arguments.directory, target))
    return EXIT_DONE
