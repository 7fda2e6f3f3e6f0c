"""The command series."""

from __future__ import annotations

import argparse
from typing import Any

from analysis import filenames
from feat_pipeline.commands.options import add_command, add_output, add_photos, add_sampling, read_sampling
from feat_pipeline.commands.printing import conclude, print_paths, say
from feat_pipeline.errors import UsageError
from feat_pipeline.models import DEFAULT_MODELS


def add(commands: Any) -> None:
    """Add the commands to the parser's subcommands."""
    example = "feat-pipeline series interview.mp4 --out series --neutral 2-5"
    text = "make AU time series of every person in videos: calibrated, smoothed, onset, apex and offset"
    parser = add_command(commands, "series", _series, text, example)
    add_photos(parser, "videos or folders with videos, or AU tables with times (ours, OpenFace's CSVs)")
    add_sampling(parser)
    parser.add_argument(
        "--neutral",
        default="percentile",
        metavar="percentile|none|A-B",
        help="a person's neutral face, which is taken off: the 10th percentile of each AU, nothing, or the "
        "median from second A to B (default: %(default)s)",
    )
    parser.add_argument(
        "--smooth", type=float, default=0.1, metavar="S", help="window of the mean (default: %(default)s s)"
    )
    parser.add_argument("--aus", metavar="AU06,AU12", help="the AUs to keep (default: all)")
    parser.add_argument(
        "--model",
        metavar="NAME|DIR",
        help=f"regression on AUs that names each frame's emotion (default: {DEFAULT_MODELS[0]})",
    )
    parser.add_argument(
        "--figures", type=int, default=20, metavar="N", help="persons with a figure (default: %(default)s)"
    )
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

    neutral = read_neutral(arguments.neutral)
    result = series_files(
        arguments.paths,
        out=arguments.out,
        sampling=read_sampling(arguments),
        neutral=neutral,
        smooth_s=arguments.smooth,
        aus=arguments.aus.split(",") if arguments.aus else None,
        model=arguments.model,
        detector=arguments.detector,
        detect_every_s=arguments.detect_every,
        figures=arguments.figures,
        overwrite=arguments.overwrite,
    )
    for note in result.notes:
        say(note)
    print_paths(arguments.out, ["series.csv", "events.csv", "series", filenames.SKIPPED, filenames.RUN])
    return conclude(result.run, result.errors)
