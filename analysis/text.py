"""Labels that are the same but for case, blanks or Unicode form."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable

import numpy as np

from analysis.facs import canonical_emotion, is_emotion

_SHOWN = 3
_MISSING = {"na", "n/a", "nan", "none", "null"}


def label_key(label: object) -> str:
    """Return what labels that differ only in case, blanks or Unicode form have in common."""
    return unicodedata.normalize("NFKC", canonical_emotion(label).casefold())


def merged_labels(labels: Iterable[object], known: Iterable[str] = ()) -> tuple[np.ndarray, list[str]]:
    """Write labels that differ only in case, blanks or Unicode form in one way, that of the first.

    Parameters
    ----------
    labels : iterable of object
        As they were given; names in `analysis.facs.EMOTIONS` and their aliases count as those.
    known : iterable of str, optional
        Spellings that go before those of `labels`, such as the classes of a model.

    Returns
    -------
    merged : (n,) ndarray of str
    notes : list of str
        What was merged, with the numbers of rows; and labels that are called like a missing value.
    """
    given = [str(label) if isinstance(label, str) else canonical_emotion(label) for label in labels]
    counts = Counter(given)
    shown = {label_key(label): label for label in reversed([*known])}
    name_of: dict[str, str] = {}
    spellings: dict[str, list[str]] = {}
    for label in counts:
        key = label_key(label)
        name_of[label] = shown.setdefault(key, canonical_emotion(label))
        spellings.setdefault(key, []).append(label)
    others = [
        label
        for key, same in spellings.items()
        if len(same) > 1 and not is_emotion(shown[key])
        for label in same
        if label != shown[key]
    ]
    notes = []
    if others:
        pairs = ", ".join(f"{label!r} as {name_of[label]}" for label in others[:_SHOWN])
        notes.append(
            f"labels that differ only in case, blanks or Unicode form count as one: "
            f"{sum(counts[label] for label in others)} of {len(given)} rows "
            f"({pairs}{', ...' if len(others) > _SHOWN else ''})"
        )
    odd = [label for label in counts if label_key(label) in _MISSING]
    if odd:
        notes.append(
            f"{sum(counts[label] for label in odd)} of {len(given)} rows have the label {odd[0]!r}, which "
            "counts as one; leave the cells empty if they have none"
        )
    return np.array([name_of[label] for label in given], dtype=str), notes
