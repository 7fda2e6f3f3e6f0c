"""Coefficients held against theory, one row for each emotion and source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.display import au_number
from analysis.facs import in_order, short_name
from analysis.rounding import with_interval

if TYPE_CHECKING:
    import pandas as pd

VERDICTS = ("agree", "disagree", "undecided", "not measurable")
_SOURCES = {
    "emfacs": "EMFACS",
    "facs_guide_table_11_1": "FACS Investigator's Guide",
    "du_2014": "Du et al. 2014",
}


def prototype_views(table: pd.DataFrame | None) -> list[dict[str, Any]]:
    """Lay the table of `analysis.compare.prototypes.against_prototypes` out for the template.

    Parameters
    ----------
    table : DataFrame or None
        With the columns ``emotion, source, au, coef, low, high, verdict`` and, for several models, ``model``.

    Returns
    -------
    list of dict
        One a model: ``model`` ('' where it is not named), ``counts`` by verdict, and ``rows`` with one list
        of ``(AU, numbers)`` for each verdict.
    """
    if table is None or table.empty:
        return []
    if "model" not in table:
        return [_view("", table)]
    return [_view(str(name), part) for name, part in table.groupby("model", sort=False)]


def _view(model: str, table: pd.DataFrame) -> dict[str, Any]:
    rows = []
    for emotion in in_order(table["emotion"]):
        of_emotion = table[table["emotion"] == emotion]
        for source, part in of_emotion.groupby("source", sort=False):
            cells = [_aus(part[part["verdict"] == verdict]) for verdict in VERDICTS]
            rows.append(
                {"emotion": emotion, "source": _SOURCES.get(str(source), str(source)), "cells": cells}
            )
    counts = [(verdict, int((table["verdict"] == verdict).sum())) for verdict in VERDICTS]
    return {"model": model, "counts": counts, "rows": rows}


def _aus(part: pd.DataFrame) -> list[tuple[str, str]]:
    rows = sorted(part.to_dict("records"), key=lambda row: au_number(row["au"]))
    return [(short_name(row["au"]), _numbers(row)) for row in rows]


def _numbers(row: dict[str, Any]) -> str:
    return "" if row["verdict"] == "not measurable" else with_interval(row["coef"], row["low"], row["high"])
