"""How results are shown, for figures and reports alike: names, order and signs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.facs import in_order, parse_column, plain_name, short_name

if TYPE_CHECKING:
    import pandas as pd

_PAIR = "*"

METRICS = {
    "accuracy": ("accuracy", "more is better"),
    "balanced_accuracy": ("balanced accuracy", "more is better"),
    "macro_f1": ("macro-F1", "more is better"),
    "log_loss": ("log loss", "less is better"),
    "brier": ("Brier score", "less is better"),
    "ece": ("calibration error", "less is better"),
    "agreement": ("agreement of the answers", "more is better"),
    "kappa": ("agreement beyond chance, κ", "more is better"),
    "kl_r2": ("share of the information, KL-R²", "more is better"),
    "logit_r2": ("R² of the centred logits", "more is better"),
}
"""What a score is called, and which direction is good."""


def au_title(column: str) -> str:
    """Write an AU column as a reader says it: ``'AU12_r'`` becomes ``'AU12 lip corner puller'``.

    Parameters
    ----------
    column : str
        A column such as ``'AU12_r'``. A name that is no AU column is returned unchanged.

    Returns
    -------
    str
    """
    words = plain_name(column)
    return short_name(column) if words == column else f"{short_name(column)} {words}"


def signed(value: float, digits: int = 2) -> str:
    """Format a number with its sign, using a true minus; zero has no sign.

    Parameters
    ----------
    value : float
    digits : int, default 2
        Digits after the point.

    Returns
    -------
    str
    """
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")


def is_term(au: object) -> bool:
    """Tell whether an entry of a coefficient table's column `au` is an AU or a pair of them, no intercept."""
    return all(parse_column(part) is not None for part in str(au).split(_PAIR))


def term_title(term: str) -> str:
    """Name a term of a model as a reader says it.

    Parameters
    ----------
    term : str
        Such as ``'AU12_r'``, ``'AU12_r>1.25'`` or ``'AU06_r*AU12_r>1.2'``.

    Returns
    -------
    str
        ``'AU12 lip corner puller'``, ``'AU12 extra above 1.25'``, ``'AU6 × AU12 above 1.2'``.
    """
    parts = [part.partition(">") for part in str(term).split(_PAIR)]
    if len(parts) == 1:
        column, _, knot = parts[0]
        return f"{short_name(column)} extra above {knot}" if knot else au_title(column)
    return " × ".join(short_name(column) + (f" above {knot}" if knot else "") for column, _, knot in parts)


def ordered_terms(coefficients: pd.DataFrame) -> list[str]:
    """List the terms of a coefficient table in FACS order: an AU before its hinges, pairs at the end.

    Parameters
    ----------
    coefficients : pandas.DataFrame
        Column ``term``.

    Returns
    -------
    list of str
    """
    return sorted(dict.fromkeys(map(str, coefficients["term"])), key=_term_place)


def coefficient_grid(coefficients: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Spread a tidy coefficient table into term x emotion, in FACS order and the usual order of emotions.

    Parameters
    ----------
    coefficients : pandas.DataFrame
        Columns ``emotion, au, term, coef`` and, optionally, ``se``. Rows whose `au` is neither an AU column
        nor a pair of them (the intercepts) are left out.

    Returns
    -------
    coef, se : pandas.DataFrame
        Both indexed by term, one column per emotion; `se` is NaN where it is not given.
    """
    frame = coefficients[[is_term(au) for au in coefficients["au"]]]
    if "se" not in frame:
        frame = frame.assign(se=np.nan)
    terms = ordered_terms(frame)
    emotions = in_order(frame["emotion"])
    spread = frame.pivot(index="term", columns="emotion", values=["coef", "se"])
    return (spread["coef"].loc[terms, emotions], spread["se"].loc[terms, emotions])


def sample_words(facts: Mapping[str, Any]) -> str:
    """Tell how many faces a result rests on, and of how many people: ``'n = 4,473 faces of 120 people'``.

    Parameters
    ----------
    facts : mapping
        ``n`` and, optionally, ``n_groups``; a false ``grouped`` says that the groups are no people.

    Returns
    -------
    str
    """
    known = facts.get("n_groups") and facts.get("grouped", True)
    people = f" of {facts['n_groups']:,} people" if known else ""
    return f"n = {facts['n']:,} faces{people}"


def effect_unit(facts: Mapping[str, Any]) -> str:
    """Tell what change of an AU a marginal effect of an inference is for."""
    return "from absent to present" if facts.get("effects") == "from 0 to 1" else "per unit of the AU"


def scale_of(columns: Sequence[str]) -> str:
    """Tell the scale that AU columns are on: ``'r'``, ``'p'`` or ``'c'``.

    Parameters
    ----------
    columns : sequence of str
        AU columns of one scale.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If there is no AU column, or the columns mix scales.
    """
    suffixes = {parsed[1] for column in columns if (parsed := parse_column(str(column)))}
    if len(suffixes) != 1:
        raise ValueError(
            f"columns: expected AU columns of one scale, got scales {sorted(suffixes) or 'none'}"
        )
    return suffixes.pop()


def au_number(column: str) -> int:
    """Return the FACS number of an AU column, to sort by; what is no AU comes last."""
    parsed = parse_column(column)
    return parsed[0] if parsed else 999


def _term_place(term: str) -> tuple[int, list[tuple[int, float]]]:
    parts = [part.partition(">") for part in term.split(_PAIR)]
    return len(parts), [(au_number(column), float(knot or "-inf")) for column, _, knot in parts]
