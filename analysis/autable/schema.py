"""What the columns of an AU table must hold, as a pandera schema, and its failures in one line."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from analysis.errors import TableError
from analysis.facs import SCALES

_WHOLE = ("frame", "face")
_REAL = ("time_s", "x", "y", "w", "h", "confidence", "pose_Rx", "pose_Ry", "pose_Rz")
_LANDMARK = re.compile(r"^[xy]_\d+$")
_LARGEST = 2.0**53  # beyond it float64 knows no single whole numbers


def validated(
    frame: pd.DataFrame, au_columns: list[str], limits: tuple[float, float], scale: str, source: str
) -> pd.DataFrame:
    """Check a table's values.

    Parameters
    ----------
    frame : DataFrame
        The rows.
    au_columns : list of str
        Its AU columns, all of one scale.
    limits : tuple of float
        The smallest and the largest AU value.
    scale : {'r', 'c', 'p'}
        The scale.
    source : str
        How errors call the table.

    Returns
    -------
    DataFrame
        The same rows with AUs as float64 and `frame`, `face` as int64.

    Raises
    ------
    TableError
        One line that names the column, the first bad rows, what was expected and what came.
    """
    import pandera.errors
    import pandera.pandas as pa

    number = f"a number {limits[0]:g} to {limits[1]:g}" if scale != "c" else "0 or 1"
    check = pa.Check.isin([0.0, 1.0]) if scale == "c" else pa.Check.in_range(*limits)
    columns: dict[str, Any] = {
        name: pa.Column(float, check, coerce=True, nullable=True) for name in au_columns
    }
    whole = pa.Check(lambda values: (values % 1 == 0) & (values.abs() < _LARGEST), name="whole number")
    finite = pa.Check(lambda values: values.abs() != float("inf"), name="finite")
    columns |= {name: pa.Column(float, whole, coerce=True) for name in _WHOLE if name in frame}
    real = [name for name in _REAL if name in frame]
    # that landmarks are numbers is seen faster by their types
    real += [n for n in frame.columns if _LANDMARK.match(n) and frame[n].dtype.kind not in "fiu"]
    columns |= {name: pa.Column(float, finite, coerce=True, nullable=True) for name in real}
    try:
        checked = pa.DataFrameSchema(columns).validate(frame[[*columns]], lazy=True)
        checked = checked.astype({name: "int64" for name in _WHOLE if name in checked})
        return frame.assign(**{name: checked[name] for name in columns})
    except pandera.errors.SchemaErrors as error:
        cases = error.failure_cases
    expected = dict.fromkeys(au_columns, f"{number} ({SCALES[scale]}) or empty")
    expected |= dict.fromkeys(_WHOLE, "a whole number") | dict.fromkeys(_REAL, "a number or empty")
    raise TableError(f"{source}: {_listed(cases, expected)}")


def _listed(cases: pd.DataFrame, expected: dict[str, str]) -> str:
    by_column: dict[str, dict[int, Any]] = {}
    for name, row, value in zip(cases["column"], cases["index"], cases["failure_case"], strict=True):
        if row is not None and row == row:
            by_column.setdefault(str(name), {})[int(row)] = value
        else:
            by_column.setdefault(str(name), {})
    name, bad = next(iter(by_column.items()))
    shown = ", ".join(f"row {row + 1}: {value!r}" for row, value in sorted(bad.items())[:3])
    if len(bad) > 3:
        shown += f" and {len(bad) - 3} more"
    others = [other for other in by_column if other != name]
    also = f"; also bad: {', '.join(others[:5])}{' ...' if len(others) > 5 else ''}" if others else ""
    return f"column {name} must hold {expected.get(name, 'a number')}, got {shown or 'something else'}{also}"
