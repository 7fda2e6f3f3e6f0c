"""An AU table and labels in, a saved regression out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis import filenames
from analysis.errors import FitError
from feat_pipeline.declared import takes
from feat_pipeline.errors import UsageError
from feat_pipeline.files import named_errors
from feat_pipeline.options.fit import FitOptions
from feat_pipeline.output.folder import OutputFolder
from feat_pipeline.output.runlog import RunLog
from feat_pipeline.runs.labelled import kept_together, labelled_table, persons_columns
from feat_pipeline.sources.frame import PathLike

if TYPE_CHECKING:
    import pandas as pd

    from analysis.autable import AUTable
    from analysis.duplicates import Copies
    from analysis.inference import Inference
    from analysis.logit import MultinomialLogit

INFERRED = ("log_odds.csv", "marginal_effects.csv", "joint.csv", "prototypes.csv")
OUTPUTS = (*filenames.OF_A_MODEL, *INFERRED, filenames.RUN)
MANY_CLASSES = 20
UNKNOWN = "unknown"  # the backend of a table that does not name it


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
    unknown : list of str
        What the table does not say of its AUs, and how to say it.
    """

    model: MultinomialLogit
    inference: Inference | None = None
    fallback: bool = False
    unknown: list[str] = field(default_factory=list)


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
        Neither or both of ``labels`` and ``label_column``, fewer than two folds, a negative seed, a
        reference without inference, or another backend than the table's.
    """
    from analysis.autable import AUTable
    from analysis.duplicates import copies
    from analysis.logit import MultinomialLogit

    chosen = FitOptions.of(options)
    _check(chosen)
    alpha = (0.0 if chosen.inference else 1.0) if chosen.alpha is None else chosen.alpha
    chosen = replace(chosen, alpha=alpha)
    model = MultinomialLogit(alpha=alpha, terms=chosen.terms, pairs=chosen.pairs)
    folder = OutputFolder(out, OUTPUTS, overwrite=overwrite)
    log = RunLog("fit", {"table": str(table), **chosen.parameters()})
    texts = [*persons_columns(chosen.groups), *filter(None, [chosen.label_column])]
    whole, origin = _stated_backend(AUTable.read(str(table), text_columns=texts), chosen.backend, str(table))
    try:
        labelled, y, people, notes = labelled_table(
            whole,
            chosen.labels,
            chosen.label_column,
            chosen.groups,
            allow_unlabelled=chosen.allow_unlabelled,
        )
        _check_classes(y)
        repeated = copies(labelled)
        units = kept_together(people, repeated.exact)
        rows, found, fallback = np.arange(len(y)), None, False
        if chosen.inference:
            rows, units, once = _once(y, people, repeated)
            notes += once
        model.fit(labelled.with_rows(rows), y[rows], groups=None if units is None else units[rows])
        if chosen.inference:
            found, model, fallback = _inferred(model, labelled.with_rows(rows), y[rows], units, rows, chosen)
    except FitError as error:
        raise FitError(f"{table}: {error}") from None
    model.notes_ = [*whole.notes, *notes, *repeated.notes, *model.notes_]
    _score(model, labelled, y, kept_together(people, repeated.exact), chosen.folds, chosen.seed)
    if model.scores_:
        model.scores_["grouped"] = people is not None
    folder.clear()
    with folder.all_or_nothing():
        _write(folder, model, found)
        folder.write_json(
            filenames.RUN, log.record() | {"scores": model.scores_, "notes": model.notes_, "unknown": origin}
        )
    if chosen.report:
        from analysis.report import build_report

        build_report(folder.path)
    return FitResult(model, found, fallback, origin)


def _check(options: FitOptions) -> None:
    if (options.labels is None) == (options.label_column is None):
        raise UsageError("labels: expected either a file of labels or a label column of the table")
    if options.folds < 2:
        raise UsageError(f"folds: expected 2 or more, got {options.folds}")
    if not 0 <= options.seed < 2**32:
        raise UsageError(f"seed: expected 0 to {2**32 - 1}, got {options.seed}")
    if options.reference is not None and not options.inference:
        raise UsageError(f"reference: {options.reference!r} is of use with inference only; add --inference")


def _stated_backend(table: AUTable, backend: str | None, path: str) -> tuple[AUTable, list[str]]:
    """Take what measured the AUs from the table, or else from the option; say where neither does."""
    from analysis.autable import AUTable as Table
    from analysis.facs import SCALES

    if backend is None:
        if table.backend != UNKNOWN:
            return table, []
        return table, [
            f"{path} does not say what measured its AUs (no .meta.json beside it); they are taken for "
            f"{SCALES[table.scale]}, and predict will not know which backend the model needs: name it "
            "with --backend"
        ]
    if table.backend not in (UNKNOWN, backend):
        raise UsageError(f"backend: {path} says that {table.backend} measured its AUs, not {backend}")
    stated = Table(
        table.frame,
        backend=backend,
        backend_version=table.backend_version,
        scale=table.scale,
        extra=table.extra,
    )
    stated.notes = table.notes
    return stated, []


def _check_classes(y: np.ndarray) -> None:
    classes = len(set(y))
    if classes > MANY_CLASSES and 2 * classes > len(y):  # names or numbers; a fit would take hours
        raise FitError(
            f"labels: {classes} different ones in {len(y)} rows, such as {y[0]!s} and {y[1]!s}; "
            f"expected several rows of each emotion, so name another column or file"
        )


def _once(
    y: np.ndarray, people: np.ndarray | None, repeated: Copies
) -> tuple[np.ndarray, np.ndarray | None, list[str]]:
    """Count copies once: rows to infer from, what clusters all rows, and what was done."""
    keys = [repeated.exact, np.unique(y, return_inverse=True)[1]]
    keys += [] if people is None else [np.unique(people, return_inverse=True)[1]]
    rows = np.sort(np.unique(np.column_stack(keys), axis=0, return_index=True)[1])
    gone = len(y) - len(rows)
    notes = [f"{gone} of {len(y)} rows are copies: inference and model count each face once"] if gone else []
    units = kept_together(people, repeated.exact if people is not None else repeated.near)
    if units is not None and len(np.unique(units[rows])) == len(rows):
        return rows, None if people is None else units, notes
    if people is None and units is not None:
        notes.append("the remaining copies are taken together: errors are clustered by them")
    return rows, units, notes


def _inferred(
    model: MultinomialLogit,
    X: AUTable,
    y: np.ndarray,
    units: np.ndarray | None,
    rows: np.ndarray,
    options: FitOptions,
) -> tuple[Inference, MultinomialLogit, bool]:
    """Infer, and return the model to save: the ridge that takes its place where tests do not hold."""
    groups = None if units is None else units[rows]
    found = model.inference(X, y, groups=groups, reference=options.reference, seed=options.seed)
    fallback = not found.valid and model.alpha_ == 0
    if fallback:
        model = _ridge(model, found, X, y)
    if not found.valid:
        model.notes_.append(_no_p_values(found))
    return found, model, fallback


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
