"""Commands that begin with photos: extract, predict and saliency."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from feat_pipeline.commands import add_command, add_output, print_paths, say
from feat_pipeline.detect import DETECTORS
from feat_pipeline.errors import EXIT_DONE, EXIT_SOME_FAILED
from feat_pipeline.extract import BACKENDS
from feat_pipeline.models import DEFAULT_MODELS
from feat_pipeline.saliency import BASELINES, METHODS
from feat_pipeline.sources import Skipped

_ERRORS_SHOWN = 20


def add_commands(commands: Any) -> None:
    """Add the commands to the parser's subcommands."""
    _add_extract(commands)
    _add_predict(commands)
    _add_saliency(commands)


def _add_extract(commands: Any) -> None:
    parser = add_command(
        commands,
        "extract",
        _extract,
        "measure the AUs of every face in photos",
        "feat-pipeline extract photos/ --out aus",
    )
    _add_photos(parser)
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
    _add_photos(parser)
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


def _add_saliency(commands: Any) -> None:
    example = "feat-pipeline saliency photos/ --model mycnn --out looks"
    text = "show where a model of face crops looks, and whether the Action Units lie there"
    parser = add_command(commands, "saliency", _saliency, text, example)
    _add_photos(parser)
    parser.add_argument(
        "--model", required=True, metavar="DIR", help="the model to look into, such as train's folder"
    )
    parser.add_argument(
        "--against",
        default=SHIPPED[0],
        metavar="NAME|DIR",
        help="a regression on AUs, or surrogate's folder for the model (default: %(default)s)",
    )
    parser.add_argument(
        "--method",
        choices=METHODS,
        default=METHODS[0],
        help="occlusion and shapley explain any model, the others need its gradients (default: %(default)s)",
    )
    parser.add_argument(
        "--baseline",
        choices=BASELINES,
        default=BASELINES[0],
        help="in place of a pixel (default: %(default)s)",
    )
    parser.add_argument("--target", metavar="EMOTION", help="to explain (default: each face's own answer)")
    parser.add_argument(
        "--person", metavar="REGEX", help="whose first group names the person in a photo's path"
    )
    parser.add_argument(
        "--faces", type=int, default=12, metavar="N", help="that get a figure (default: %(default)s)"
    )
    parser.add_argument(
        "--draws", type=int, default=1000, help="of the nulls and the bootstrap (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of all draws (default: %(default)s)")
    add_output(parser)


def _add_photos(parser: argparse.ArgumentParser) -> None:
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
    return _conclude(result.run, result.errors)


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
    return _conclude(result.run, result.errors)


def _saliency(arguments: argparse.Namespace) -> int:
    from feat_pipeline.saliency.run import saliency_files

    result = saliency_files(
        arguments.paths,
        model=arguments.model,
        out=arguments.out,
        against=arguments.against,
        method=arguments.method,
        baseline=arguments.baseline,
        target=arguments.target,
        detector=arguments.detector,
        person=arguments.person,
        figures=arguments.faces,
        draws=arguments.draws,
        seed=arguments.seed,
        overwrite=arguments.overwrite,
    )
    for note in result.agreement.facts["notes"]:
        say(note)
    say(result.agreement.summary())
    print_paths(arguments.out, ["saliency.csv", "agreement.json", "skipped.csv", "run.json", "report.html"])
    return _conclude(result.run, result.errors)


def _conclude(run: dict[str, Any], errors: Sequence[Skipped]) -> int:
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
