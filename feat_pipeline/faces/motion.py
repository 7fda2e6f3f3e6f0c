"""How a face moves: the Kalman filter behind `feat_pipeline.faces.track`, and how well a face fits a track.

Places are in px; what is uncertain is counted in sizes of the face, speeds in sizes a second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from feat_pipeline.faces.appearance import FaceLook

_FADE_S = 0.5  # time in which a face's speed falls to 37 %
_SHAKE = 0.08  # of a box's centre between frames, sizes
_PUSH = 2.5  # change of speed, sizes per second in a second
_FIRST_SPEED = 1.5  # that a new face may have, sizes per second
_SIZE_SHAKE, _SIZE_DRIFT = 0.08, 0.35  # of the logarithm of the size: between frames, in a second
_SHAPE_SHAKE = 0.07  # of the landmarks, in their own spread; expressions change it by about as much
_NEAR = 13.8  # squared distance in standard deviations that 99.9 % of right matches stay under
_OVER = 0.35  # a face this near its old place is the same, however still it was, sizes
MOST_GROWTH = math.log(1.8)  # largest change of the size in one step


@dataclass
class Track:
    """One face: its state in px, and when it was seen last."""

    number: int
    time_s: float
    predicted_s: float  # to which its state was moved on
    centre: np.ndarray  # (2,) px
    speed: np.ndarray  # (2,) px per second
    spread: np.ndarray  # (2, 2) covariance of place and speed, the same for x and y, in sizes
    size: float  # px
    shape: np.ndarray | None  # (68, 2), upright, of unit spread
    look: FaceLook | None
    shot: int  # in which it was seen last


def predict(track: Track, time_s: float) -> None:
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


def correct(track: Track, centre: np.ndarray, size: float, shape: np.ndarray | None) -> None:
    """Take a seen face into its track."""
    gain = track.spread[:, 0] / (track.spread[0, 0] + _SHAKE**2)
    missed = centre - track.centre
    track.centre = track.centre + gain[0] * missed
    track.speed = track.speed + gain[1] * missed
    track.spread = track.spread - np.outer(gain, track.spread[0])
    track.size = math.sqrt(track.size * size)
    if shape is not None:
        track.shape = shape if track.shape is None else (track.shape + shape) / 2


def move(track: Track, centre: np.ndarray, size: float, shape: np.ndarray | None) -> None:
    """Let a track go on elsewhere, as after a cut; how it moved before says nothing."""
    track.centre, track.speed, track.spread = centre, np.zeros(2), first_spread()
    track.size, track.shape = size, shape


def by_place(
    track: Track, time_s: float, centres: np.ndarray, sizes: np.ndarray, shapes: list[np.ndarray | None]
) -> tuple[np.ndarray, np.ndarray]:
    """Which faces a track may have become without a cut, and how unlikely each is."""
    variance = track.spread[0, 0] + _SHAKE**2
    away = np.linalg.norm(centres - track.centre, axis=1) / np.minimum(sizes, track.size)
    growth = np.abs(np.log(sizes / track.size))
    gap_s = time_s - track.time_s
    growth_variance = _SIZE_SHAKE**2 + _SIZE_DRIFT**2 * gap_s
    near = (away**2 < _NEAR * variance) | (away < _OVER)
    near &= growth < MOST_GROWTH + 2 * _SIZE_DRIFT * math.sqrt(gap_s)
    unlikely = away**2 / variance + 2 * np.log(variance)
    unlikely += growth**2 / growth_variance + np.log(growth_variance)
    unlikely += [_unlike(track.shape, shape) for shape in shapes]
    return near, unlikely


def first_spread() -> np.ndarray:
    """Return how uncertain place and speed of a new face are, shape (2, 2)."""
    return np.diag([_SHAKE**2, _FIRST_SPEED**2])


def upright_shape(points: np.ndarray) -> np.ndarray | None:
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
