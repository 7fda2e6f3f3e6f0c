"""An AU table and a model in, a folder of explained answers out."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis import filenames
from analysis.errors import ModelError
from analysis.prediction_columns import FACE, PLACE, explanation_line, prediction_columns, prediction_row
from feat_pipeline.declared import takes
from feat_pipeline.errors import UsageError
from feat_pipeline.extract.tally import NOT_MEASURED
from feat_pipeline.files import named_errors
from feat_pipeline.models import load_model, model_name
from feat_pipeline.models.protocol import is_explainable
from feat_pipeline.options.explain import ExplainOptions
from feat_pipeline.output.folder import OutputFolder, model_copies
from feat_pipeline.output.runlog import RunLog
from feat_pipeline.progress import progress
from feat_pipeline.runs.results import backend_of
from feat_pipeline.sources.frame import PathLike, Skipped
from feat_pipeline.weights.shipped import models_dir

if TYPE_CHECKING:
    import pandas as pd

    from analysis.autable import AUTable
    from analysis.explain import FaceExplanation
    from analysis.logit import MultinomialLogit

OUTPUTS = (
    filenames.PREDICTIONS,
    filenames.EXPLANATIONS,
    filenames.CONTRIBUTIONS,
    filenames.COUNTERFACTUALS,
    filenames.SKIPPED,
    filenames.RUN,
)
DRAWS = 500
MANY_FACES = 200
"""Tables of more faces get no changes by least squares, which take longest by far."""

_NO_NEUTRAL = "its person has too few measured faces for a neutral one"


@takes(ExplainOptions)
def explain_table(
    table: PathLike,
    *,
    out: PathLike,
    overwrite: bool = False,
    **options: object,
) -> list[str]:
    """Name and explain the emotion of every face in an AU table.

    Parameters
    ----------
    table : path
        AU table, ``.csv`` or ``.parquet``.
    out : path
        Folder that takes ``predictions.csv`` and ``explanations.jsonl`` as predict writes them (here also
        how certain the ranking is and what would change the answer), ``contributions.csv`` (a row for each
        face and AU), ``counterfactuals.csv``, ``skipped.csv``, ``run.json`` and a copy of the model.
    overwrite : bool
        Whether results of an earlier run in ``out`` may be replaced.
    **options : object
        Those of `ExplainOptions`, by name.

    Returns
    -------
    list of str
        What a reader has to know: rows left out, what the table's reading changed.

    Raises
    ------
    TableError, ModelError
        The table or the model cannot be read, or do not fit each other; no such emotion or baseline.
    InputError
        There is no such model.
    OutputError
        ``out`` cannot be written, or holds results and ``overwrite`` is false.
    UsageError
        The model looks at pixels, or ``person`` and ``baseline`` do not go together.
    """
    from analysis.autable import AUTable

    chosen = ExplainOptions.of(options)
    if (chosen.person is None) != (chosen.baseline != "person"):
        raise UsageError("person: expected with baseline 'person', and only there: a column of the table")
    name, regression = model_name(chosen.model), load_model(chosen.model)
    if not is_explainable(regression):
        raise UsageError(
            f"model {name}: has no coefficients; only a regression on AUs explains itself. "
            f"Predict with it, and explain its answers with 'feat-pipeline surrogate'"
        )
    folder = OutputFolder(out, (*OUTPUTS, *model_copies(out, [name])), overwrite=overwrite)
    log = RunLog("explain", {"table": str(table), **chosen.parameters()}, models=[name])
    whole = AUTable.read(str(table))
    run = _Run(whole, name, regression, log)
    explained = run.explained(chosen)
    folder.clear()
    with folder.all_or_nothing():
        run.write(folder, explained, chosen.counterfactuals)
        with named_errors(folder.path):
            regression.save(folder.path / filenames.MODEL_COPIES / name)
        folder.write_json(filenames.RUN, log.record() | run.facts())
    if chosen.report:
        from analysis.report import build_report

        build_report(folder.path)
    return run.notes


class _Run:
    """One table with its model: explains, then writes."""

    def __init__(self, table: AUTable, name: str, model: MultinomialLogit, log: RunLog) -> None:
        self.table, self.name, self.model, self.log = table, name, model, log
        self.notes: list[str] = list(table.notes)
        self.places = _places(table.frame)

    def explained(self, options: ExplainOptions) -> list[FaceExplanation | None]:
        """Explain every face; what cannot be explained is noted."""
        from analysis.baseline import person_baselines
        from analysis.explain import explain_many
        from analysis.labels import group_column

        neutral = None
        if options.person is not None:
            people = group_column(self.table, options.person)
            neutral = person_baselines(self.table, people).loc[people]
        found = explain_many(
            self.model,
            self.table,
            target=options.target,
            rival=options.rival,
            baseline=options.baseline,
            person=neutral,
            draws=DRAWS,
            validity=_validity(self.table),
        )
        measured = ~np.isnan(self.table.aus[self.model.feature_names_in_].to_numpy()).any(axis=1)
        for i in np.flatnonzero([explanation is None for explanation in found]):
            place = self.places[i]
            reason = f"face {place['face']}: {_NO_NEUTRAL if measured[i] else NOT_MEASURED}"
            self.log.skip(Skipped(place["input"], place["frame"], reason), "not measured")
        if self.log.skipped:
            self.notes.append(
                f"{len(self.log.skipped)} of {len(found)} faces have no explanation: see {filenames.SKIPPED}"
            )
        self.notes += dict.fromkeys(note for e in found if e is not None for note in e.notes)
        return found

    def write(
        self, folder: OutputFolder, explained: list[FaceExplanation | None], counterfactuals: bool
    ) -> None:
        """Write every file but run.json."""
        import pandas as pd

        classes = [str(emotion) for emotion in self.model.classes_]
        rows, changes = [], []
        kinds = self._kinds(len(explained)) if counterfactuals else ()
        with folder.open(filenames.EXPLANATIONS) as lines, folder.open(filenames.CONTRIBUTIONS) as cells:
            tidy = csv.writer(cells, lineterminator="\n")
            faces = zip(self.places, explained, strict=True)
            for place, explanation in progress(faces, total=len(explained), unit="face"):
                rows.append(prediction_row(place, self.name, self._probabilities(explanation)))
                if explanation is None:
                    continue
                found = explanation.counterfactual(kinds=kinds) if kinds else None
                change = None if found is None else found.to_dict()
                lines.write(explanation_line(place, self.name, explanation, counterfactual=change))
                tidy.writerows(_contributions(place, explanation, header=cells.tell() == 0))
                changes += [{**_which(place), **row} for row in (found.rows() if found else ())]
        predictions = pd.DataFrame(rows, columns=prediction_columns(classes))
        folder.write(filenames.PREDICTIONS, predictions.to_csv(index=False, float_format="%.6g"))
        if counterfactuals:
            text = pd.DataFrame(changes).to_csv(index=False, float_format="%.6g")
            folder.write(filenames.COUNTERFACTUALS, text)
        folder.write(filenames.SKIPPED, self.log.skipped_frame().to_csv(index=False))

    def facts(self) -> dict[str, Any]:
        """Entries of run.json."""
        return {
            "backend": backend_of(self.table),
            "counts": {
                "inputs": len({place["input"] for place in self.places}),
                "faces": len(self.places),
                "skipped": self.log.counts["skipped"],
            },
            "draws": DRAWS,
            "notes": self.notes,
        }

    def _kinds(self, faces: int) -> tuple[str, ...]:
        from analysis.explain.counterfactual import KINDS

        if faces <= MANY_FACES:
            return KINDS
        self.notes.append(
            f"no changes by least squares: {faces} faces; they are looked for in tables up to {MANY_FACES}"
        )
        return tuple(kind for kind in KINDS if kind != "least squares")

    def _probabilities(self, explanation: FaceExplanation | None) -> dict[str, float]:
        return {} if explanation is None else explanation.probabilities


def _places(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Tell of each row which face it is; what the table does not say is empty."""
    whole = frame.reindex(columns=list(PLACE))
    for column in ("frame", "face"):
        whole[column] = whole[column].fillna(0).astype(int)
    return whole.to_dict("records")


def _which(place: dict[str, Any]) -> dict[str, Any]:
    return {key: place[key] for key in FACE}


def _contributions(
    place: dict[str, Any], explanation: FaceExplanation, *, header: bool
) -> Iterator[list[str | float]]:
    """Lay out a face's rows of ``contributions.csv``, under the names of the columns with `header`."""
    aus = explanation.to_dict()["aus"]
    if header:
        yield [*FACE, "target", "rival", *aus[0]]
    front = [*_which(place).values(), explanation.target, explanation.rival]
    for au in aus:
        yield [*front, *(f"{value:.6g}" if isinstance(value, float) else value for value in au.values())]


def _validity(table: AUTable) -> dict[str, str]:
    """Tell what is known of each AU's measurement: by the backend's card, or by the table's metadata."""
    low = dict.fromkeys(table.extra.get("low_validity", ()), "low")
    card = models_dir() / table.backend / f"{table.backend}.json"
    if not card.is_file():
        return low
    try:
        aus = json.loads(card.read_text(encoding="utf-8"))["aus"]
        return {column: str(au["validity"]) for column, au in aus.items()} | low
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{card}: damaged ({error}); install the package again") from None
