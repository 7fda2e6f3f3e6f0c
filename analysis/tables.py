"""Results to tables for print: rounded, with intervals in brackets, as HTML and as LaTeX."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.display import METRICS, au_title, effect_unit, is_term, ordered_terms, term_title
from analysis.facs import in_order
from analysis.files import atomic_path
from analysis.results import Result
from analysis.rounding import MISSING, number_text, p_value, unknown, with_interval

if TYPE_CHECKING:
    import pandas as pd
    from markupsafe import Markup

_TESTS = {
    "z": "z",
    "p": "p",
    "p_holm": "p, Holm",
    "p_bh": "p, BH",
    "p_people": "p, people",
    "p_people_holm": "p, people, Holm",
}


@dataclass(frozen=True)
class Printed:
    """A table ready for print.

    Attributes
    ----------
    caption : str
        What it shows.
    frame : DataFrame of str
        One column for each column of print; the first names the row.
    """

    caption: str
    frame: pd.DataFrame


def printed_tables(result: Result) -> dict[str, Printed]:
    """Lay out every table of a result that a paper may need.

    Parameters
    ----------
    result : Inference, Comparison or Surrogate
        Anything with ``facts`` and ``tables``.

    Returns
    -------
    dict of str to Printed
        By the names of the result's tables. Tests have columns only where the result has them.
    """
    return {name: _LAYOUTS[name](result) for name in result.tables if name in _LAYOUTS}


def wide_table(result: Result, name: str, value: str | None = None) -> Printed:
    """Spread the intervals of an inference into one row a term and one column an emotion.

    Parameters
    ----------
    result : Inference
        Anything with ``facts`` and ``tables``.
    name : {'coefficients', 'log_odds', 'marginal_effects'}
        Which table.
    value : {'p_holm', 'p_bh', 'p'}, optional
        Spread this test instead of the estimates.

    Returns
    -------
    Printed

    Raises
    ------
    KeyError
        If the result has no such table or test.
    """
    import pandas as pd

    table = _terms_only(result.tables[name])
    write = (lambda row: p_value(row[value])) if value else _estimate_of(name)
    cells = {(row["term"], row["emotion"]): write(row) for row in table.to_dict("records")}
    emotions = in_order(table["emotion"])
    rows = [
        {"": term_title(term), **{emotion: cells.get((term, emotion), MISSING) for emotion in emotions}}
        for term in ordered_terms(table)
    ]
    what = _WHAT[name](result.facts)
    caption = f"{_TESTS[value]}, of the {what}" if value else f"{_capital(what)}, {_level(result)} intervals"
    return Printed(caption, pd.DataFrame(rows))


def to_html(table: Printed) -> str:
    """Write a table as an HTML fragment, escaped, with caption and scopes.

    Parameters
    ----------
    table : Printed

    Returns
    -------
    str
        ``<table class="plain">…</table>``; an interval behind a number stands in ``<small>``.
    """
    from markupsafe import Markup, escape

    frame = table.frame
    head = Markup("").join(Markup('<th scope="col">{}</th>').format(name) for name in frame.columns)
    body = Markup("\n").join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(row[0], Markup("").join(map(_cell, row[1:])))
        for row in frame.itertuples(index=False, name=None)
    )
    return str(
        Markup('<table class="plain print">\n<caption>{}</caption>\n<thead><tr>').format(
            escape(table.caption)
        )
        + head
        + Markup("</tr></thead>\n<tbody>\n")
        + body
        + Markup("\n</tbody>\n</table>")
    )


def to_latex(table: Printed, label: str = "") -> str:
    r"""Write a table as a LaTeX ``longtable`` with booktabs' rules.

    Parameters
    ----------
    table : Printed
    label : str, optional
        For ``\ref``.

    Returns
    -------
    str
        Needs ``\usepackage{booktabs, longtable}``; every text is escaped.
    """
    frame = table.frame.map(_latex).rename(columns=_latex)
    style = frame.style.hide(axis="index")
    written: str = style.to_latex(
        environment="longtable",
        hrules=True,
        column_format="l" + "r" * (frame.shape[1] - 1),
        caption=_latex(table.caption),
        label=label or None,
    )
    return written


def write_tables(result: Result, folder: str | Path) -> list[Path]:
    """Write every table of a result as ``.html`` and ``.tex``.

    Parameters
    ----------
    result : Inference, Comparison or Surrogate
        Anything with ``facts`` and ``tables``.
    folder : str or Path
        Made where it is absent; files of the same names are replaced.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    OSError
        If they cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, table in printed_tables(result).items():
        label = f"tab:{name.replace('_', '-')}"
        for suffix, text in ((".html", to_html(table)), (".tex", to_latex(table, label))):
            target = folder / f"{name}{suffix}"
            with atomic_path(target) as temporary:
                temporary.write_text(text + "\n", encoding="utf-8")
            written.append(target)
    return written


def _cell(text: str) -> Markup:
    from markupsafe import Markup

    value, bracket, interval = text.partition(" [")
    if bracket:
        return Markup("<td>{} <small>[{}</small></td>").format(value, interval)
    return Markup("<td>{}</td>").format(text)


_LATEX = str.maketrans(
    {
        **{sign: rf"\{sign}" for sign in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "[": "{[}",  # behind a line break it would be read as an option
        "]": "{]}",
        "<": "$<$",
        ">": "$>$",
        "−": "$-$",
        "×": r"$\times$",
        "κ": r"$\kappa$",
        "²": "$^2$",
        "∞": r"$\infty$",
        "–": "--",
    }
)


def _latex(text: object) -> str:
    return str(text).translate(_LATEX)


def _level(result: Result) -> str:
    return f"{100 * result.facts['level']:g} %"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _terms_only(table: pd.DataFrame) -> pd.DataFrame:
    table = table if "term" in table else table.assign(term=table["au"])
    return table[[is_term(au) for au in table["au"]]]


def _sorted(table: pd.DataFrame) -> list[dict[str, Any]]:
    table = _terms_only(table)
    emotions, terms = in_order(table["emotion"]), ordered_terms(table)
    rows = table.to_dict("records")
    return sorted(rows, key=lambda row: (emotions.index(row["emotion"]), terms.index(row["term"])))


def _estimate_of(name: str) -> Callable[[Mapping[str, Any]], str]:
    if name == "log_odds":
        return lambda row: _ratio(row, "odds_ratio")
    if name == "marginal_effects":
        return lambda row: _spanned(row, "effect", "low", "high", digits=1, factor=100)
    return lambda row: _spanned(row, "coef", "low", "high")


def _spanned(
    row: Mapping[str, Any], value: str, low: str, high: str, *, digits: int = 2, factor: float = 1.0
) -> str:
    return with_interval(*(_times(row[name], factor) for name in (value, low, high)), digits=digits)


_WHAT: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "coefficients": lambda facts: "centred coefficients per unit of the term",
    "log_odds": lambda facts: f"odds ratios against {facts['reference']} per unit of the term",
    "marginal_effects": lambda facts: f"average marginal effects in percentage points {effect_unit(facts)}",
}


def _tests(row: Mapping[str, Any]) -> dict[str, str]:
    return {
        words: number_text(row[name]) if name == "z" else p_value(row[name])
        for name, words in _TESTS.items()
        if name in row
    }


def _frame(rows: Sequence[Mapping[str, Any]], *columns: str) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=None if rows else list(columns))


def _long(name: str) -> Callable[[Any], Printed]:
    def lay_out(result: Result) -> Printed:
        estimate = _estimate_of(name)
        rows = []
        for row in _sorted(result.tables[name]):
            line = {"emotion": row["emotion"], "term": term_title(row["term"]), "estimate": estimate(row)}
            if name == "log_odds":
                line["per SD"] = _ratio(row, "odds_ratio_sd")
            factor, digits = (100, 2) if name == "marginal_effects" else (1, 3)
            if name != "log_odds":
                line["SE"] = number_text(_times(row["se"], factor), digits)
            rows.append(line | _tests(row))
        caption = f"{_capital(_WHAT[name](result.facts))}, {_level(result)} intervals"
        return Printed(caption, _frame(rows, "emotion", "term"))

    return lay_out


def _ratio(row: Mapping[str, Any], name: str) -> str:
    value, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
    small = not unknown(low) and low < 0.1
    return with_interval(value, low, high, digits=3 if small else 2)


def _times(value: float | None, factor: float) -> float:
    return np.nan if value is None else factor * value


def _joint(result: Result) -> Printed:
    rows = [
        {
            "AU": au_title(row["au"]),
            "statistic": number_text(row["statistic"]),
            "degrees of freedom": number_text(row["df"], 0),
            **_tests(row),
        }
        for row in result.tables["joint"].to_dict("records")
    ]
    test = result.facts.get("joint_test", "joint test")
    return Printed(f"Does the AU matter for any emotion? {test}", _frame(rows, "AU"))


def _by_metric(name: str, who: str, caption: str) -> Callable[[Any], Printed]:
    def lay_out(result: Result) -> Printed:
        table = result.tables[name]
        cells = {
            (row[who], row["metric"]): _spanned(row, "value", "low", "high", digits=3)
            for row in table.to_dict("records")
        }
        metrics = list(dict.fromkeys(table["metric"]))
        rows = [
            {"model": one, **{METRICS.get(m, (m,))[0]: cells.get((one, m), MISSING) for m in metrics}}
            for one in dict.fromkeys(table[who])
        ]
        return Printed(f"{caption}, {_level(result)} intervals", _frame(rows, "model"))

    return lay_out


def _pairs(result: Result) -> Printed:
    rows = [
        {
            "model A": row["model_a"],
            "model B": row["model_b"],
            "A − B, points": _spanned(row, "difference", "low", "high", digits=1, factor=100),
            "only A right": f"{row['only_a_right']:,.0f}",
            "only B right": f"{row['only_b_right']:,.0f}",
            **_tests(row),
        }
        for row in result.tables["pairs"].to_dict("records")
    ]
    return Printed(f"Differences in accuracy with {_level(result)} intervals", _frame(rows, "model A"))


def _per_class(result: Result) -> Printed:
    if "model" not in result.tables["per_class"]:
        return _accounted(result)
    rows = [
        {
            "model": row["model"],
            "emotion": row["emotion"],
            "faces": f"{row['n']:,.0f}",
            "precision": number_text(row["precision"]),
            "recall": _spanned(row, "recall", "recall_low", "recall_high"),
            "F1": number_text(row["f1"]),
            "AUC": number_text(row["auc"]),
        }
        for row in result.tables["per_class"].to_dict("records")
    ]
    return Printed(f"Each emotion, recall with {_level(result)} intervals", _frame(rows, "model"))


def _accounted(result: Result) -> Printed:
    rows = [
        {
            "emotion": row["emotion"],
            "faces": f"{row['n']:,.0f}",
            "agreement": number_text(row["agreement"]),
            "κ": number_text(row["kappa"]),
            "R²": number_text(row["r2"]),
            "accounted for": "yes" if row["accounted"] else "NO",
        }
        for row in result.tables["per_class"].to_dict("records")
    ]
    return Printed(
        f"Which emotions of {result.facts['explains']} the AUs account for", _frame(rows, "emotion")
    )


_LAYOUTS: dict[str, Callable[[Any], Printed]] = {
    "coefficients": _long("coefficients"),
    "log_odds": _long("log_odds"),
    "marginal_effects": _long("marginal_effects"),
    "joint": _joint,
    "scores": _by_metric("scores", "model", "Scores on the same faces"),
    "pairs": _pairs,
    "per_class": _per_class,
    "fidelity": _by_metric("fidelity", "who", "Fidelity on held-out faces"),
}
