"""Rows of the bars that show probabilities and AUs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from analysis.display import au_title
from analysis.facs import REGIONS, SCALE_RANGES, in_order, parse_column, region, short_name
from analysis.html.why import decimals, probability_text

NO_ANSWER = "no answer"


def probability_rows(answers: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Lay the probabilities of every model side by side.

    Parameters
    ----------
    answers : mapping of str to mapping
        Model to ``{'label', 'probabilities'}``.

    Returns
    -------
    list of dict
        One row an emotion with one cell a model: ``text``, ``width`` in per cent, ``best``.
    """
    names = (name for answer in answers.values() for name in answer["probabilities"])
    rows = []
    for name in in_order(names):
        cells = []
        for answer in answers.values():
            value = answer["probabilities"].get(name, math.nan)
            width = 0.0 if math.isnan(value) else 100 * min(1.0, max(0.0, value))
            cells.append({"text": probability_text(value), "width": width, "best": name == answer["label"]})
        rows.append({"emotion": name, "cells": cells})
    return rows


def au_groups(
    aus: Mapping[str, float], usual: Mapping[str, float], low: Iterable[str]
) -> list[dict[str, Any]]:
    """Group the Action Units of a face by its regions, brow to jaw.

    Parameters
    ----------
    aus : mapping of str to float
        AU column to value; NaN becomes 'not measured'.
    usual : mapping of str to float
        AU column to the baseline's value.
    low : iterable of str
        AU columns of low validity.

    Returns
    -------
    list of dict
        ``region`` and ``rows``; each row has ``title, value, width, tick, usual, low``.
    """
    marked = set(low)
    groups: dict[str, list[dict[str, Any]]] = {}
    for column in sorted(aus, key=lambda name: parse_column(name) or (0, name)):
        scale = (parse_column(column) or (0, "r"))[1]
        full = SCALE_RANGES[scale][1]
        value, base = float(aus[column]), float(usual.get(column, math.nan))
        row = {
            "title": au_title(column),
            "au": short_name(column),
            "value": decimals(value, 1 if scale == "r" else 2),
            "width": None if math.isnan(value) else 100 * min(1.0, max(0.0, value / full)),
            "tick": None if math.isnan(base) else 100 * min(1.0, max(0.0, base / full)),
            "usual": decimals(base, 1 if scale == "r" else 2),
            "low": column in marked,
        }
        groups.setdefault(region(column) or "other", []).append(row)
    order = [*REGIONS, "other"]
    return [{"region": name, "rows": groups[name]} for name in order if name in groups]
