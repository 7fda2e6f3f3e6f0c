"""Figures of a surrogate: how far it can be believed, and whether its reasons stand still."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.display import METRICS, ordered_terms, term_title
from analysis.facs import in_order
from analysis.plots.intervals import Panel, interval_panels
from analysis.plots.theme import FOR_COLOUR, GREY, INK, SMALL, TINY, WIDTH, blank, broken, heading, new_figure
from analysis.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STEADY = 0.95
"""Share of the draws in which a coefficient keeps its sign, from which it is drawn as certain."""


def fidelity(surrogate: Result) -> Figure:
    """Draw how faithful the surrogate is beside its references.

    Parameters
    ----------
    surrogate : Surrogate
        Anything with its ``facts`` and its table ``fidelity``.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a measure; the surrogate is blue, its references are grey and hatched.
    """
    table, facts = surrogate.tables["fidelity"], surrogate.facts
    who, metrics = list(dict.fromkeys(table["who"])), list(dict.fromkeys(table["metric"]))
    columns = min(2, len(metrics))
    lines = -(-len(metrics) // columns)
    with new_figure((WIDTH, 0.75 + lines * (0.6 + 0.24 * len(who))), lines, columns, sharey=True) as (
        figure,
        grid,
    ):
        for axes, metric in zip(grid, metrics, strict=False):
            part = table[table["metric"] == metric].set_index("who").reindex(who)
            for row, name in enumerate(who):
                _bar(axes, row, name == "surrogate", *part.loc[name, ["value", "low", "high"]].astype(float))
            axes.axvline(0, color=INK, linewidth=0.8)
            axes.grid(axis="x")
            words = METRICS.get(metric, (str(metric).replace("_", " "), ""))[0]
            axes.set_title(words, fontsize=SMALL + 0.5)
            left, right = axes.get_xlim()
            axes.set_xlim(min(left, -0.02), max(1.08, right))
            axes.tick_params(labelsize=SMALL)
        grid[0].set_yticks(range(len(who)), labels=[broken(name, 1.6) for name in who])
        grid[0].set_ylim(len(who) - 0.4, -0.6)
        blank(grid[len(metrics) :])
        level = f"{100 * facts['level']:g} % interval"
        figure.supxlabel(f"1: just as {facts['explains']}; line: {level}", fontsize=9)
        heading(
            figure,
            f"How faithful the surrogate of {facts['explains']} is on {facts['n_test']:,} held-out faces",
        )
    return figure


def stability(surrogate: Result, emotion: str | None = None) -> Figure:
    """Draw the surrogate's coefficients and how they move when people are drawn anew.

    Parameters
    ----------
    surrogate : Surrogate
        Anything with its ``facts`` and its table ``stability``.
    emotion : str, optional
        Draw this emotion alone.

    Returns
    -------
    matplotlib.figure.Figure
        Filled where the sign is kept in 95 % of the draws.
    """
    table, facts = surrogate.tables["stability"], surrogate.facts
    table = table if "term" in table else table.assign(term=table["au"])
    emotions = in_order(table["emotion"]) if emotion is None else [emotion]
    terms = ordered_terms(table)
    panels = []
    for name in emotions:
        part = table[table["emotion"] == name].set_index("term").reindex(terms)
        value, low, high = (part[key].to_numpy(dtype=float) for key in ("coef", "low", "high"))
        panels.append(Panel(name, value, low, high, (part["sign_consistency"] >= STEADY).to_numpy()))
    return interval_panels(
        [term_title(term) for term in terms],
        panels,
        title=f"Do the reasons stand still? {facts['draws']:,} draws of {_unit(facts)}",
        xlabel=f"centred coefficient per unit of the AU, with {100 * facts['level']:g} % of the draws; "
        f"filled: same sign in {100 * STEADY:g} %",
    )


def _bar(axes: Axes, row: int, own: bool, value: float, low: float, high: float) -> None:
    if np.isnan(value):
        axes.text(0.02, row, "not known", va="center", fontsize=TINY)
        return
    style = {"color": FOR_COLOUR} if own else {"color": "white", "edgecolor": GREY, "hatch": "////"}
    axes.barh(row, value, height=0.6, **style)
    if not (np.isnan(low) or np.isnan(high)):
        axes.hlines(row, low, high, color=INK, linewidth=1.4)
    place = np.nanmax([value, high, 0.0])
    axes.annotate(
        f"{value:.2f}".replace("-", "−"),
        (place, row),
        (4, 0),
        textcoords="offset points",
        va="center",
        fontsize=SMALL,
    )


def _unit(facts: Mapping[str, Any]) -> str:
    return "people" if facts.get("n_groups") else "faces"
