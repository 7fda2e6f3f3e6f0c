"""The program ``feat-pipeline``: stdout is data, stderr the rest; bad input costs one line, no traceback."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from feat_pipeline.commands.printing import say
from feat_pipeline.errors import EXIT_SOME_FAILED, EXIT_USAGE, FeatPipelineError
from feat_pipeline.version import __version__

EXIT_INTERRUPTED = 130

#: Modules of `feat_pipeline.commands`, in the order of the help.
_COMMANDS = (
    *("extract", "predict", "camera", "app", "openface", "series", "saliency"),
    *("fit", "explain", "compare", "surrogate", "combine", "data"),
    *("train", "generate", "report", "backends", "models"),
)

_EXIT_CODES = (
    "exit codes: 0 all done, 1 some inputs were skipped for errors or the work broke off, 2 wrong usage"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; by default the process's own.

    Returns
    -------
    int
        0 all done, 1 some inputs were skipped for errors or the work broke off, 2 wrong usage, 130
        interrupted.
        A photo without a face is no error; it is listed in ``skipped.csv`` all the same.
    """
    debug = False
    try:
        arguments = build_parser().parse_args(argv)
        debug = arguments.debug
        code = arguments.run(arguments)
        print(end="", flush=True)
        return code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_SOME_FAILED
    except (FeatPipelineError, OSError, KeyboardInterrupt) as error:
        if debug:
            raise
        done = getattr(error, "__notes__", [])  # what a run kept of its work before it broke off
        say("; ".join([_reason(error), *done]))
        if isinstance(error, KeyboardInterrupt):
            return EXIT_INTERRUPTED
        return EXIT_SOME_FAILED if done else EXIT_USAGE


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the program with all its commands."""
    parser = argparse.ArgumentParser(
        prog="feat-pipeline",
        description="Name the emotion of every face in photos, and the Action Units (AUs) that spoke for it.",
        epilog=f"example: feat-pipeline predict photos/ --out result --annotate\n\n{_EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"feat-pipeline {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in _COMMANDS:  # imported here, so that an interruption costs one line from the start
        import_module(f"feat_pipeline.commands.{name}").add(commands)
    return parser


def _reason(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split())


if __name__ == "__main__":
    sys.exit(main())
