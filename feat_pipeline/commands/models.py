"""The command models, with its actions import and fetch."""

from __future__ import annotations

import argparse

from feat_pipeline.commands.parser import Commands, add_command, add_output
from feat_pipeline.commands.printing import print_paths, print_table, say
from feat_pipeline.errors import EXIT_DONE, EXIT_SOME_FAILED, OutputError, UnavailableError, require
from feat_pipeline.sources.frame import input_name
from feat_pipeline.weights.download import FETCHABLE

#: What is done with models by an extra -> the modules it takes.
WITH_EXTRAS = {
    "train cnn, train gan, train texture, generate, saliency": ("train", "torch", "captum", "skimage"),
    "models import": ("teachable", "keras", "h5py", "torch"),
}


def add(commands: Commands) -> None:
    """Add the command to the parser's subcommands."""
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


def _import(arguments: argparse.Namespace) -> int:
    from feat_pipeline.runs.import_model import OUTPUTS, import_export

    import_export(arguments.folder, out=arguments.out, overwrite=arguments.overwrite)
    print_paths(arguments.out, OUTPUTS)
    return EXIT_DONE


def _fetch(arguments: argparse.Namespace) -> int:
    from feat_pipeline.weights.download import fetch, licences

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
    from feat_pipeline.models import GENERATORS, list_models
    from feat_pipeline.weights.shipped import models_dir

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
    for what, (extra, *modules) in WITH_EXTRAS.items():
        try:
            require(*modules, extra=extra, what=what)
        except UnavailableError as error:
            say(str(error))
    return EXIT_DONE
