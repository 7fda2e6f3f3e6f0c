"""Photos in an AU table that are the frames of a film: numbered, in one folder, so many a second."""

from __future__ import annotations

import re
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import numpy as np

from feat_pipeline.errors import InputError, UsageError
from feat_pipeline.sources.kinds import is_photo_name

if TYPE_CHECKING:
    import pandas as pd

_NUMBERED = re.compile(r"(.*?)(\d+)", re.DOTALL)


def with_sequences(frame: pd.DataFrame, fps: float | None, name: str) -> tuple[pd.DataFrame, list[str]]:
    """Make films of the photos in a table, or tell that they have no times.

    Parameters
    ----------
    frame : DataFrame
        Rows of an AU table.
    fps : float or None
        Photos a second, above 0.
    name : str
        The table as errors call it.

    Returns
    -------
    DataFrame, list of str
        With `fps`, the photos' rows have the folder and the part of their names before the number as
        `input`, and their `frame` and `time_s`, from 0 at the lowest number; a missing number leaves a gap.
        Without, photos among videos are left out. The list says so.

    Raises
    ------
    InputError
        There are photos only and no `fps`, or they are not numbered.
    UsageError
        `fps` is given and there is no photo.
    """
    inputs = frame["input"].astype(str)
    photos = inputs.map(lambda path: is_photo_name(Path(path))).to_numpy(dtype=bool)
    if not photos.any():
        if fps is not None and len(frame):
            raise UsageError(f"fps: {name} holds no photo; videos have times of their own")
        return frame, []
    if fps is not None:
        return _sequences(frame, photos, fps, name)
    if photos.all():
        missing = "" if "time_s" in frame else "column 'time_s' is missing, and "
        raise InputError(
            f"{name}: {missing}photos have no times: where they are the frames of a film, give --fps, how "
            "many are taken a second"
        )
    left_out = f"{photos.sum()} rows are of photos, which have no times, and are left out; see --fps"
    return frame[~photos].reset_index(drop=True), [left_out]


def _sequences(
    frame: pd.DataFrame, photos: np.ndarray, fps: float, name: str
) -> tuple[pd.DataFrame, list[str]]:
    inputs = frame["input"].astype(str).to_numpy(dtype=object)
    numbers = np.zeros(len(frame), dtype=np.int64)
    sequences = inputs.copy()
    of_number: dict[tuple[str, int], str] = {}
    for row in np.flatnonzero(photos):
        path = PurePath(inputs[row])
        matched = _NUMBERED.fullmatch(path.stem)
        if matched is None:
            raise InputError(f"{name}: {path.name}: expected a name that ends in the photo's number (--fps)")
        numbers[row] = int(matched[2])
        sequences[row] = str(path.with_name(f"{matched[1]}#{path.suffix}"))
        other = of_number.setdefault((sequences[row], int(numbers[row])), inputs[row])
        if other != inputs[row]:
            raise InputError(f"{name}: {other} and {inputs[row]} have one number; leave one of them out")
    for sequence in dict.fromkeys(sequences[photos]):
        own = photos & (sequences == sequence)
        numbers[own] -= numbers[own].min()
    times = frame["time_s"].to_numpy(dtype=float) if "time_s" in frame else np.full(len(frame), np.nan)
    frames = frame["frame"].to_numpy() if "frame" in frame else np.zeros(len(frame), dtype=np.int64)
    changed = frame.assign(
        input=sequences,
        frame=np.where(photos, numbers, frames),
        time_s=np.where(photos, numbers / fps, times),
    ).drop(columns="face_id", errors="ignore")
    order = changed.reset_index(drop=True).sort_values(["input", "frame", "face"], kind="stable").index
    count = len(set(inputs[photos]))
    note = (
        f"{count} photos are taken for {len(set(sequences[photos]))} sequence(s) of {fps:g} photos a second"
    )
    return changed.iloc[order].reset_index(drop=True), [note]
