"""An explanation in one line of plain words."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from analysis.facs import SCALE_RANGES, parse_column, plain_name, short_name
from analysis.rounding import percent

MOST_FOR, MOST_AGAINST = 3, 2
"""How many reasons are told on either side."""

SMALLEST = 0.05
"""Contributions below this would read '+0.0'."""

ABSENT = 0.02
"""Below this share of its scale an AU is called absent."""

WIDE = 0.1
"""A probability whose interval is wider than this is told with its interval."""

CLOSE = 1.5
"""A rival is called close where the target is at most this many times as likely."""


def rationale(
    target: str,
    probability: float,
    au_columns: Sequence[str],
    values: np.ndarray,
    baseline_values: np.ndarray,
    contribution: np.ndarray,
    low_validity: Collection[str] = (),
    *,
    interval: tuple[float, float] | None = None,
    rival: str = "",
    rival_probability: float = 0.0,
    close: bool = False,
) -> str:
    """Tell the strongest reasons for and against an emotion.

    Parameters
    ----------
    target : str
        The emotion.
    probability : float
        Its probability.
    au_columns : sequence of str
        The p AU columns.
    values, baseline_values, contribution : (p,) float64 ndarray
        The face's AUs, the baseline's, and what each adds to the target's centred logit.
    low_validity : collection of str
        AU columns after which 'low validity' is said.
    interval : (float, float), optional
        Of the probability; told where it is wider than `WIDE`.
    rival : str
        The emotion that is likeliest besides, told where it is close or likelier.
    rival_probability : float
        Its probability.
    close : bool
        Whether it counts as close however the probabilities compare.

    Returns
    -------
    str
        'happy 87 %: lip corner puller AU12 3.4 (+2.1), cheek raiser AU6 2.0 (+0.8); against it: brow
        lowerer AU4 1.1 (-0.4)'. An AU weaker than the baseline's speaks by what is not there: 'lip
        corner puller AU12 absent (+0.6)', 'upper lid raiser AU5 only 0.4 (-0.3)'. An uncertain answer
        says so: 'sad 41 % (29–54 %): ...; close: fear 38 %'.
    """
    strong = [j for j in np.argsort(-np.abs(contribution), kind="stable") if abs(contribution[j]) >= SMALLEST]

    def reasons(some: list[int]) -> str:
        return ", ".join(
            reason(
                au_columns[j], values[j], baseline_values[j], contribution[j], au_columns[j] in low_validity
            )
            for j in some
        )

    speaks_for = reasons([j for j in strong if contribution[j] > 0][:MOST_FOR])
    speaks_against = reasons([j for j in strong if contribution[j] < 0][:MOST_AGAINST])
    line = f"{target} {percent(probability)}{_range(interval)}: "
    line += speaks_for or "no Action Unit speaks for it"
    line += f"; against it: {speaks_against}" if speaks_against else ""
    if rival_probability > probability:
        return f"{line}; likelier: {rival} {percent(rival_probability)}"
    if close or rival_probability * CLOSE > probability:
        return f"{line}; close: {rival} {percent(rival_probability)}"
    return line


def _range(interval: tuple[float, float] | None) -> str:
    if interval is None or not interval[1] - interval[0] > WIDE:
        return ""
    low, high = interval
    return f" ({100 * low:.0f}–{100 * high:.0f} %)"


def reason(column: str, value: float, baseline: float, contribution: float, low: bool = False) -> str:
    """Tell one reason.

    Parameters
    ----------
    column : str
        AU column.
    value, baseline : float
        The face's AU and the baseline's.
    contribution : float
        What it adds to the centred logit.
    low : bool
        Whether to say that the AU is of low validity.

    Returns
    -------
    str
        'lip corner puller AU12 3.4 (+2.1)', 'lid tightener AU7 only 0.5 (+0.8)'.
    """
    note = ", low validity" if low else ""
    parsed = parse_column(column)
    if parsed is None:
        return f"{column} {value:.3g} ({contribution:+.1f}{note})"
    top = SCALE_RANGES[parsed[1]][1]
    amount = f"{value:.1f}" if top == 5.0 else f"{value:.2g}"
    if value < baseline:
        amount = "absent" if value < ABSENT * top else f"only {amount}"
    return f"{plain_name(column)} {short_name(column)} {amount} ({contribution:+.1f}{note})"
