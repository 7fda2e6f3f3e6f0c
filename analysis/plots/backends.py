"""How far backends agree, AU by AU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis.facs import AUS
from analysis.plots.theme import INK, SMALL, TINY, diverging, heading, new_figure, shortened

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_MEASURES = {"pearson": "Pearson's r", "icc": "ICC(A,1)"}
_READING = (
    "How far backends agree on the same faces. r: whether both order them alike. ICC(A,1), of shares of the "
    "scale's range: whether one may stand for the other. –: one of them gave a single value. Blank: not "
    "measured by both."
)


def agreement_map(frame: pd.DataFrame) -> Figure:
    """Draw Pearson's r and the ICC of every AU and pair of backends as two maps side by side.

    Parameters
    ----------
    frame : DataFrame
        `analysis.backends.Agreement.frame`.

    Returns
    -------
    matplotlib.figure.Figure
        Empty where a pair does not share an AU, '–' where a backend gave it one value only.
    """
    aus = sorted(frame["au"].unique())
    pairs = list(dict.fromkeys(zip(frame["first"], frame["second"], strict=True)))
    labels = [f"{shortened(a, 22)}\nand {shortened(b, 22)}" for a, b in pairs]
    names = [f"{AUS[number].name}  {au}" if (number := int(au[2:])) in AUS else au for au in aus]
    size = (3.2 + 2 * max(1.4, 0.62 * len(pairs)), 2.3 + 0.24 * len(aus))
    with new_figure(size, 1, 2, sharey=True) as (figure, axes):
        for axis, (column, title) in zip(axes, _MEASURES.items(), strict=True):
            values = np.full((len(aus), len(pairs)), np.nan)
            for row in frame.itertuples():
                values[aus.index(row.au), pairs.index((row.first, row.second))] = getattr(row, column)
            axis.imshow(values, cmap=diverging(), vmin=-1, vmax=1, aspect="auto")
            measured = {(row.au, row.first, row.second) for row in frame.itertuples()}
            for (y, x), value in np.ndenumerate(values):
                if (aus[y], *pairs[x]) not in measured:
                    continue
                text = f"{round(value, 2) + 0.0:.2f}" if np.isfinite(value) else "–"
                colour = "white" if abs(value) > 0.6 else INK
                axis.text(x, y, text, ha="center", va="center", fontsize=TINY, color=colour)
            axis.set_title(title, fontsize=9)
            axis.set_xticks(range(len(pairs)), labels, rotation=45, ha="right", fontsize=SMALL)
            axis.set_yticks(range(len(aus)), names, fontsize=SMALL)
            axis.spines[:].set_visible(False)
            axis.tick_params(length=0)
        heading(figure, _READING, int(11.5 * size[0]))
    return figure
