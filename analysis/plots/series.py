"""Figure of one person's Action Units over time, with the emotion that a model names below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analysis.display import au_number, au_title
from analysis.facs import SCALE_RANGES, SCALES, in_order, parse_column
from analysis.plots.theme import (
    FOR_COLOUR,
    GREY,
    HEIGHT,
    INK,
    PALE,
    RULE,
    SMALL,
    TINY,
    WIDTH,
    broken,
    heading,
    new_figure,
    sequential,
    shortened,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = 10
"""Action Units that get a panel; more are not legible on a page."""
LONG, SHOWN_LONG = 3000, 20
"""A series of more frames is drawn as shades, a row for each AU: lines and bands would run together."""
_EDGED = 15
"""Bands of a panel that have edges; the edges of more would cover the line."""
_COLUMNS = 600
"""Moments of a strip of shades; a longer video is put together."""
_MINUTES_FROM = 600
"""Seconds from which on the axis tells minutes."""
_SMOOTHED = "smoothed_"


def series(
    rows: pd.DataFrame,
    aus: Sequence[str],
    *,
    events: pd.DataFrame | None = None,
    probabilities: pd.DataFrame | None = None,
    max_gap_s: float = 0.5,
    title: str = "",
    top: int = SHOWN,
) -> Figure:
    """Draw the Action Units of one person over time.

    Parameters
    ----------
    rows : DataFrame
        One person's rows of `analysis.series.AUSeries`, by time: ``time_s``, the AU columns as measured and
        their ``smoothed_`` columns. NaN and steps over `max_gap_s` are drawn as gaps.
    aus : sequence of str
        AU columns, such as ``AU12_r``.
    events : DataFrame, optional
        The person's actions, as ``AUSeries.events`` gives them: a band from onset to offset with a dot at the
        apex; the end of a band that is open, because the series is cut there, has no edge.
    probabilities : DataFrame, optional
        A model's probabilities for the same rows, a column for each emotion; drawn below on the same axis.
    max_gap_s : float
    title : str
        Heading of the figure.
    top : int
        So many AUs are drawn, those with the greatest smoothed values; the caption tells how many are not.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        There is no row, or no AU.
    """
    if not len(rows) or not aus:
        raise ValueError(f"series: expected rows and AUs, got {len(rows)} rows and {len(aus)} AUs")
    times_s = rows["time_s"].to_numpy(dtype=float)
    long = len(rows) > LONG
    shown = _strongest(rows, aus, max(top, SHOWN_LONG) if long and top == SHOWN else top)
    scale = (parse_column(shown[0]) or (0, "r"))[1]
    emotions = [] if probabilities is None else in_order(probabilities.columns)
    heights = [0.42 * len(shown) + 0.1] if long else [1.0] * len(shown)
    heights += [0.42 * len(emotions) + 0.1] if emotions else []
    inches = min(HEIGHT, 1.3 + 0.62 * sum(heights))
    with new_figure((WIDTH, inches), len(heights), sharex=True) as (figure, grid):
        figure.get_layout_engine().set(h_pad=0.03, hspace=0.01)
        grid[0].get_gridspec().set_height_ratios(heights)
        if long:
            values = np.column_stack([_smoothed(rows, au) for au in shown])
            names = [au_title(au) for au in shown]
            _strip(grid[0], times_s, values, names, SCALE_RANGES[scale][1], strongest=True)
        else:
            _panels(grid, rows, shown, SCALE_RANGES[scale][1], events, max_gap_s)
        if emotions and probabilities is not None:
            _strip(grid[-1], times_s, probabilities[emotions].to_numpy(dtype=float), emotions, 1.0)
        for axes in grid[:-1]:
            axes.tick_params(axis="x", bottom=False)
        _time_axis(grid[-1], times_s)
        caption = _caption(aus, shown, scale, events is not None, long, bool(emotions))
        figure.supxlabel(caption, fontsize=TINY, color=GREY, x=0.01, ha="left", multialignment="left")
        if title:
            heading(figure, shortened(title, 80))
    return figure


def _panels(
    grid: Sequence[Axes],
    rows: pd.DataFrame,
    shown: Sequence[str],
    most: float,
    events: pd.DataFrame | None,
    max_gap_s: float,
) -> None:
    """Draw a panel for each AU, all of one height of the scale."""
    times_s = rows["time_s"].to_numpy(dtype=float)
    peak = max(max(_peak(rows[au].to_numpy(dtype=float)), _peak(_smoothed(rows, au))) for au in shown)
    for axes, au in zip(grid, shown, strict=False):
        own = None if events is None else events[events["au"] == au]
        _panel(axes, times_s, rows[au].to_numpy(dtype=float), _smoothed(rows, au), own, max_gap_s)
        axes.set_ylim(0, float(np.clip(peak * 1.08, 0.6 * most, most * 1.02)))
        label = broken(au_title(au), 1.35)
        axes.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=SMALL, labelpad=8)


def _time_axis(axes: Axes, times_s: np.ndarray) -> None:
    from matplotlib.ticker import MultipleLocator

    first, last = _span(times_s)
    axes.set_xlim(first, last)
    if last < _MINUTES_FROM:
        axes.set_xlabel("time, s")
        return
    steps = (60, 120, 300, 600, 900, 1800, 3600, 7200)
    step = next((step for step in steps if (last - first) / step <= 8), 14400)
    axes.xaxis.set_major_locator(MultipleLocator(step))
    axes.xaxis.set_major_formatter(lambda value, _: f"{int(value // 60)}:{int(value % 60):02d}")
    axes.set_xlabel("time, min:s")


def _strongest(rows: pd.DataFrame, aus: Sequence[str], top: int) -> list[str]:
    peaks = {au: (_peak(_smoothed(rows, au)), _peak(rows[au].to_numpy(dtype=float))) for au in aus}
    kept = sorted(aus, key=lambda au: peaks[au], reverse=True)[:top]
    return sorted(kept, key=au_number)


def _smoothed(rows: pd.DataFrame, au: str) -> np.ndarray:
    name = _SMOOTHED + au
    return np.asarray((rows[name] if name in rows else rows[au]).to_numpy(dtype=float))


def _peak(values: np.ndarray) -> float:
    return float(np.nanmax(values)) if np.isfinite(values).any() else -1.0


def _panel(
    axes: Axes,
    times_s: np.ndarray,
    raw: np.ndarray,
    smoothed: np.ndarray,
    events: pd.DataFrame | None,
    max_gap_s: float,
) -> None:
    for start_s, end_s in _gaps(times_s, raw, max_gap_s):
        axes.axvspan(start_s, end_s, color=PALE, linewidth=0)
    if events is not None:
        for event in events.to_dict("records"):
            axes.axvspan(event["onset_s"], event["offset_s"], color=FOR_COLOUR, alpha=0.16, linewidth=0)
            for end, place in (("onset", event["onset_s"]), ("offset", event["offset_s"])):
                if len(events) <= _EDGED and event["censored"] not in (end, "both"):
                    axes.axvline(place, color=FOR_COLOUR, linewidth=0.7)
            apex = (event["apex_s"], event["apex_value"])
            axes.plot(
                *apex, "o", color=INK, markersize=3.2 if len(events) <= _EDGED else 2, zorder=4, clip_on=False
            )
    own_s, values = _cut(times_s, raw, max_gap_s)
    axes.plot(own_s, values, color=GREY, linewidth=0.5, alpha=0.6)
    own_s, values = _cut(times_s, smoothed, max_gap_s)
    axes.plot(own_s, values, color=FOR_COLOUR, linewidth=1.2)
    alone = _alone(values)
    axes.plot(own_s[alone], values[alone], ".", color=FOR_COLOUR, markersize=3)
    axes.grid(axis="y")
    axes.tick_params(labelsize=TINY)
    axes.tick_params(axis="x", labelsize=SMALL)


def _cut(times_s: np.ndarray, values: np.ndarray, max_gap_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Put NaN into every gap, so that no line bridges it, and take single holes out, so that one does."""
    known = np.isfinite(values)
    times_s, values = times_s[known], values[known]
    cuts = np.flatnonzero(np.diff(times_s) > max_gap_s) + 1
    return np.insert(times_s, cuts, np.nan), np.insert(values, cuts, np.nan)


def _alone(values: np.ndarray) -> np.ndarray:
    """Values with a gap on both sides, which no line would show."""
    known = np.concatenate([[False], np.isfinite(values), [False]])
    return np.asarray(known[1:-1] & ~known[:-2] & ~known[2:])


def _gaps(times_s: np.ndarray, values: np.ndarray, max_gap_s: float) -> list[tuple[float, float]]:
    """Stretches within the series that were not measured."""
    seen = times_s[np.isfinite(values)]
    edges = np.concatenate([times_s[:1], seen, times_s[-1:]])
    return [(edges[i], edges[i + 1]) for i in np.flatnonzero(np.diff(edges) > max_gap_s)]


def _span(times_s: np.ndarray) -> tuple[float, float]:
    first, last = float(times_s[0]), float(times_s[-1])
    return (first, last) if last > first else (first - 0.5, last + 0.5)


def _strip(
    axes: Axes,
    times_s: np.ndarray,
    values: np.ndarray,
    names: Sequence[str],
    most: float,
    *,
    strongest: bool = False,
) -> None:
    """Draw a row of shades for each column of `values`; what was not measured is grey."""
    import pandas as pd

    first, last = _span(times_s)
    edges = np.linspace(first, last, min(_COLUMNS, len(times_s)) + 1)
    middles = (edges[1:] + edges[:-1]) / 2
    places = np.clip(np.searchsorted(edges, times_s, side="right") - 1, 0, len(middles) - 1)
    of_moment = pd.DataFrame(values).groupby(places)
    shades = (of_moment.max() if strongest else of_moment.mean()).reindex(range(len(middles))).to_numpy()
    known = np.isfinite(shades).any(axis=1)
    if known.any():  # a moment between two frames shows the nearer one
        own = middles[known]
        nearest = np.abs(middles[:, None] - own[None, :]).argmin(axis=1)
        steps = np.diff(np.unique(times_s))
        # Frames that were sampled stand at uneven steps: half a long one is no gap.
        step = max(float(np.quantile(steps, 0.9)) if len(steps) else 0.0, edges[1] - edges[0])
        seen = np.concatenate([[-np.inf], np.unique(times_s[np.isfinite(values).any(axis=1)]), [np.inf]])
        after = np.searchsorted(seen, middles)
        apart = np.minimum(middles - seen[after - 1], seen[after] - middles)
        near = known | (apart <= 0.55 * step)
        shades = np.where(near[:, None], shades[known][nearest], np.nan)
    rows = np.arange(len(names) + 1)
    mesh = axes.pcolormesh(edges, rows, shades.T, cmap=sequential(), vmin=0, vmax=most, rasterized=True)
    axes.set_facecolor(RULE)
    axes.set_yticks(rows[:-1] + 0.5, labels=names)
    axes.set_ylim(len(names), 0)
    axes.hlines(rows[1:-1], first, last, color=RULE, linewidth=0.5)
    axes.tick_params(labelsize=SMALL)
    bar = axes.figure.colorbar(mesh, ax=axes, location="right", pad=0.01, fraction=0.03, aspect=12)
    share = most == 1
    bar.set_ticks(
        [0, most / 2, most], labels=["0", "50", "100 %"] if share else ["0", f"{most / 2:g}", f"{most:g}"]
    )
    bar.ax.tick_params(labelsize=TINY)
    bar.outline.set_visible(False)


def _caption(
    aus: Sequence[str], shown: Sequence[str], scale: str, events: bool, long: bool, emotions: bool
) -> str:
    parts = [SCALES[scale]]
    if long:
        parts.append("the strongest of each moment, calibrated and smoothed")
    else:
        parts.append("thin: as measured, thick: calibrated and smoothed")
        parts += ["band: onset to offset, dot: apex"] if events else []
    parts += ["emotions: probability by the model"] if emotions else []
    parts.append("grey: not measured")
    rest = len(aus) - len(shown)
    parts += [f"{rest} weaker AUs are not shown"] if rest else []
    return broken("; ".join(parts), WIDTH * 0.98, TINY)
