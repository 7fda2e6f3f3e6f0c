"""The command fit."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from feat_pipeline.commands.options import (
    LABELS_HELP,
    PERSON_HELP,
    TABLE_HELP,
    add_command,
    add_output,
    add_regression,
)
from feat_pipeline.commands.printing import say
from feat_pipeline.errors import EXIT_DONE


def add(commands: Any) -> None:
    """Add the command to the parser's subcommands."""
    example = "feat-pipeline fit aus/aus.csv --labels labels.csv --out mymodel --inference --report"
    parser = add_command(commands, "fit", _fit, "fit the regression to labelled AUs", example)
    parser.add_argument("table", metavar="AUS", help=TABLE_HELP)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--labels", metavar="PATH", help=LABELS_HELP)
    source.add_argument("--label-column", metavar="NAME", help="column of AUS that holds the labels")
    add_regression(parser, alpha="1, or 0 with --inference")
    parser.add_argument("--groups", metavar="COLUMN", help=f"{PERSON_HELP}, who is then in one fold only")
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
    ).model
    for note in model.notes_:
        say(note)
    for name, value in model.scores_.items():
        print(f"{name}\t{value:.4g}" if isinstance(value, float) else f"{name}\t{value}")
    say(f"wrote {Path(arguments.out)}")
    return EXIT_DONE
