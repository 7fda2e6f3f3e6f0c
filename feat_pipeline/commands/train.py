"""The command train."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from analysis.filenames import AUS_CSV
from feat_pipeline.commands.options import add_command, add_output
from feat_pipeline.commands.printing import print_paths, say
from feat_pipeline.detect import DETECTORS
from feat_pipeline.errors import EXIT_DONE, EXIT_SOME_FAILED, UsageError, require
from feat_pipeline.models import LOADERS, trainable
from feat_pipeline.models.views import VIEWS
from feat_pipeline.sources.frame import input_name

SETTINGS = ("epochs", "batch", "rate", "patience", "architecture", "start", "views")
GAN = "gan"
OWN_NAMES = ("logit", GAN)  # no kinds of trainable models: the regression, and the generator
HELD_OUT = 0.1
_NOT_OF_GAN = (
    *("merge", "person", "labels", "label_column", "votes"),
    *("patience", "architecture", "start", "views"),
)


def add(commands: Any) -> None:
    """Add the command to the parser's subcommands."""
    example = "feat-pipeline train cnn --data photos/ --out mymodel --epochs 30"
    text = "train an emotion model, or a generator of faces (gan), on labelled faces"
    parser = add_command(commands, "train", _train, text, example)
    parser.add_argument("model", choices=_Kinds(), metavar="MODEL", help="which kind: %(choices)s")
    parser.add_argument(
        "--data",
        required=True,
        metavar="PATH",
        help="a folder with one sub-folder an emotion, or any folder of pictures with --labels; CK+, JAFFE; "
        "FER2013's CSV or an .npz that the command data wrote; for the models of AUs also an AU table",
    )
    faces = parser.add_argument_group("faces")
    faces.add_argument(
        "--detector",
        choices=list(DETECTORS),
        help="finds the largest face in each picture (default: the whole picture is the face; for the models "
        "of AUs mtcnn)",
    )
    faces.add_argument(
        "--person",
        metavar="REGEX",
        help="whose first group names the person in a picture's path, or an AU table's COLUMN or "
        "COLUMN:REGEX: nobody is then both learned from and judged by",
    )
    faces.add_argument("--classes", type=_names, metavar="A,B,...", help="emotions to keep (default: all)")
    faces.add_argument(
        "--merge", type=_pairs, default={}, metavar="A=B,...", help="emotions to count as another one"
    )
    faces.add_argument("--size", type=int, default=48, help="of the crops, px (default: %(default)s)")
    faces.add_argument(
        "--labels",
        metavar="CSV",
        help="emotions by file, of pictures or of an AU table: columns such as image,emotion",
    )
    faces.add_argument("--label-column", metavar="NAME", help="of an AU table: its column of labels")
    faces.add_argument(
        "--votes",
        metavar="CSV",
        help="of FER2013: FER+'s fer2013new.csv; networks learn the annotators' shares, all are judged by "
        "what most of them chose",
    )
    faces.add_argument(
        "--held-out",
        type=float,
        default=HELD_OUT,
        metavar="SHARE",
        help="to judge by, where the data have no part for it (default: %(default)s)",
    )
    training = parser.add_argument_group("training")
    training.add_argument("--epochs", type=int, help="passes over the faces (default: the model's own)")
    training.add_argument("--batch", type=int, help="faces a step (default: 128, fewer where there are few)")
    training.add_argument("--rate", type=float, help="highest learning rate (default: the model's own)")
    training.add_argument("--patience", type=int, help="epochs without progress after which it stops")
    training.add_argument(
        "--architecture",
        metavar="NAME",
        help="of cnn: a published network's, such as patr8609 (default: our own)",
    )
    training.add_argument(
        "--start", metavar="NAME|DIR", help="of cnn: the trained one to begin from; lower --rate for it"
    )
    training.add_argument(
        "--views",
        choices=VIEWS,
        help="of cnn: looks at a face that its answer is the mean of (default: mirror)",
    )
    training.add_argument("--device", help="where networks learn: cpu, cuda, cuda:1 (default: a GPU if any)")
    training.add_argument("--seed", type=int, default=0, help="of all that is random (default: %(default)s)")
    training.add_argument("--resume", action="store_true", help="go on with the training in DIR")
    add_output(parser)


class _Kinds(Collection[str]):
    """What can be trained. To list it imports other packages' classes, which only help and errors do."""

    def __contains__(self, name: object) -> bool:
        return name in (*LOADERS, *OWN_NAMES)  # what cannot be trained or imported is refused with its reason

    def __iter__(self) -> Iterator[str]:
        return iter((*trainable(), *OWN_NAMES))

    def __len__(self) -> int:
        return len([*self])


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _pairs(text: str) -> dict[str, str]:
    pairs = [(old, new) for old, _, new in (name.partition("=") for name in _names(text))]
    if not all(old and new and "=" not in new for old, new in pairs):
        raise argparse.ArgumentTypeError(f"expected pairs such as disgust=angry, got {text!r}")
    return dict(pairs)


def _train(arguments: argparse.Namespace) -> int:
    if arguments.model == GAN:
        return _train_gan(arguments)
    from feat_pipeline.runs.train import OUTPUTS, train_model

    settings = {name: getattr(arguments, name) for name in SETTINGS}
    learned = train_model(
        arguments.model,
        arguments.data,
        out=arguments.out,
        classes=arguments.classes,
        merge=arguments.merge,
        size=arguments.size,
        detector=arguments.detector,
        person=arguments.person,
        labels=arguments.labels,
        label_column=arguments.label_column,
        votes=arguments.votes,
        held_out=arguments.held_out,
        settings={name: value for name, value in settings.items() if value is not None},
        device=arguments.device,
        seed=arguments.seed,
        resume=arguments.resume,
        overwrite=arguments.overwrite,
        report=_say_epoch,
    )
    for line in (*learned.skipped, *learned.notes):
        say(line)
    for name, value in learned.scores.items():
        print(f"{name}\t{value:.4g}" if isinstance(value, float) else f"{name}\t{value}")
    written = [name for name in (*OUTPUTS, AUS_CSV) if Path(arguments.out, name).is_file()]
    print_paths(arguments.out, written)
    return EXIT_SOME_FAILED if learned.skipped else EXIT_DONE


def _train_gan(arguments: argparse.Namespace) -> int:
    given = [name.replace("_", "-") for name in _NOT_OF_GAN if getattr(arguments, name)]
    given += ["held-out"] if arguments.held_out != HELD_OUT else []
    if given:
        raise UsageError(f"{given[0]}: gan has no such setting; leave --{given[0]} away")
    require("torch", extra="train", what="train gan")
    from feat_pipeline.generator.adversarial import GanRecipe
    from feat_pipeline.runs.train_gan import OUTPUTS, train_gan

    settings = {name: getattr(arguments, name) for name in ("epochs", "batch", "seed")}
    settings |= {"generator_rate": arguments.rate}
    if arguments.rate is not None:
        settings |= {"discriminator_rate": 4 * arguments.rate}
    train_gan(
        arguments.data,
        out=arguments.out,
        recipe=GanRecipe(**{name: value for name, value in settings.items() if value is not None}),
        classes=arguments.classes,
        size=arguments.size,
        detector=arguments.detector,
        device=arguments.device,
        resume=arguments.resume,
        overwrite=arguments.overwrite,
        report=_say_gan_epoch,
    )
    print_paths(arguments.out, OUTPUTS)
    say(f"a grid of made faces for every epoch is in {input_name(Path(arguments.out, 'samples'))}")
    return EXIT_DONE


def _say_gan_epoch(row: dict[str, float]) -> None:
    say(
        f"epoch {row['epoch']}: scores of real faces {row['real_score']:.2f}, of made ones "
        f"{row['made_score']:.2f}, {row['seconds']:.0f} s"
    )


def _say_epoch(row: dict[str, float]) -> None:
    say(
        f"epoch {row['epoch']}: loss {row['train_loss']:.3f}, validation loss {row['val_loss']:.3f}, "
        f"accuracy {100 * row['val_accuracy']:.1f} %, {row['seconds']:.0f} s"
    )
