"""AUs and a model's predictions in, the model's answers explained by AUs out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis import filenames
from analysis.prediction_columns import FACE, PICTURE, explanation_line
from feat_pipeline.declared import takes
from feat_pipeline.errors import InputError, UsageError
from feat_pipeline.options.surrogate import SurrogateOptions
from feat_pipeline.output.folder import OutputFolder
from feat_pipeline.output.predictions_read import ModelPredictions, read_prediction_files, same_faces
from feat_pipeline.output.runlog import RunLog
from feat_pipeline.runs.labelled import check_draws, kept_together, labelled, persons_columns
from feat_pipeline.runs.results import backend_of, write_result
from feat_pipeline.sources.frame import PathLike

if TYPE_CHECKING:
    import pandas as pd

    from analysis.autable import AUTable
    from analysis.surrogate import Surrogate

TABLES = ("fidelity", "stability", "faces")
OUTPUTS = (
    *filenames.OF_A_MODEL, *(f"{name}.csv" for name in TABLES), filenames.EXPLANATIONS, filenames.RUN
)  # fmt: skip
MOST_EXPLAINED = 1000
"""Held-out faces whose reasons are written: each takes about 16 kB."""


@takes(SurrogateOptions)
def surrogate_files(
    aus: PathLike,
    predictions: PathLike,
    *,
    out: PathLike,
    overwrite: bool = False,
    **options: object,
) -> Surrogate:
    """Fit a regression on AUs to a model's answers, measure how faithful it is, and explain faces by it.

    Parameters
    ----------
    aus : path
        AU table of the faces.
    predictions : path
        The model's answers for them; see ``feat_pipeline.output.predictions_read.read_prediction_files``.
    out : path
        Folder that takes ``surrogate.json``, ``model.json`` (the regression, which ``explain`` reads),
        ``fidelity.csv``, ``stability.csv``, ``faces.csv`` (how far apart both are on each face),
        ``explanations.jsonl`` (reasons for the first 1,000 held-out faces; none where the surrogate is not to
        be used), ``run.json`` and ``report.html``.
    overwrite : bool
        Whether an earlier surrogate in ``out`` may be replaced.
    **options : object
        Those of `SurrogateOptions`, by name.

    Returns
    -------
    Surrogate

    Raises
    ------
    TableError, FitError
        The AU table or the labels cannot be read, no column names the persons so, or nothing can be fitted.
    InputError
        The predictions cannot be read or are of other faces.
    OutputError
        ``out`` cannot be written, or holds a surrogate and ``overwrite`` is false.
    UsageError
        No such model, fewer than two draws, or a negative seed.
    """
    from analysis.autable import AUTable
    from analysis.duplicates import copies
    from analysis.report import build_report
    from analysis.surrogate import fit_surrogate

    chosen = SurrogateOptions.of(options)
    check_draws(chosen.draws, chosen.seed)
    folder = OutputFolder(out, OUTPUTS, overwrite=overwrite)
    parameters = {"aus": str(aus), "predictions": str(predictions), **chosen.parameters()}
    log = RunLog("surrogate", parameters)
    name, answers = _chosen(read_prediction_files([predictions]), chosen.model)
    table, frame, notes = _joined(
        AUTable.read(str(aus), text_columns=persons_columns(chosen.groups)), name, answers
    )
    y, persons, kept, matched = labelled(
        frame, chosen.labels, chosen.groups, allow_unlabelled=chosen.allow_unlabelled
    )
    table, frame = table.with_rows(kept), frame[kept].reset_index(drop=True)
    repeated = copies(table)
    matched = [*matched, *repeated.notes]
    persons = kept_together(persons, repeated.exact)
    result = fit_surrogate(
        table,
        frame,
        name=name,
        groups=persons,
        y=y,
        alpha=chosen.alpha,
        terms=chosen.terms,
        draws=chosen.draws,
        seed=chosen.seed,
    )
    result.facts["notes"][:0] = [*notes, *matched]
    if not result.usable:
        result.facts["notes"].append("no face's reasons are written, since the surrogate is not to be used")
    folder.clear()
    with folder.all_or_nothing():
        if result.usable:
            folder.write(filenames.EXPLANATIONS, _reasons(result, table, frame))
        facts = {"backend": backend_of(table), "notes": result.facts["notes"]}
        write_result(folder, result, TABLES, log.record() | facts)
    build_report(folder.path, pictures=Path(predictions).parent)
    return result


def _chosen(answers: Mapping[str, ModelPredictions], model: str | None) -> tuple[str, ModelPredictions]:
    if model is None and len(answers) > 1:
        raise UsageError(f"model: the file holds {', '.join(answers)}; name one with --model")
    name = next(iter(answers)) if model is None else model
    if name not in answers:
        raise UsageError(f"model: the file holds {', '.join(answers)}, not {name!r}")
    return name, answers[name]


def _joined(table: AUTable, name: str, answers: ModelPredictions) -> tuple[AUTable, pd.DataFrame, list[str]]:
    """Bring AUs and answers of the same faces into the same order."""
    faces = table.frame.reindex(columns=[*FACE]).fillna({"frame": 0, "face": 0})
    faces = faces.assign(row=np.arange(len(faces))).astype({"frame": np.int64, "face": np.int64})
    if faces.duplicated([*FACE]).any():
        raise InputError("aus: the AU table names some faces twice; input, frame and face must differ")
    try:
        frames, notes = same_faces(
            {"the AU table": ModelPredictions("aus", answers.file, faces, []), name: answers}
        )
    except InputError as error:
        raise InputError(f"{answers.file}: {error}") from None
    rows = frames["the AU table"]["row"].to_numpy()
    others = [c for c in table.frame.columns if c not in answers.frame and c not in table.au_columns]
    known = table.frame.iloc[rows][others].reset_index(drop=True)
    return table.with_rows(rows), frames[name].join(known), [*table.notes, *notes]


def _reasons(result: Surrogate, table: AUTable, frame: pd.DataFrame) -> str:
    """Explain the held-out faces, one line of JSON each."""
    faces = result.tables["faces"]
    held_out = faces.loc[faces["held_out"], [*FACE]].head(MOST_EXPLAINED)
    keys = frame[[*FACE]].reset_index().merge(held_out, on=[*FACE])
    rows = keys["index"].to_numpy()
    explanations = result.explain_many(table.with_rows(rows), frame.iloc[rows])
    places: list[dict[str, Any]] = frame.iloc[rows].to_dict("records")
    pictures = frame[PICTURE].iloc[rows] if PICTURE in frame else [None] * len(rows)
    return "".join(
        explanation_line(place, str(result.facts["explains"]), one, picture=picture)  # type: ignore[arg-type]
        for place, one, picture in zip(places, explanations, pictures, strict=True)
        if one is not None
    )
