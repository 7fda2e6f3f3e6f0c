"""The templates of this package, filled in with the palette of the figures and the reports."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.plots.theme import AGAINST_COLOUR, FOR_COLOUR

if TYPE_CHECKING:
    from jinja2 import Environment

DARK_FOR, DARK_AGAINST = "#6fb1f5", "#f0a35c"
"""The palette's blue and orange where the page behind them is dark."""


def fragment(template: str, **view: Any) -> str:
    """Fill in a template.

    Parameters
    ----------
    template : str
        A file beside this module, in ``templates/``.
    **view
        What it shows; every text is escaped.

    Returns
    -------
    str
        HTML with its own style, without script and without any outside resource. Text takes the colour of the
        page, so that it is legible on light and on dark.
    """
    from markupsafe import Markup

    environment = _environment()
    colours = {"blue": (FOR_COLOUR, DARK_FOR), "orange": (AGAINST_COLOUR, DARK_AGAINST)}
    css = environment.get_template("notebook.css").render(colours)
    html = environment.get_template(template).render(view, css=Markup(css))  # ours alone
    # A file name that is no valid UTF-8 holds lone surrogates, which no notebook can be saved with.
    return html.encode("utf-8", "replace").decode("utf-8")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from analysis.html.environment import environment

    return environment(Path(__file__).parent / "templates")
