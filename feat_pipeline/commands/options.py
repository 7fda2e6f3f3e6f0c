"""Options that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from feat_pipeline.detect import DEFAULT_DETECTOR, DETECTORS
from feat_pipeline.extract import DETECT_EVERY_S
from feat_pipeline.models import DEFAULT_MODELS


def add_command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], text: str, example: str
) -> argparse.ArgumentParser:
    """Add one command with its help, its example and the function that runs it."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=text[:1].upper() + text[1:] + ".",
        epilog=f"example: {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    parser.set_defaults(run=run)
    return parser


def add_models(parser: argparse.ArgumentParser) -> None:
    """Add `--model`, which may be repeated."""
    parser.add_argument(
        "--model",
        action="append",
        metavar="NAME|DIR",
        help=f"a shipped model or a folder; may be repeated (default: {', '.join(DEFAULT_MODELS)})",
    )


def add_detector(
    parser: argparse.ArgumentParser,
    text: str = "face detector; none: each picture is one face",
    default: str = DEFAULT_DETECTOR,
) -> None:
    """Add `--detector`."""
    parser.add_argument(
        "--detector", choices=list(DETECTORS), default=default, help=f"{text} (default: %(default)s)"
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add `--out` and `--overwrite`."""
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the results; made if absent")
    parser.add_argument("--overwrite", action="store_true", help="replace the results that DIR holds")


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
    from feat_pipeline.sources.sampling import Sampling, parse_every

    every_s, every_frames = parse_every(arguments.every) if arguments.every else (None, None)
    end_s = float("inf") if arguments.end is None else arguments.end
    return Sampling(arguments.start, end_s, every_s, every_frames)


TABLE_HELP = "AU table: aus.csv or .parquet; OpenFace, py-feat and blendshape CSVs; a folder of OpenFace CSVs"
LABELS_HELP = "CSV with the columns input,label, or a folder with one sub-folder an emotion"
PERSON_HELP = "column that names the person, or COLUMN:REGEX whose first group does"


def add_regression(parser: argparse.ArgumentParser, *, alpha: str) -> None:
    """Add `--terms` and `--alpha`; the latter's default is told as `alpha`."""
    parser.add_argument(
        "--terms",
        choices=["linear", "hinges", "pairs"],
        default="linear",
        help="each AU as a line, with bends, or also chosen pairs of AUs (default: %(default)s)",
    )
    parser.add_argument(
        "--alpha",
        type=_strength,
        metavar="NUMBER|cv",
        help=f"ridge strength, 0 for none, cv to choose it by cross-validation (default: {alpha})",
    )


def add_draws(parser: argparse.ArgumentParser, draws: int) -> None:
    """Add `--draws` and `--seed`."""
    parser.add_argument("--draws", type=int, default=draws, help="of the bootstrap (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (default: %(default)s)")


def _strength(text: str) -> float | str:
    try:
        return text if text == "cv" else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number or 'cv', got {text!r}") from None
