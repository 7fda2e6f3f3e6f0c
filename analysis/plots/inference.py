"""Figures of an inference: coefficients, odds ratios and marginal effects with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analysis.display import effect_unit, is_term, ordered_terms, sample_words, term_title
from analysis.facs import in_order
from analysis.plots.intervals import Panel, interval_panels
from analysis.plots.theme import clear_of
from analysis.results import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

MOST_ROWS = 45
"""More rows than this do not fit a page."""

_PER = {"unit": "", "sd": "_sd"}


def forest(inference: Result, emotion: str | None = None, *, most: int = MOST_ROWS) -> Figure:
    """Draw the centred coefficients with their intervals, one panel an emotion and one row a term.

    Parameters
    ----------
    inference : Inference
        Anything with its ``facts`` and its table ``coefficients``.
    emotion : str, optional
        Draw this emotion alone.
    most : int, default 45
        How many terms are drawn; of more, those whose interval lies furthest from zero, measured in its own
        half-widths. The heading says so.

    Returns
    -------
    matplotlib.figure.Figure
        Filled marks where the interval leaves out zero, hollow ones where it holds it. No p-values.

    Raises
    ------
    ValueError
        If there is no such emotion.
    """
    table = inference.tables["coefficients"]
    level = inference.facts["level"]
    return _interval_figure(
        table,
        "coef",
        emotion,
        most,
        title=f"What each Action Unit says of each emotion: {sample_words(inference.facts)}",
        xlabel=f"centred coefficient per unit of the term, with {100 * level:g} % interval; "
        "filled: the interval leaves out 0",
    )


def marginal_effects(inference: Result, emotion: str | None = None, *, most: int = MOST_ROWS) -> Figure:
    """Draw by how many percentage points one more unit of an Action Unit changes each probability.

    Parameters
    ----------
    inference : Inference
        Anything with its ``facts`` and its table ``marginal_effects``.
    emotion, most
        As for `forest`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no such emotion.
    """
    table = inference.tables["marginal_effects"]
    points = table.assign(**{name: 100 * table[name] for name in ("effect", "low", "high")})
    level = inference.facts["level"]
    return _interval_figure(
        points if "term" in points else points.assign(term=points["au"]),
        "effect",
        emotion,
        most,
        title=f"Average change of each probability: {sample_words(inference.facts)}",
        xlabel=f"percentage points {effect_unit(inference.facts)}, averaged over the faces, with "
        f"{100 * level:g} % interval; filled: the interval leaves out 0",
    )


def odds_ratios(
    inference: Result, emotion: str | None = None, *, per: str = "unit", most: int = MOST_ROWS
) -> Figure:
    """Draw the odds of each emotion against the reference emotion on a logarithmic axis.

    Parameters
    ----------
    inference : Inference
        Anything with its ``facts`` and its table ``log_odds``.
    emotion, most
        As for `forest`.
    per : {'unit', 'sd'}
        Whether the ratio is that of one unit of the term or of one standard deviation.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no such emotion, or `per` is none of the two.
    """
    if per not in _PER:
        raise ValueError(f"per: expected 'unit' or 'sd', got {per!r}")
    column = f"odds_ratio{_PER[per]}"
    table = inference.tables["log_odds"]
    table = table.assign(low=table[f"{column}_low"], high=table[f"{column}_high"])
    facts = inference.facts
    unit = "unit" if per == "unit" else "standard deviation"
    return _interval_figure(
        table,
        column,
        emotion,
        most,
        log=True,
        title=f"Odds against {facts['reference']}: {sample_words(facts)}",
        xlabel=f"odds ratio per {unit} of the term, with {100 * facts['level']:g} % interval; "
        "filled: the interval leaves out 1",
    )


def _interval_figure(
    table: pd.DataFrame,
    column: str,
    emotion: str | None,
    most: int,
    *,
    title: str,
    xlabel: str,
    log: bool = False,
) -> Figure:
    table = table[[is_term(au) for au in table["au"]]]
    emotions = in_order(table["emotion"]) if emotion is None else [emotion]
    table = table[table["emotion"].isin(emotions)]
    if table.empty:
        raise ValueError(f"emotion: the result has no emotion {emotion!r} with Action Units")
    terms = _clearest(table, column, most, log)
    left_out = table["term"].nunique() - len(terms)
    if left_out:
        title += f". The {len(terms)} clearest of {len(terms) + left_out} terms"
    panels = [_panel(table[table["emotion"] == name], name, column, terms, log) for name in emotions]
    return interval_panels([term_title(term) for term in terms], panels, title=title, xlabel=xlabel, log=log)


def _panel(part: pd.DataFrame, name: str, column: str, terms: Sequence[str], log: bool) -> Panel:
    part = part.set_index("term").reindex(terms)
    value, low, high = (part[key].to_numpy(dtype=float) for key in (column, "low", "high"))
    return Panel(name, value, low, high, clear_of(low, high, 1.0 if log else 0.0))


def _clearest(table: pd.DataFrame, column: str, most: int, log: bool) -> list[str]:
    terms = ordered_terms(table)
    if len(terms) <= most:
        return terms
    value, low, high = (table[key].to_numpy(dtype=float) for key in (column, "low", "high"))
    if log:
        value, low, high = np.log(value), np.log(low), np.log(high)
    weight = (
        table.assign(weight=np.abs(value) / np.maximum(high - low, 1e-12)).groupby("term")["weight"].max()
    )
    kept = set(weight.nlargest(most).index)
    return [term for term in terms if term in kept]
