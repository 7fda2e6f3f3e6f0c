"""The folder of a training: what may be resumed in it, and by which data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.filenames import CHECKPOINT, CURVES, CURVES_FIGURE, OF_A_MODEL
from feat_pipeline.errors import InputError, UsageError
from feat_pipeline.output.folder import OutputFolder

DATA = "data.json"


def training_folder(
    out: Path, outputs: tuple[str, ...], resume: bool, overwrite: bool, *, kept: tuple[str, ...] = ()
) -> OutputFolder:
    """Return the folder of a training that is begun, or gone on with where `resume` says so.

    Parameters
    ----------
    out : Path
    outputs : tuple of str
        What the training writes.
    resume, overwrite : bool
        Go on with the training in ``out``, or replace it.
    kept : tuple of str
        What it writes before its end, besides the checkpoint and the curves.

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
    kept = (*kept, CHECKPOINT, CURVES, CURVES_FIGURE)
    written = [name for name in (*outputs, *OF_A_MODEL) if name not in kept]
    return OutputFolder(out, written, kept=kept, overwrite=overwrite or resume)


def same_data(folder: OutputFolder, content: Mapping[str, Any], resume: bool) -> None:
    """Keep the fingerprint of the data, or refuse to go on with others.

    Parameters
    ----------
    folder : OutputFolder
    content : mapping
        A digest of the data, and what tells a reader of the file more of them.
    resume : bool
        Whether a training is gone on with.

    Raises
    ------
    InputError
        There is no fingerprint to go on with.
    UsageError
        It is of other data.
    """
    if not resume:
        folder.write_json(DATA, content)
        return
    path = folder.path / DATA
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read ({error}); begin anew with --overwrite") from None
    if before != content:
        raise UsageError(
            f"{folder.path}: was begun with other faces or classes, or other shares; train anew elsewhere"
        )


def going_on(folder: OutputFolder) -> str | None:
    """Tell how a training that was stopped is gone on with; None where no epoch was finished."""
    if not (folder.path / CHECKPOINT).is_file():
        return None
    return f"the epochs done until then are in {folder.path}, and --resume goes on from them"
