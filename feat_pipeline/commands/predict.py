"""Commands that begin with pictures: extract and predict."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from feat_pipeline.commands import add_command, add_detector, add_models, add_output, print_paths, say
from feat_pipeline.errors import EXIT_DONE, EXIT_SOME_FAILED
from feat_pipeline.extract import BACKENDS, DETECT_EVERY_S
from feat_pipeline.models import DEFAULT_MODELS, SHIPPED
from feat_pipeline.sources.photos import Skipped

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
        "measure the AUs of every face in photos and videos",
        "feat-pipeline extract photos/ film.mp4 --out aus --jobs 2",
    )
    add_photos(parser, "photos, videos, or folders with all their subfolders")
    parser.add_argument(
        "--backend",
        choices=["auto", *BACKENDS],
        default="auto",
        help="what measures the AUs (default: %(default)s)",
    )
    parser.add_argument(
        "--format", choices=["csv", "parquet"], default="csv", help="of the table (default: csv)"
    )
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="processes (default: 1, which uses about two cores; ray: all)"
    )
    parser.add_argument(
        "--engine",
        choices=["local", "ray"],
        default="local",
        help="this machine, or Ray (extra scale) (default: local)",
    )
    parser.add_argument("--address", help="of a Ray cluster: auto on one of its nodes, or head:6379")
    add_sampling(parser)
    add_output(parser)


def _add_predict(commands: Any) -> None:
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


def add_drawing(parser: argparse.ArgumentParser) -> None:
    """Add what pictures show of the faces."""
    pictures = parser.add_argument_group("pictures")
    pictures.add_argument(
        "--crops",
        action="store_true",
        help="write each face of a photo to crops/, and contact sheets with number, emotion and probability",
    )
    pictures.add_argument(
        "--emoji",
        action="store_true",
        help="write copies whose faces are covered by emoji drawn from their AUs",
    )
    pictures.add_argument(
        "--emoji-set", metavar="DIR", help="your own emoji: a PNG for each emotion, such as happy.png"
    )
    pictures.add_argument(
        "--hide",
        choices=["blur", "pixelate", "emoji"],
        help="cover the faces on every picture that is written; faces that are not found stay visible",
    )


def add_photos(
    parser: argparse.ArgumentParser, text: str = "photos, or folders with all their subfolders"
) -> None:
    """Add the photos and `--detector`."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help=text)
    add_detector(parser)


def add_sampling(parser: argparse.ArgumentParser) -> None:
    """Add what is looked at of videos."""
    videos = parser.add_argument_group("videos")
    videos.add_argument(
        "--every", metavar="STEP", help="0.5s: a frame each half second; 10: each tenth (default: all)"
    )
    videos.add_argument("--start", type=float, default=0.0, metavar="S", help="from this second on")
    videos.add_argument("--end", type=float, metavar="S", help="up to this second")
    videos.add_argument(
        "--detect-every",
        type=float,
        default=DETECT_EVERY_S,
        metavar="S",
        help="the detector looks at least so often; boxes between two looks that agree are interpolated "
        "(default: %(default)s s; 0: every frame)",
    )


def read_sampling(arguments: argparse.Namespace) -> Any:
    """Return the `Sampling` that the options of `add_sampling` ask for."""
    from feat_pipeline.extract.engine.chunks import Sampling
    from feat_pipeline.sources.videos import parse_every

    every_s, every_frames = parse_every(arguments.every) if arguments.every else (None, None)
    end_s = float("inf") if arguments.end is None else arguments.end
    return Sampling(arguments.start, end_s, every_s, every_frames)


def _extract(arguments: argparse.Namespace) -> int:
    from feat_pipeline.runs.extract import extract

    result = extract(
        arguments.paths,
        out=arguments.out,
        backend=arguments.backend,
        detector=arguments.detector,
        format=arguments.format,
        sampling=read_sampling(arguments),
        detect_every_s=arguments.detect_every,
        jobs=arguments.jobs,
        engine=arguments.engine,
        address=arguments.address,
        overwrite=arguments.overwrite,
    )
    print_paths(arguments.out, [f"aus.{arguments.format}", "skipped.csv", "run.json"])
    return conclude(result.run, result.errors)


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
    names = ["predictions.csv", "explanations.jsonl", "skipped.csv", "run.json"]
    print_paths(arguments.out, [*names, *(film["film"] for film in films)])
    return conclude(result.run, result.errors)


def _models(arguments: argparse.Namespace) -> list[str]:
    """Return the models to ask: those named, and all that ship where these are asked for."""
    if not arguments.all_models:
        return arguments.model or list(DEFAULT_MODELS)
    return list(dict.fromkeys([*SHIPPED, *(arguments.model or [])]))


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
    return EXIT_SOME_FAILED if errors else EXIT_DONE
