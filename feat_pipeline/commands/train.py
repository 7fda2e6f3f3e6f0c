"""The command train."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator
from pathlib import Path

from analysis.filenames import AUS_CSV
from feat_pipeline.commands.parser import Commands, add_command, add_options, add_output, read_options
from feat_pipeline.commands.printing import print_paths, say
from feat_pipeline.declared import declarations
from feat_pipeline.errors import EXIT_DONE, EXIT_SOME_FAILED, UsageError, require
from feat_pipeline.models import LOADERS, trainable
from feat_pipeline.options.train import GanOptions, ModelSettings, TrainOptions
from feat_pipeline.sources.frame import input_name

GAN = "gan"
OWN_NAMES = ("logit", GAN)  # no kinds of trainable models: the regression, and the generator
_GAN_RECIPE = ("epochs", "batch", "rate", "seed")


def add(commands: Commands) -> None:
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
    add_options(parser, TrainOptions, ModelSettings)
    add_output(parser)


class _Kinds(Collection[str]):
    """What can be trained. To list it imports other packages' classes, which only help and errors do."""

    def __contains__(self, name: object) -> bool:
        return name in (*LOADERS, *OWN_NAMES)  # what cannot be trained or imported is refused with its reason

    def __iter__(self) -> Iterator[str]:
        return iter((*trainable(), *OWN_NAMES))

    def __len__(self) -> int:
        return len([*self])


def _train(arguments: argparse.Namespace) -> int:
    if arguments.model == GAN:
        return _train_gan(arguments)
    from feat_pipeline.runs.train import OUTPUTS, train_model

    settings = read_options(arguments, ModelSettings)
    learned = train_model(
        arguments.model,
        arguments.data,
        out=arguments.out,
        overwrite=arguments.overwrite,
        report=_say_epoch,
        settings={name: value for name, value in settings.items() if value is not None},
        **read_options(arguments, TrainOptions),
    )
    for line in (*learned.skipped, *learned.notes):
        say(line)
    for name, value in learned.scores.items():
        print(f"{name}\t{value:.4g}" if isinstance(value, float) else f"{name}\t{value}")
    written = [name for name in (*OUTPUTS, AUS_CSV) if Path(arguments.out, name).is_file()]
    print_paths(arguments.out, written)
    return EXIT_SOME_FAILED if learned.skipped else EXIT_DONE


def _train_gan(arguments: argparse.Namespace) -> int:
    of_gan = [*_GAN_RECIPE, *(name for name, _, _ in declarations(GanOptions))]
    for name, default, declared in (*declarations(TrainOptions), *declarations(ModelSettings)):
        if declared.cli and name not in of_gan and getattr(arguments, name) != default:
            flag = name.replace("_", "-")
            raise UsageError(f"{flag}: gan has no such setting; leave --{flag} away")
    require("torch", extra="train", what="train gan")
    from feat_pipeline.generator.adversarial import GanRecipe
    from feat_pipeline.runs.train_gan import OUTPUTS, train_gan

    recipe = {"epochs": arguments.epochs, "batch": arguments.batch, "generator_rate": arguments.rate}
    if arguments.rate is not None:
        recipe["discriminator_rate"] = 4 * arguments.rate
    recipe = {name: value for name, value in recipe.items() if value is not None}
    train_gan(
        arguments.data,
        out=arguments.out,
        overwrite=arguments.overwrite,
        recipe=GanRecipe(seed=arguments.seed, **recipe),
        report=_say_gan_epoch,
        **read_options(arguments, GanOptions),
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
