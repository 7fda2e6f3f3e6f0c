"""Which face of a frame is which of the frames before: ids that last through short gaps and crossings.

Each face is followed by a Kalman filter and the faces of a frame are given to the tracks by the Hungarian
method, as in SORT (Bewley et al. 2016, ICIP, https://doi.org/10.1109/ICIP.2016.7533003). Other than there,
time is counted in seconds and not in frames, so that rates may vary and frames may be left out; lengths are
in sizes of the face; the speed fades, because heads that were lost turn round sooner than they go on; and the
size and the shape of the landmarks tell faces apart that meet. Overlap of boxes alone, SORT's measure, says
nothing of faces that move by more than their size between two frames that are looked at.

Where the frames' looks are given, no id crosses a hard cut by its place: across one, and where a face turns
into another from one frame to the next, the faces' own looks say who is who; see
`feat_pipeline.faces.appearance`.
"""

from __future__ import annotations

import math

import numpy as np

from feat_pipeline.errors import InputError, UsageError
from feat_pipeline.faces.appearance import OTHER_FACE, CutDetector, FaceLook, FrameLooks, is_blank
from feat_pipeline.faces.motion import (
    MOST_GROWTH,
    Track,
    by_place,
    correct,
    first_spread,
    move,
    predict,
    upright_shape,
)

MAX_GAP_S = 2.0
"""A face that was not seen for longer is a new one."""
STEPS_BRIDGED = 2.5
"""A gap of fewer typical steps between frames is none, however far apart the looks are."""

_NEXT_S = 0.25  # a face looks like itself for so long at least
_SAME_PLACE = 0.2  # that much likeness it is worth where two look the same
_IMPOSSIBLE = 1e6


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

    Attributes
    ----------
    cuts : int
        Hard cuts so far; 0 without looks.
    """

    def __init__(self, max_gap_s: float = MAX_GAP_S) -> None:
        if not max_gap_s > 0:
            raise UsageError(f"max_gap_s: expected seconds above 0, got {max_gap_s}")
        self.max_gap_s = max_gap_s
        self._tracks: list[Track] = []
        self._next = 0
        self._time_s = -math.inf
        self._cut_detector = CutDetector()
        self.cuts = 0

    def update(
        self,
        time_s: float,
        boxes_xyxy: np.ndarray,
        landmarks: np.ndarray | None = None,
        looks: FrameLooks | None = None,
    ) -> list[int]:
        """Name the faces of the next frame.

        Parameters
        ----------
        time_s : float
            Time of the frame in seconds, not before that of the last one.
        boxes_xyxy : array-like, shape (n, 4)
            Left, top, right, bottom in px. A frame without faces may be left out or given.
        landmarks : array-like, shape (n, 68, 2), optional
            In px; NaN for a face without.
        looks : FrameLooks, optional
            Of the frame and its n faces; without them no cut is found.

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
        shapes = [None if points is None else upright_shape(points[face]) for face in range(len(boxes))]
        faces = self._seen(looks, len(boxes))
        for track in self._tracks:
            predict(track, time_s)
        pairs = self._match(time_s, centres, sizes, shapes, faces)
        ids = []
        for face, (centre, size, shape) in enumerate(zip(centres, sizes.tolist(), shapes, strict=True)):
            if face not in pairs:
                track = self._begin(time_s, centre, size, shape)
            elif (track := self._tracks[pairs[face]]).shot == self.cuts and not _is_other(
                track, faces[face], time_s
            ):
                correct(track, centre, size, shape)
            else:
                move(track, centre, size, shape)
            track.time_s, track.shot, track.look = time_s, self.cuts, faces[face] or track.look
            ids.append(track.number)
        return ids

    def _begin(self, time_s: float, centre: np.ndarray, size: float, shape: np.ndarray | None) -> Track:
        """Add a track for a face that was not there before."""
        track = Track(
            number=self._next,
            time_s=time_s,
            predicted_s=time_s,
            centre=centre,
            speed=np.zeros(2),
            spread=first_spread(),
            size=size,
            shape=shape,
            look=None,
            shot=self.cuts,
        )
        self._next += 1
        self._tracks.append(track)
        return track

    def _check(self, time_s: float, boxes: np.ndarray, points: np.ndarray | None) -> None:
        if not np.isfinite(boxes).all() or (boxes[:, 2:] < boxes[:, :2]).any():
            raise InputError("boxes_xyxy: expected finite left, top, right, bottom; leave such faces out")
        if points is not None and points.shape != (len(boxes), 68, 2):
            raise InputError(f"landmarks: expected shape ({len(boxes)}, 68, 2), got {points.shape}")
        if not time_s >= self._time_s:
            raise InputError(f"time_s: expected {self._time_s} or later, got {time_s}; sort the frames")

    def _seen(self, looks: FrameLooks | None, number: int) -> list[FaceLook | None]:
        """Note whether a shot begins, and return the faces' looks; None where one says nothing."""
        if looks is None or is_blank(looks.thumbnail):
            return [None] * number
        self.cuts += self._cut_detector.update(looks.thumbnail)
        return [None if (look := FaceLook(face)).is_flat else look for face in looks.faces]

    def _match(
        self,
        time_s: float,
        centres: np.ndarray,
        sizes: np.ndarray,
        shapes: list[np.ndarray | None],
        faces: list[FaceLook | None],
    ) -> dict[int, int]:
        """Return the track of each face that has one: as many as can be, then the likeliest."""
        if not self._tracks or not len(centres):
            return {}
        costs = np.full((len(centres), len(self._tracks)), _IMPOSSIBLE)
        by_look = costs.copy()
        for column, track in enumerate(self._tracks):
            interrupted = track.shot != self.cuts
            near, unlikely = by_place(track, time_s, centres, sizes, shapes)
            if not interrupted:
                other = np.array([_is_other(track, face, time_s) for face in faces])
                costs[near & ~other, column] = unlikely[near & ~other]
                interrupted = bool((near & other).any())
            if interrupted:
                same = np.array([_is_same(track, face) for face in faces])
                same &= np.abs(np.log(sizes / track.size)) < MOST_GROWTH
                alike = np.array([_likeness(track, face) for face in faces])
                by_look[same, column] = -(alike + _SAME_PLACE * near)[same]
        pairs = _assign(costs)
        by_look[list(pairs)] = _IMPOSSIBLE
        by_look[:, list(pairs.values())] = _IMPOSSIBLE
        return pairs | _assign(by_look)


def _assign(costs: np.ndarray) -> dict[int, int]:
    """Pair rows with columns: as many as can be, at the least cost."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(costs)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return {row: column for row, column in pairs if costs[row, column] < _IMPOSSIBLE}


def _likeness(track: Track, face: FaceLook | None) -> float:
    return 0.0 if track.look is None or face is None else track.look.likeness(face)


def _is_same(track: Track, face: FaceLook | None) -> bool:
    return track.look is not None and face is not None and track.look.is_same(face)


def _is_other(track: Track, face: FaceLook | None, time_s: float) -> bool:
    """Whether a face looks unlike what a track was a moment ago."""
    if track.look is None or face is None or time_s - track.time_s > _NEXT_S:
        return False
    return track.look.likeness(face) < OTHER_FACE
