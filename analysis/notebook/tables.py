"""An AU table in a notebook: what measured it, what it holds, and its first rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from analysis.columns import ID_COLUMNS, LANDMARK_COLUMNS, POSE_COLUMNS
from analysis.display import au_title
from analysis.facs import REGIONS, SCALE_RANGES, SCALES, region, short_name
from analysis.files import JsonObject
from analysis.notebook.fragment import fragment
from analysis.plots.theme import shortened
from analysis.rounding import MISSING

if TYPE_CHECKING:
    import pandas as pd

ROWS, OTHERS, CHARACTERS = 5, 4, 28
"""How much of a table is shown: rows, further columns, characters of a text."""

_NAMES = {"input": "input", "frame": "frame", "time_s": "time, s", "face": "face", "face_id": "person"}


class ShownTable(Protocol):
    """What is shown of an `analysis.AUTable`, which says what each name holds."""

    frame: pd.DataFrame
    backend: str
    backend_version: str
    scale: str
    extra: JsonObject
    notes: list[str]

    @property
    def au_columns(self) -> list[str]:
        """The AU columns, by AU number."""

    @property
    def aus(self) -> pd.DataFrame:
        """The AUs, (n, p) float64."""

    def __len__(self) -> int: ...


def table_html(table: ShownTable) -> str:
    """Show an AU table: backend, scale, counts, its Action Units and its first rows.

    Parameters
    ----------
    table : ShownTable
        Such as an `AUTable`.

    Returns
    -------
    str
        HTML.
    """
    frame, columns = table.frame, table.au_columns
    low = set(table.extra.get("low_validity") or ())
    others = [name for name in frame.columns if name not in _known(columns)]
    values = table.aus.to_numpy()
    shown = _leading(frame)
    head = frame.head(ROWS)
    full = SCALE_RANGES[table.scale][1]
    return fragment(
        "table.html",
        facts=_facts(table, values),
        backend=f"{table.backend} {table.backend_version}".strip(),
        scale=SCALES[table.scale],
        leading=[_NAMES[name] for name in shown],
        aus=[{"short": short_name(au), "title": au_title(au), "low": au in low} for au in columns],
        others=[shortened(str(name), CHARACTERS) for name in others[:OTHERS]],
        rows=[
            {
                "leading": [_text(head[name].iloc[row], 2 if name == "time_s" else None) for name in shown],
                "aus": [_cell(value, full, table.scale) for value in values[row]],
                "others": [_text(head[name].iloc[row]) for name in others[:OTHERS]],
            }
            for row in range(len(head))
        ],
        more=len(frame) - len(head),
        hidden=_hidden(frame.columns, others[OTHERS:]),
        regions=_by_region(columns, low),
        notes=list(table.notes),
    )


def _known(columns: Sequence[str]) -> set[str]:
    return {*ID_COLUMNS, *POSE_COLUMNS, *LANDMARK_COLUMNS, *columns, "face_id"}


def _leading(frame: pd.DataFrame) -> list[str]:
    """Name the columns that tell the rows apart; those of videos only where there is one."""
    named = [name for name in _NAMES if name in frame.columns]
    return [name for name in named if name not in ("frame", "time_s") or (frame[name].fillna(0) > 0).any()]


def _facts(table: ShownTable, values: np.ndarray) -> list[str]:
    facts = [_counted(len(table), "face"), _counted(table.frame["input"].nunique(), "file")]
    if "face_id" in table.frame:
        people = table.frame[["input", "face_id"]].drop_duplicates()
        facts.append(f"{len(people):,} face_id" + ("s" if len(people) != 1 else ""))
    facts.append(_counted(len(table.au_columns), "AU"))
    failed = int(np.isnan(values).all(axis=1).sum())
    part = int(np.isnan(values).any(axis=1).sum()) - failed
    if failed:
        facts.append(f"{_counted(failed, 'face')} without a measurement")
    if part:
        facts.append(f"{_counted(part, 'face')} with an AU missing")
    return facts


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _hidden(columns: Iterable[str], others: Sequence[str]) -> list[str]:
    """Tell what the preview leaves out."""
    names = set(columns)
    parts = [
        ("box and confidence", names & {"x", "y", "w", "h", "confidence"}),
        ("head pose", names & set(POSE_COLUMNS)),
        ("68 landmarks", names & set(LANDMARK_COLUMNS)),
    ]
    return [what for what, found in parts if found] + (
        [_counted(len(others), "further column")] if others else []
    )


def _cell(value: float, full: float, scale: str) -> dict[str, str | float | None]:
    if np.isnan(value):
        return {"text": MISSING, "shade": None}
    digits = {"r": 1, "p": 2, "c": 0}[scale]
    return {"text": f"{value:.{digits}f}", "shade": round(float(np.clip(value / full, 0, 1)) * 0.55, 2)}


def _text(value: object, digits: int | None = None) -> str:
    if isinstance(value, float | np.floating):
        return MISSING if np.isnan(value) else f"{value:.6g}" if digits is None else f"{value:.{digits}f}"
    return MISSING if value is None or value != value else shortened(str(value), CHARACTERS)


def _by_region(columns: Sequence[str], low: set[str]) -> list[tuple[str, list[dict[str, str | bool]]]]:
    groups: dict[str, list[dict[str, str | bool]]] = {}
    for au in columns:
        groups.setdefault(region(au) or "other", []).append({"title": au_title(au), "low": au in low})
    return [(name, groups[name]) for name in (*REGIONS, "other") if name in groups]
