"""The command app."""

from __future__ import annotations

import argparse
import signal
import threading
from typing import Any

from feat_pipeline.commands.options import add_command, add_detector
from feat_pipeline.commands.printing import say
from feat_pipeline.errors import EXIT_DONE

_PORT = 7860


def add(commands: Any) -> None:
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
        default="127.0.0.1",
        help="address to listen at; others than the default let other machines in (default: %(default)s)",
    )
    parser.add_argument(
        "--port", type=int, default=_PORT, metavar="N", help="0: any free one (default: %(default)s)"
    )
    add_detector(parser)
    limits = parser.add_argument_group("limits")
    for name, default, text in (
        ("--photo-mb", 20.0, "largest photo in megabytes"),
        ("--photo-megapixels", 50.0, "largest photo in millions of pixels"),
        ("--video-mb", 50.0, "largest video in megabytes"),
        ("--video-seconds", 20.0, "how much of a video is looked at"),
    ):
        limits.add_argument(
            name, type=float, default=default, metavar="X", help=f"{text} (default: {default:g})"
        )
    limits.add_argument(
        "--waiting", type=int, default=40, metavar="N", help="requests that may wait (default: %(default)s)"
    )


def _app(arguments: argparse.Namespace) -> int:
    from feat_pipeline.app.limits import Limits
    from feat_pipeline.app.serve import check_installed, is_loopback, serving

    check_installed()
    limits = Limits(
        photo_mb=arguments.photo_mb,
        photo_megapixels=arguments.photo_megapixels,
        video_mb=arguments.video_mb,
        video_s=arguments.video_seconds,
        waiting=arguments.waiting,
    )
    from feat_pipeline.app.service import Studio

    studio = Studio(limits, detector=arguments.detector)
    if not is_loopback(arguments.host):
        say(
            f"warning: at {arguments.host} every machine that reaches this one can use the page; there is no "
            f"password and no encryption"
        )
    ended = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: ended.set())  # so that the uploads' folder is removed
    try:
        with serving(studio, host=arguments.host, port=arguments.port) as address:
            print(address, flush=True)
            say("the page is ready; Ctrl-C ends it")
            try:
                ended.wait()
            except KeyboardInterrupt:
                say("ended")
    finally:
        signal.signal(signal.SIGTERM, before)
    return EXIT_DONE
