"""An AU table and labels in, a saved regression out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis import filenames
from analysis.errors import FitError
from feat_pipeline.errors import UsageError
from feat_pipeline.files import named_errors
from feat_pipeline.output.folder import OutputFolder
from feat_pipeline.output.runlog import RunLog
from feat_pipeline.sources.frame import PathLike

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd

    from analysis.autable import AUTable
    from analysis.inference import Inference
    from analysis.logit import MultinomialLogit

INFERRED = ("log_odds.csv", "marginal_effects.csv", "joint.csv", "prototypes.csv")
OUTPUTS = (*filenames.OF_A_MODEL, *INFERRED, filenames.RUN)
MANY_CLASSES = 20


@dataclass(frozen=True, eq=False)
class FitResult:
    """What `fit` found.

    Parameters
    ----------
    model : MultinomialLogit
        As it was saved; ``scores_`` holds the cross-validated scores, ``notes_`` what was dropped or found
        wanting.
    inference : Inference or None
        Where it was asked for.
    fallback : bool
        Whether the model is a ridge in place of the unpenalised regression that was asked for, because
        inference from that one is not valid; the last of the model's ``notes_`` says why.
    """

    model: MultinomialLogit
    inference: Inference | None = None
    fallback: bool = False


def fit(
    table: PathLike,
    *,
    out: PathLike,
    labels: PathLike | None = None,
    label_column: str | None = None,
    alpha: float | str | None = None,
    terms: str = "linear",
    pairs: str | Sequence[tuple[str, str]] = "auto",
    groups: str | None = None,
    folds: int = 5,
    seed: int = 0,
    inference: bool = False,
    reference: str | None = None,
    report: bool = False,
    overwrite: bool = False,
) -> FitResult:
    """Fit the regression to labelled AUs, score it by cross-validation and save it.

    Parameters
    ----------
    table : path
        AU table, ``.csv`` or ``.parquet``.
    out : path
        Folder that takes ``model.json``, ``coefficients.csv`` and ``run.json``; with `inference` also
        ``inference.json``, ``log_odds.csv``, ``marginal_effects.csv``, where tests are valid
        ``joint.csv``, and where emotions have prototypes ``prototypes.csv``.
    labels : path, optional
        CSV with the columns ``input, label``.
    label_column : str, optional
        Column of the table that holds the labels; this or ``labels``.
    alpha : float or 'cv', optional
        Ridge strength; default 1, or 0 with `inference`.
    terms, pairs
        See ``analysis.logit.MultinomialLogit``.
    groups : str, optional
        Column of the table that names the person, or ``COLUMN:REGEX``, so that no person is both trained
        on and tested on, and errors are clustered.
    folds, seed : int
        Of the cross-validation; `seed` also of the bootstrap.
    inference : bool
        Whether to compute errors, tests and marginal effects (``analysis.inference.infer``). Where they are
        not valid the saved model is the ridge that takes their place, and ``notes_`` says why.
    reference : str, optional
        The emotion that odds are against; default neutral.
    report : bool
        Whether to write ``report.html``.
    overwrite : bool
        Whether a model in ``out`` may be replaced.

    Returns
    -------
    FitResult
        ``fallback`` tells whether its model is another than was asked for.

    Raises
    ------
    TableError, FitError
        The table or the labels cannot be read, do not match, or hold one single class.
    OutputError
        ``out`` cannot be written, or holds a model and ``overwrite`` is false.
    UsageError
        Neither or both of ``labels`` and ``label_column``, fewer than two folds, a negative seed, or a
        reference without inference.
    """
    from analysis.autable import AUTable
    from analysis.labels import group_column, read_labels
    from analysis.logit import MultinomialLogit

    _check(labels, label_column, folds, seed, inference, reference)
    if alpha is None:
        alpha = 0.0 if inference else 1.0
    model = MultinomialLogit(alpha=alpha, terms=terms, pairs=pairs)
    folder = OutputFolder(out, OUTPUTS, overwrite=overwrite)
    parameters: dict[str, Any] = {"table": str(table), "labels": None if labels is None else str(labels)}
    parameters |= {"label_column": label_column, "groups": groups, "folds": folds, "seed": seed}
    parameters |= {"alpha": alpha, "terms": terms, "pairs": pairs}
    log = RunLog("fit", parameters | {"inference": inference, "reference": reference, "report": report})
    whole = AUTable.read(str(table))
    stated = None if labels is None else read_labels(str(labels))
    try:
        labelled, y, notes = _labelled(whole, stated, label_column)
        people = None if groups is None else group_column(labelled, groups)
        model.fit(labelled, y, groups=people)
        found, fallback = None, False
        if inference:
            found = model.inference(labelled, y, groups=people, reference=reference, seed=seed)
            fallback = not found.valid and model.alpha_ == 0
            if fallback:
                model = _ridge(model, found, labelled, y)
            if not found.valid:
                model.notes_.append(_no_p_values(found))
    except FitError as error:
        raise FitError(f"{table}: {error}") from None
    model.notes_ = [*whole.notes, *notes, *model.notes_]
    _score(model, labelled, y, people, folds, seed)
    folder.clear()
    with folder.all_or_nothing():
        _write(folder, model, found)
        folder.write_json(filenames.RUN, log.record() | {"scores": model.scores_, "notes": model.notes_})
    if report:
        from analysis.report import build_report

        build_report(folder.path)
    return FitResult(model, found, fallback)


def _check(
    labels: PathLike | None,
    label_column: str | None,
    folds: int,
    seed: int,
    inference: bool,
    reference: str | None,
) -> None:
    if (labels is None) == (label_column is None):
        raise UsageError("labels: expected either a file of labels or a label column of the table")
    if folds < 2:
        raise UsageError(f"folds: expected 2 or more, got {folds}")
    if not 0 <= seed < 2**32:
        raise UsageError(f"seed: expected 0 to {2**32 - 1}, got {seed}")
    if reference is not None and not inference:
        raise UsageError(f"reference: {reference!r} is of use with inference only; add --inference")


def _labelled(
    table: AUTable, labels: pd.DataFrame | None, column: str | None
) -> tuple[AUTable, np.ndarray, list[str]]:
    from analysis.labels import column_labels, join_labels

    labelled, y, notes = column_labels(table, str(column)) if labels is None else join_labels(table, labels)
    classes = len(set(y))
    if classes > MANY_CLASSES and 2 * classes > len(y):  # names or numbers; a fit would take hours
        raise FitError(
            f"labels: {classes} different ones in {len(y)} rows, such as {y[0]!s} and {y[1]!s}; "
            f"expected several rows of each emotion, so name another column or file"
        )
    return labelled, y, notes


def _ridge(model: MultinomialLogit, found: Inference, X: AUTable, y: np.ndarray) -> MultinomialLogit:
    """Fit the ridge that the inference fell back on."""
    return type(model)(**(model.get_params() | {"alpha": found.facts["alpha"]})).fit(X, y)


def _no_p_values(found: Inference) -> str:
    return (
        f"no p-values, because {'; '.join(found.facts['why'])}. "
        f"Instead: {found.facts['method']}, alpha = {found.facts['alpha']:g}"
    )


def _write(folder: OutputFolder, model: MultinomialLogit, found: Inference | None) -> None:
    coefficients = model.coefficients()
    if found is not None:
        import pandas as pd

        from analysis.compare.prototypes import against_prototypes

        theory = against_prototypes(found if model.terms == "linear" else model)
        if len(theory):  # it knows the basic emotions only
            found.tables["prototypes"] = theory

        intercepts = found.tables["intercepts"].assign(au="", term="intercept")
        coefficients = pd.concat([intercepts, found.coefficients])[found.coefficients.columns]
        for name in ("log_odds", "marginal_effects", "joint", "prototypes"):
            if name in found.tables:
                _write_table(folder, name, found.tables[name])
    with named_errors(folder.path):
        model.save(folder.path)
        if found is not None:
            found.save(folder.path)
    _write_table(folder, "coefficients", coefficients)


def _write_table(folder: OutputFolder, name: str, table: pd.DataFrame) -> None:
    folder.write(f"{name}.csv", table.to_csv(index=False, float_format="%.10g"))


def _score(model: MultinomialLogit, X: AUTable, y: Any, groups: Any, folds: int, seed: int) -> None:
    from analysis.compare.scores import cross_validate

    try:
        model.scores_ = cross_validate(model, X, y, groups, folds, seed)
    except FitError as error:  # too few rows to hold any out; the model itself stands
        model.notes_.append(f"not scored: {error}")
