"""The parser of a command: its help and example, and its options as its run declares them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import MISSING
from typing import Any, TypeAlias

from feat_pipeline.declared import Declared, Options, declarations
from feat_pipeline.errors import UsageError
from feat_pipeline.options.shared import VIDEOS, Videos
from feat_pipeline.sources.sampling import read_sampling

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # what add_subparsers returns


def add_command(
    commands: Commands, name: str, run: Callable[[argparse.Namespace], int], text: str, example: str
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


def add_photos(
    parser: argparse.ArgumentParser, text: str = "photos, or folders with all their subfolders"
) -> None:
    """Add the inputs."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help=text)


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add `--out` and `--overwrite`."""
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the results; made if absent")
    parser.add_argument("--overwrite", action="store_true", help="replace the results that DIR holds")


def add_options(parser: argparse.ArgumentParser, *kinds: type[Options]) -> None:
    """Add the options that are declared; those with a heading follow the others."""
    places: dict[str, Any] = {}
    options = [each for kind in kinds for each in declarations(kind) if each[2].cli]
    for name, default, declared in sorted(options, key=lambda each: each[2].group != ""):
        heading = declared.group or declared.one_of
        if heading and heading not in places:
            places[heading] = (
                parser.add_argument_group(heading)
                if declared.group
                else parser.add_mutually_exclusive_group(required=True)
            )
            if heading == VIDEOS:
                _add_sampling(places[heading])
        _add_option(places.get(heading, parser), name, default, declared)


def _add_option(place: Any, name: str, default: Any, declared: Declared) -> None:
    flag = declared.flag or "--" + name.replace("_", "-")
    if default is False:
        place.add_argument(flag, dest=name, action="store_true", help=declared.help)
        return
    how: dict[str, Any] = {"required": True} if default is MISSING else {"default": default}
    if declared.repeated:
        how = {"action": "append"}
    if declared.parse is not None:
        how["type"] = _reporting(declared.parse)
    elif isinstance(default, (int, float)):
        how["type"] = type(default)
    if declared.choices is not None:
        choices = declared.choices
        how["choices"] = list(choices() if callable(choices) else choices)
    if declared.metavar is not None:
        how["metavar"] = declared.metavar
    place.add_argument(flag, dest=name, help=declared.help, **how)


def read_options(arguments: argparse.Namespace, kind: type[Options]) -> dict[str, Any]:
    """Return the options of a run that were given or have a default, as its keywords."""
    on_command_line = [name for name, _, declared in declarations(kind) if declared.cli]
    options = {name: getattr(arguments, name) for name in on_command_line}
    if issubclass(kind, Videos):
        options["sampling"] = read_sampling(arguments.every, arguments.start, arguments.end)
    repeated = [name for name, _, declared in declarations(kind) if declared.repeated]
    return {name: value for name, value in options.items() if value is not None or name not in repeated}


def _add_sampling(videos: Any) -> None:
    """Add what `read_sampling` reads."""
    videos.add_argument(
        "--every", metavar="STEP", help="0.5s: a frame each half second; 10: each tenth (default: all)"
    )
    videos.add_argument("--start", type=float, default=0.0, metavar="S", help="from this second on")
    videos.add_argument("--end", type=float, metavar="S", help="up to this second")


def _reporting(parse: Callable[[str], object]) -> Callable[[str], object]:
    """Let argparse show what is wrong with a text, and not only that something is."""

    def read(text: str) -> object:
        try:
            return parse(text)
        except UsageError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    read.__name__ = getattr(parse, "__name__", "value")
    return read
