"""The program ``feat-pipeline``: stdout is data, stderr the rest; bad input costs one line, no traceback."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from analysis.errors import AnalysisError
from feat_pipeline import __version__
from feat_pipeline.detect import DETECTORS
from feat_pipeline.errors import EXIT_DONE, EXIT_SOME_FAILED, EXIT_USAGE, FeatPipelineError, UsageError
from feat_pipeline.extract import BACKENDS
from feat_pipeline.models import SHIPPED
from feat_pipeline.sources import Skipped, input_name

EXIT_INTERRUPTED = 130

_ERRORS_SHOWN = 20

_EXIT_CODES = (
    "exit codes: 0 all done, 1 some inputs were skipped for errors or the work broke off, 2 wrong usage"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; by default the process's own.

    Returns
    -------
    int
        0 all done, 1 some inputs were skipped for errors or the work broke off, 2 wrong usage, 130
        interrupted.
        A photo without a face is no error; it is listed in ``skipped.csv`` all the same.
    """
    arguments = build_parser().parse_args(argv)
    try:
        code = arguments.run(arguments)
        print(end="", flush=True)
        return code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_SOME_FAILED
    except (FeatPipelineError, AnalysisError, OSError, KeyboardInterrupt) as error:
        if arguments.debug:
            raise
        _say("; ".join([_reason(error), *getattr(error, "__notes__", ())]))
        return _exit_code(error)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the program with all its commands."""
    parser = argparse.ArgumentParser(
        prog="feat-pipeline",
        description="Name the emotion of every face in photos, and the Action Units (AUs) that spoke for it.",
        epilog=f"example: feat-pipeline predict photos/ --out result --annotate\n\n{_EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"feat-pipeline {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_extract(commands)
    _add_fit(commands)
    _add_predict(commands)
    _add_report(commands)
    _add_command(
        commands,
        "backends",
        _backends,
        "list AU backends and face detectors, and what mends those that cannot run here",
        "feat-pipeline backends",
    )
    _add_command(commands, "models", _models, "list the emotion models that ship", "feat-pipeline models")
    return parser


def _add_command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], text: str, example: str
) -> argparse.ArgumentParser:
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


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the results; made if absent")
    parser.add_argument("--overwrite", action="store_true", help="replace the results that DIR holds")


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


def _add_extract(commands: Any) -> None:
    parser = _add_command(
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
    _add_output(parser)


def _add_fit(commands: Any) -> None:
    example = "feat-pipeline fit aus/aus.csv --labels labels.csv --out mymodel"
    parser = _add_command(commands, "fit", _fit, "fit the regression to labelled AUs", example)
    parser.add_argument("table", metavar="AUS", help="AU table: aus.csv or .parquet, or an OpenFace CSV")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--labels", metavar="CSV", help="file with the columns input,label")
    source.add_argument("--label-column", metavar="NAME", help="column of AUS that holds the labels")
    parser.add_argument(
        "--alpha", type=float, default=1.0, help="ridge strength, 0 for none (default: %(default)s)"
    )
    parser.add_argument(
        "--terms",
        choices=["linear", "hinges"],
        default="linear",
        help="each AU as a line or with bends (default: %(default)s)",
    )
    parser.add_argument(
        "--groups", metavar="COLUMN", help="column of AUS that names the person, who is then in one fold only"
    )
    parser.add_argument("--folds", type=int, default=5, help="of the cross-validation (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the folds (default: %(default)s)")
    _add_output(parser)


def _add_predict(commands: Any) -> None:
    example = "feat-pipeline predict photo.jpg more/ --out result --annotate"
    parser = _add_command(
        commands, "predict", _predict, "name and explain the emotion of every face", example
    )
    _add_photos(parser)
    parser.add_argument(
        "--model",
        action="append",
        metavar="NAME|DIR",
        help=f"a shipped model or a folder; may be repeated (default: {', '.join(SHIPPED)})",
    )
    parser.add_argument(
        "--annotate", action="store_true", help="write copies with boxes, emotions and reasons"
    )
    _add_output(parser)


def _add_report(commands: Any) -> None:
    text = "turn a folder of results into one HTML file that opens without a network"
    parser = _add_command(commands, "report", _report, text, "feat-pipeline report result")
    parser.add_argument("directory", metavar="DIR", help="what extract, fit or predict wrote")
    parser.add_argument("--out", metavar="FILE", help="the file to write (default: DIR/report.html)")
    parser.add_argument("--overwrite", action="store_true", help="replace a report that is there")


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
    _print_paths(arguments.out, [f"aus.{arguments.format}", "skipped.csv", "run.json"])
    return _conclude(result.run, result.errors)


def _predict(arguments: argparse.Namespace) -> int:
    from feat_pipeline.results import predict_files

    result = predict_files(
        arguments.paths,
        out=arguments.out,
        models=arguments.model or SHIPPED,
        detector=arguments.detector,
        annotate=arguments.annotate,
        overwrite=arguments.overwrite,
    )
    _print_paths(arguments.out, ["predictions.csv", "explanations.jsonl", "skipped.csv", "run.json"])
    return _conclude(result.run, result.errors)


def _fit(arguments: argparse.Namespace) -> int:
    from feat_pipeline.fit import OUTPUTS, fit

    model = fit(
        arguments.table,
        labels=arguments.labels,
        label_column=arguments.label_column,
        out=arguments.out,
        alpha=arguments.alpha,
        terms=arguments.terms,
        groups=arguments.groups,
        folds=arguments.folds,
        seed=arguments.seed,
        overwrite=arguments.overwrite,
    )
    for note in model.notes_:
        _say(note)
    for name, value in model.scores_.items():
        print(f"{name}\t{value:.4g}" if isinstance(value, float) else f"{name}\t{value}")
    for name in OUTPUTS:
        _say(f"wrote {Path(arguments.out, name)}")
    return EXIT_DONE


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
    from feat_pipeline.detect import available_detectors
    from feat_pipeline.extract import available_backends

    rows = [("AU backend", s.name, s.version, s.available, s.mend) for s in available_backends()]
    rows += [("face detector", s.name, __version__, s.available, s.mend) for s in available_detectors()]
    _print_table(
        ("kind", "name", "version", "status", "what mends it"),
        [
            (kind, name, version, "ready" if ready else "missing", mend)
            for kind, name, version, ready, mend in rows
        ],
    )
    return EXIT_DONE


def _models(arguments: argparse.Namespace) -> int:
    from feat_pipeline.models import list_models

    _print_table(
        ("name", "kind", "needs", "classes", "licence", "path"),
        [
            (m.name, m.kind, m.needs, " ".join(m.classes), m.licence, input_name(m.path))
            for m in list_models()
        ],
    )
    return EXIT_DONE


def _print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _print_paths(folder: str, names: Iterable[str]) -> None:
    for name in names:
        print(input_name(Path(folder, name)))


def _conclude(run: dict[str, Any], errors: Sequence[Skipped]) -> int:
    for error in errors[:_ERRORS_SHOWN]:
        _say(f"{' '.join(error.input.split())}: {error.reason}")
    if len(errors) > _ERRORS_SHOWN:
        _say(f"and {len(errors) - _ERRORS_SHOWN} more errors, all listed in skipped.csv")
    counts = run["counts"]
    skipped = ", ".join(f"{number} {kind}" for kind, number in counts["skipped"].items()) or "none"
    backend = run["backend"]
    why = f" (auto: {backend['auto']})" if "auto" in backend else ""
    _say(
        f"{counts['inputs']} inputs, {counts['faces']} faces, skipped: {skipped}; {run['seconds']:.1f} s "
        f"with {backend['name']} {backend['version']}{why} and {run['detector']}"
    )
    return EXIT_SOME_FAILED if errors else EXIT_DONE


def _say(text: str) -> None:
    print(f"feat-pipeline: {text}", file=sys.stderr)


def _reason(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split())


def _exit_code(error: BaseException) -> int:
    """Nothing was done: wrong usage. Something was, as the error's notes tell: some inputs failed."""
    if isinstance(error, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    return EXIT_SOME_FAILED if getattr(error, "__notes__", ()) else EXIT_USAGE


if __name__ == "__main__":
    sys.exit(main())
