"""How results show themselves in a notebook: small, self-contained pieces of HTML in the report's look."""

from analysis.notebook.faces import explanation_html, prediction_html
from analysis.notebook.tables import table_html

__all__ = ["explanation_html", "prediction_html", "table_html"]
