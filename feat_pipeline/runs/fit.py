"""An AU table and labels in, a saved regression out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from analysis import filenames
from analysis.errors import FitError
from feat_pipeline.declared import takes
from feat_pipeline.errors import UsageError
from feat_pipeline.files import named_errors
from feat_pipeline.options.fit import FitOptions
from feat_pipeline.output.folder import OutputFolder
from feat_pipeline.output.runlog import RunLog
from feat_pipeline.sources.frame import PathLike

if TYPE_CHECKING:
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


@takes(FitOptions)
def fit(
    table: PathLike,
    *,
    out: PathLike,
    overwrite: bool = False,
    **options: object,
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
    overwrite : bool
        Whether a model in ``out`` may be replaced.
    **options : object
        Those of `FitOptions`, by name.

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

    chosen = FitOptions.of(options)
    _check(chosen)
    alpha = (0.0 if chosen.inference else 1.0) if chosen.alpha is None else chosen.alpha
    chosen = replace(chosen, alpha=alpha)
    model = MultinomialLogit(alpha=alpha, terms=chosen.terms, pairs=chosen.pairs)
    folder = OutputFolder(out, OUTPUTS, overwrite=overwrite)
    log = RunLog("fit", {"table": str(table), **chosen.parameters()})
    whole = AUTable.read(str(table))
    stated = None if chosen.labels is None else read_labels(str(chosen.labels))
    try:
        labelled, y, notes = _labelled(whole, stated, chosen.label_column)
        people = None if chosen.groups is None else group_column(labelled, chosen.groups)
        model.fit(labelled, y, groups=people)
        found, fallback = None, False
        if chosen.inference:
            found = model.inference(labelled, y, groups=people, reference=chosen.reference, seed=chosen.seed)
            fallback = not found.valid and model.alpha_ == 0
            if fallback:
                model = _ridge(model, found, labelled, y)
            if not found.valid:
                model.notes_.append(_no_p_values(found))
    except FitError as error:
        raise FitError(f"{table}: {error}") from None
    model.notes_ = [*whole.notes, *notes, *model.notes_]
    _score(model, labelled, y, people, chosen.folds, chosen.seed)
    folder.clear()
    with folder.all_or_nothing():
        _write(folder, model, found)
        folder.write_json(filenames.RUN, log.record() | {"scores": model.scores_, "notes": model.notes_})
    if chosen.report:
        from analysis.report import build_report

        build_report(folder.path)
    return FitResult(model, found, fallback)


def _check(options: FitOptions) -> None:
    if (options.labels is None) == (options.label_column is None):
        raise UsageError("labels: expected either a file of labels or a label column of the table")
    if options.folds < 2:
        raise UsageError(f"folds: expected 2 or more, got {options.folds}")
    if not 0 <= options.seed < 2**32:
        raise UsageError(f"seed: expected 0 to {2**32 - 1}, got {options.seed}")
    if options.reference is not None and not options.inference:
        raise UsageError(f"reference: {options.reference!r} is of use with inference only; add --inference")


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
