"""Labelled data in, a trained model out, whichever model it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from analysis import filenames
from feat_pipeline.datasets.faces import LabelledFaces, kept_emotions
from feat_pipeline.datasets.ferplus import vote_shares
from feat_pipeline.datasets.held_out import HeldOut, parts_of_faces, parts_of_table
from feat_pipeline.datasets.read import list_pictures, read_faces
from feat_pipeline.datasets.repeats import listed_without_repeats, without_repeats
from feat_pipeline.declared import takes
from feat_pipeline.detect import DEFAULT_DETECTOR
from feat_pipeline.errors import UsageError, require
from feat_pipeline.files import named_errors
from feat_pipeline.models import LOADERS, TRAINED_WITH, load_model, model_class, trainable
from feat_pipeline.models.protocol import EmotionModel, TrainableModel, has_recipe, is_trainable
from feat_pipeline.options.train import TrainOptions
from feat_pipeline.output.folder import earlier_run
from feat_pipeline.output.runlog import RunLog
from feat_pipeline.runs.labelled import labelled_table, persons_columns
from feat_pipeline.runs.train_aus import LabelledAUs, measure_pictures
from feat_pipeline.runs.train_folder import going_on, same_data, training_folder
from feat_pipeline.sources.frame import PathLike
from feat_pipeline.sources.kinds import PHOTO_SUFFIXES

OUTPUTS = (
    *(filenames.MODEL, filenames.WEIGHTS, filenames.NETWORK),
    *(filenames.CURVES, filenames.CURVES_FIGURE, filenames.RUN),
)
LOGIT = {"logit": "multinomial-logit"}  # the one model that is trained under another name than its kind


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

    model: EmotionModel
    scores: dict[str, float]
    notes: tuple[str, ...]
    skipped: tuple[str, ...]


@takes(TrainOptions)
def train_model(
    name: str,
    data: PathLike,
    *,
    out: PathLike,
    overwrite: bool = False,
    report: Callable[[dict[str, float]], None] | None = None,
    **options: object,
) -> Learned:
    """Train a model and save it.

    Parameters
    ----------
    name : str
        A kind out of `feat_pipeline.models.trainable`, or 'logit', the regression.
    data : path
        What `feat_pipeline.datasets.read.read_faces` reads; of a model of AUs a folder of pictures, whose
        AUs are then measured with the backend embedded and written to ``aus.csv``, or an AU table.
    out : path
        Folder that takes the model, ``run.json`` and, where training goes by epochs, ``checkpoint.pt``,
        ``curves.csv`` and ``curves.png``.
    overwrite : bool
        Whether results in ``out`` may be replaced.
    report : callable, optional
        Gets a row of the history after every epoch.
    **options : object
        Those of `TrainOptions`, by name.

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
    UnavailableError
        What the model is trained with, or a file that it needs, is not on this machine.
    """
    require(*TRAINED_WITH.get(name, ()), extra="train", what=f"train {name}")
    chosen = TrainOptions.of(options)
    seed, resume, settings = chosen.seed, chosen.resume, dict(chosen.settings or {})
    chosen = replace(chosen, settings=settings, merge=dict(chosen.merge or {}))
    model = _made(name, settings, seed)
    _check_fit(name, model, chosen.device, resume)
    data = Path(data)
    photos = model.consumes == "aus" and data.is_dir() and _holds_photos(data)
    measured = photos or _holds_measured(Path(out), data)
    table = filenames.AU_TABLE if measured else ()
    folder = training_folder(Path(out), OUTPUTS, resume, overwrite, kept=table)
    log = RunLog("train", {"model": name, "data": str(data), **chosen.parameters()})
    known: LabelledAUs | LabelledFaces
    if model.consumes == "aus":
        if chosen.votes is not None:
            raise UsageError(f"votes: {name} learns from AUs, and FER+ votes are of FER2013's CSV")
        known = aus = _measured(data, chosen) if photos else _tabled(data, chosen)
        parts = _parts_of_aus(aus, chosen.classes, chosen.merge, share=chosen.held_out, seed=seed)
    else:
        read = read_faces(
            data, chosen.kind, classes=chosen.classes, merge=chosen.merge, size=chosen.size,
            detector=chosen.detector, person=chosen.person, labels=chosen.labels, votes=chosen.votes,
        )  # fmt: skip
        known = faces = without_repeats(read, keep=chosen.keep_copies)
        shares = None if chosen.votes is None else vote_shares(faces)
        parts = parts_of_faces(faces, share=chosen.held_out, seed=seed, shares=shares)
    if has_recipe(model) and model.recipe is not None and "batch" not in settings:
        model.recipe = replace(model.recipe, batch=min(model.recipe.batch, max(2, len(parts.y) // 4)))
    if not resume:
        folder.clear()
    digest = {"digest": parts.digest(), "learned": len(parts.y), "judged": len(parts.judged_y)}
    same_data(folder, digest, resume)
    if photos:
        with named_errors(folder.path):
            aus.table.write(folder.path / filenames.AUS_CSV)
    try:
        _fit(model, parts, folder.path, resume, chosen.device, report)
        with folder.all_or_nothing():
            with named_errors(folder.path):
                model.save(folder.path)
            written = load_model(folder.path)
            scores = _scores(written, parts) | _start_score(model, written, parts)
            notes = (*known.notes, *parts.notes, *getattr(model, "notes_", ()))
            found = {"scores": scores, "notes": notes, "skipped": known.skipped}
            folder.write_json(filenames.RUN, log.record() | found)
    except BaseException as error:
        if (note := going_on(folder)) is not None:
            error.add_note(note)
        raise
    return Learned(written, scores, notes, known.skipped)


def _measured(data: Path, options: TrainOptions) -> LabelledAUs:
    if options.label_column is not None:
        raise UsageError(f"label-column: is of an AU table, and {data} is a folder of pictures")
    listed = list_pictures(data, options.kind, person=options.person, labels=options.labels)
    listed = listed_without_repeats(listed, keep=options.keep_copies)
    return measure_pictures(listed, data, detector=options.detector or DEFAULT_DETECTOR)


def _tabled(data: Path, options: TrainOptions) -> LabelledAUs:
    from analysis.autable import AUTable

    labels, column = options.labels, options.label_column
    if (labels is None) == (column is None):
        raise UsageError(
            "labels: expected either a file of labels or a label column of the AU table; or as data a folder "
            "of pictures with one sub-folder an emotion"
        )
    texts = [*persons_columns(options.person), *filter(None, [column])]
    table = AUTable.read(str(data), text_columns=texts)
    labelled, y, groups, notes = labelled_table(
        table, labels, column, options.person, allow_unlabelled=options.allow_unlabelled
    )
    return LabelledAUs(labelled, y, np.full(len(y), ""), groups, notes=(*table.notes, *notes))


def _holds_photos(folder: Path) -> bool:
    return any(file.suffix.lower() in PHOTO_SUFFIXES for file in folder.rglob("*"))


def _holds_measured(out: Path, data: Path) -> bool:
    """Whether a folder holds AUs that an earlier training measured, other than the data of this one."""
    return earlier_run(out).get("command") == "train" and data.resolve().parent != out.resolve()


def _parts_of_aus(
    known: LabelledAUs, classes: Sequence[str] | None, merge: Mapping[str, str] | None, **split: Any
) -> HeldOut:
    y, kept = known.emotions, np.ones(len(known.emotions), bool)
    if classes is not None or merge:
        y, kept = kept_emotions(y, classes, merge)
    groups = None if known.groups is None else known.groups[kept]
    return parts_of_table(known.table.with_rows(kept), y[kept], groups, usage=known.usage[kept], **split)


def _made(name: str, settings: dict[str, Any], seed: int) -> TrainableModel:
    """Build the model, with its own defaults for what is not set."""
    kind = LOGIT.get(name, name)
    factory = model_class(kind) if kind in LOADERS else None
    if not is_trainable(factory):
        raise UsageError(f"model: expected one of {', '.join((*trainable(), *LOGIT))}, got {name!r}")
    takes = list(factory.settings)
    given = dict(settings)
    if "seed" in takes:
        given["seed"] = seed
    if "recipe" in takes:
        from feat_pipeline.training.recipe import Recipe, fine_tuning

        of_recipe = [field.name for field in fields(Recipe)]
        make = fine_tuning if given.get("start") is not None else Recipe
        given["recipe"] = make(**{k: given.pop(k) for k in settings if k in of_recipe}, seed=seed)
        takes += of_recipe
    unknown = sorted(set(given) - set(takes))
    if unknown:
        raise UsageError(f"{', '.join(unknown)}: {name} has no such setting; it has {', '.join(takes)}")
    if "start" in given:
        start = load_model(given["start"])
        if not isinstance(start, factory) or not has_recipe(start):
            raise UsageError(
                f"start: expected a trained {name}, {settings['start']} is another kind of model"
            )
        given = {"architecture": start.architecture_} | given | {"start": start}
    return factory(**given)


def _check_fit(name: str, model: TrainableModel, device: str | None, resume: bool) -> None:
    takes = model.fit_options
    if resume and "resume" not in takes:
        raise UsageError(f"resume: {name} is fitted in one go; leave --resume away")
    if device is not None and "device" not in takes:
        raise UsageError(f"device: {name} is fitted on the CPU; leave --device away")


def _fit(
    model: TrainableModel,
    parts: HeldOut,
    work: Path,
    resume: bool,
    device: str | None,
    report: Callable[..., None] | None,
) -> None:
    takes = model.fit_options
    offered: dict[str, Any] = {"work": work, "resume": resume, "device": device, "report": report}
    offered["shares"] = parts.shares
    if "report" in takes:  # others would calibrate on these faces, and then be judged by them
        offered["validation"] = (parts.judged, parts.judged_y)
    model.fit(parts.X, parts.y, **{key: value for key, value in offered.items() if key in takes})


def _scores(model: EmotionModel, parts: HeldOut) -> dict[str, float]:
    from analysis.compare.scores import score

    answers = model.predict_proba(parts.judged)
    found = {"learned": len(parts.y), **score(model.classes_, answers, parts.judged_y)}
    if parts.copies is not None and parts.copies.any():
        right = np.asarray(model.classes_)[answers.argmax(1)] == parts.judged_y
        found["copies"] = int(parts.copies.sum())
        found["accuracy_without_copies"] = float(right[~parts.copies].mean())
    return found


def _start_score(model: TrainableModel, written: EmotionModel, parts: HeldOut) -> dict[str, float]:
    """Return the accuracy of the network that training began from, among the classes that are learned."""
    start = getattr(model, "start", None)
    if start is None:
        return {}
    shared = [row for row, name in enumerate(start.classes_) if name in written.classes_]
    if not shared:
        return {}
    answers = start.predict_proba(parts.judged)[:, shared].argmax(1)
    return {"start_accuracy": float((start.classes_[shared][answers] == parts.judged_y).mean())}
