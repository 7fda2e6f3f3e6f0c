"""The command app."""

from __future__ import annotations

import argparse
import signal
import threading

from feat_pipeline.app.limits import Limits
from feat_pipeline.commands.parser import Commands, add_command, add_options
from feat_pipeline.commands.printing import say
from feat_pipeline.errors import EXIT_DONE
from feat_pipeline.network import LOOPBACK, is_loopback
from feat_pipeline.options.shared import DetectorOptions

_PORT = 7860


def add(commands: Commands) -> None:
    """Add the command to the parser's subcommands."""
    parser = add_command(
        commands,
        "app",
        _app,
        "serve the web page: photo, video, camera, two faces compared (extra app)",
        "feat-pipeline app --port 8000",
    )
    parser.add_argument(
        "--host",
        default=LOOPBACK,
        help="address to listen at; others than the default let other machines in (default: %(default)s)",
    )
    parser.add_argument(
        "--port", type=int, default=_PORT, metavar="N", help="0: any free one (default: %(default)s)"
    )
    add_options(parser, DetectorOptions)
    limits = parser.add_argument_group("limits")
    for name, default, text in (
        ("--photo-mb", Limits.photo_mb, "largest photo in megabytes"),
        ("--photo-megapixels", Limits.photo_megapixels, "largest photo in millions of pixels"),
        ("--video-mb", Limits.video_mb, "largest video in megabytes"),
        ("--video-seconds", Limits.video_s, "how much of a video is looked at"),
    ):
        limits.add_argument(
            name, type=float, default=default, metavar="X", help=f"{text} (default: {default:g})"
        )
    limits.add_argument(
        "--waiting",
        type=int,
        default=Limits.waiting,
        metavar="N",
        help="requests that may wait (default: %(default)s)",
    )


def _app(arguments: argparse.Namespace) -> int:
    from feat_pipeline.app.serve import check_installed, serving

    check_installed()
    limits = Limits(
        photo_mb=arguments.photo_mb,
        photo_megapixels=arguments.photo_megapixels,
        video_mb=arguments.video_mb,
        video_s=arguments.video_seconds,
        waiting=arguments.waiting,
    )
    from feat_pipeline.app.service import FaceService

    service = FaceService(limits, detector=arguments.detector)
    if not is_loopback(arguments.host):
        say(
            f"warning: at {arguments.host} every machine that reaches this one can use the page; there is no "
            f"password and no encryption"
        )
    ended = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: ended.set())  # so that the uploads' folder is removed
    try:
        with serving(service, host=arguments.host, port=arguments.port) as address:
            print(address, flush=True)
            say("the page is ready; Ctrl-C ends it")
            try:
                ended.wait()
            except KeyboardInterrupt:
                say("ended")
    finally:
        signal.signal(signal.SIGTERM, before)
    return EXIT_DONE
