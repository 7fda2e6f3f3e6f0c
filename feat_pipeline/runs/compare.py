"""Predictions and labels in, a comparison of the models out."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from analysis import filenames
from feat_pipeline.declared import takes
from feat_pipeline.options.compare import CompareOptions
from feat_pipeline.output.folder import OutputFolder
from feat_pipeline.output.predictions_read import ModelPredictions, read_prediction_files, same_faces
from feat_pipeline.output.runlog import RunLog
from feat_pipeline.runs.labelled import check_draws, labelled
from feat_pipeline.runs.results import write_result
from feat_pipeline.sources.frame import PathLike

if TYPE_CHECKING:
    from analysis.compare import Comparison
    from analysis.logit import MultinomialLogit

TABLES = ("scores", "per_class", "disagreements")
OUTPUTS = (filenames.result_file("comparison"), *(f"{name}.csv" for name in TABLES), filenames.RUN)


@takes(CompareOptions)
def compare_files(
    predictions: PathLike | Iterable[PathLike],
    *,
    out: PathLike,
    overwrite: bool = False,
    **options: object,
) -> Comparison:
    """Compare the answers of several models for the same faces.

    Parameters
    ----------
    predictions : path or iterable of paths
        See ``feat_pipeline.output.predictions_read.read_prediction_files``.
    out : path
        Folder that takes ``comparison.json``, ``scores.csv``, ``per_class.csv``, ``disagreements.csv``,
        ``run.json`` and ``report.html``.
    overwrite : bool
        Whether an earlier comparison in ``out`` may be replaced.
    **options : object
        Those of `CompareOptions`, by name.

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
    chosen = CompareOptions.of(options)
    check_draws(chosen.draws, chosen.seed)
    folder = OutputFolder(out, OUTPUTS, overwrite=overwrite)
    parameters = {"predictions": [str(path) for path in paths], **chosen.parameters()}
    log = RunLog("compare", parameters)
    answers = read_prediction_files(paths)
    frames, notes = same_faces(answers)
    y, persons, kept, matched = labelled(
        next(iter(frames.values())), chosen.labels, chosen.groups, allow_unlabelled=chosen.allow_unlabelled
    )
    result = compare(
        {name: frame[kept] for name, frame in frames.items()},
        y,
        groups=persons,
        draws=chosen.draws,
        seed=chosen.seed,
        models=_regressions(answers),
    )
    result.facts["notes"][:0] = [*notes, *matched]
    folder.clear()
    with folder.all_or_nothing():
        write_result(folder, result, TABLES, log.record() | {"notes": result.facts["notes"]})
    build_report(folder.path, pictures=Path(paths[0]).parent)
    return result


def _regressions(answers: Mapping[str, ModelPredictions]) -> dict[str, MultinomialLogit]:
    """Find the regressions among the models: predict keeps copies beside its predictions."""
    from analysis.errors import ModelError
    from analysis.logit import MultinomialLogit

    found = {}
    for name, one in answers.items():
        with contextlib.suppress(ModelError):
            found[name] = MultinomialLogit.load(one.file.parent / filenames.MODEL_COPIES / one.model)
    return found
