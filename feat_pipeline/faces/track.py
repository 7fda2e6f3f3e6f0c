"""Which face of a frame is which of the frames before: ids that last through short gaps and crossings.

Each face is followed by a Kalman filter and the faces of a frame are given to the tracks by the Hungarian
method, as in SORT (Bewley et al. 2016, ICIP, https://doi.org/10.1109/ICIP.2016.7533003). Other than there,
time is counted in seconds and not in frames, so that rates may vary and frames may be left out; lengths are
in sizes of the face; the speed fades, because heads that were lost turn round sooner than they go on; and the
size and the shape of the landmarks tell faces apart that meet. Overlap of boxes alone, SORT's measure, says
nothing of faces that move by more than their size between two frames that are looked at.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from feat_pipeline.errors import InputError, UsageError

MAX_GAP_S = 2.0
"""A face that was not seen for longer is a new one."""
STEPS_BRIDGED = 2.5
"""A gap of fewer typical steps between frames is none, however far apart the looks are."""

_FADE_S = 0.5  # time in which a face's speed falls to 37 %
_SHAKE = 0.08  # of a box's centre between frames, sizes
_PUSH = 2.5  # change of speed, sizes per second in a second
_FIRST_SPEED = 1.5  # that a new face may have, sizes per second
_SIZE_SHAKE, _SIZE_DRIFT = 0.08, 0.35  # of the logarithm of the size: between frames, in a second
_SHAPE_SHAKE = 0.07  # of the landmarks, in their own spread; expressions change it by about as much
_NEAR = 13.8  # squared distance in standard deviations that 99.9 % of right matches stay under
_OVER = 0.35  # a face this near its old place is the same, however still it was, sizes
_GROWTH = math.log(1.8)  # largest change of the size in one step


def gap_bound(times_s: np.ndarray) -> float:
    """Return after how long without being seen a face is a new one.

    Parameters
    ----------
    times_s : ndarray of float, shape (n,)
        Times of the frames that are looked at, s, in any order.

    Returns
    -------
    float
        `MAX_GAP_S`, or `STEPS_BRIDGED` typical steps between frames where that is more.
    """
    steps_s = np.diff(np.unique(times_s))
    return max(MAX_GAP_S, STEPS_BRIDGED * float(np.median(steps_s))) if len(steps_s) else MAX_GAP_S


@dataclass
class _Track:
    """One face: its state in px, and when it was seen last."""

    number: int
    time_s: float
    predicted_s: float  # to which its state was moved on
    centre: np.ndarray  # (2,) px
    speed: np.ndarray  # (2,) px per second
    spread: np.ndarray  # (2, 2) covariance of place and speed, the same for x and y, in sizes
    size: float  # px
    shape: np.ndarray | None  # (68, 2), upright, of unit spread


class FaceTracker:
    """Gives the faces of successive frames ids that stay.

    Parameters
    ----------
    max_gap_s : float
        A face that was not seen for longer gets a new id.

    Raises
    ------
    UsageError
        `max_gap_s` is no positive number.

    Notes
    -----
    A face that leaves the picture and comes back later is a new one: faces are told by place, motion, size
    and shape, not recognised. The answer for a frame depends on the frames before it only.
    """

    def __init__(self, max_gap_s: float = MAX_GAP_S) -> None:
        if not max_gap_s > 0:
            raise UsageError(f"max_gap_s: expected seconds above 0, got {max_gap_s}")
        self.max_gap_s = max_gap_s
        self._tracks: list[_Track] = []
        self._next = 0
        self._time_s = -math.inf

    def update(self, time_s: float, boxes_xyxy: np.ndarray, landmarks: np.ndarray | None = None) -> list[int]:
        """Name the faces of the next frame.

        Parameters
        ----------
        time_s : float
            Time of the frame in seconds, not before that of the last one.
        boxes_xyxy : array-like, shape (n, 4)
            Left, top, right, bottom in px. A frame without faces may be left out or given.
        landmarks : array-like, shape (n, 68, 2), optional
            In px; NaN for a face without.

        Returns
        -------
        list of int
            The id of each face, in the order given; ids count from 0 in order of appearance.

        Raises
        ------
        InputError
            A box is not finite, shapes do not fit, or time runs backwards.
        """
        boxes = np.asarray(boxes_xyxy, dtype=np.float64).reshape(-1, 4)
        points = None if landmarks is None else np.asarray(landmarks, dtype=np.float64)
        self._check(time_s, boxes, points)
        self._time_s = time_s
        self._tracks = [track for track in self._tracks if time_s - track.time_s <= self.max_gap_s]
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        sizes = np.sqrt(np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), 1.0))
        shapes = [None if points is None else _shape(points[face]) for face in range(len(boxes))]
        for track in self._tracks:
            _predict(track, time_s)
        pairs = self._match(time_s, centres, sizes, shapes)
        ids = []
        for face, (centre, size, shape) in enumerate(zip(centres, sizes, shapes, strict=True)):
            if face in pairs:
                track = self._tracks[pairs[face]]
                _correct(track, centre, float(size), shape)
            else:
                spread = np.diag([_SHAKE**2, _FIRST_SPEED**2])
                track = _Track(self._next, time_s, time_s, centre, np.zeros(2), spread, float(size), shape)
                self._next += 1
                self._tracks.append(track)
            track.time_s = time_s
            ids.append(track.number)
        return ids

    def _check(self, time_s: float, boxes: np.ndarray, points: np.ndarray | None) -> None:
        if not np.isfinite(boxes).all() or (boxes[:, 2:] < boxes[:, :2]).any():
            raise InputError("boxes_xyxy: expected finite left, top, right, bottom; leave such faces out")
        if points is not None and points.shape != (len(boxes), 68, 2):
            raise InputError(f"landmarks: expected shape ({len(boxes)}, 68, 2), got {points.shape}")
        if not time_s >= self._time_s:
            raise InputError(f"time_s: expected {self._time_s} or later, got {time_s}; sort the frames")

    def _match(
        self, time_s: float, centres: np.ndarray, sizes: np.ndarray, shapes: list[np.ndarray | None]
    ) -> dict[int, int]:
        """Return the track of each face that has one: as many as can be, then the likeliest."""
        if not self._tracks or not len(centres):
            return {}
        from scipy.optimize import linear_sum_assignment

        impossible = 1e6
        costs = np.full((len(centres), len(self._tracks)), impossible)
        for column, track in enumerate(self._tracks):
            variance = track.spread[0, 0] + _SHAKE**2
            away = np.linalg.norm(centres - track.centre, axis=1) / np.minimum(sizes, track.size)
            growth = np.abs(np.log(sizes / track.size))
            gap_s = time_s - track.time_s
            growth_variance = _SIZE_SHAKE**2 + _SIZE_DRIFT**2 * gap_s
            near = (away**2 < _NEAR * variance) | (away < _OVER)
            near &= growth < _GROWTH + 2 * _SIZE_DRIFT * math.sqrt(gap_s)
            likely = away**2 / variance + 2 * np.log(variance)
            likely += growth**2 / growth_variance + np.log(growth_variance)
            likely += [_unlike(track.shape, shape) for shape in shapes]
            costs[near, column] = likely[near]
        rows, columns = linear_sum_assignment(costs)
        pairs = zip(rows.tolist(), columns.tolist(), strict=True)
        return {row: column for row, column in pairs if costs[row, column] < impossible}


def _predict(track: _Track, time_s: float) -> None:
    """Move a track on to a time; the speed fades, and what is not known grows."""
    step = time_s - track.predicted_s
    keep = math.exp(-step / _FADE_S)
    way = _FADE_S * (1 - keep)
    track.centre = track.centre + way * track.speed
    track.speed = keep * track.speed
    turn = np.array([[1.0, way], [0.0, keep]])
    noise = _PUSH**2 * np.array([[step**3 / 3, step**2 / 2], [step**2 / 2, step]])
    track.spread = turn @ track.spread @ turn.T + noise
    track.predicted_s = time_s


def _correct(track: _Track, centre: np.ndarray, size: float, shape: np.ndarray | None) -> None:
    """Take a seen face into its track."""
    gain = track.spread[:, 0] / (track.spread[0, 0] + _SHAKE**2)
    missed = centre - track.centre
    track.centre = track.centre + gain[0] * missed
    track.speed = track.speed + gain[1] * missed
    track.spread = track.spread - np.outer(gain, track.spread[0])
    track.size = math.sqrt(track.size * size)
    if shape is not None:
        track.shape = shape if track.shape is None else (track.shape + shape) / 2


def _shape(points: np.ndarray) -> np.ndarray | None:
    """Landmarks upright, centred and of unit spread."""
    if not np.isfinite(points).all():
        return None
    centred = points - points.mean(axis=0)
    eyes = centred[42:48].mean(axis=0) - centred[36:42].mean(axis=0)
    spread, span = np.sqrt((centred**2).sum(axis=1).mean()), np.linalg.norm(eyes)
    if not spread > 0 or not span > 0:
        return None
    across, down = eyes / span
    return centred @ np.array([[across, -down], [down, across]]) / spread


def _unlike(one: np.ndarray | None, other: np.ndarray | None) -> float:
    """How far two shapes differ, in squared standard deviations; 0 where one is not known."""
    if one is None or other is None:
        return 0.0
    return float(((one - other) ** 2).sum(axis=1).mean() / _SHAPE_SHAKE**2)
