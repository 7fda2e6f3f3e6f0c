"""How far two backends agree on the Action Units of the same faces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from analysis.autable import AUTable
from analysis.errors import TableError
from analysis.facs import SCALE_RANGES, parse_column
from analysis.pairing import pair_rows

LONGEST_GROUP = 30
FEWEST_GROUPS = 5
COLUMNS = (
    *("first", "second", "au", "n", "pearson", "pearson_low", "pearson_high"),
    *("icc", "icc_low", "icc_high", "icc_consistency", "mean_first", "mean_second", "sd_first", "sd_second"),
)


@dataclass(frozen=True, eq=False)
class Agreement:
    """What `compare_tables` and `compare_all` found.

    Parameters
    ----------
    frame : DataFrame
        A row for each pair of tables and AU, with `COLUMNS`. Intervals are 95 % bootstrap intervals. Means
        and standard deviations are shares of the scale's range: where faces hardly differ, no backend can
        agree with another on their order.
    pairs : DataFrame
        A row for each pair of tables: ``first, second, rows`` (paired and measured by both), ``rows_first,
        rows_second, aus``, and the medians over AUs ``pearson`` and ``icc``.
    """

    frame: pd.DataFrame
    pairs: pd.DataFrame


def compare_all(tables: Mapping[str, AUTable], *, resamples: int = 1000, seed: int = 0) -> Agreement:
    """Compare each table with each of the others.

    Parameters
    ----------
    tables : mapping of str to AUTable
        Two or more, by the names that the result gives them.
    resamples, seed : int
        As for `compare_tables`.

    Returns
    -------
    Agreement

    Raises
    ------
    TableError
        Fewer than two tables, or two that have no input or no AU in common.
    """
    if len(tables) < 2:
        raise TableError(f"tables: expected two or more to compare, got {len(tables)}")
    found = [
        compare_tables(tables[a], tables[b], names=(a, b), resamples=resamples, seed=seed)
        for a, b in combinations(tables, 2)
    ]
    return Agreement(
        pd.concat([one.frame for one in found], ignore_index=True),
        pd.concat([one.pairs for one in found], ignore_index=True),
    )


def compare_tables(
    first: AUTable,
    second: AUTable,
    *,
    names: tuple[str, str] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Agreement:
    """Compare two tables row by row: the same faces, measured by two backends.

    Parameters
    ----------
    first, second : AUTable
        Paired by `analysis.pairing.pair_rows`. AUs are compared by number, whatever their scales.
    names : (str, str), optional
        What the result calls them; by default their backends.
    resamples : int
        Draws of the bootstrap; 0: no intervals.
    seed : int
        Of the draws.

    Returns
    -------
    Agreement

    Raises
    ------
    TableError
        The tables have no input or no AU in common.

    Notes
    -----
    ``pearson`` is that of the values as they are: it asks whether both order the faces alike, and no scale
    matters to it. ``icc`` is ICC(A,1), absolute agreement of single measurements (McGraw & Wong 1996, case
    2A), of each value as a share of its scale's range (`_r` / 5, `_p` and `_c` as they are): it asks whether
    one may stand for the other, so that a shift or a stretch between them costs. ``icc_consistency`` is
    ICC(C,1), Shrout & Fleiss's (1979) ICC(3,1), of the same shares, which forgives a shift. Values brought to
    equal variances, z-scores for one, would make it the same number as Pearson's.

    A statistic is NaN where a table has one value only. The bootstrap draws photos or videos; one with more
    than `LONGEST_GROUP` rows is drawn in runs of consecutive rows, as many as the square root of their
    number, because neighbouring frames are nearly the same measurement. With fewer than `FEWEST_GROUPS`
    there is no interval.
    """
    labels = names or (first.backend, second.backend)
    numbers = sorted(set(_columns(first)) & set(_columns(second)))
    if not numbers:
        raise TableError(f"{labels[0]} and {labels[1]} have no AU in common; they measure different ones")
    a, b = (_shares(table, numbers) for table in (first, second))
    pairs = pair_rows(first, second)
    seen = np.isfinite(a[pairs[:, 0]]).any(axis=1) & np.isfinite(b[pairs[:, 1]]).any(axis=1)
    pairs = pairs[seen]
    groups = _groups(first.frame["input"].to_numpy()[pairs[:, 0]])
    rows = []
    for place, number in enumerate(numbers):
        x, y = a[pairs[:, 0], place], b[pairs[:, 1], place]
        rows.append((*labels, f"AU{number:02d}", *_compare(x, y, groups, resamples, seed)))
    frame = pd.DataFrame(rows, columns=COLUMNS)
    summary = {
        "first": labels[0],
        "second": labels[1],
        "rows": len(pairs),
        "rows_first": len(first),
        "rows_second": len(second),
        "aus": len(numbers),
        "pearson": frame["pearson"].median(),
        "icc": frame["icc"].median(),
    }
    return Agreement(frame, pd.DataFrame([summary]))


def _columns(table: AUTable) -> dict[int, str]:
    return {parsed[0]: name for name in table.au_columns if (parsed := parse_column(name))}


def _shares(table: AUTable, numbers: list[int]) -> np.ndarray:
    """AUs as shares of their scale's range, (rows, AUs)."""
    low, high = SCALE_RANGES[table.scale]
    columns = _columns(table)
    values = table.frame[[columns[number] for number in numbers]].to_numpy(np.float64)
    return np.asarray((values - low) / (high - low))


def _groups(inputs: np.ndarray) -> np.ndarray:
    """Give the rows that the bootstrap draws as one the same number."""
    codes = pd.factorize(inputs)[0]
    groups = np.zeros(len(codes), dtype=np.int64)
    count = 0
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        runs = round(np.sqrt(len(rows))) if len(rows) > LONGEST_GROUP else 1
        groups[rows] = count + np.arange(len(rows)) * runs // len(rows)
        count += runs
    return groups


def _compare(
    x: np.ndarray, y: np.ndarray, groups: np.ndarray, resamples: int, seed: int
) -> tuple[float, ...]:
    """One AU's numbers, in the order of `COLUMNS` from ``n`` on."""
    both = np.isfinite(x) & np.isfinite(y)
    x, y, groups = x[both], y[both], groups[both]
    moments = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y])
    whole = moments.sum(axis=1)
    pearson, icc, consistency = _statistics(whole[:, None])[:, 0]
    kinds, numbers = np.unique(groups, return_inverse=True)
    intervals = np.full((2, 2), np.nan)
    if resamples and len(kinds) >= FEWEST_GROUPS:
        sums = np.stack([np.bincount(numbers, of, len(kinds)) for of in moments])
        rng = np.random.default_rng(seed)
        draws = rng.multinomial(len(kinds), np.full(len(kinds), 1 / len(kinds)), size=resamples)
        drawn = _statistics(sums @ draws.T)[:2]
        intervals = np.array([_interval(of) for of in drawn])
    spread = (x.mean(), y.mean(), x.std(), y.std()) if len(x) else (np.nan,) * 4
    return (len(x), pearson, *intervals[0], icc, *intervals[1], consistency, *spread)


def _interval(drawn: np.ndarray) -> np.ndarray:
    """Return the 2.5th and 97.5th percentile; NaN where more than one draw in twenty has no value."""
    known = drawn[np.isfinite(drawn)]
    if len(known) < 0.95 * len(drawn):
        return np.full(2, np.nan)
    return np.asarray(np.percentile(known, [2.5, 97.5]))


def _statistics(moments: np.ndarray) -> np.ndarray:
    """Pearson's r, ICC(A,1) and ICC(C,1) from n and sums of x, y, xx, yy and xy, (6, draws) -> (3, draws)."""
    n, x, y, xx, yy, xy = moments
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_x, mean_y = x / n, y / n
        variance_x, variance_y = (xx - n * mean_x**2) / (n - 1), (yy - n * mean_y**2) / (n - 1)
        covariance = (xy - n * mean_x * mean_y) / (n - 1)
        # What rounding leaves of a constant is in proportion to its square.
        constant = (variance_x <= 1e-13 * xx / n) | (variance_y <= 1e-13 * yy / n) | (n < 3)
        pearson = covariance / np.sqrt(variance_x * variance_y)
        between_rows = (variance_x + variance_y + 2 * covariance) / 2
        rest = (variance_x + variance_y - 2 * covariance) / 2
        between_backends = n * (mean_x - mean_y) ** 2 / 2
        agreement = (between_rows - rest) / (between_rows + rest + 2 * (between_backends - rest) / n)
        consistency = (between_rows - rest) / (between_rows + rest)
    found = np.stack([np.clip(pearson, -1, 1), agreement, consistency])
    found[:, constant] = np.nan
    return found
