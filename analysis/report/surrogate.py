"""The section on a classifier that a regression on Action Units stands in for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis import plots
from analysis.display import METRICS
from analysis.facs import in_order
from analysis.plots.surrogate import STEADY
from analysis.report.layout import drawn, printed
from analysis.rounding import number_text
from analysis.tables import printed_tables

if TYPE_CHECKING:
    import pandas as pd

    from analysis.report.collect import Saved

FURTHEST = 20


def surrogate_view(result: Saved) -> dict[str, Any]:
    """Lay a surrogate out for the template.

    Parameters
    ----------
    result : Saved
        With the facts and tables of `analysis.surrogate.Surrogate`.

    Returns
    -------
    dict

    Raises
    ------
    KeyError, TypeError, ValueError
        Where the result is damaged.
    """
    facts, tables = result.facts, result.tables
    text = printed_tables(result)
    per_class = tables["per_class"]
    explains = str(facts["explains"])
    return {
        "explains": explains,
        "usable": bool(facts["usable"]),
        "verdict": str(facts["verdict"]),
        "minimum": [(METRICS.get(key, (key,))[0], f"{value:g}") for key, value in facts["minimum"].items()],
        "n_train": f"{facts['n_train']:,}",
        "n_test": f"{facts['n_test']:,}",
        "unit": "people" if facts.get("grouped", facts.get("n_groups")) else "faces",
        "level": f"{100 * facts['level']:g} %",
        "draws": f"{facts['draws']:,}",
        "rank_correlation": number_text(facts.get("rank_correlation")),
        "steady": _steady(tables["stability"]),
        "unaccounted": in_order(per_class.loc[~per_class["accounted"].astype(bool), "emotion"]),
        "fidelity": printed(text["fidelity"]),
        "per_class": printed(text["per_class"]),
        "notes": list(facts["notes"]),
        "furthest": _furthest(tables.get("faces")),
        "figures": {
            "fidelity": drawn(
                plots.fidelity(result), f"Fidelity to {explains} beside that of the references."
            ),
            "stability": None
            if tables["stability"].empty
            else drawn(
                plots.stability(result), "Coefficients of the surrogate and how they move between draws."
            ),
        },
    }


def _steady(stability: pd.DataFrame) -> str:
    kept = int((stability["sign_consistency"] >= STEADY).sum())
    return f"{kept:,} of {len(stability):,}"


def _furthest(faces: pd.DataFrame | None) -> list[dict[str, str]]:
    """List the faces that the surrogate misses most; held-out ones alone where the table tells them."""
    if faces is None:
        return []
    if "held_out" in faces:
        faces = faces[faces["held_out"].astype(bool)]
    rows = faces.sort_values("distance", ascending=False, kind="stable").head(FURTHEST).to_dict("records")
    return [
        {
            "input": str(row["input"]),
            "where": f"frame {row['frame']}, face {row['face']}",
            "answer": str(row["answer"]),
            "surrogate": str(row["surrogate"]),
            "distance": number_text(row["distance"]),
            "kl": number_text(row["kl"]),
        }
        for row in rows
    ]
