"""From whatever holds AUs to a matrix: with names when a model is fitted, by name when it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike

from analysis.au_names import read_names
from analysis.errors import FitError, ModelError
from analysis.facs import SCALES, parse_column

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from typing_extensions import TypeIs


class NamedMatrix(NamedTuple):
    """AU values (n, p) float64 with the names of their columns, and what measured them."""

    values: np.ndarray
    names: list[str]
    backend: str
    scale: str


class MeasuredAUs(Protocol):
    """Rows of AUs with what measured them, such as an `analysis.AUTable`."""

    frame: pd.DataFrame
    backend: str

    @property
    def au_columns(self) -> list[str]:
        """The AU columns of `frame`."""


AURows: TypeAlias = "MeasuredAUs | pd.DataFrame | ArrayLike"
"""AUs of n faces: a table, whose columns are found by name, or an (n, p) array."""


FaceAUs: TypeAlias = "Mapping[str, float] | AURows"
"""AUs of one face: by column, or in the order of a model's `input_names_`."""


class AUModel(Protocol):
    """What a fitted model says of the AUs that it takes."""

    feature_names_in_: np.ndarray
    input_names_: list[str]
    backend_: str
    scale_: str


def is_measured(X: FaceAUs) -> TypeIs[MeasuredAUs]:
    """Tell a table that says what measured it from a DataFrame or an array."""
    return hasattr(X, "au_columns")


def named_matrix(X: AURows) -> NamedMatrix:
    """Read training rows.

    Parameters
    ----------
    X : AUTable, DataFrame or (n, p) array
        Of a DataFrame the AU columns count, or all columns where none is an AU. An array's columns
        are called 'x0', 'x1' and so on.

    Returns
    -------
    NamedMatrix

    Raises
    ------
    FitError
        For text or infinite values, AUs on two scales, or no column at all.
    """
    backend, frame = _backend_and_rows(X)
    if is_measured(X):
        names = list(X.au_columns)
    elif hasattr(frame, "columns"):
        columns = [str(name) for name in frame.columns]
        names = [name for name in columns if parse_column(name)] or columns
    else:
        values = _numbers(frame, "X", FitError)
        if values.ndim != 2:
            raise FitError(f"X: expected rows of AUs, got an array of {values.ndim} dimensions")
        return NamedMatrix(_finite(values), [f"x{j}" for j in range(values.shape[1])], backend, "")
    scales = sorted({parsed[1] for name in names if (parsed := parse_column(name))})
    if len(scales) > 1:
        raise FitError(f"X: AU columns on several scales ({', '.join(f'_{s}' for s in scales)}); keep one")
    values = _columns(frame, names, FitError)
    return NamedMatrix(_finite(values), names, backend, scales[0] if scales else "")


def aligned(X: AURows, model: AUModel) -> np.ndarray:
    """Read rows for a model that is fitted.

    Parameters
    ----------
    X : AUTable, DataFrame or (n, p) array
        AUs by name in any order, or an array with the columns `model.input_names_`.
    model : AUModel
        Such as a `MultinomialLogit`.

    Returns
    -------
    (n, p) float64 ndarray
        Columns in the order of `model.feature_names_in_`.

    Raises
    ------
    ModelError
        For AUs missing, on another scale, of another backend, or text; for a model not fitted.
    """
    if not hasattr(model, "feature_names_in_"):
        raise ModelError("the model is not fitted: call fit first")
    names = model.feature_names_in_.tolist()
    backend, frame = _backend_and_rows(X)
    if "unknown" not in (backend, model.backend_) and backend != model.backend_:
        raise ModelError(
            f"the model was fitted on AUs of backend {model.backend_!r}, the table is of {backend!r}: "
            f"extract again with --backend {model.backend_}, or fit a model on this table"
        )
    if hasattr(frame, "columns"):
        _check_names(names, [str(name) for name in frame.columns])
        return _columns(frame, names, ModelError)
    values = _numbers(frame, "X", ModelError)
    if values.ndim != 2 or values.shape[1] != len(model.input_names_):
        raise ModelError(
            f"X: expected (n, {len(model.input_names_)}) for the columns {', '.join(model.input_names_[:4])}"
            f"{' ...' if len(model.input_names_) > 4 else ''}, got shape {values.shape}"
        )
    return values[:, [model.input_names_.index(name) for name in names]]


def checked_labels(y: ArrayLike, rows: int) -> np.ndarray:
    """Take labels (rows,) as text, or as the integers or booleans they are; FitError for gaps."""
    labels = np.asarray(y)
    if labels.shape != (rows,):
        raise FitError(f"labels: expected {rows}, one for each row, got an array of shape {labels.shape}")
    if labels.dtype.kind in "iub":
        return labels
    missing = np.array([label is None or label != label for label in labels.tolist()], dtype=bool)
    if missing.any():
        raise FitError(f"labels: {missing.sum()} of {rows} rows have none; leave those rows out")
    return labels.astype(str)


def checked_shares(probabilities: ArrayLike, classes: ArrayLike, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Take soft labels (rows, K) and sort their columns by class; FitError unless rows sum to 1."""
    labels = np.asarray(classes)
    labels = checked_labels(labels, len(labels))
    shares = _numbers(probabilities, "probabilities", FitError)
    if shares.shape != (rows, len(labels)):
        raise FitError(f"probabilities: expected shape ({rows}, {len(labels)}), got {shares.shape}")
    if not ((shares >= 0).all() and np.allclose(shares.sum(axis=1), 1.0, atol=1e-3)):
        raise FitError("probabilities: expected numbers >= 0 in rows that sum to 1")
    if len(np.unique(labels)) < len(labels):
        raise FitError("classes: each must occur once")
    order = np.argsort(labels)
    return labels[order], shares[:, order] / shares.sum(axis=1, keepdims=True)


def checked_weights(sample_weight: ArrayLike | None, rows: int) -> np.ndarray | None:
    """Take importance weights (rows,) as float64; FitError unless all are finite and >= 0."""
    if sample_weight is None:
        return None
    weights = np.asarray(sample_weight, dtype=float)
    if weights.shape != (rows,) or not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise FitError(f"sample_weight: expected {rows} numbers >= 0, got an array of shape {weights.shape}")
    return weights


def _backend_and_rows(X: AURows) -> tuple[str, pd.DataFrame | ArrayLike]:
    """Take an AUTable apart; a DataFrame may well have a column that is called 'frame'."""
    if is_measured(X):
        return X.backend, X.frame
    if hasattr(X, "columns"):
        frame = cast("pd.DataFrame", X)
        return "unknown", frame.set_axis(
            read_names(frame.columns, "X"), axis=1
        )  # OpenFace's begin with blanks
    return "unknown", X


def _check_names(wanted: list[str], present: list[str]) -> None:
    missing = sorted(set(wanted) - set(present))
    if not missing:
        return
    scales = sorted({p[1] for name in present if (p := parse_column(name))})
    needed = sorted({p[1] for name in missing if (p := parse_column(name))})
    if scales and needed and needed[0] not in scales:
        raise ModelError(
            f"the model needs AUs on scale _{needed[0]} ({SCALES[needed[0]]}), the table has "
            f"_{scales[0]} ({SCALES[scales[0]]}): use a model fitted on that scale"
        )
    aus = [name for name in present if parse_column(name)] or present
    has = ", ".join(aus[:40]) or "no columns"
    raise ModelError(f"the model needs {', '.join(missing)}, which the table lacks; it has {has}")


def _columns(frame: pd.DataFrame, names: list[str], error: type[FitError] | type[ModelError]) -> np.ndarray:
    if not names:
        raise error("X: no columns")
    picked = frame[names]
    if all(getattr(dtype, "kind", "O") in "fiub" for dtype in picked.dtypes):
        return np.asarray(picked.to_numpy(dtype=np.float64))
    return np.column_stack([_numbers(picked[name], f"column {name}", error) for name in names])


def _numbers(values: ArrayLike, what: str, error: type[FitError] | type[ModelError]) -> np.ndarray:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as problem:
        raise error(f"{what}: expected numbers ({problem})") from None


def _finite(values: np.ndarray) -> np.ndarray:
    if np.isinf(values).any():
        raise FitError(f"X: {np.isinf(values).any(axis=1).sum()} rows hold infinite values")
    return values
