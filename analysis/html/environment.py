"""The templates' environment: what is no markup is escaped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


def environment(*folders: Path) -> Environment:
    """Make the environment of the templates in folders: every text is escaped, what is missing raises."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["pct"] = lambda value: f"{value:.1f}".removesuffix(".0")
    return made
