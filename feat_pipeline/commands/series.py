"""The command series."""

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
from feat_pipeline.commands.printing import conclude, print_paths, say
from feat_pipeline.errors import UsageError
from feat_pipeline.options.series import SeriesOptions


def add(commands: Commands) -> None:
    """Add the commands to the parser's subcommands."""
    example = "feat-pipeline series interview.mp4 --out series --neutral 2-5"
    text = "make AU time series of every person in videos: calibrated, smoothed, onset, apex and offset"
    parser = add_command(commands, "series", _series, text, example)
    add_photos(parser, "videos or folders with videos, or AU tables with times (ours, OpenFace's CSVs)")
    add_options(parser, SeriesOptions)
    add_output(parser)


def read_neutral(text: str) -> str | tuple[float, float]:
    """Read what ``--neutral`` names.

    Raises
    ------
    UsageError
        It is neither a word nor two times.
    """
    if text in ("percentile", "none"):
        return text
    start, _, end = text.partition("-")
    try:
        interval = float(start), float(end)
        if interval[0] < interval[1]:
            return interval
    except ValueError:
        pass
    raise UsageError(f"neutral: expected percentile, none or two times in seconds such as 2-5, got {text!r}")


def _series(arguments: argparse.Namespace) -> int:
    from feat_pipeline.runs.series import series_files

    options = read_options(arguments, SeriesOptions)
    options["neutral"] = read_neutral(arguments.neutral)
    result = series_files(arguments.paths, out=arguments.out, overwrite=arguments.overwrite, **options)
    for note in result.notes:
        say(note)
    print_paths(arguments.out, ["series.csv", "events.csv", "series", filenames.SKIPPED, filenames.RUN])
    return conclude(result.run, result.errors)
