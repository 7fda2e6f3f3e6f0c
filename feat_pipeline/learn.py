"""Labelled data in, a trained model out: any model of `feat_pipeline.models.TRAINABLE`."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from feat_pipeline.errors import InputError, UsageError
from feat_pipeline.held_out import Parts, parts_of_faces, parts_of_table
from feat_pipeline.models import TRAINABLE, load_model
from feat_pipeline.outputs import OutputFolder, named_errors
from feat_pipeline.registry import resolve
from feat_pipeline.runlog import RunLog
from feat_pipeline.sources import PathLike

CHECKPOINT = "checkpoint.pt"
OUTPUTS = ("model.json", "weights.safetensors", "curves.csv", "curves.png", "run.json")
_DATA = "data.json"
_BATCH = 128


@dataclass(frozen=True)
class Learned:
    """What a training gave.

    Attributes
    ----------
    model : EmotionModel
        As it was written and read again.
    scores : dict of str to float
        On the faces that were held out. A network's epoch and temperature were chosen on them, so they
        flatter it a little; other models have not seen them.
    notes : tuple of str
        What was left out, and how the faces were split.
    skipped : tuple of str
        One line for each picture or row that could not be read.
    """

    model: Any
    scores: dict[str, float]
    notes: tuple[str, ...]
    skipped: tuple[str, ...]


def train_model(
    name: str,
    data: PathLike,
    *,
    out: PathLike,
    kind: str = "auto",
    classes: Sequence[str] | None = None,
    merge: Mapping[str, str] | None = None,
    size: int = 48,
    detector: str | None = None,
    person: str | None = None,
    labels: PathLike | None = None,
    label_column: str | None = None,
    held_out: float = 0.1,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    resume: bool = False,
    overwrite: bool = False,
    report: Callable[[dict[str, float]], None] | None = None,
) -> Learned:
    """Train a model and save it.

    Parameters
    ----------
    name : str
        A name out of `feat_pipeline.models.TRAINABLE`.
    data : path
        Of a model of pixels, what `feat_pipeline.datasets.read.read_faces` reads; of a model of AUs, an AU
        table.
    out : path
        Folder that takes the model, ``run.json`` and, where training goes by epochs, ``checkpoint.pt``,
        ``curves.csv`` and ``curves.png``.
    kind, classes, merge, size, detector
        See `read_faces`; of a model of pixels.
    person : str, optional
        Who is on one side only: for pictures see `read_faces`; for an AU table the column, or
        ``COLUMN:REGEX``.
    labels, label_column
        See `feat_pipeline.fit.fit`; of a model of AUs.
    held_out : float
        Share of the faces to judge by where the data have no such part.
    settings : mapping, optional
        Further settings of the model, such as ``{'epochs': 20}``.
    seed : int
    resume : bool
        Go on from the checkpoint in ``out``.
    overwrite : bool
        Whether results in ``out`` may be replaced.
    report : callable, optional
        Gets a row of the history after every epoch.

    Returns
    -------
    Learned

    Raises
    ------
    InputError, UsageError, TableError, FitError
        Data that cannot be read or do not suffice, settings that the model does not have, a checkpoint of
        another training.
    TrainingError
        The loss is no number.
    OutputError
        ``out`` cannot be written, or holds results and neither ``overwrite`` nor ``resume`` is true.
    """
    if name not in TRAINABLE:
        raise UsageError(f"model: expected one of {', '.join(TRAINABLE)}, got {name!r}")
    factory = resolve(TRAINABLE[name])
    folder = _folder(Path(out), resume, overwrite)
    parameters: dict[str, Any] = {
        "model": name,
        "data": str(data),
        "kind": kind,
        "person": person,
        "held_out": held_out,
    }
    parameters |= {"classes": None if classes is None else list(classes), "merge": dict(merge or {})}
    parameters |= {"detector": detector, "size": size, "settings": dict(settings or {}), "seed": seed}
    log = RunLog("train", parameters)
    if factory.consumes == "aus":
        parts, skipped = _table_parts(data, labels, label_column, person, held_out, seed)
    else:
        from feat_pipeline.datasets.read import read_faces

        faces = read_faces(
            data, kind, classes=classes, merge=merge, size=size, detector=detector, person=person
        )
        parts, skipped = parts_of_faces(faces, share=held_out, seed=seed), faces.skipped
    model = _made(name, factory, dict(settings or {}), seed, len(parts.y))
    if not resume:
        folder.clear()
    _same_data(folder, parts, resume)
    try:
        _fit(name, model, parts, folder.path, resume, report)
    except BaseException as error:
        if (folder.path / CHECKPOINT).is_file():
            error.add_note(f"the epochs done until then are in {folder.path}, and --resume goes on from them")
        raise
    with named_errors(folder.path):
        model.save(folder.path)
    written = load_model(folder.path)
    scores = _scores(written, parts)
    notes = (*parts.notes, *getattr(model, "notes_", ()))
    folder.write_json("run.json", log.record() | {"scores": scores, "notes": notes, "skipped": skipped})
    return Learned(written, scores, notes, skipped)


def _folder(out: Path, resume: bool, overwrite: bool) -> OutputFolder:
    begun = (out / CHECKPOINT).is_file()
    if resume and not begun:
        raise UsageError(f"{out}: holds no {CHECKPOINT} to go on from; leave --resume away to begin")
    if begun and not (resume or overwrite):
        raise UsageError(
            f"{out}: holds a training; add --resume to go on with it, or --overwrite to begin anew"
        )
    return OutputFolder(out, (*OUTPUTS, CHECKPOINT), overwrite=overwrite or resume)


def _table_parts(
    data: PathLike, labels: PathLike | None, column: str | None, person: str | None, share: float, seed: int
) -> tuple[Parts, tuple[str, ...]]:
    from analysis.autable import AUTable
    from analysis.labels import column_labels, group_column, join_labels, read_labels

    if (labels is None) == (column is None):
        raise UsageError("labels: expected either a file of labels or a label column of the AU table")
    table = AUTable.read(str(data))
    if labels is None:
        labelled, y, notes = column_labels(table, str(column))
    else:
        labelled, y, notes = join_labels(table, read_labels(str(labels)))
    groups = None if person is None else group_column(labelled, person)
    parts = parts_of_table(labelled, y, groups, share=share, seed=seed)
    return Parts(**{**vars(parts), "notes": (*table.notes, *notes, *parts.notes)}), ()


def _made(name: str, factory: Any, settings: dict[str, Any], seed: int, faces: int) -> Any:
    """Build the model, with its own defaults for what is not set."""
    takes = inspect.signature(factory).parameters
    if "recipe" in takes:
        from feat_pipeline.recipe import Recipe

        few = {"batch": min(_BATCH, max(2, faces // 4))}
        return factory(recipe=Recipe(**{**few, **settings, "seed": seed}))
    unknown = sorted(set(settings) - set(takes))
    if unknown:
        raise UsageError(f"{', '.join(unknown)}: {name} has no such setting; it has {', '.join(takes)}")
    return factory(**settings, **({"seed": seed} if "seed" in takes else {}))


def _fit(
    name: str, model: Any, parts: Parts, work: Path, resume: bool, report: Callable[..., None] | None
) -> None:
    takes = inspect.signature(model.fit).parameters
    if resume and "resume" not in takes:
        raise UsageError(f"resume: {name} is fitted in one go; leave --resume away")
    offered: dict[str, Any] = {"work": work, "resume": resume, "report": report}
    if "report" in takes:  # others would calibrate on these faces, and then be judged by them
        offered["validation"] = (parts.judged, parts.judged_y)
    model.fit(parts.X, parts.y, **{key: value for key, value in offered.items() if key in takes})


def _same_data(folder: OutputFolder, parts: Parts, resume: bool) -> None:
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


def _scores(model: Any, parts: Parts) -> dict[str, float]:
    from analysis.compare.scores import score

    answers = model.predict_proba(parts.judged)
    found = {"learned": len(parts.y), **score(model.classes_, answers, parts.judged_y)}
    if parts.copies is not None and parts.copies.any():
        right = np.asarray(model.classes_)[answers.argmax(1)] == parts.judged_y
        found["copies"] = int(parts.copies.sum())
        found["accuracy_without_copies"] = float(right[~parts.copies].mean())
    return found
