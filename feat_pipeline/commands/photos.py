"""Commands that begin with photos: extract and predict."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from feat_pipeline.commands import add_command, add_output, print_paths, say
from feat_pipeline.detect import DETECTORS
from feat_pipeline.errors import EXIT_DONE, EXIT_SOME_FAILED
from feat_pipeline.extract import BACKENDS
from feat_pipeline.models import DEFAULT_MODELS
from feat_pipeline.sources import Skipped

_ERRORS_SHOWN = 20


def add_commands(commands: Any) -> None:
    """Add the commands to the parser's subcommands."""
    _add_extract(commands)
    _add_predict(commands)


def _add_extract(commands: Any) -> None:
    parser = add_command(
        commands,
        "extract",
        _extract,
        "measure the AUs of every face in photos",
        "feat-pipeline extract photos/ --out aus",
    )
    add_photos(parser)
    parser.add_argument(
        "--backend",
        choices=["auto", *BACKENDS],
        default="auto",
        help="what measures the AUs (default: %(default)s)",
    )
    parser.add_argument(
        "--format", choices=["csv", "parquet"], default="csv", help="of the table (default: csv)"
    )
    add_output(parser)


def _add_predict(commands: Any) -> None:
    example = "feat-pipeline predict photo.jpg more/ --out result --annotate"
    parser = add_command(commands, "predict", _predict, "name and explain the emotion of every face", example)
    add_photos(parser)
    parser.add_argument(
        "--model",
        action="append",
        metavar="NAME|DIR",
        help=f"a shipped model or a folder; may be repeated (default: {', '.join(DEFAULT_MODELS)})",
    )
    parser.add_argument(
        "--annotate", action="store_true", help="write copies with boxes, emotions and reasons"
    )
    add_output(parser)


def add_photos(parser: argparse.ArgumentParser) -> None:
    """Add the photos and `--detector`."""
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="photos, or folders with all their subfolders"
    )
    parser.add_argument(
        "--detector",
        choices=list(DETECTORS),
        default="mtcnn",
        help="face detector; none: each photo is one face (default: %(default)s)",
    )


def _extract(arguments: argparse.Namespace) -> int:
    from feat_pipeline.extract.run import extract

    result = extract(
        arguments.paths,
        out=arguments.out,
        backend=arguments.backend,
        detector=arguments.detector,
        format=arguments.format,
        overwrite=arguments.overwrite,
    )
    print_paths(arguments.out, [f"aus.{arguments.format}", "skipped.csv", "run.json"])
    return conclude(result.run, result.errors)


def _predict(arguments: argparse.Namespace) -> int:
    from feat_pipeline.results import predict_files

    result = predict_files(
        arguments.paths,
        out=arguments.out,
        models=arguments.model or DEFAULT_MODELS,
        detector=arguments.detector,
        annotate=arguments.annotate,
        overwrite=arguments.overwrite,
    )
    print_paths(arguments.out, ["predictions.csv", "explanations.jsonl", "skipped.csv", "run.json"])
    return conclude(result.run, result.errors)


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
    say(
        f"{counts['inputs']} inputs, {counts['faces']} faces, skipped: {skipped}; {run['seconds']:.1f} s "
        f"with {backend['name']} {backend['version']}{why} and {run['detector']}"
    )
    return EXIT_SOME_FAILED if errors else EXIT_DONE
