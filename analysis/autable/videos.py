"""Which video each row of a table is of, and when: where a column cannot carry that, another is taken."""

from __future__ import annotations

from collections.abc import Collection, Hashable

import numpy as np
import pandas as pd

VIDEO_NAMES = ("image", "file", "path", "filename", "file_name", "image_path", "video", "video_name")
"""Columns that name the photo or video of a row, where there is no column `input`."""
SUBJECT_NAMES = ("subject", "subject_id", "participant", "participant_id")
"""Columns that tell videos apart where numbers of frames or times start again."""
NOMINAL_RATE = 30.0
"""Frames a second where nothing tells the rate."""
SHARED = 0.05
"""More than this part of the frames has the time of another where times are too coarse to be used."""

_RATES = (30.0, 25.0, 24.0, 60.0, 50.0, 15.0, 10.0, 30000 / 1001, 24000 / 1001)


def naming_column(columns: Collection[str], names: Collection[str] = VIDEO_NAMES) -> str | None:
    """Return the column, in any case, that is one of `names`; the first of them."""
    known = {str(column).strip().lower(): column for column in reversed(list(columns))}
    return next((known[name] for name in names if name in known), None)


def with_videos(frame: pd.DataFrame, name: str) -> tuple[pd.DataFrame, list[str]]:
    """Tell the videos of a table without a column `input` apart where its frames or times start again.

    Parameters
    ----------
    frame : DataFrame
        With the columns `input`, which is `name` throughout, and `frame`, and perhaps `time_s` or
        `timestamp`, `face` and `face_id`.
    name : str
        What the whole table is called.

    Returns
    -------
    DataFrame, list of str
        The table with the `input` of each row, and what was changed.
    """
    for column in ("frame", "time_s", "timestamp"):
        if column not in frame:
            continue
        videos = _restarts(frame, column)
        if videos is None or not videos.any():
            continue
        subject = naming_column(frame.columns, SUBJECT_NAMES)
        if subject is not None:
            named = frame[subject].astype(str).str.strip()
            return frame.assign(input=named), [f"column {subject!r} is taken for the video of each row"]
        named = pd.Series([f"{name}#{video + 1}" for video in videos], index=frame.index, dtype=object)
        note = (
            f"{column} starts again ({videos.max()} x): taken for {videos.max() + 1} videos, "
            f"{named.iloc[0]} and so on; a column 'input' with their names tells more"
        )
        return frame.assign(input=named), [note]
    return frame, []


def _restarts(frame: pd.DataFrame, column: str) -> np.ndarray | None:
    """Return the number of each row's video; None where no row tells of a face at a moment a second time."""
    moments = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=float)
    faces = [frame[name].tolist() for name in ("face", "face_id") if name in frame]
    keys: list[Hashable] = [*zip(moments.tolist(), *faces, strict=True)]
    if len(set(keys)) == len(keys):
        return None
    parts = np.split(np.arange(len(keys)), np.flatnonzero(np.diff(moments) < 0) + 1)
    videos = np.zeros(len(keys), dtype=np.int64)
    seen: set[Hashable] = set()
    video = 0
    for rows in parts:
        own = {keys[row] for row in rows}
        if len(own) < len(rows):
            return None  # a moment stands twice without a restart: nothing here tells videos apart
        if own & seen:
            video, seen = video + 1, set()
        seen |= own
        videos[rows] = video
    measured = frame.drop(columns=["input"], errors="ignore")
    if measured.duplicated().any() or video + 1 > len(keys) / 2:
        return None  # copies of rows, or rows in no order
    return videos


def with_fine_times(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Take times from the numbers of frames where many frames share one time.

    Parameters
    ----------
    frame : DataFrame
        With `input`, `frame` and `time_s`.

    Returns
    -------
    DataFrame, list of str
        The table with other `time_s` in the inputs whose times are too coarse, and what was changed.
    """
    if not {"input", "frame", "time_s"} <= set(frame.columns):
        return frame, []
    numbers = pd.to_numeric(frame["frame"], errors="coerce").to_numpy(dtype=float)
    given = pd.to_numeric(frame["time_s"], errors="coerce").to_numpy(dtype=float)
    times, notes = given.copy(), []
    for name, rows in frame.groupby("input", sort=False).indices.items():
        known = rows[np.isfinite(numbers[rows]) & np.isfinite(given[rows])]
        frames, first = np.unique(numbers[known], return_index=True)
        if len(frames) - len(np.unique(given[known])) <= SHARED * len(frames):
            continue
        rate, how = _rate(frames, given[known][first])
        times[rows] = numbers[rows] / rate
        notes.append(
            f"{name}: {len(frames)} frames share {len(np.unique(given[known]))} times, which are too coarse; "
            f"times are those of the frame numbers at {rate:.4g} frames a second ({how})"
        )
    if not notes:
        return frame, []
    shown = notes[:3] + ([f"and so of {len(notes) - 3} more inputs"] if len(notes) > 3 else [])
    return frame.assign(time_s=times), shown


def _rate(frames: np.ndarray, seconds: np.ndarray) -> tuple[float, str]:
    """Find the frames a second by which frame numbers become these times when they are rounded down."""
    step = _step(seconds)
    later = seconds > 0
    if later.any() and step:
        most = float((frames[later] / seconds[later]).min())
        least = float((frames / (seconds + step)).max())
        if 0 < least < most:
            usual = [rate for rate in _RATES if least < rate <= most]
            return (usual or [(least + most) / 2])[0], "which fits the times"
    return NOMINAL_RATE, "an assumption: nothing tells the rate"


def _step(seconds: np.ndarray) -> float:
    steps = np.diff(np.unique(seconds))
    return float(steps.min()) if len(steps) else 0.0
