"""The program ``feat-pipeline``: stdout is data, stderr the rest; bad input costs one line, no traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

if (
    TYPE_CHECKING
):  # whatever takes time to import is imported by `main`, which tells an interruption in a line
    import argparse

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
    try:
        if argv is None:
            _in_utf8()
        return _run(argv)
    except KeyboardInterrupt as error:
        if "--debug" in (sys.argv if argv is None else argv):
            raise
        print("feat-pipeline:", "; ".join(["interrupted", *_notes(error)]), file=sys.stderr)
        return EXIT_INTERRUPTED


def _run(argv: Sequence[str] | None) -> int:
    from feat_pipeline.commands.printing import safe_streams, say, say_warnings
    from feat_pipeline.errors import EXIT_SOME_FAILED, EXIT_USAGE, FeatPipelineError

    debug = False
    try:
        safe_streams()
        arguments = build_parser().parse_args(argv)
        debug = arguments.debug
        with say_warnings():
            code: int = arguments.run(arguments)
        _flush()
        return code
    except BrokenPipeError:
        _let_go_of_stdout()
        return EXIT_SOME_FAILED
    except (FeatPipelineError, OSError) as error:
        if debug:
            raise
        say("; ".join([_reason(error), *_notes(error)]))
        return EXIT_SOME_FAILED if _notes(error) else EXIT_USAGE


def _in_utf8() -> None:
    """Begin anew in Python's UTF-8 mode, where file names would be written in another encoding.

    A locale's narrow encoding has no bytes for most names, so that files could neither be opened nor made.
    """
    if sys.getfilesystemencoding().lower() == "utf-8" or sys.flags.utf8_mode:
        return
    os.environ["PYTHONUTF8"] = "1"  # of the processes that are begun by this one, too
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


def _notes(error: BaseException) -> list[str]:
    """Tell what a run kept of its work before it broke off."""
    return list(getattr(error, "__notes__", []))


def _flush() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _let_go_of_stdout()
        error.filename = "standard output"
        raise


def _let_go_of_stdout() -> None:
    """Let what is still to be printed go nowhere, else Python complains of it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the program with all its commands."""
    import argparse

    from feat_pipeline.version import __version__

    parser = argparse.ArgumentParser(
        prog="feat-pipeline",
        description="Name the emotion of every face in photos, and the Action Units (AUs) that spoke for it.",
        epilog=f"example: feat-pipeline predict photos/ --out result --annotate\n\n{_EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"feat-pipeline {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in _COMMANDS:
        import_module(f"feat_pipeline.commands.{name}").add(commands)
    return parser


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split())


if __name__ == "__main__":
    sys.exit(main())
