"""The section on how sure the coefficients are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from analysis import plots
from analysis.display import au_title, effect_unit, sample_words
from analysis.report.layout import Figure, drawn, printed
from analysis.report.prototypes import prototype_views
from analysis.rounding import compact, number_text, p_value
from analysis.tables import printed_tables, wide_table

if TYPE_CHECKING:
    from analysis.report.collect import Saved

_ERRORS = {
    "cluster": "They allow for the faces of one person being alike: errors are clustered by person.",
    "robust": "They allow for a model that is not quite right (robust errors, HC0), but take every face as "
    "independent of the others.",
    "model": "They take every face as independent of the others; where a person occurs more than once they "
    "are too narrow.",
}
_FITS = (
    ("mcfadden", "McFadden's R²"),
    ("mcfadden_adjusted", "adjusted"),
    ("cox_snell", "Cox and Snell's R²"),
    ("nagelkerke", "Nagelkerke's R²"),
)


def inference_view(result: Saved) -> dict[str, Any]:
    """Lay an inference out for the template.

    Parameters
    ----------
    result : Saved
        With the facts and tables of `analysis.inference.Inference`.

    Returns
    -------
    dict

    Raises
    ------
    KeyError, TypeError, ValueError
        Where the result is damaged.
    """
    facts, tables = result.facts, result.tables
    valid = bool(facts["valid"])
    return {
        "valid": valid,
        "why": list(facts["why"]),
        "errors": _ERRORS.get(facts["errors"], ""),
        "level": f"{100 * facts['level']:g} %",
        "draws": f"{facts['draws']:,}",
        "unit": "people" if facts.get("n_groups") else "faces",
        "sample": sample_words(facts),
        "reference": facts["reference"],
        "effect_unit": effect_unit(facts),
        "example": _example(result),
        "facts": _facts(facts),
        "checks": [_check(row) for row in tables["checks"].to_dict("records")],
        "notes": list(facts["notes"]),
        "figures": _figures(result),
        "wide": [
            printed(wide_table(result, name)) for name in ("coefficients", "log_odds", "marginal_effects")
        ],
        "tests": printed(wide_table(result, "coefficients", "p_holm")) if valid else "",
        "joint": printed(printed_tables(result)["joint"]) if "joint" in tables else "",
        "long": [
            printed(table)
            for name, table in printed_tables(result).items()
            if name in ("coefficients", "log_odds", "marginal_effects")
        ],
        "prototypes": prototype_views(tables.get("prototypes")),
    }


def _figures(result: Saved) -> dict[str, Figure]:
    sure = "Filled marks: the interval leaves out {}."
    return {
        "forest": drawn(
            plots.forest(result),
            f"Coefficients of every Action Unit for every emotion with their intervals. {sure.format('0')}",
        ),
        "effects": drawn(
            plots.marginal_effects(result),
            f"Change of every emotion's probability with every Action Unit. {sure.format('0')}",
        ),
        "odds": drawn(
            plots.odds_ratios(result, per="sd"),
            f"Odds ratios of every Action Unit against {result.facts['reference']}. {sure.format('1')}",
        ),
        "diagnostics": drawn(
            plots.diagnostics_panel(result),
            "Checks of the fit, variance inflation of every Action Unit and the correlations between them.",
        ),
    }


def _example(result: Saved) -> str:
    """Read the marginal effect that stands out most in plain words."""
    table = result.tables["marginal_effects"]
    sure = table[(table["low"] > 0) | (table["high"] < 0)]
    if sure.empty:
        return ""
    row = sure.loc[sure["effect"].abs().idxmax()]
    effect, low, high = (number_text(100 * row[key], 1) for key in ("effect", "low", "high"))
    change = "showing" if result.facts.get("effects") == "from 0 to 1" else "one more unit of"
    word = "raises" if row["effect"] > 0 else "lowers"
    return (
        f"For example, {change} {au_title(row['au'])} {word} the probability of {row['emotion']} by "
        f"{effect.removeprefix('−')} percentage points on average ({low} to {high})."
    )


def _facts(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [("faces", f"{facts['n']:,}")]
    if facts.get("n_groups"):
        rows.append(("people", f"{facts['n_groups']:,}"))
    rows += [("method", str(facts["method"])), ("terms", str(facts["terms"]))]
    rows += [("ridge strength", f"{facts['alpha']:.3g}"), ("odds against", str(facts["reference"]))]
    rows += [(words, f"{facts[key]:.3f}") for key, words in _FITS if facts.get(key) is not None]
    rows.append(("log-likelihood", number_text(facts["log_likelihood"], 1)))
    rows += [(key.upper(), f"{facts[key]:,.0f}") for key in ("aic", "bic") if facts.get(key) is not None]
    if facts.get("lr_p") is not None:
        statistic, df = f"{facts['lr_statistic']:,.1f}", facts["lr_df"]
        test = f"{statistic} on {df} degrees of freedom, p {_relation(facts['lr_p'])}"
        rows.append(("likelihood ratio against no AUs", test))
    return rows


def _relation(p: float) -> str:
    text = p_value(p)
    return text if text.startswith("<") else f"= {text}"


def _check(row: Mapping[str, Any]) -> dict[str, Any]:
    passed, decides = bool(row["passed"]), bool(row.get("decides", True))
    return {
        "check": row["check"],
        "value": compact(row["value"]),
        "limit": compact(row["limit"]),
        "outcome": "passed" if passed else "FAILED" if decides else "note",
        "meaning": row["meaning"],
    }
