"""The coefficients of a model as one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis.display import coefficient_grid, signed, term_title
from analysis.plots.heatmap import heatmap
from analysis.plots.theme import diverging, new_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.logit import MultinomialLogit


def coefficient_heatmap(
    model: MultinomialLogit | pd.DataFrame, *, title: str = "What each Action Unit says about each emotion"
) -> Figure:
    """Draw the class-centred coefficients of a model as an AU x emotion heatmap.

    Parameters
    ----------
    model : MultinomialLogit or pandas.DataFrame
        A fitted model, or its tidy ``coefficients()`` table.
    title : str
        Heading of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        One cell per term and emotion with its signed number: blue speaks for the emotion, orange against it.
    """
    coefficients = model.coefficients() if hasattr(model, "coefficients") else model
    coef, _ = coefficient_grid(coefficients)
    titles = [term_title(term) for term in coef.index]
    bound = float(np.nanmax(np.abs(coef.to_numpy()))) or 1.0
    size = (2.9 + 0.78 * coef.shape[1], 1.5 + 0.27 * coef.shape[0])
    with new_figure(size) as (figure, (axes,)):
        texts = [[signed(value) for value in row] for row in coef.to_numpy()]
        limits, names = (-bound, bound), list(coef.columns)
        heatmap(axes, coef.to_numpy(), limits, diverging(), rows=titles, columns=names, texts=texts, bar=True)
        axes.xaxis.tick_top()
        axes.set_title(title, pad=12)
        axes.collections[0].colorbar.set_label("change of the centred logit per unit of the term")
    return figure
