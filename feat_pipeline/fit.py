"""An AU table and labels in, a saved regression out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.errors import FitError
from feat_pipeline.errors import UsageError
from feat_pipeline.outputs import OutputFolder, named_errors
from feat_pipeline.runlog import RunLog
from feat_pipeline.sources import PathLike

if TYPE_CHECKING:
    import pandas as pd

    from analysis.autable import AUTable
    from analysis.logit import MultinomialLogit

OUTPUTS = ("model.json", "coefficients.csv", "run.json")
MANY_CLASSES = 20


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
        Neither or both of ``labels`` and ``label_column``, fewer than two folds, or a negative seed.
    """
    from analysis.autable import AUTable
    from analysis.labels import read_labels
    from analysis.logit import MultinomialLogit

    if (labels is None) == (label_column is None):
        raise UsageError("labels: expected either a file of labels or a label column of the table")
    if folds < 2:
        raise UsageError(f"folds: expected 2 or more, got {folds}")
    if not 0 <= seed < 2**32:
        raise UsageError(f"seed: expected 0 to {2**32 - 1}, got {seed}")
    model = MultinomialLogit(alpha=alpha, terms=terms)
    folder = OutputFolder(out, OUTPUTS, overwrite=overwrite)
    parameters = {"table": str(table), "labels": None if labels is None else str(labels)}
    parameters |= {"label_column": label_column, "alpha": alpha, "terms": terms}  # type: ignore[dict-item]
    log = RunLog("fit", {**parameters, "groups": groups, "folds": folds, "seed": seed})
    whole = AUTable.read(str(table))
    stated = None if labels is None else read_labels(str(labels))
    try:
        labelled, y = _fit(model, whole, stated, label_column)
    except FitError as error:
        raise FitError(f"{table}: {error}") from None
    _score(model, labelled, y, _groups(labelled, groups), folds, seed)
    with folder.all_or_nothing():
        with named_errors(folder.path):
            model.save(folder.path)
        folder.write("coefficients.csv", model.coefficients().to_csv(index=False, float_format="%.10g"))
        folder.write_json("run.json", log.record() | {"scores": model.scores_, "notes": model.notes_})
    return model


def _fit(
    model: MultinomialLogit, table: AUTable, labels: pd.DataFrame | None, column: str | None
) -> tuple[AUTable, Any]:
    from analysis.labels import column_labels, join_labels

    labelled, y, notes = column_labels(table, str(column)) if labels is None else join_labels(table, labels)
    classes = len(set(y))
    if classes > MANY_CLASSES and 2 * classes > len(y):  # names or numbers; a fit would take hours
        raise FitError(
            f"labels: {classes} different ones in {len(y)} rows, such as {y[0]!s} and {y[1]!s}; "
            f"expected several rows of each emotion, so name another column or file"
        )
    model.fit(labelled, y)
    model.notes_ = [*table.notes, *notes, *model.notes_]
    return labelled, y


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
