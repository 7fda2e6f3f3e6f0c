"""Templates, and figures and tables as they take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from analysis.html.pictures import figure_uri
from analysis.tables import Printed, to_html

if TYPE_CHECKING:
    import matplotlib.figure
    from markupsafe import Markup


class Figure(NamedTuple):
    """A picture for the template: its data URI, its text for those who do not see it, its width in px."""

    uri: str
    alt: str
    width: int


def drawn(figure: matplotlib.figure.Figure, alt: str) -> Figure:
    """Turn a figure into what the template shows, as wide on the page as it is on paper."""
    return Figure(figure_uri(figure), alt, round(125 * figure.get_figwidth()))


def printed(table: Printed) -> Markup:
    """Turn a table into markup; every text in it is escaped."""
    from markupsafe import Markup

    return Markup(to_html(table))  # to_html escapes
