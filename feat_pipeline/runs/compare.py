"""Predictions and labels in, a comparison of the models out."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feat_pipeline.errors import UsageError
from feat_pipeline.output.folder import OutputFolder, named_errors
from feat_pipeline.output.predictions_read import Answers, read_answers, same_faces
from feat_pipeline.output.runlog import RunLog
from feat_pipeline.sources.photos import PathLike

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from analysis.compare import Comparison

OUTPUTS = ("comparison.json", "scores.csv", "per_class.csv", "disagreements.csv", "run.json")


def compare_files(
    predictions: PathLike | Iterable[PathLike],
    *,
    labels: PathLike,
    out: PathLike,
    groups: str | None = None,
    draws: int = 1000,
    seed: int = 0,
    overwrite: bool = False,
) -> Comparison:
    """Compare the answers of several models for the same faces.

    Parameters
    ----------
    predictions : path or iterable of paths
        See ``feat_pipeline.output.predictions_read.read_answers``.
    labels : path
        CSV with the columns ``input, label``; see ``analysis.labels.read_labels``.
    out : path
        Folder that takes ``comparison.json``, ``scores.csv``, ``per_class.csv``, ``disagreements.csv``,
        ``run.json`` and ``report.html``.
    groups : str, optional
        Column of the labels or of the predictions that names the person, or ``COLUMN:REGEX``.
    draws, seed : int
        Of the bootstrap.
    overwrite : bool
        Whether an earlier comparison in ``out`` may be replaced.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        Predictions cannot be read, or are of other faces.
    FitError
        Labels cannot be read, are of other faces or of emotions that no model knows; probabilities are none;
        there is no such column of persons.
    OutputError
        ``out`` cannot be written, or holds a comparison and ``overwrite`` is false.
    UsageError
        Fewer than two draws, or a negative seed.
    """
    from analysis.compare import compare
    from analysis.report import build_report

    paths = [predictions] if isinstance(predictions, (str, os.PathLike)) else list(predictions)
    check_draws(draws, seed)
    folder = OutputFolder(out, OUTPUTS, overwrite=overwrite)
    parameters = {"predictions": [str(path) for path in paths], "labels": str(labels), "groups": groups}
    log = RunLog("compare", {**parameters, "draws": draws, "seed": seed})
    answers = read_answers(paths)
    frames, notes = same_faces(answers)
    y, persons, kept, matched = labelled(next(iter(frames.values())), labels, groups)
    result = compare(
        {name: frame[kept] for name, frame in frames.items()},
        y,
        groups=persons,
        draws=draws,
        seed=seed,
        models=_regressions(answers),
    )
    result.facts["notes"][:0] = [*notes, *matched]
    folder.clear()
    with folder.all_or_nothing():
        with named_errors(folder.path):
            result.save(folder.path)
        for name in ("scores", "per_class", "disagreements"):
            folder.write(f"{name}.csv", result.tables[name].to_csv(index=False, float_format="%.6g"))
        folder.write_json("run.json", log.record() | {"notes": result.facts["notes"]})
    build_report(folder.path, pictures=Path(paths[0]).parent)
    return result


def check_draws(draws: int, seed: int) -> None:
    """Refuse what no bootstrap can be drawn by, with a UsageError."""
    if draws < 2:
        raise UsageError(f"draws: expected 2 or more, got {draws}")
    if not 0 <= seed < 2**32:
        raise UsageError(f"seed: expected 0 to {2**32 - 1}, got {seed}")


def labelled(
    faces: pd.DataFrame, labels: PathLike | None, groups: str | None
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray, list[str]]:
    """Find label and person of each face.

    Parameters
    ----------
    faces : DataFrame
        n rows with the column ``input``.
    labels : path, optional
        CSV with the columns ``input, label``.
    groups : str, optional
        Column of ``faces`` or of the labels, or ``COLUMN:REGEX``.

    Returns
    -------
    y : (m,) ndarray of str, or None
        The labels of the faces that have one.
    persons : (m,) ndarray of str, or None
    kept : (n,) bool ndarray
        Which faces these are: all, without labels.
    notes : list of str
        How files were matched, and what was left out.
    """
    import numpy as np

    from analysis.labels import group_column, match_labels, read_labels

    notes: list[str] = []
    y, kept = None, np.ones(len(faces), dtype=bool)
    if labels is not None:
        wanted = [] if groups is None else [groups, groups.partition(":")[0]]
        stated = read_labels(str(labels), *dict.fromkeys(name for name in wanted if name not in faces))
        inputs = faces["input"].astype(str)
        found, notes = match_labels(inputs, stated)
        kept = found.notna().to_numpy()
        if not kept.all():
            notes.append(f"{(~kept).sum()} of {len(kept)} faces have no label and are left out")
        y = found[kept].to_numpy().astype(str)
        further = [name for name in stated if name not in ("input", "label")]
        faces = faces.assign(**{name: match_labels(inputs, stated, name)[0] for name in further})
    return y, None if groups is None else group_column(faces[kept], groups), kept, notes


def _regressions(answers: Mapping[str, Answers]) -> dict[str, Any]:
    """Find the regressions among the models: predict keeps copies beside its predictions."""
    from analysis.errors import ModelError
    from analysis.logit import MultinomialLogit

    found = {}
    for name, one in answers.items():
        with contextlib.suppress(ModelError):
            found[name] = MultinomialLogit.load(one.file.parent / "models" / one.model)
    return found
