"""The command predict."""

from __future__ import annotations

import argparse
from typing import Any

from analysis import filenames
from feat_pipeline.commands.options import (
    add_command,
    add_drawing,
    add_models,
    add_output,
    add_photos,
    add_sampling,
    read_sampling,
)
from feat_pipeline.commands.printing import conclude, print_paths, say
from feat_pipeline.models import DEFAULT_MODELS, SHIPPED


def add(commands: Any) -> None:
    """Add the command to the parser's subcommands."""
    example = "feat-pipeline predict film.mp4 photos/ --out result --annotate"
    parser = add_command(commands, "predict", _predict, "name and explain the emotion of every face", example)
    add_photos(parser, "photos, videos, or folders with all their subfolders")
    add_models(parser)
    parser.add_argument(
        "--annotate",
        action="store_true",
        help="write copies with boxes, emotions and reasons: photos as JPEG, videos as MP4",
    )
    parser.add_argument(
        "--all-models",
        action="store_true",
        help=f"answers of all shipped models ({', '.join(SHIPPED)}) side by side, besides those of --model; "
        "faces on which they disagree are marked",
    )
    parser.add_argument(
        "--tta",
        action="store_true",
        help="look at every face more often: AUs are measured in the mirror too, networks see ten crops",
    )
    add_drawing(parser)
    add_sampling(parser)
    add_output(parser)


def _predict(arguments: argparse.Namespace) -> int:
    from feat_pipeline.runs.predict import predict_files

    result = predict_files(
        arguments.paths,
        out=arguments.out,
        models=_models(arguments),
        detector=arguments.detector,
        annotate=arguments.annotate,
        emoji=arguments.emoji,
        emoji_set=arguments.emoji_set,
        hide=arguments.hide,
        crops=arguments.crops,
        tta=arguments.tta,
        sampling=read_sampling(arguments),
        detect_every_s=arguments.detect_every,
        overwrite=arguments.overwrite,
    )
    films = result.run.get("films", [])
    for film in films:
        for note in film["notes"]:
            say(f"{film['film']}: {note}")
    names = [filenames.PREDICTIONS, filenames.EXPLANATIONS, filenames.SKIPPED, filenames.RUN]
    print_paths(arguments.out, [*names, *(film["film"] for film in films)])
    return conclude(result.run, result.errors)


def _models(arguments: argparse.Namespace) -> list[str]:
    """Return the models to ask: those named, and all that ship where these are asked for."""
    if not arguments.all_models:
        return arguments.model or list(DEFAULT_MODELS)
    return list(dict.fromkeys([*SHIPPED, *(arguments.model or [])]))
