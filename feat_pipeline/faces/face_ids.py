"""Which face of its video each row of an AU table is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis.autable.videos import NOMINAL_RATE, SHARED
from analysis.boxes import box_iou
from feat_pipeline.errors import InputError
from feat_pipeline.faces.track import FaceTracker, gap_bound

if TYPE_CHECKING:
    import pandas as pd

SAME_PLACE = 0.8
"""Overlap (intersection over union) of two boxes that cannot be two persons."""


def add_face_ids(frame: pd.DataFrame, *, max_gap_s: float | None = None) -> pd.DataFrame:
    """Add to an AU table's rows which face of their video they are.

    Parameters
    ----------
    frame : DataFrame
        Columns ``input`` and ``face``, and ``time_s`` or ``frame``; places as ``x, y, w, h`` or as
        landmarks ``x_0..x_67, y_0..y_67``, px. The rows may stand in any order.
    max_gap_s : float, optional
        See `FaceTracker`; by default `gap_bound` of the times of each input.

    Returns
    -------
    DataFrame
        The same rows in the same order with the int64 column ``face_id``, counted from 0 in each input; a
        column of that name is replaced. A row without a place has the id of the last such ``face`` before
        it, and where an input tells no places, ``face`` itself is the id.

    Raises
    ------
    InputError
        A column is missing, or many faces of a moment stand in one place: the times do not tell frames apart.
    """
    missing = [name for name in ("input", "face") if name not in frame]
    if missing or not {"time_s", "frame"} & set(frame.columns):
        raise InputError(f"face ids need the columns input, face and time_s; missing: {', '.join(missing)}")
    boxes, points = _boxes(frame)
    ids = np.zeros(len(frame), dtype=np.int64)
    for name, rows in frame.groupby("input", sort=False).indices.items():
        part = frame.iloc[rows]
        _check_places(str(name), _times(part), boxes[rows])
        faces = part["face"].fillna(0).to_numpy(dtype=np.int64)
        ids[rows] = _ids(
            _times(part), faces, boxes[rows], None if points is None else points[rows], max_gap_s
        )
    return frame.copy().assign(face_id=ids)  # a copy is whole where the frame was in pieces


def _ids(
    times: np.ndarray,
    faces: np.ndarray,
    boxes: np.ndarray,
    points: np.ndarray | None,
    max_gap_s: float | None,
) -> np.ndarray:
    """Ids of one input's rows."""
    placed = np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    if not placed.any():
        return faces
    tracker = FaceTracker(gap_bound(times) if max_gap_s is None else max_gap_s)
    order = np.lexsort((faces, times))
    ids = np.zeros(len(times), dtype=np.int64)
    known: dict[int, int] = {}
    for rows in np.split(order, np.flatnonzero(np.diff(times[order])) + 1):
        seen = rows[placed[rows]]
        ids[seen] = tracker.update(times[rows[0]], boxes[seen], None if points is None else points[seen])
        known.update(zip(faces[seen].tolist(), ids[seen].tolist(), strict=True))
        for row in rows[~placed[rows]]:
            ids[row] = known.get(int(faces[row]), int(faces[row]))
    return ids


def _check_places(name: str, times: np.ndarray, boxes: np.ndarray) -> None:
    """Refuse times that put several frames into one moment: their faces lie on one another."""
    placed = np.flatnonzero(np.isfinite(boxes).all(axis=1))
    order = placed[np.argsort(times[placed], kind="stable")]
    covered = 0
    for rows in np.split(order, np.flatnonzero(np.diff(times[order])) + 1):
        if len(rows) > 1:
            overlaps = np.triu(box_iou(boxes[rows], boxes[rows]), 1)
            covered += int((overlaps.max(axis=0) > SAME_PLACE).sum())
    if covered > SHARED * max(len(placed), 1):
        raise InputError(
            f"{name}: {covered} of {len(placed)} faces lie on another face of the same moment, so that the "
            "times do not tell frames apart; give each frame its own 'time_s' or its number in 'frame', and "
            "each video its name in 'input'"
        )


def _times(part: pd.DataFrame) -> np.ndarray:
    times = part["time_s"].to_numpy(dtype=np.float64) if "time_s" in part else np.full(len(part), np.nan)
    if np.isfinite(times).all() or "frame" not in part:
        return np.nan_to_num(times)
    return part["frame"].to_numpy(dtype=np.float64) / NOMINAL_RATE


def _boxes(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray | None]:
    """Boxes (n, 4), from the landmarks where there are none, and landmarks (n, 68, 2); NaN where unknown."""
    names = [[f"{axis}_{i}" for i in range(68)] for axis in "xy"]
    points = None
    if all(name in frame for axis in names for name in axis):
        points = np.stack([frame[axis].to_numpy(dtype=np.float64) for axis in names], axis=2)
    if {"x", "y", "w", "h"} <= set(frame.columns):
        x, y, w, h = (frame[name].to_numpy(dtype=np.float64) for name in "xywh")
        return np.stack([x, y, x + w, y + h], axis=1), points
    if points is None:
        return np.full((len(frame), 4), np.nan), None
    return np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1), points
