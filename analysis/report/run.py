"""run.json as tables of names and values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from analysis.files import JsonObject


def run_groups(run: Mapping[str, Any]) -> list[JsonObject]:
    """Lay run.json out as groups of name and value; plain entries come first."""
    plain = {k: v for k, v in run.items() if k != "warnings" and not isinstance(v, Mapping)}
    groups = [("run", plain), *((k, v) for k, v in run.items() if isinstance(v, Mapping))]
    return [{"name": _words(name), "rows": _flat(group)} for name, group in groups if group]


def _flat(group: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in group.items():
        if isinstance(value, Mapping) and value:
            rows += _flat(value, f"{before}{_words(key)} / ")
        else:
            rows.append((before + _words(key), _value(value)))
    return rows


def _value(value: object) -> str:
    if isinstance(value, list):
        more = f" … and {len(value) - 8} more" if len(value) > 8 else ""
        return ", ".join(_value(part) for part in value[:8]) + more
    if isinstance(value, Mapping):
        return " · ".join(f"{_words(key)} {_value(part)}" for key, part in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "none" if value is None else str(value)


def _words(key: object) -> str:
    return str(key).replace("_", " ")


def started(run: Mapping[str, Any]) -> str:
    """Write when the run began; '' where run.json does not say."""
    text = str(run.get("started", ""))
    try:
        return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M %Z").strip()
    except ValueError:
        return text
