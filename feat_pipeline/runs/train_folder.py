"""The folder of a training: what may be resumed in it, and by which data."""

from __future__ import annotations

import json
from pathlib import Path

from feat_pipeline.datasets.held_out import HeldOut
from feat_pipeline.errors import InputError, UsageError
from feat_pipeline.output.folder import OutputFolder

CHECKPOINT = "checkpoint.pt"
_DATA = "data.json"


def training_folder(out: Path, outputs: tuple[str, ...], resume: bool, overwrite: bool) -> OutputFolder:
    """Return the folder of a training that is begun, or gone on with where `resume` says so.

    Raises
    ------
    UsageError
        There is nothing to go on with, or a training of which nothing was said.
    """
    begun = (out / CHECKPOINT).is_file()
    if resume and not begun:
        raise UsageError(f"{out}: holds no {CHECKPOINT} to go on from; leave --resume away to begin")
    if begun and not (resume or overwrite):
        raise UsageError(
            f"{out}: holds a training; add --resume to go on with it, or --overwrite to begin anew"
        )
    return OutputFolder(out, (*outputs, CHECKPOINT), overwrite=overwrite or resume)


def same_data(folder: OutputFolder, parts: HeldOut, resume: bool) -> None:
    """Keep the fingerprint of the data, or refuse to go on with others."""
    content = {"digest": parts.digest(), "learned": len(parts.y), "judged": len(parts.judged_y)}
    path = folder.path / _DATA
    if not resume:
        folder.write_json(_DATA, content)
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8"))["digest"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); begin anew with --overwrite") from None
    if before != content["digest"]:
        raise UsageError(
            f"{folder.path}: was begun with other faces, classes or shares; train anew elsewhere"
        )
