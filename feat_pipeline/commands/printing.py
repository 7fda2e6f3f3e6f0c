"""What a command prints: data on stdout, the rest on stderr."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from feat_pipeline.errors import EXIT_DONE, EXIT_SOME_FAILED
from feat_pipeline.sources.frame import Skipped, input_name


def safe_streams() -> None:
    """Let text that the terminal's encoding does not know be printed with escapes, and never end a run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class _Saying(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


@contextlib.contextmanager
def say_warnings() -> Iterator[None]:
    """Say what the package logs as a warning while a command runs."""
    logger, handler = logging.getLogger("feat_pipeline"), _Saying(logging.WARNING)
    logger.addHandler(handler)
    propagate, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate


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


_ERRORS_SHOWN = 20


def conclude(run: dict[str, Any], errors: Sequence[Skipped]) -> int:
    """Tell the errors and the counts of a run, and return the exit code."""
    for error in errors[:_ERRORS_SHOWN]:
        say(f"{' '.join(error.input.split())}: {error.reason}")
    if len(errors) > _ERRORS_SHOWN:
        say(f"and {len(errors) - _ERRORS_SHOWN} more errors, all listed in skipped.csv")
    counts = run["counts"]
    skipped = ", ".join(f"{number} {kind}" for kind, number in counts["skipped"].items()) or "none"
    backend = run["backend"]
    why = f" (auto: {backend['auto']})" if "auto" in backend else ""
    done = ", ".join(f"{counts[unit]} {unit}" for unit in ("inputs", "frames", "faces") if unit in counts)
    if "disagreements" in run:
        done += f", models disagree on {run['disagreements']}"
    say(
        f"{done}, skipped: {skipped}; {run['seconds']:.1f} s "
        f"with {backend['name']} {backend['version']}{why} and {run['detector']}"
    )
    if run.get("ignored"):
        say(f"ignored: {'; '.join(map(_ignored, run['ignored']))}; all are in skipped.csv with the reason")
    return EXIT_SOME_FAILED if errors else EXIT_DONE


def _ignored(kind: dict[str, Any]) -> str:
    """Tell in words what was ignored of one kind: how often, and the first inputs."""
    first = ", ".join(" ".join(name.split()) for name in kind["first"])
    more = ", ..." if kind["count"] > len(kind["first"]) else ""
    return f"{kind['count']} {kind['why']} ({first}{more})"


def print_results(notes: list[str], out: str, files: list[str]) -> int:
    """Tell the notes of a run and the files that it wrote, and return the exit code."""
    for note in notes:
        say(note)
    print_paths(out, files)
    return EXIT_DONE
