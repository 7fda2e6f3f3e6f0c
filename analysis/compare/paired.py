"""Whether two classifiers differ on the same faces by more than chance."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("model_a", "model_b", "difference", "only_a_right", "only_b_right", "p", "p_holm")


def paired_tests(right: Mapping[str, np.ndarray], persons: np.ndarray | None = None) -> pd.DataFrame:
    """Test each two classifiers' accuracy.

    Parameters
    ----------
    right : mapping of str to (n,) bool ndarray
        By the model's name, which faces it got right.
    persons : (n,) int ndarray, optional
        The number of the person on each face.

    Returns
    -------
    DataFrame
        `model_a`, `model_b`, `difference` in accuracy, `only_a_right`, `only_b_right`; `p` of
        McNemar's exact test and `p_holm`, adjusted for the number of pairs; with `persons` also
        `p_people` and `p_people_holm` of `turned_round`.
    """
    import pandas as pd
    from statsmodels.stats.contingency_tables import mcnemar
    from statsmodels.stats.multitest import multipletests

    rows = []
    for a, b in combinations(right, 2):
        only_a, only_b = int((right[a] & ~right[b]).sum()), int((right[b] & ~right[a]).sum())
        difference = float(right[a].mean() - right[b].mean())
        p = float(mcnemar([[0, only_a], [only_b, 0]], exact=True).pvalue)
        rows.append((a, b, difference, only_a, only_b, p, np.nan))
    table = pd.DataFrame(rows, columns=[*_COLUMNS])
    if persons is not None:
        balance = [right[a].astype(int) - right[b] for a, b in combinations(right, 2)]
        table["p_people"] = [turned_round(np.bincount(persons, each)) for each in balance]
    for name in ("p", "p_people"):
        if name in table and len(table):
            table[f"{name}_holm"] = multipletests(table[name].to_numpy(), method="holm")[1]
    return table


def turned_round(balance: np.ndarray) -> float:
    """Test whether two classifiers are equally often right, by turning whole persons round.

    Parameters
    ----------
    balance : (G,) array of int
        For each person, how many faces only the first classifier got right, less those that only
        the second did.

    Returns
    -------
    float
        The exact two-sided p: how often the sum is at least as far from 0 when each person's
        sign is a coin's. For balances of 1 and -1 this is McNemar's exact test.
    """
    steps = np.abs(np.asarray(balance)).astype(int)
    reach = int(steps.sum())
    chance = np.zeros(2 * reach + 1)
    chance[reach] = 1.0
    for step in steps[steps > 0]:
        chance = 0.5 * (np.roll(chance, step) + np.roll(chance, -step))
    sums = np.abs(np.arange(-reach, reach + 1))
    return float(min(chance[sums >= abs(int(np.sum(balance)))].sum(), 1.0))
