"""Commands that show what is there: report, backends and models."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from feat_pipeline import __version__
from feat_pipeline.commands import add_command, add_detector, add_output, print_paths, print_table, say
from feat_pipeline.errors import EXIT_DONE, EXIT_SOME_FAILED, OutputError, UnavailableError, UsageError
from feat_pipeline.extract import BACKENDS
from feat_pipeline.sources.photos import input_name
from feat_pipeline.weights.fetch import FETCHABLE


def add_commands(commands: Any) -> None:
    """Add the commands to the parser's subcommands."""
    _add_report(commands)
    _add_backends(commands)
    _add_models(commands)


def _add_backends(commands: Any) -> None:
    text = (
        "list AU backends and face detectors, and what mends those that cannot run here; or compare backends"
    )
    example = "feat-pipeline backends --compare photos/ --out agreement"
    parser = add_command(commands, "backends", _backends, text, example)
    parser.add_argument(
        "--compare",
        nargs="+",
        metavar="PATH",
        help="how far backends agree on the same faces, AU by AU, and how fast each is: photos, videos, "
        "folders; AU tables of the same faces, such as OpenFace's CSV, are laid beside",
    )
    parser.add_argument(
        "--backend",
        action="append",
        choices=list(BACKENDS),
        metavar="NAME",
        help="with --compare: only these; may be repeated (default: all that can run here)",
    )
    add_detector(parser, "with --compare: finds the faces, once for all")
    parser.add_argument("--out", metavar="DIR", help="with --compare: folder for tables and a figure")
    parser.add_argument("--overwrite", action="store_true", help="replace the results that DIR holds")


def _add_models(commands: Any) -> None:
    text = "list the emotion models that ship, or import one that was trained elsewhere"
    parser = add_command(commands, "models", _models, text, "feat-pipeline models")
    actions = parser.add_subparsers(metavar="ACTION")
    text = "turn a Teachable Machine export into a model that predict takes (extra teachable)"
    example = "feat-pipeline models import converted_keras --out mymodel"
    parser = add_command(actions, "import", _import, text, example)
    parser.add_argument("folder", metavar="FOLDER", help="with keras_model.h5 and labels.txt")
    add_output(parser)
    text = "download the weights of a backend that others made, once their licences are told"
    parser = add_command(actions, "fetch", _fetch, text, "feat-pipeline models fetch pyfeat")
    parser.add_argument(
        "names",
        nargs="+",
        choices=FETCHABLE,
        metavar="BACKEND",
        help=f"one or more of {', '.join(FETCHABLE)}",
    )


def _add_report(commands: Any) -> None:
    text = "turn a folder of results into one HTML file that opens without a network"
    parser = add_command(commands, "report", _report, text, "feat-pipeline report result")
    parser.add_argument("directory", metavar="DIR", help="what extract, fit or predict wrote")
    parser.add_argument("--out", metavar="FILE", help="the file to write (default: DIR/report.html)")
    parser.add_argument("--overwrite", action="store_true", help="replace a report that is there")


def _report(arguments: argparse.Namespace) -> int:
    from analysis.report import build_report

    target = Path(arguments.out or Path(arguments.directory, "report.html"))
    if target.exists() and not arguments.overwrite:
        raise UsageError(
            f"{target}: exists already; add --overwrite to replace it, or name another file with --out"
        )
    print(build_report(arguments.directory, target))
    return EXIT_DONE


def _backends(arguments: argparse.Namespace) -> int:
    if arguments.compare:
        return _compare(arguments)
    if arguments.out:
        raise UsageError("out: only a comparison writes results; add --compare PATH")
    from feat_pipeline.detect import available_detectors
    from feat_pipeline.extract import available_backends

    rows = [("AU backend", s.name, s.version, s.available, s.mend) for s in available_backends()]
    rows += [("face detector", s.name, __version__, s.available, s.mend) for s in available_detectors()]
    print_table(
        ("kind", "name", "version", "status", "what mends it"),
        [
            (kind, name, version, "ready" if ready else "missing", mend)
            for kind, name, version, ready, mend in rows
        ],
    )
    return EXIT_DONE


def _compare(arguments: argparse.Namespace) -> int:
    from feat_pipeline.runs.backends import OUTPUTS, compare_backends

    result = compare_backends(
        arguments.compare,
        backends=arguments.backend,
        detector=arguments.detector,
        out=arguments.out,
        overwrite=arguments.overwrite,
    )
    found = result.agreement
    _print_frame(found.frame, ["first", "second", "au", "n"])
    print()
    _print_frame(found.pairs, ["first", "second", "rows", "rows_first", "rows_second", "aus"])
    if len(result.speed):
        print()
        _print_frame(result.speed, ["backend", "version", "scale", "faces"])
    if arguments.out:
        print()
        print_paths(arguments.out, OUTPUTS)
    for name, reason in result.failures.items():
        say(f"{' '.join(name.split())}: {' '.join(reason.split())}")
    return EXIT_SOME_FAILED if result.failures else EXIT_DONE


def _print_frame(frame: Any, plain: list[str]) -> None:
    """Print a table; numbers outside of the `plain` columns with two digits, '-' where there is none."""

    def told(name: str, value: Any) -> str:
        if name in plain:
            return str(value)
        return f"{round(value, 2) + 0.0:.2f}" if value == value else "-"

    rows = [[told(name, row[name]) for name in frame.columns] for row in frame.to_dict("records")]
    print_table(list(frame.columns), rows)


def _import(arguments: argparse.Namespace) -> int:
    from feat_pipeline.models.teachable import OUTPUTS, import_export

    import_export(arguments.folder, out=arguments.out, overwrite=arguments.overwrite)
    print_paths(arguments.out, OUTPUTS)
    return EXIT_DONE


def _fetch(arguments: argparse.Namespace) -> int:
    from feat_pipeline.weights.fetch import fetch, licences

    failed = False
    for name in dict.fromkeys(arguments.names):
        for line in licences(name):
            say(f"licence of {line}")
        try:
            for path in fetch(name):
                print(input_name(path), flush=True)
        except (UnavailableError, OutputError) as error:
            failed = True
            say(f"{name}: {' '.join(str(error).split())}")
    return EXIT_SOME_FAILED if failed else EXIT_DONE


def _models(arguments: argparse.Namespace) -> int:
    from feat_pipeline.models import GENERATORS, list_models, models_dir

    print_table(
        ("name", "kind", "needs", "classes", "licence", "path"),
        [
            (m.name, m.kind, m.needs, " ".join(m.classes), m.licence, input_name(m.path))
            for m in list_models()
        ],
    )
    for name in GENERATORS:
        if (models_dir() / name).is_dir():
            say(f"{name} makes faces and names no emotion: see 'feat-pipeline generate -h'")
    return EXIT_DONE
