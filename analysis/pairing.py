"""Rows of two AU tables that are the same face at the same moment."""

from __future__ import annotations

from pathlib import PurePath

import numpy as np
import pandas as pd

from analysis.autable import LANDMARK_COLUMNS, AUTable
from analysis.boxes import box_iou
from analysis.errors import TableError

SAME_FACE_IOU = 0.3
"""Boxes of two programs around one face share at least this part of their union."""

_BOX = ["x", "y", "w", "h"]


def pair_rows(first: AUTable, second: AUTable) -> np.ndarray:
    """Find the rows of two tables that are the same face at the same moment.

    Parameters
    ----------
    first, second : AUTable
        Of the same photos or videos, perhaps by different programs.

    Returns
    -------
    ndarray of int64, shape (n, 2)
        Row numbers in the first and in the second table, in the first's order; a row has one partner at most.

    Raises
    ------
    TableError
        The tables have no photo or video in common.

    Notes
    -----
    Inputs are the same where their names are, else where the names without folder and suffix are, else where
    each table has one input only. Moments of one input are the same where their times lie within half a frame
    of each other, else, where a table has no times, where the frames' numbers are equal (OpenFace counts from
    1, others from 0). Faces of one moment are paired by the overlap of their landmarks or, where one table
    has none, of their boxes; where that cannot be told, by their order.
    """
    a, b = _with_places(first), _with_places(second)
    names = _same_inputs(a["input"].unique(), b["input"].unique())
    a["key"], b["key"] = a["input"].map(names), b["input"]
    boxes = _boxes(a, b)
    pairs: list[tuple[int, int]] = []
    by_key = dict(iter(b.groupby("key", sort=False)))
    for key, rows in a.groupby("key", sort=False):
        pairs += _pair_input(rows, by_key[key], boxes)
    return np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)


def _with_places(table: AUTable) -> pd.DataFrame:
    wanted = [
        name
        for name in ("input", "frame", "time_s", "face", *_BOX, *LANDMARK_COLUMNS)
        if name in table.frame.columns
    ]
    frame = table.frame[wanted].copy()
    frame["input"] = frame["input"].astype(str)
    frame["row"] = np.arange(len(frame))
    return frame


def _same_inputs(first: np.ndarray, second: np.ndarray) -> dict[str, str]:
    """Name the second table's input of each of the first's that both have."""
    common = set(first) & set(second)
    if common:
        return {name: name for name in common}
    stems = [{PurePath(name.replace("\\", "/")).stem: name for name in names} for names in (first, second)]
    unique = all(len(of) == len(names) for of, names in zip(stems, (first, second), strict=True))
    common = set(stems[0]) & set(stems[1])
    if common and unique:
        return {stems[0][stem]: stems[1][stem] for stem in common}
    if len(first) == len(second) == 1:
        return {first[0]: second[0]}
    shown = [", ".join(map(str, sorted(names)[:2])) for names in (first, second)]
    raise TableError(
        f"the tables have no input in common: {shown[0]} … here, {shown[1]} … there; their column 'input' "
        "must name the same photos or videos"
    )


def _pair_input(
    a: pd.DataFrame, b: pd.DataFrame, boxes: tuple[np.ndarray, np.ndarray] | None
) -> list[tuple[int, int]]:
    moments_a, moments_b = _moments(a, b)
    of_b = {moment: rows for moment, rows in _grouped(b, moments_b) if moment >= 0}
    return [
        pair
        for moment, rows in _grouped(a, moments_a)
        if moment in of_b
        for pair in _pair_faces(rows, of_b[moment], boxes)
    ]


def _grouped(frame: pd.DataFrame, moments: np.ndarray) -> list[tuple[int, np.ndarray]]:
    order = np.argsort(moments, kind="stable")
    values, starts = np.unique(moments[order], return_index=True)
    rows = np.split(frame["row"].to_numpy()[order], starts[1:])
    return list(zip(values.tolist(), rows, strict=True))


def _moments(a: pd.DataFrame, b: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Give moments of one input the same number in both tables; -1 where only the second has one."""
    times = [_times(frame) for frame in (a, b)]
    if times[0] is not None and times[1] is not None:
        known, numbers = np.unique(times[0], return_inverse=True)
        steps = [np.diff(np.unique(of)) for of in times if of is not None]
        half = min(float(np.median(step)) for step in steps) / 2
        right = np.clip(np.searchsorted(known, times[1]), 1, len(known) - 1)
        left_is_nearer = times[1] - known[right - 1] <= known[right] - times[1]
        nearest = np.where(left_is_nearer, right - 1, right)
        near = np.abs(known[nearest] - times[1]) < half
        return numbers, np.where(near, nearest, -1)
    frames = [
        frame["frame"].to_numpy(np.int64) if "frame" in frame else np.zeros(len(frame), np.int64)
        for frame in (a, b)
    ]
    if all(len(np.unique(of)) == 1 for of in frames):  # photos, whatever number they were given
        return np.zeros(len(a), np.int64), np.zeros(len(b), np.int64)
    return frames[0], frames[1]


def _times(frame: pd.DataFrame) -> np.ndarray | None:
    if "time_s" not in frame:
        return None
    times = frame["time_s"].to_numpy(np.float64)
    return times if np.isfinite(times).all() and len(np.unique(times)) > 1 else None


def _pair_faces(
    a: np.ndarray, b: np.ndarray, boxes: tuple[np.ndarray, np.ndarray] | None
) -> list[tuple[int, int]]:
    from scipy.optimize import linear_sum_assignment

    if boxes is None:
        return list(zip(a.tolist(), b.tolist(), strict=False))
    known_a = a[np.isfinite(boxes[0][a]).all(axis=1)]
    known_b = b[np.isfinite(boxes[1][b]).all(axis=1)]
    shared = box_iou(boxes[0][known_a], boxes[1][known_b])
    rows, columns = linear_sum_assignment(shared, maximize=True)
    good = shared[rows, columns] >= SAME_FACE_IOU
    return list(zip(known_a[rows[good]].tolist(), known_b[columns[good]].tolist(), strict=True))


def _boxes(a: pd.DataFrame, b: pd.DataFrame) -> tuple[np.ndarray, np.ndarray] | None:
    """Boxes (n, 4) of both tables' rows, left, top, right, bottom; None where one has no places."""
    if all(set(LANDMARK_COLUMNS) <= set(frame.columns) for frame in (a, b)):
        return _hull(a), _hull(b)
    if all(set(_BOX) <= set(frame.columns) for frame in (a, b)):
        return _corners(a), _corners(b)
    return None


def _corners(frame: pd.DataFrame) -> np.ndarray:
    sides = frame[_BOX].to_numpy(np.float64)
    return np.hstack([sides[:, :2], sides[:, :2] + sides[:, 2:]])


def _hull(frame: pd.DataFrame) -> np.ndarray:
    points = frame[list(LANDMARK_COLUMNS)].to_numpy(np.float64).reshape(len(frame), 2, -1)
    return np.hstack([points.min(axis=2), points.max(axis=2)])
