"""The command saliency."""

from __future__ import annotations

import argparse
from typing import Any

from analysis import filenames
from feat_pipeline.commands.options import add_command, add_output, add_photos
from feat_pipeline.commands.printing import conclude, print_paths, say
from feat_pipeline.models import DEFAULT_MODELS
from feat_pipeline.saliency import BASELINES, METHODS


def add(commands: Any) -> None:
    """Add the commands to the parser's subcommands."""
    example = "feat-pipeline saliency photos/ --model mycnn --out looks"
    text = "show where a model of face crops looks, and whether the Action Units lie there"
    parser = add_command(commands, "saliency", _saliency, text, example)
    add_photos(parser)
    parser.add_argument(
        "--model", required=True, metavar="DIR", help="the model to look into, such as train's folder"
    )
    parser.add_argument(
        "--against",
        default=DEFAULT_MODELS[0],
        metavar="NAME|DIR",
        help="a regression on AUs, or surrogate's folder for the model (default: %(default)s)",
    )
    parser.add_argument(
        "--method",
        choices=METHODS,
        default=METHODS[0],
        help="occlusion and shapley explain any model, the others need its gradients (default: %(default)s)",
    )
    parser.add_argument(
        "--baseline",
        choices=BASELINES,
        default=BASELINES[0],
        help="in place of a pixel (default: %(default)s)",
    )
    parser.add_argument("--target", metavar="EMOTION", help="to explain (default: each face's own answer)")
    parser.add_argument(
        "--person", metavar="REGEX", help="whose first group names the person in a photo's path"
    )
    parser.add_argument(
        "--faces", type=int, default=12, metavar="N", help="that get a figure (default: %(default)s)"
    )
    parser.add_argument(
        "--draws", type=int, default=1000, help="of the nulls and the bootstrap (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of all draws (default: %(default)s)")
    add_output(parser)


def _saliency(arguments: argparse.Namespace) -> int:
    from feat_pipeline.runs.saliency import saliency_files

    result = saliency_files(
        arguments.paths,
        model=arguments.model,
        out=arguments.out,
        against=arguments.against,
        method=arguments.method,
        baseline=arguments.baseline,
        target=arguments.target,
        detector=arguments.detector,
        person=arguments.person,
        figures=arguments.faces,
        draws=arguments.draws,
        seed=arguments.seed,
        overwrite=arguments.overwrite,
    )
    for note in result.agreement.facts["notes"]:
        say(note)
    say(result.agreement.summary())
    print_paths(
        arguments.out,
        [
            "saliency.csv",
            filenames.result_file("agreement"),
            filenames.SKIPPED,
            filenames.RUN,
            filenames.REPORT,
        ],
    )
    return conclude(result.run, result.errors)
