"""Templates, and figures and tables as they take them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from analysis.html.pictures import figure_uri
from analysis.tables import Printed, to_html

if TYPE_CHECKING:
    import matplotlib.figure
    from jinja2 import Environment


def environment(folder: Path) -> Environment:
    """Make the environment of the templates in a folder: every text is escaped, what is missing raises."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["pct"] = lambda value: f"{value:.1f}".removesuffix(".0")
    return made


class Figure(NamedTuple):
    """A picture for the template: its data URI, its text for those who do not see it, its width in px."""

    uri: str
    alt: str
    width: int


def drawn(figure: matplotlib.figure.Figure, alt: str) -> Figure:
    """Turn a figure into what the template shows, as wide on the page as it is on paper."""
    return Figure(figure_uri(figure), alt, round(125 * figure.get_figwidth()))


def printed(table: Printed) -> Any:
    """Turn a table into markup; every text in it is escaped."""
    from markupsafe import Markup

    return Markup(to_html(table))  # to_html escapes
