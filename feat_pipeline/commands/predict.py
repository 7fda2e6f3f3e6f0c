"""The command predict."""

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
from feat_pipeline.models import SHIPPED
from feat_pipeline.options.predict import PredictOptions


def add(commands: Commands) -> None:
    """Add the command to the parser's subcommands."""
    example = "feat-pipeline predict film.mp4 photos/ --out result --annotate"
    parser = add_command(commands, "predict", _predict, "name and explain the emotion of every face", example)
    add_photos(parser, "photos, videos, or folders with all their subfolders")
    add_options(parser, PredictOptions)
    parser.add_argument(
        "--all-models",
        action="store_true",
        help=f"answers of all shipped models ({', '.join(SHIPPED)}) side by side, besides those of --model; "
        "faces on which they disagree are marked",
    )
    add_output(parser)


def _predict(arguments: argparse.Namespace) -> int:
    from feat_pipeline.runs.predict import predict_files

    options = read_options(arguments, PredictOptions)
    if arguments.all_models:
        options["models"] = list(dict.fromkeys([*SHIPPED, *(arguments.models or [])]))
    result = predict_files(arguments.paths, out=arguments.out, overwrite=arguments.overwrite, **options)
    films = result.run.get("films", [])
    for film in films:
        for note in film["notes"]:
            say(f"{film['film']}: {note}")
    names = [filenames.PREDICTIONS, filenames.EXPLANATIONS, filenames.SKIPPED, filenames.RUN]
    print_paths(arguments.out, [*names, *(film["film"] for film in films)])
    return conclude(result.run, result.errors)
