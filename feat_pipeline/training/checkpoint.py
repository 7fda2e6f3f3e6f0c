"""What a training that can be resumed keeps after every epoch: one file, written whole or not at all."""

from __future__ import annotations

import dataclasses
import io
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from analysis.filenames import CHECKPOINT, CURVES
from analysis.files import atomic_path
from feat_pipeline.errors import InputError, UsageError
from feat_pipeline.files import named_errors

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def refuse_checkpoint(work: Path) -> None:
    """Raise `UsageError` where a folder holds a training that nobody asked to go on with."""
    if (work / CHECKPOINT).exists():
        raise UsageError(f"{work}: holds a checkpoint; add --resume to go on from it, or name another folder")


def read_checkpoint(
    work: Path,
    recipe: DataclassInstance,
    device: torch.device,
    restore: Callable[[dict[str, Any]], None],
    *,
    free: Sequence[str] = (),
) -> None:
    """Restore the state that `write_checkpoint` wrote.

    Parameters
    ----------
    work : Path
        The folder.
    recipe : dataclass
        What the training is done by; must be that of the checkpoint.
    device : torch.device
        Where the tensors go.
    restore : callable
        Takes the state; a `KeyError`, `ValueError` or `RuntimeError` of it means a damaged file.
    free : sequence of str
        Fields of the recipe that may differ.

    Raises
    ------
    UsageError
        There is no checkpoint, or it was made with another recipe.
    InputError
        It is damaged.
    """
    path = work / CHECKPOINT
    if not path.is_file():
        raise UsageError(f"{path}: no checkpoint to go on from; leave --resume away to begin")
    try:
        kept = torch.load(path, map_location=device, weights_only=True)
        restore(kept)
        before = kept["recipe"]
    except (OSError, RuntimeError, KeyError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise InputError(f"{path}: cannot be gone on from ({str(error).splitlines()[0]})") from None
    now = _plain(recipe)
    held = [name for name in now if name not in free]
    changed = [f"{name} {before.get(name)} -> {now[name]}" for name in held if before.get(name) != now[name]]
    if changed:
        raise UsageError(f"{path}: was made with another recipe ({', '.join(changed)}); train anew elsewhere")


def write_checkpoint(
    work: Path, recipe: DataclassInstance, state: dict[str, Any], rows: Sequence[dict[str, float]]
) -> None:
    """Write the checkpoint and the curves, each whole or not at all.

    Raises
    ------
    OutputError
        The folder cannot be written; what was there before is kept.
    """
    import pandas as pd

    packed = io.BytesIO()
    torch.save({"recipe": _plain(recipe), **state}, packed)  # torch's own writer hides why a disk is full
    with named_errors(work):
        with atomic_path(work / CHECKPOINT) as temporary:
            temporary.write_bytes(packed.getbuffer())
        with atomic_path(work / CURVES) as temporary:
            pd.DataFrame(list(rows)).to_csv(temporary, index=False)


def _plain(recipe: DataclassInstance) -> dict[str, str]:
    """Return the recipe as text, number for number."""
    return {name: repr(value) for name, value in dataclasses.asdict(recipe).items()}
