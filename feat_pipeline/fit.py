"""An AU table and labels in, a saved regression out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.errors import FitError
from feat_pipeline.errors import UsageError
from feat_pipeline.outputs import OutputFolder, PathLike, named_errors
from feat_pipeline.runlog import RunLog

if TYPE_CHECKING:
    from analysis.autable import AUTable
    from analysis.logit import MultinomialLogit

OUTPUTS = ("model.json", "coefficients.csv", "run.json")


def fit(
    table: PathLike,
    *,
    out: PathLike,
    labels: PathLike | None = None,
    label_column: str | None = None,
    alpha: float = 1.0,
    terms: str = "linear",
    groups: str | None = None,
    folds: int = 5,
    seed: int = 0,
    overwrite: bool = False,
) -> MultinomialLogit:
    """Fit the regression to labelled AUs, score it by cross-validation and save it.

    Parameters
    ----------
    table : path
        AU table, ``.csv`` or ``.parquet``.
    out : path
        Folder that takes ``model.json``, ``coefficients.csv`` and ``run.json``.
    labels : path, optional
        CSV with the columns ``input, label``.
    label_column : str, optional
        Column of the table that holds the labels; this or ``labels``.
    alpha, terms
        See ``analysis.logit.MultinomialLogit``.
    groups : str, optional
        Column of the table that names the person, so that no person is both trained on and tested on.
    folds, seed : int
        Of the cross-validation.
    overwrite : bool
        Whether a model in ``out`` may be replaced.

    Returns
    -------
    MultinomialLogit
        Fitted; ``scores_`` holds the cross-validated scores, ``notes_`` what was dropped or found wanting.

    Raises
    ------
    TableError, FitError
        The table or the labels cannot be read, do not match, or hold one single class.
    OutputError
        ``out`` cannot be written, or holds a model and ``overwrite`` is false.
    UsageError
        Neither or both of ``labels`` and ``label_column``, or fewer than two folds.
    """
    from analysis.autable import AUTable
    from analysis.logit import MultinomialLogit

    if (labels is None) == (label_column is None):
        raise UsageError("labels: expected either a file of labels or a label column of the table")
    if folds < 2:
        raise UsageError(f"folds: expected 2 or more, got {folds}")
    folder = OutputFolder(out, OUTPUTS, overwrite=overwrite)
    parameters = {"table": str(table), "labels": None if labels is None else str(labels)}
    parameters |= {"label_column": label_column, "alpha": alpha, "terms": terms}  # type: ignore[dict-item]
    log = RunLog("fit", {**parameters, "groups": groups, "folds": folds, "seed": seed})
    whole = AUTable.read(str(table))
    labelled, y, notes = _labelled(whole, labels, label_column)
    model = MultinomialLogit(alpha=alpha, terms=terms).fit(labelled, y)
    model.notes_ = [*whole.notes, *notes, *model.notes_]
    _score(model, labelled, y, _groups(labelled, groups), folds, seed)
    with named_errors(folder.path):
        model.save(folder.path)
    folder.write("coefficients.csv", model.coefficients().to_csv(index=False, float_format="%.10g"))
    folder.write_json("run.json", log.record() | {"scores": model.scores_, "notes": model.notes_})
    return model


def _labelled(table: AUTable, labels: PathLike | None, column: str | None) -> tuple[AUTable, Any, list[str]]:
    from analysis.labels import column_labels, join_labels, read_labels

    if labels is None:
        return column_labels(table, str(column))
    return join_labels(table, read_labels(str(labels)))


def _groups(table: AUTable, column: str | None) -> Any:
    if column is None:
        return None
    if column not in table.frame.columns:
        raise UsageError(f"groups: the table has no column {column!r}; name one that says who each face is")
    return table.frame[column].astype(str).to_numpy()


def _score(model: MultinomialLogit, X: AUTable, y: Any, groups: Any, folds: int, seed: int) -> None:
    from analysis.scores import cross_validate

    try:
        model.scores_ = cross_validate(model, X, y, groups, folds, seed)
    except FitError as error:  # too few rows to hold any out; the model itself stands
        model.notes_.append(f"not scored: {error}")
