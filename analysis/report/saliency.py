"""The section on where a model looks in faces, and whether the Action Units lie there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis import plots
from analysis.html.pictures import inside, photo_uris
from analysis.plots.saliency import NULLS
from analysis.report.layout import drawn, printed
from analysis.rounding import MISSING, number_text, p_value
from analysis.tables import Printed

if TYPE_CHECKING:
    import pandas as pd

    from analysis.report.collect import Saved

#: What was found: class of the box, its first words, the rest.
VERDICTS = {
    "worthless": (
        "bad",
        "Do not read these maps.",
        "They hardly change when the network's weights are shuffled, so they show the picture and not what "
        "the network learned.",
    ),
    "unknown": ("bad", "Too few faces.", "No agreement can be given; the maps below stand for themselves."),
    "none": (
        "bad",
        "No agreement beyond chance is shown.",
        "Regions in random order could well agree as much: these faces do not show that the model looks "
        "where the Action Units that speak for the emotion lie.",
    ),
    "general": (
        "good",
        "In general, yes; face by face, not shown.",
        "The model tends to look where the Action Units of an emotion lie. But a face agrees no better with "
        "its own Action Units than with those of another face of the same emotion.",
    ),
    "single": (
        "good",
        "Yes, face by face.",
        "The model looks where the Action Units that speak for the emotion lie, and a face agrees better "
        "with its own Action Units than with those of other faces of the same emotion.",
    ),
}
SURE = 0.05
_METHODS = {
    "integrated-gradients": "integrated gradients (each pixel's share of the answer, along the way from "
    "{usual} to the face)",
    "grad-cam": "Grad-CAM (which places of the network's last and coarse map of features speak for it)",
    "occlusion": "occlusion (how far the answer falls where a patch is hidden by {usual})",
    "shapley": "Shapley values (each region's fair share of the answer, regions being hidden by {usual})",
}
_USUAL = {"grey": "plain grey", "blurred": "the same face out of focus"}


def saliency_view(result: Saved, *, pictures: Path) -> dict[str, Any]:
    """Lay an agreement of a model with Action Units out for the template.

    Parameters
    ----------
    result : Saved
        With the facts and tables that ``feat-pipeline saliency`` writes into ``agreement.json``.
    pictures : Path
        Folder of the figures; none outside it is shown.

    Returns
    -------
    dict

    Raises
    ------
    KeyError, TypeError, ValueError
        Where the result is damaged.
    """
    facts, tables = result.facts, result.tables
    random = tables.get("randomisation")
    known = facts["correlation"] is not None
    verdict = _verdict(facts, tables)
    usual = _USUAL.get(facts["baseline"], str(facts["baseline"]))
    surrogate = facts.get("surrogate")
    return {
        "model": str(facts["model"]),
        "against": str(facts["against"]),
        "surrogate": surrogate,
        "other": _other(facts["against"], surrogate),
        "verdict": VERDICTS[verdict],
        "known": known,
        "n": f"{facts['n']:,}",
        "faces": f"{facts['faces']:,}",
        "few": known and facts["n"] < 20,
        "value": number_text(facts["correlation"]) if known else MISSING,
        "interval": f"{number_text(facts['low'])} to {number_text(facts['high'])}" if known else "",
        "level": f"{100 * facts['level']:g} %",
        "unit": "people" if facts.get("grouped") else "faces",
        "method": _METHODS.get(facts["method"], str(facts["method"])).format(usual=usual),
        "gap": _gap(facts),
        "regions": printed(_regions(tables["regions"])),
        "nulls": printed(_nulls(tables["nulls"])) if "nulls" in tables else None,
        "random": None if random is None else printed(_randomised(random)),
        "passed": None if random is None else bool(random["passed"].iloc[-1]),
        "checked": facts["checked"],
        "notes": list(facts["notes"]),
        "shown": _shown(tables["faces"], pictures),
        "figure": drawn(
            plots.agreement(result), "Agreement with the Action Units beside what chance would give."
        )
        if known
        else None,
    }


def _verdict(facts: dict[str, Any], tables: dict[str, pd.DataFrame]) -> str:
    random = tables.get("randomisation")
    if random is not None and not random["passed"].iloc[-1]:
        return "worthless"
    if facts["correlation"] is None:
        return "unknown"
    p = tables["nulls"].set_index("null")["p"]
    if p["regions shuffled"] >= SURE:
        return "none"
    return "single" if p["faces shuffled within emotion"] < SURE else "general"


def _other(against: str, surrogate: dict[str, Any] | None) -> str:
    if surrogate is None:
        return f"the regression {against}"
    return f"the surrogate of {surrogate['explains']}"


def _gap(facts: dict[str, Any]) -> str | None:
    """Write how far sums of pixels miss the answers, in per cent; None where they are no parts of it."""
    if facts["method"] in ("grad-cam", "occlusion") or facts["gap"] is None:
        return None
    return f"{100 * facts['gap']:.2g} %"


def _regions(table: pd.DataFrame) -> Printed:
    import pandas as pd

    rows = [
        {
            "region": row["region"],
            "of the picture": _percent(row["area"]),
            "of the attention": _percent(row["size"]),
            "for minus against": _percent(row["share"], signed=True),
            "Action Units add": number_text(row["contribution"]),
            "correlation over faces": number_text(row["correlation"]),
            "p": p_value(row["p"]),
        }
        for row in table.sort_values("size", ascending=False).to_dict("records")
    ]
    return Printed("Regions of the face, averaged over all faces", pd.DataFrame(rows))


def _nulls(table: pd.DataFrame) -> Printed:
    import pandas as pd

    rows = [
        {
            "compared with": NULLS.get(row["null"], row["null"]),
            "it would be": number_text(row["null_mean"]),
            "mostly between": f"{number_text(row['low'])} and {number_text(row['high'])}",
            "p": p_value(row["p"]),
        }
        for row in table.to_dict("records")
    ]
    return Printed("What chance would give", pd.DataFrame(rows))


def _randomised(table: pd.DataFrame) -> Printed:
    import pandas as pd

    rows = [
        {
            "shuffled up to": row["shuffled"],
            "maps still alike, pixels": number_text(row["pixels"]),
            "regions": number_text(row["regions"]),
        }
        for row in table.to_dict("records")
    ]
    return Printed("Rank correlation with the maps of the network as it was trained", pd.DataFrame(rows))


def _percent(share: float, *, signed: bool = False) -> str:
    if share is None or share != share:
        return MISSING
    return f"{100 * share:{'+' if signed else ''}.0f} %".replace("-", "−")


def _shown(faces: pd.DataFrame, pictures: Path) -> list[dict[str, Any]]:
    """Take the faces that have a figure."""
    rows = [row for row in faces.to_dict("records") if isinstance(row["picture"], str)]
    uris = photo_uris([inside(pictures, row["picture"]) for row in rows])
    return [
        {
            "uri": uri,
            "input": str(row["input"]),
            "where": f"frame {row['frame']}, face {row['face']}",
            "emotion": str(row["emotion"]),
            "correlation": number_text(row["correlation"]),
        }
        for row, uri in zip(rows, uris, strict=True)
        if uri
    ]
