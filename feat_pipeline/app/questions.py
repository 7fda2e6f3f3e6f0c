"""What can be asked of a face, and the answers, as HTML: contrasts, smallest changes and sliders."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.display import au_title
from analysis.facs import in_order, region, short_name
from analysis.html.why import explanation_view
from analysis.rounding import percent
from feat_pipeline.app.markup import full_scale, message, render
from feat_pipeline.app.what_if import NOT_MEASURED, Moved, strongest

if TYPE_CHECKING:
    from analysis.explain import FaceExplanation
    from analysis.explain.counterfactual import Counterfactual
    from feat_pipeline.predict import FacePrediction

FIRST_SLIDERS = 8


def questions(face: FacePrediction) -> str:
    """Lay out the choices of 'why this and not that' and 'what would change it' for a face."""
    explanation = next(iter(face.explanations.values()), None)
    if explanation is None:
        return message(NOT_MEASURED)
    emotions = in_order(explanation.probabilities)
    return render("questions.html", emotions=emotions, target=explanation.target, rival=explanation.rival)


def contrast(explanation: FaceExplanation) -> str:
    """Lay out how the AUs add up to the log-odds of one emotion against another."""
    record = explanation.to_dict()
    target, rival = explanation.target, explanation.rival
    odds = float(np.log(explanation.probabilities[target]) - np.log(explanation.probabilities[rival]))
    items = [
        {
            **item,
            **{"contribution": item["contrast"], "se": item["contrast_se"]},
            **{"low": item["contrast_low"], "high": item["contrast_high"]},
        }
        for item in record["aus"]
    ]
    added = sum(item["contribution"] for item in items)
    # A waterfall of the log-odds is one of a logit, with the contrasts in the contributions' place.
    name = f"{target} rather than {rival}"
    odds_record = {**record, "aus": items, "logit": odds, "baseline_logit": odds - added, "residual": 0.0}
    view = explanation_view({**odds_record, "model": "", "target": target}, set(explanation.low_validity))
    view["steps"][-1]["label"] = f"this face: {name}"
    view["target"] = name
    shares = [percent(explanation.probabilities[emotion]) for emotion in (target, rival)]
    strong = sorted(items, key=lambda item: -abs(item["contribution"]))
    return render(
        "contrast.html",
        why=view,
        target=target,
        rival=rival,
        shares=shares,
        speaking_for=[au_title(i["au"]) for i in strong if i["contribution"] > 0][:3],
        speaking_against=[au_title(i["au"]) for i in strong if i["contribution"] < 0][:3],
    )


def change(found: Counterfactual) -> str:
    """Lay out the smallest changes that lead to another answer."""
    full = full_scale(found.values)
    ways = []
    for way in found.ways:
        steps = [
            {
                "title": au_title(au),
                "before": f"{before:.2f}",
                "after": f"{after:.2f}",
                "left": 100 * min(before, after) / full,
                "width": 100 * abs(after - before) / full,
                "at": 100 * after / full,
                "was": 100 * before / full,
            }
            for au, (before, after) in way.changes.items()
        ]
        reached = percent(way.probabilities[found.target]) if way.exists else ""
        values = json.dumps({au: round(after, 4) for au, (_, after) in way.changes.items()})
        ways.append({"kind": way.kind, "exists": way.exists, "text": way.text, "steps": steps})
        ways[-1] |= {"reached": reached, "moves": values}
    return render("change.html", answer=found.answer, target=found.target, ways=_without_repeats(ways))


def sliders(face: FacePrediction) -> str:
    """Lay out a slider for every AU of the regression, those that contribute most first."""
    explanation = next(iter(face.explanations.values()), None)
    if explanation is None:
        return message(NOT_MEASURED)
    order = [column for column, _ in strongest(explanation, len(explanation.au_columns))]
    usual = dict(zip(explanation.au_columns, explanation.baseline_values.tolist(), strict=True))
    rows = [
        {
            "au": column,
            "title": au_title(column),
            "value": f"{explanation.aus[column]:.2f}",
            "usual": f"{usual[column]:.1f}",
            "region": region(column),
        }
        for column in order
    ]
    full = full_scale(explanation.aus)
    return render(
        "sliders.html", first=rows[:FIRST_SLIDERS], rest=rows[FIRST_SLIDERS:], full=full, step=full / 100
    )


def moved_answer(found: Moved) -> str:
    """Lay out the probabilities before and after AUs were moved."""
    rows = [
        {
            "emotion": emotion,
            "before": 100 * found.before[emotion],
            "after": 100 * found.after[emotion],
            "text": percent(found.after[emotion]),
            "was": percent(found.before[emotion]),
            "best": emotion == found.label,
        }
        for emotion in in_order(found.after)
    ]
    changes = [f"{short_name(au)} {a:.1f} → {b:.1f}" for au, (a, b) in found.changes.items()]
    return render(
        "moved.html", found=found, rows=rows, changes=changes, share=percent(found.after[found.label])
    )


def _without_repeats(ways: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tell ways that come to the same changes only once."""
    kept: list[dict[str, Any]] = []
    words = {"least squares": "Smallest change in all", "fewest AUs": "Fewest AUs", "one AU": "One AU alone"}
    for way in ways:
        way["title"] = words.get(way["kind"], way["kind"])
        same = next((k for k in kept if way["exists"] and k["moves"] == way["moves"]), None)
        if same is None:
            kept.append(way)
        else:
            same["title"] += f", {way['title'][0].lower()}{way['title'][1:]}"
    return kept
