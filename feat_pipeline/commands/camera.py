"""The command camera."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feat_pipeline.commands.parser import Commands, add_command, add_options, read_options
from feat_pipeline.commands.printing import say
from feat_pipeline.declared import Options
from feat_pipeline.errors import EXIT_DONE, EXIT_SOME_FAILED, OutputError, UsageError
from feat_pipeline.network import FREE_PORT, LOOPBACK, is_loopback
from feat_pipeline.options import shared
from feat_pipeline.sources.frame import PathLike, input_name


@dataclass(frozen=True, kw_only=True)
class CameraOptions(Options):
    """Options that the camera shares with the runs."""

    models: Sequence[PathLike] = shared.models()
    detector: str = shared.detector(
        "face detector; others take mtcnn, with slightly other numbers; none: each picture is one face",
        "fast",
    )


def add(commands: Commands) -> None:
    """Add the command to the parser's subcommands."""
    example = "feat-pipeline camera --source 0 --record session.mp4"
    text = "explain the faces in front of a camera while they are seen"
    parser = add_command(commands, "camera", _camera, text, example)
    parser.add_argument(
        "--source",
        default="0",
        metavar="N|FILE|rtsp://…",
        help="number of a camera, video file (played in real time) or stream (default: %(default)s)",
    )
    add_options(parser, CameraOptions)
    parser.add_argument("--emoji", action="store_true", help="cover faces by emoji drawn from their AUs")
    parser.add_argument(
        "--emoji-set", metavar="DIR", help="your own emoji: a PNG for each emotion, such as happy.png"
    )
    parser.add_argument(
        "--hide",
        choices=["blur", "pixelate", "emoji"],
        help="cover the faces in the view, in saved pictures and in the film; faces that are not found stay "
        "visible",
    )
    parser.add_argument("--record", metavar="OUT.mp4", help="write what is shown to a film")
    parser.add_argument("--overwrite", action="store_true", help="replace OUT.mp4 where it exists")
    view = parser.add_argument_group("view")
    view.add_argument(
        "--view",
        choices=["auto", "window", "page"],
        default="auto",
        help="a window, in which ESC or q quits, s saves the picture and space pauses; or a page for a "
        "browser, which Ctrl-C ends (default: a window where there is a screen)",
    )
    view.add_argument(
        "--save-to", default=".", metavar="DIR", help="folder for saved pictures (default: this folder)"
    )
    view.add_argument(
        "--host",
        default=LOOPBACK,
        help="address of the page (default: %(default)s, which this machine alone can reach)",
    )
    view.add_argument("--port", type=int, default=FREE_PORT, help="port of the page (default: a free one)")


def _camera(arguments: argparse.Namespace) -> int:
    from feat_pipeline.camera import open_source, watch
    from feat_pipeline.output.drawing import Drawing
    from feat_pipeline.predict import Predictor

    _check_record(arguments)
    drawing = Drawing(
        annotate=True, emoji=arguments.emoji, emoji_set=arguments.emoji_set, hide=arguments.hide
    )
    predictor = Predictor(**read_options(arguments, CameraOptions))
    emoji_set = drawing.read_emoji(predictor.models)
    source = open_source(arguments.source)
    with _view(arguments, source.name) as view:
        result = watch(
            source,
            predictor,
            view,
            record=arguments.record,
            hide=drawing.cover,
            emoji_set=emoji_set,
            save_to=arguments.save_to,
            tell_saved=lambda path: print(input_name(path), flush=True),
        )
    for note in result.notes:
        say(note)
    if arguments.record and result.answered:
        print(arguments.record)
    say(_summary(result))
    return EXIT_SOME_FAILED if result.notes else EXIT_DONE


def _check_record(arguments: argparse.Namespace) -> None:
    if not arguments.record:
        return
    path = Path(arguments.record)
    if path.suffix.lower() != ".mp4":
        raise UsageError(f"record: expected a file that ends with .mp4, got {arguments.record!r}")
    if path.exists() and not arguments.overwrite:
        raise OutputError(f"{path}: exists already; add --overwrite to replace it, or name another file")


@contextlib.contextmanager
def _view(arguments: argparse.Namespace, source: str) -> Any:
    """Open the window or the page, and tell the user how to go on."""
    from feat_pipeline.camera.page import PageView
    from feat_pipeline.camera.window import WindowView, has_screen

    if arguments.view == "window" and not has_screen():
        raise UsageError("view: there is no screen here on which a window could be opened; try --view page")
    if arguments.view == "window" or (arguments.view == "auto" and has_screen()):
        say("ESC or q quits, s saves the picture, space pauses")
        with WindowView() as window:
            yield window
        return
    with PageView(source, host=arguments.host, port=arguments.port) as page:
        print(page.address, flush=True)
        open_to = (
            "" if is_loopback(arguments.host) else "; whoever has this address can look through the camera"
        )
        say(f"open this address in a browser; Ctrl-C ends{open_to}")
        yield page


def _summary(result: Any) -> str:
    if not result.answered:
        return "no picture came"
    ordered = sorted(result.latencies_s)
    middle, late = ordered[len(ordered) // 2], ordered[int(0.95 * (len(ordered) - 1))]
    rate = result.answered / result.seconds if result.seconds else 0.0
    return (
        f"{result.answered:,} of {result.given:,} pictures answered, {rate:.1f} a second; "
        f"{1000 * middle:.0f} ms after they were due, 95 % within {1000 * late:.0f} ms"
    )
