"""The section that sets models side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis import plots
from analysis.display import sample_words
from analysis.html.pictures import face_uris, inside
from analysis.report.layout import Figure, drawn, printed
from analysis.report.prototypes import prototype_views
from analysis.rounding import number_text, percent
from analysis.tables import printed_tables

if TYPE_CHECKING:
    from analysis.report.collect import Saved

GALLERY = 24
_BUDGET = 800_000


def comparison_view(result: Saved, pictures: Path) -> dict[str, Any]:
    """Lay a comparison out for the template.

    Parameters
    ----------
    result : Saved
        With the facts and tables of `analysis.compare.Comparison`.
    pictures : Path
        Where the paths of the pictures begin that the disagreements name.

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
    disagreements = _disagreements(result, pictures)
    return {
        "models": [str(name) for name in facts["models"]],
        "sample": sample_words(facts),
        "level": f"{100 * facts['level']:g} %",
        "unit": "people" if facts.get("grouped") else "faces",
        "draws": f"{facts['draws']:,}",
        "notes": list(facts["notes"]),
        "figures": _figures(result),
        "scores": printed(text["scores"]),
        "pairs": printed(text["pairs"]) if len(tables.get("pairs", ())) else "",
        "by_people": "p_people" in tables.get("pairs", ()),
        "verdicts": _verdicts(result),
        "per_class": printed(text["per_class"]),
        "disagreements": disagreements,
        "pictured": any(face["picture"] for face in disagreements),
        "disagreeing": len(tables["disagreements"]),
        "prototypes": prototype_views(tables.get("prototypes")),
    }


def _figures(result: Saved) -> dict[str, Figure]:
    return {
        "scores": drawn(plots.score_intervals(result), "Every score of every model with its interval."),
        "recall": drawn(
            plots.per_class_recall(result), "Recall of every emotion by every model, with intervals."
        ),
        "confusion": drawn(
            plots.confusion(result), "Confusion matrix of every model, in per cent and in faces."
        ),
        "calibration": drawn(
            plots.calibration(result), "How often answers were right against how sure the model was."
        ),
        "roc": drawn(
            plots.roc(result), "Receiver operating characteristic of every emotion against all others."
        ),
    }


def _verdicts(result: Saved) -> list[str]:
    """Say of each two models in words whether they differ."""
    table = result.tables.get("pairs")
    lines = []
    for row in [] if table is None else table.to_dict("records"):
        a, b = str(row["model_a"]), str(row["model_b"])
        difference = row["difference"]
        p = row.get("p_people_holm") if row.get("p_people_holm") is not None else row["p_holm"]
        better, worse = (a, b) if difference >= 0 else (b, a)
        points = number_text(abs(100 * difference), 1)
        if p < 1 - result.facts["level"]:
            lines.append(f"{better} names more faces right than {worse}, by {points} percentage points.")
        else:
            lines.append(f"{a} and {b} cannot be told apart on these faces ({points} percentage points).")
    return lines


def _disagreements(result: Saved, pictures: Path) -> list[dict[str, Any]]:
    models = [str(name) for name in result.facts["models"]]
    rows = result.tables["disagreements"].head(GALLERY).to_dict("records")
    uris = face_uris([inside(pictures, row.get("picture")) for row in rows], _BUDGET)
    return [
        {
            "input": str(row["input"]),
            "frame": row["frame"],
            "face": row["face"],
            "label": str(row["label"]),
            "picture": uri,
            "said": [
                (name, str(row[name]), _sure(row.get(f"confidence_{name}")), row[name] == row["label"])
                for name in models
            ],
        }
        for row, uri in zip(rows, uris, strict=True)
    ]


def _sure(confidence: float | None) -> str:
    return percent(confidence) if confidence is not None and confidence == confidence else ""
