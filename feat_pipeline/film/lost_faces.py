"""Faces are hidden in a film also where the detector loses them for a moment."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from feat_pipeline.film.follow import FollowedFace
from feat_pipeline.sources.frame import Frame

AFTER_S = 1.0
"""So long a face stays hidden at its last place."""
BEFORE_S = 0.5
"""So long before it is first seen the place of a face is hidden already."""

_MOST_WAITING = 30  # frames, which bounds the memory
_GROWTH = 1.3  # of the box of a face that is not seen: it may have moved


@dataclass(eq=False)
class Covered:
    """A frame whose faces are to be hidden.

    Parameters
    ----------
    frame : Frame
    faces : list of FollowedFace
        Those that were found.
    lost : dict of int to FollowedFace
        By id, those that were found shortly before or after, with a larger box.
    searched : bool
        Whether the detector could search the frame; else all of it is to be hidden.
    """

    frame: Frame
    faces: Sequence[FollowedFace]
    lost: dict[int, FollowedFace] = field(default_factory=dict)
    searched: bool = True


class Cover:
    """Finds what is to be hidden in the frames of one film.

    Parameters
    ----------
    before_s : float
        Frames wait for so long, for faces that are found later; 0 for a camera, where none waits.
    """

    def __init__(self, before_s: float = BEFORE_S) -> None:
        self._before_s = before_s
        self._waiting: deque[Covered] = deque()
        self._last: dict[int, tuple[float, FollowedFace]] = {}

    def add(self, frame: Frame, faces: Sequence[FollowedFace], *, searched: bool = True) -> Iterator[Covered]:
        """Take the next frame, and hand out those that have waited for long enough."""
        covered = Covered(frame, faces, searched=searched)
        for face in faces:
            for earlier in self._waiting:
                near = frame.time_s - earlier.frame.time_s <= self._before_s
                if near and all(face.face_id != other.face_id for other in earlier.faces):
                    earlier.lost.setdefault(face.face_id, _larger(face))
            self._last[face.face_id] = (frame.time_s, face)
        here = {face.face_id for face in faces}
        for number, (time_s, face) in list(self._last.items()):
            if frame.time_s - time_s > AFTER_S:
                del self._last[number]
            elif number not in here:
                covered.lost[number] = _larger(face)
        self._waiting.append(covered)
        while self._waiting and (
            frame.time_s - self._waiting[0].frame.time_s >= self._before_s
            or len(self._waiting) > _MOST_WAITING
        ):
            yield self._waiting.popleft()

    def rest(self) -> Iterator[Covered]:
        """Hand out the frames that still wait."""
        while self._waiting:
            yield self._waiting.popleft()


def _larger(face: FollowedFace) -> FollowedFace:
    x0, y0, x1, y1 = face.box_xyxy
    more = np.array([x0 - x1, y0 - y1, x1 - x0, y1 - y0], np.float32) * ((_GROWTH - 1) / 2)
    return replace(face, box_xyxy=face.box_xyxy + more)
