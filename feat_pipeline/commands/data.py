"""The command data."""

from __future__ import annotations

import argparse
from typing import Any

from feat_pipeline.commands.parser import Commands, add_command
from feat_pipeline.commands.printing import say
from feat_pipeline.errors import EXIT_DONE, EXIT_SOME_FAILED
from feat_pipeline.sources.frame import input_name


def add(commands: Commands) -> None:
    """Add the command to the parser's subcommands."""
    example = "feat-pipeline data fer2013 fer2013.csv --to folder faces"
    text = "write a data set in another form: pictures, CSVs by part, or one .npz"
    parser = add_command(commands, "data", _data, text, example)
    parser.add_argument("dataset", choices=["fer2013"], help="which one")
    parser.add_argument(
        "path", metavar="IN", help="Kaggle's fer2013.csv or icml_face_data.csv; may be .xz, .gz or .zip"
    )
    parser.add_argument(
        "--to",
        required=True,
        choices=["folder", "csv-splits", "npz"],
        help="a PNG a face in OUT/PART/EMOTION, a CSV a part in OUT, or the one file OUT",
    )
    parser.add_argument("out", metavar="OUT", help="folder, or file for npz; made if absent")
    parser.add_argument(
        "--copies", metavar="CSV", help="also list the faces that stand in two parts, exactly or nearly"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")


def _data(arguments: argparse.Namespace) -> int:
    from feat_pipeline.datasets.export import write_faces
    from feat_pipeline.datasets.fer2013 import read_fer2013

    faces = read_fer2013(arguments.path)
    out = write_faces(faces, arguments.to, arguments.out, overwrite=arguments.overwrite)
    print(input_name(out))
    if arguments.copies:
        _write_copies(faces, arguments.copies)
    for line in faces.skipped:
        say(line)
    parts = ", ".join(f"{part} {len(faces.part(part)):,}" for part in dict.fromkeys(faces.usage.tolist()))
    damaged = len(faces.skipped) or "none"
    say(f"{len(faces):,} faces ({parts}), damaged rows: {damaged}; wrote {input_name(out)}")
    return EXIT_SOME_FAILED if faces.skipped else EXIT_DONE


def _write_copies(faces: Any, path: str) -> None:
    from analysis.files import atomic_path
    from feat_pipeline.datasets.copies import copies_across_parts
    from feat_pipeline.files import named_errors

    table = copies_across_parts(faces)
    with named_errors(path), atomic_path(path) as temporary:
        table.to_csv(temporary, index=False)
    print(path)
    say(f"{len(table):,} pairs of copies across parts, listed in {path}")
