"""The coefficients of a model as one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis.display import coefficient_grid, signed, term_title
from analysis.plots.theme import INK, diverging, new_figure

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
        image = axes.imshow(coef.to_numpy(), cmap=diverging(), vmin=-bound, vmax=bound, aspect="auto")
        axes.set_xticks(range(coef.shape[1]), labels=list(coef.columns))
        axes.set_yticks(range(coef.shape[0]), labels=titles)
        axes.tick_params(length=0)
        axes.xaxis.tick_top()
        for (row, column), value in np.ndenumerate(coef.to_numpy()):
            if np.isfinite(value):
                ink = "white" if abs(value) > 0.62 * bound else INK
                axes.text(column, row, signed(value), ha="center", va="center", color=ink, fontsize=8)
        axes.set_title(title, pad=12)
        axes.spines[:].set_visible(False)
        bar = figure.colorbar(image, ax=axes, fraction=0.035, pad=0.03)
        bar.set_label("change of the centred logit per unit of the term")
        bar.outline.set_visible(False)
    return figure
