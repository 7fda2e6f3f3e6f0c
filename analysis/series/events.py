"""When an Action Unit came, was strongest, and went.

FACS describes an action by its onset, apex and offset (Ekman, Friesen & Hager 2002; Valstar & Pantic 2012,
IEEE Trans. SMC B 42, https://doi.org/10.1109/TSMCB.2011.2163710). Two thresholds tell it from noise: an
action must reach the higher one, and lasts as long as it stays above the lower one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis.errors import TableError
from analysis.series.smoothing import check_times, gap_bound, segments

if TYPE_CHECKING:
    import pandas as pd

THRESHOLDS = {"r": (1.0, 0.5), "p": (0.5, 0.25), "c": (0.5, 0.5)}
"""By scale: what an action must reach, and what it stays above. On 0-5, 1 is FACS's A, a trace."""
MIN_DURATION_S = 0.1

COLUMNS = ("onset_s", "apex_s", "offset_s", "duration_s", "apex_value", "mean_value", "censored")


def find_events(
    times_s: np.ndarray,
    values: np.ndarray,
    *,
    high: float,
    low: float,
    min_duration_s: float = MIN_DURATION_S,
    max_gap_s: float | None = None,
) -> pd.DataFrame:
    """Find the actions in one series.

    Parameters
    ----------
    times_s : ndarray of float, shape (n,)
        Ascending, s; steps may differ.
    values : ndarray of float, shape (n,)
        Of one AU of one person, NaN where it was not measured; best smoothed.
    high, low : float
        An action reaches `high` and lasts while the value is at least `low`; in units of the values.
    min_duration_s : float
        Shorter ones are left out.
    max_gap_s : float, optional
        See `analysis.series.smoothing.segments`.

    Returns
    -------
    DataFrame
        A row for each action in order of time: ``onset_s`` and ``offset_s``, at which the straight line
        between two frames crosses `low`; ``apex_s`` and ``apex_value``, the first frame with the greatest
        value; ``duration_s``; ``mean_value`` over that time; ``censored``: 'onset', 'offset' or 'both' where
        the series begins, ends or has a gap there, so that the action may have begun sooner or gone on, else
        'none'.

    Raises
    ------
    TableError
        `low` is above `high`, a threshold is not finite, the duration is negative, or as `smooth`.
    """
    import pandas as pd

    times_s, values = np.asarray(times_s, dtype=float), np.asarray(values, dtype=float)
    check_times(times_s, values)
    if not (np.isfinite([high, low]).all() and low <= high):
        raise TableError(f"thresholds: expected low <= high, got low {low} and high {high}")
    if not min_duration_s >= 0:
        raise TableError(f"min_duration_s: expected 0 or more, got {min_duration_s}")
    bound = gap_bound(times_s) if max_gap_s is None else max_gap_s
    found = [
        event
        for rows in segments(times_s, values, bound)
        for event in _in_segment(times_s[rows], values[rows], high, low)
        if event[3] >= min_duration_s
    ]
    return pd.DataFrame(found, columns=list(COLUMNS)).astype(
        {name: "str" if name == "censored" else "float64" for name in COLUMNS}
    )


def _in_segment(
    times: np.ndarray, values: np.ndarray, high: float, low: float
) -> list[tuple[float, float, float, float, float, float, str]]:
    """Actions of a stretch without gaps."""
    above = np.concatenate([[False], values >= low, [False]])
    starts, ends = np.flatnonzero(above[1:] & ~above[:-1]), np.flatnonzero(~above[1:] & above[:-1])
    events = []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):  # rows start to end - 1
        own = values[start:end]
        if own.max() < high:
            continue
        cut_before, cut_after = start == 0, end == len(values)
        onset = times[start] if cut_before else _crossing(times, values, start - 1, low)
        offset = times[end - 1] if cut_after else _crossing(times, values, end - 1, low)
        censored = {(True, True): "both", (True, False): "onset", (False, True): "offset"}
        path_s = np.r_[onset, times[start:end], offset]
        path = np.r_[own[0] if cut_before else low, own, own[-1] if cut_after else low]
        length = offset - onset
        events.append(
            (
                float(onset),
                float(times[start + int(own.argmax())]),
                float(offset),
                float(length),
                float(own.max()),
                float(np.trapezoid(path, path_s) / length) if length > 0 else float(own.mean()),
                censored.get((cut_before, cut_after), "none"),
            )
        )
    return events


def _crossing(times: np.ndarray, values: np.ndarray, before: int, level: float) -> float:
    """Time at which the line from one row to the next crosses a level."""
    step = values[before + 1] - values[before]
    share = (level - values[before]) / step if step else 0.0
    return float(times[before] + share * (times[before + 1] - times[before]))
