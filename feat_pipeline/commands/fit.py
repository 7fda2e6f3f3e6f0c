"""Commands that begin with a table of AUs or of predictions: fit, explain, compare, surrogate and combine."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from feat_pipeline.commands import add_command, add_output, print_paths, say
from feat_pipeline.errors import EXIT_DONE

_TABLE = "AU table: aus.csv or .parquet; OpenFace, py-feat and blendshape CSVs; a folder of OpenFace CSVs"
_LABELS = "CSV with the columns input,label, or a folder with one sub-folder an emotion"
_PERSON = "column that names the person, or COLUMN:REGEX whose first group does"


def add_commands(commands: Any) -> None:
    """Add the commands to the parser's subcommands."""
    _add_fit(commands)
    _add_explain(commands)
    _add_compare(commands)
    _add_surrogate(commands)
    _add_combine(commands)


def _add_fit(commands: Any) -> None:
    example = "feat-pipeline fit aus/aus.csv --labels labels.csv --out mymodel --inference --report"
    parser = add_command(commands, "fit", _fit, "fit the regression to labelled AUs", example)
    parser.add_argument("table", metavar="AUS", help=_TABLE)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--labels", metavar="PATH", help=_LABELS)
    source.add_argument("--label-column", metavar="NAME", help="column of AUS that holds the labels")
    _add_regression(parser, alpha="1, or 0 with --inference")
    parser.add_argument("--groups", metavar="COLUMN", help=f"{_PERSON}, who is then in one fold only")
    parser.add_argument("--folds", type=int, default=5, help="of the cross-validation (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of folds and draws (default: %(default)s)")
    parser.add_argument(
        "--inference",
        action="store_true",
        help="also errors, tests, odds ratios and marginal effects; where they do not hold, it says so",
    )
    parser.add_argument("--reference", metavar="EMOTION", help="of the odds ratios (default: neutral)")
    parser.add_argument("--report", action="store_true", help="also report.html")
    add_output(parser)


def _add_explain(commands: Any) -> None:
    example = "feat-pipeline explain aus/aus.csv --model mymodel --out reasons --report"
    text = "name and explain the emotion of every face in an AU table"
    parser = add_command(commands, "explain", _explain, text, example)
    parser.add_argument("table", metavar="AUS", help=_TABLE)
    parser.add_argument("--model", required=True, metavar="NAME|DIR", help="a shipped model, or fit's folder")
    parser.add_argument("--target", metavar="EMOTION", help="to explain (default: each face's own answer)")
    parser.add_argument("--rival", metavar="EMOTION", help="to contrast it with (default: the next likely)")
    parser.add_argument(
        "--baseline",
        choices=["population", "neutral", "person"],
        default="population",
        help="the face that each is compared with (default: %(default)s)",
    )
    parser.add_argument("--person", metavar="COLUMN", help=f"for --baseline person: {_PERSON}")
    parser.add_argument("--report", action="store_true", help="also report.html")
    add_output(parser)


def _add_compare(commands: Any) -> None:
    example = "feat-pipeline compare logit.csv cnn.csv --labels labels.csv --out comparison"
    text = "compare the answers of models on the same faces"
    parser = add_command(commands, "compare", _compare, text, example)
    parser.add_argument(
        "predictions", nargs="+", metavar="PREDICTIONS", help="predictions.csv, or any CSV with input and p_*"
    )
    parser.add_argument("--labels", required=True, metavar="PATH", help=_LABELS)
    parser.add_argument("--groups", metavar="COLUMN", help=f"{_PERSON}: of the labels or the predictions")
    _add_draws(parser, 1000)
    add_output(parser)


def _add_surrogate(commands: Any) -> None:
    example = "feat-pipeline surrogate --aus aus/aus.csv --predictions cnn.csv --out why-cnn"
    text = "explain any model's answers by AUs, and tell how far that holds"
    parser = add_command(commands, "surrogate", _surrogate, text, example)
    parser.add_argument("--aus", required=True, metavar="AUS", help=_TABLE)
    parser.add_argument(
        "--predictions", required=True, metavar="CSV", help="the model's answers, with input and p_*"
    )
    parser.add_argument("--model", metavar="NAME", help="which one, where the file holds several")
    parser.add_argument("--labels", metavar="PATH", help=f"true labels, for reference: {_LABELS}")
    parser.add_argument("--groups", metavar="COLUMN", help=f"{_PERSON}, who is then on one side only")
    _add_regression(parser, alpha="cv")
    _add_draws(parser, 200)
    add_output(parser)


def _add_regression(parser: argparse.ArgumentParser, *, alpha: str) -> None:
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


def _add_draws(parser: argparse.ArgumentParser, draws: int) -> None:
    parser.add_argument("--draws", type=int, default=draws, help="of the bootstrap (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (default: %(default)s)")


def _strength(text: str) -> float | str:
    try:
        return text if text == "cv" else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number or 'cv', got {text!r}") from None


def _add_combine(commands: Any) -> None:
    example = "feat-pipeline combine logit-embedded mycnn/ --weights 1,2 --out both"
    text = "let several models vote, as one model"
    parser = add_command(commands, "combine", _combine, text, example)
    parser.add_argument("models", nargs="+", metavar="MODEL", help="a shipped model or a folder")
    parser.add_argument(
        "--weights", type=_numbers, metavar="W,W,...", help="one a model (default: all alike)"
    )
    parser.add_argument(
        "--predictions", metavar="PATH", help="answers of all of them, by which the weights are chosen"
    )
    parser.add_argument("--labels", metavar="PATH", help=f"of these answers: {_LABELS}")
    parser.add_argument("--common", action="store_true", help="vote on the emotions that all of them know")
    add_output(parser)


def _numbers(text: str) -> list[float]:
    return [float(number) for number in text.split(",")]


def _fit(arguments: argparse.Namespace) -> int:
    from feat_pipeline.runs.fit import fit

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
        inference=arguments.inference,
        reference=arguments.reference,
        report=arguments.report,
        overwrite=arguments.overwrite,
    )
    for note in model.notes_:
        say(note)
    for name, value in model.scores_.items():
        print(f"{name}\t{value:.4g}" if isinstance(value, float) else f"{name}\t{value}")
    say(f"wrote {Path(arguments.out)}")
    return EXIT_DONE


def _explain(arguments: argparse.Namespace) -> int:
    from feat_pipeline.runs.explain import explain_table

    notes = explain_table(
        arguments.table,
        model=arguments.model,
        out=arguments.out,
        target=arguments.target,
        rival=arguments.rival,
        baseline=arguments.baseline,
        person=arguments.person,
        report=arguments.report,
        overwrite=arguments.overwrite,
    )
    return _told(
        notes, arguments.out, ["predictions.csv", "explanations.jsonl", "contributions.csv", "run.json"]
    )


def _compare(arguments: argparse.Namespace) -> int:
    from feat_pipeline.runs.compare import compare_files

    comparison = compare_files(
        arguments.predictions,
        labels=arguments.labels,
        out=arguments.out,
        groups=arguments.groups,
        draws=arguments.draws,
        seed=arguments.seed,
        overwrite=arguments.overwrite,
    )
    return _told(comparison.facts["notes"], arguments.out, ["scores.csv", "comparison.json", "report.html"])


def _surrogate(arguments: argparse.Namespace) -> int:
    from feat_pipeline.runs.surrogate import surrogate_files

    surrogate = surrogate_files(
        arguments.aus,
        arguments.predictions,
        out=arguments.out,
        model=arguments.model,
        labels=arguments.labels,
        groups=arguments.groups,
        terms=arguments.terms,
        alpha="cv" if arguments.alpha is None else arguments.alpha,
        draws=arguments.draws,
        seed=arguments.seed,
        overwrite=arguments.overwrite,
    )
    say(surrogate.facts["verdict"])
    return _told(surrogate.facts["notes"], arguments.out, ["fidelity.csv", "surrogate.json", "report.html"])


def _combine(arguments: argparse.Namespace) -> int:
    from feat_pipeline.runs.combine import combine

    ensemble, notes = combine(
        arguments.models,
        out=arguments.out,
        weights=arguments.weights,
        predictions=arguments.predictions,
        labels=arguments.labels,
        common=arguments.common,
        overwrite=arguments.overwrite,
    )
    for name, share in ensemble.shares.items():
        print(f"{name}\t{share:.4g}")
    return _told(notes, arguments.out, ["model.json"])


def _told(notes: list[str], out: str, files: list[str]) -> int:
    for note in notes:
        say(note)
    print_paths(out, files)
    return EXIT_DONE
