"""Models in, one that lets them vote out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from analysis import filenames
from analysis.prediction_columns import probability_column
from feat_pipeline.declared import takes
from feat_pipeline.errors import InputError, UsageError
from feat_pipeline.models import load_model, model_name, model_path
from feat_pipeline.models.ensemble import Ensemble, saved_files, vote_weights
from feat_pipeline.options.combine import CombineOptions
from feat_pipeline.output.folder import OutputFolder
from feat_pipeline.output.runlog import RunLog
from feat_pipeline.sources.frame import PathLike

if TYPE_CHECKING:
    from feat_pipeline.models import EmotionModel

OUTPUTS = (*filenames.OF_A_MODEL, filenames.RUN)


@takes(CombineOptions)
def combine(
    models: Sequence[PathLike],
    *,
    out: PathLike,
    overwrite: bool = False,
    **options: object,
) -> tuple[Ensemble, list[str]]:
    """Save an ensemble of models that exist.

    Parameters
    ----------
    models : sequence of str or path
        Shipped names, folders or files, as `load_model` takes them.
    out : path
        Folder that takes a copy of every member, ``model.json`` and ``run.json``.
    overwrite : bool
        Whether a model in ``out`` may be replaced.
    **options : object
        Those of `CombineOptions`, by name.

    Returns
    -------
    Ensemble
    notes : list of str
        How the weights were chosen.

    Raises
    ------
    InputError, AnalysisError
        A model, the predictions or the labels cannot be read, or a model's answers are missing.
    UsageError
        Fewer than two models, two of one name, models that do not go together, weights that do not fit, or
        a model that lies where its copy would.
    OutputError
        ``out`` cannot be written, or holds a model and ``overwrite`` is false.
    """
    chosen = CombineOptions.of(options)
    weights, predictions, labels = chosen.weights, chosen.predictions, chosen.labels
    if (predictions is None) != (labels is None):
        raise UsageError("predictions, labels: weights are chosen by both together; give both or none")
    if predictions is not None and weights is not None:
        raise UsageError("weights: either state them or let predictions choose them")
    names = [model_name(model) for model in models]
    if len(names) < 2 or len(set(names)) < len(names):
        raise UsageError(f"models: expected two or more of different names, got {', '.join(names) or 'none'}")
    _check_apart(models, Path(out))
    log = RunLog("combine", {"models": [str(model) for model in models], **chosen.parameters()})
    members = {name: load_model(model) for name, model in zip(names, models, strict=True)}
    ensemble = Ensemble(members, weights=weights, common=chosen.common)
    outputs = dict.fromkeys([*OUTPUTS, *ensemble.files(), *saved_files(out)])
    folder = OutputFolder(out, outputs, overwrite=overwrite)
    notes: list[str] = []
    if predictions is not None and labels is not None:
        ensemble.weights, notes = _chosen(members, ensemble.classes_, predictions, labels)
    folder.clear()
    with folder.all_or_nothing():
        ensemble.save(folder.path)
        folder.write_json(filenames.RUN, log.record() | {"weights": ensemble.shares, "notes": notes})
    return ensemble, notes


def _check_apart(models: Sequence[PathLike], out: Path) -> None:
    """Refuse to write over a member: it lies in the folder that is written, or below it."""
    for model in models:
        lies = model_path(model).resolve().parent
        if out.resolve() in (lies, *lies.parents):
            raise UsageError(
                f"out: {lies} is one of the models themselves, and what is written into {out} would take "
                f"its place; name another folder with --out"
            )


def _chosen(
    members: dict[str, EmotionModel], classes: np.ndarray, predictions: PathLike, labels: PathLike
) -> tuple[list[float], list[str]]:
    """Weights, one a member, and how they were chosen."""
    from feat_pipeline.output.predictions_read import read_prediction_files, same_faces
    from feat_pipeline.runs.labelled import labelled

    answers = read_prediction_files([predictions])
    missing = [name for name in members if name not in answers]
    if missing:
        raise InputError(
            f"{predictions}: expected answers of {', '.join(members)}, lacks {', '.join(missing)}; "
            f"predict with all of them at once"
        )
    frames, notes = same_faces({name: answers[name] for name in members})
    stated, _, kept, matched = labelled(next(iter(frames.values())), labels, None)
    y = np.asarray(stated)
    known = np.isin(y, classes)
    rows = np.flatnonzero(kept)[known]
    if not len(rows):
        raise InputError(f"{labels}: expected labels out of {', '.join(classes)}, got none of them")
    columns = [*map(probability_column, classes)]
    shares = np.stack([frame[columns].to_numpy(float)[rows] for frame in frames.values()])
    shares /= shares.sum(axis=2, keepdims=True)
    places = {str(name): place for place, name in enumerate(classes)}
    weights = vote_weights(shares, np.array([places[name] for name in y[known].tolist()]))
    return weights.tolist(), [*notes, *matched, f"weights chosen on {len(rows):,} labelled faces"]
