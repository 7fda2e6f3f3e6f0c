"""The command backends."""

from __future__ import annotations

import argparse
from typing import Any

from feat_pipeline.commands.parser import Commands, add_command, add_options, read_options
from feat_pipeline.commands.printing import print_paths, print_table, say
from feat_pipeline.errors import EXIT_DONE, EXIT_SOME_FAILED, UsageError
from feat_pipeline.options.backends import ComparisonOptions
from feat_pipeline.version import __version__


def add(commands: Commands) -> None:
    """Add the command to the parser's subcommands."""
    text = (
        "list AU backends and face detectors, and what mends those that cannot run here; or compare backends"
    )
    example = "feat-pipeline backends --compare photos/ --out agreement"
    parser = add_command(commands, "backends", _backends, text, example)
    parser.add_argument(
        "--compare",
        nargs="+",
        metavar="PATH",
        help="how far backends agree on the same faces, AU by AU, and how fast each is: photos, videos, "
        "folders; AU tables of the same faces, such as OpenFace's CSV, are laid beside",
    )
    add_options(parser, ComparisonOptions)
    parser.add_argument("--out", metavar="DIR", help="with --compare: folder for tables and a figure")
    parser.add_argument("--overwrite", action="store_true", help="replace the results that DIR holds")


def _backends(arguments: argparse.Namespace) -> int:
    if arguments.compare:
        return _compare(arguments)
    if arguments.out:
        raise UsageError("out: only a comparison writes results; add --compare PATH")
    from feat_pipeline.detect import available_detectors
    from feat_pipeline.extract import available_backends

    rows = [("AU backend", s.name, s.version, s.available, s.mend) for s in available_backends()]
    rows += [("face detector", s.name, __version__, s.available, s.mend) for s in available_detectors()]
    print_table(
        ("kind", "name", "version", "status", "what mends it"),
        [
            (kind, name, version, "ready" if ready else "missing", mend)
            for kind, name, version, ready, mend in rows
        ],
    )
    return EXIT_DONE


def _compare(arguments: argparse.Namespace) -> int:
    from feat_pipeline.runs.backends import OUTPUTS, compare_backends

    result = compare_backends(
        arguments.compare,
        out=arguments.out,
        overwrite=arguments.overwrite,
        **read_options(arguments, ComparisonOptions),
    )
    found = result.agreement
    _print_frame(found.frame, ["first", "second", "au", "n"])
    print()
    _print_frame(found.pairs, ["first", "second", "rows", "rows_first", "rows_second", "aus"])
    if len(result.speed):
        print()
        _print_frame(result.speed, ["backend", "version", "scale", "faces"])
    if arguments.out:
        print()
        print_paths(arguments.out, OUTPUTS)
    for name, reason in result.failures.items():
        say(f"{' '.join(name.split())}: {' '.join(reason.split())}")
    return EXIT_SOME_FAILED if result.failures else EXIT_DONE


def _print_frame(frame: Any, plain: list[str]) -> None:
    """Print a table; numbers outside of the `plain` columns with two digits, '-' where there is none."""

    def cell(name: str, value: Any) -> str:
        if name in plain:
            return str(value)
        return f"{round(value, 2) + 0.0:.2f}" if value == value else "-"

    rows = [[cell(name, row[name]) for name in frame.columns] for row in frame.to_dict("records")]
    print_table(list(frame.columns), rows)
