"""A face as a network sees it beside the regression's reasons, region by region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from analysis.display import signed
from analysis.facs import in_order
from analysis.plots.theme import (
    AGAINST_COLOUR,
    FOR_COLOUR,
    GREY,
    INK,
    PALE,
    SMALL,
    WIDTH,
    broken,
    diverging,
    heading,
    new_figure,
)
from analysis.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: What the agreement is compared with, as a reader is told.
NULLS = {
    "regions shuffled": "regions in random order",
    "faces shuffled": "AUs of any other face",
    "faces shuffled within emotion": "AUs of another, same emotion",
}


def saliency(
    face: np.ndarray,
    attribution: np.ndarray,
    masks: np.ndarray,
    regions: Sequence[str],
    *,
    network: Mapping[str, float],
    regression: Mapping[str, float],
    target: str,
    unit: str = "share of all regions",
    title: str = "",
) -> Figure:
    """Draw what a network looks at in a face beside what a regression counts.

    Parameters
    ----------
    face : ndarray of uint8, shape (H, W)
        What the network looks at.
    attribution : ndarray of float, shape (H, W)
        For (> 0, blue) and against (< 0, orange) the target; drawn on a scale of its own.
    masks : ndarray of bool, shape (R, H, W)
        The regions, outlined.
    regions : sequence of str, length R
        Their names.
    network, regression : mapping of str to float
        By region: the network's attribution, and the contributions of the region's AUs to the centred logit.
        A region that one side lacks, such as the background, is written so.
    target : str
        The emotion explained.
    unit : str
        Of the network's attribution.
    title : str
        Heading; by default the emotion.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the arrays do not fit each other.
    """
    expected = (len(regions), *np.shape(face))
    if np.shape(attribution) != np.shape(face) or np.shape(masks) != expected:
        raise ValueError(
            f"face, attribution, masks: expected shapes (H, W), (H, W), ({len(regions)}, H, W), got "
            f"{np.shape(face)}, {np.shape(attribution)}, {np.shape(masks)}"
        )
    with new_figure((WIDTH, 3.3), columns=3) as (figure, (picture, left, right)):
        _overlay(picture, face, attribution, masks)
        _bars(left, regions, network, "no attribution")
        left.set_yticks(range(len(regions)), labels=regions)
        left.set_title("pixels", fontsize=9)
        left.set_xlabel(broken(unit, 2.0))
        _bars(right, regions, regression, "no AU")
        right.set_yticks(range(len(regions)), labels=[])
        right.set_title("Action Units", fontsize=9)
        right.set_xlabel("contribution to the centred logit")
        heading(figure, title or f"What speaks for {target}: the network's pixels and the Action Units")
    return figure


def agreement(result: Result) -> Figure:
    """Draw how far a model's regions agree with a regression's, beside what chance would give.

    Parameters
    ----------
    result : Agreement
        Anything with its ``facts`` and its tables ``faces`` and ``nulls``.

    Returns
    -------
    matplotlib.figure.Figure
        A row an emotion, with its faces and their mean; below them a bar a null, and a line for the mean.
    """
    import seaborn as sns

    facts, faces, nulls = result.facts, result.tables["faces"], result.tables["nulls"]
    faces = faces[faces["correlation"].notna()]
    emotions = in_order(faces["emotion"].unique())
    rows = len(emotions) + len(nulls)
    with new_figure((WIDTH, 1.1 + 0.27 * rows)) as (figure, (axes,)):
        where = {"x": "correlation", "y": "emotion", "order": emotions, "color": FOR_COLOUR, "ax": axes}
        sns.stripplot(faces, **where, size=4, alpha=0.35, jitter=False)
        sns.pointplot(
            faces, **where, errorbar=None, linestyle="none", marker="|", markersize=12, markeredgewidth=2
        )
        for row, null in enumerate(nulls.to_dict("records"), start=len(emotions)):
            width = null["high"] - null["low"]
            axes.barh(row, width, left=null["low"], height=0.5, color=PALE, edgecolor=GREY)
        axes.axvspan(facts["low"], facts["high"], color=FOR_COLOUR, alpha=0.12, linewidth=0)
        axes.axvline(facts["correlation"], color=FOR_COLOUR, linewidth=1.4)
        axes.axvline(0, color=INK, linewidth=0.8)
        counts = faces["emotion"].value_counts()
        names = [f"{emotion} ({counts[emotion]})" for emotion in emotions]
        axes.set_yticks(
            range(rows), labels=[*names, *(NULLS.get(null, null) for null in nulls["null"])], fontsize=SMALL
        )
        axes.set_ylim(rows - 0.4, -0.6)
        axes.set_xlim(-1.05, 1.05)
        axes.grid(axis="x")
        axes.set_xlabel("rank correlation of a face's regions")
        axes.set_ylabel("")
        mean = f"{facts['correlation']:.2f}".replace("-", "−")
        heading(
            figure, f"Do {facts['model']} and the Action Units agree? Mean {mean} over {facts['n']:,} faces"
        )
    return figure


def _overlay(axes: Axes, face: np.ndarray, attribution: np.ndarray, masks: np.ndarray) -> None:
    height, width = face.shape
    inside = (0, width, height, 0)
    most = float(np.quantile(np.abs(attribution), 0.99)) or 1.0
    axes.imshow(face, cmap="gray", vmin=0, vmax=255, extent=inside)
    strength = np.clip(np.abs(attribution) / most, 0, 1)
    axes.imshow(
        attribution, cmap=diverging(), vmin=-most, vmax=most, alpha=0.75 * strength, extent=inside
    )  # fmt: skip
    numbers = np.asarray(masks).argmax(0)
    for row, column in np.argwhere(numbers[:, 1:] != numbers[:, :-1]):
        axes.plot([column + 1, column + 1], [row, row + 1], color="white", linewidth=0.8)
    for row, column in np.argwhere(numbers[1:] != numbers[:-1]):
        axes.plot([column, column + 1], [row + 1, row + 1], color="white", linewidth=0.8)
    axes.set_axis_off()
    axes.set_title("blue for, orange against", fontsize=9)


def _bars(axes: Axes, regions: Sequence[str], values: Mapping[str, float], missing: str) -> None:
    far = max((abs(value) for value in values.values() if np.isfinite(value)), default=0.0) or 1.0
    for row, region in enumerate(regions):
        value = values.get(region, np.nan)
        if not np.isfinite(value):
            axes.annotate(missing, (0, row), (4, 0), textcoords="offset points", va="center", color=GREY)
            continue
        axes.barh(row, value, height=0.62, color=FOR_COLOUR if value >= 0 else AGAINST_COLOUR)
        side = 1 if value >= 0 else -1
        axes.annotate(
            signed(value), (value, row), (4 * side, 0), textcoords="offset points", va="center",
            ha="left" if value >= 0 else "right",
        )  # fmt: skip
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_ylim(len(regions) - 0.4, -0.6)
    axes.set_xlim(-1.8 * far, 1.8 * far)
    axes.grid(axis="x")
