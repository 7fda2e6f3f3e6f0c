"""How a face and its frame look, in a few hundred bytes: what tells a hard cut, and who is who across one.

Frames are compared as small grey pictures, by normalised correlation, and a cut is a change that is large and
far above those just before it: the rule of PySceneDetect's adaptive detector
(https://www.scenedetect.com/docs/latest/api/detectors.html), here on correlation, so that flashes and fades
are none, and on the past only, so that cameras are followed too. Faces are compared as small upright crops,
by the normalised correlation of their greys, as in Lewis (1995), "Fast Normalized Cross-Correlation", and by
the overlap of their colour histograms, as in Swain & Ballard (1991), https://doi.org/10.1007/BF00130487.
This tells neighbouring frames of one person from another person; it recognises nobody.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from feat_pipeline.faces.align import box_matrix, landmark_matrix

FRAME_SHAPE = (18, 32)
"""Height and width of a frame's thumbnail, px."""
FACE_PX = 16
CHANGE = 0.2
"""Least change of the thumbnail at a cut. Films at hand stay under .07 within a shot, and portraits of two
persons, framed alike, differ by more than .2 in 995 of 1,000 pairs."""
CHANGE_RATIO = 3.0
"""A cut changes the thumbnail by so much more than the frames just before did."""
SAME_FACE = 0.65
"""Least likeness of one person's faces on both sides of a cut; 99 of 100 pairs of persons stay under it."""
OTHER_FACE = 0.3
"""Under this likeness faces of neighbouring frames are two persons, though they stand in one place."""

_FRAMES = 8  # before, whose changes a cut stands out from
_SHIFT = (2, 4)  # down and across, px of the thumbnail: what moves so little from frame to frame is no change
_LEAST_SPREAD = 5.0  # grey levels; a frame that has less is blank: it is black, white or fog
_MOST_CLIPPED = 0.5  # of a frame's pixels; one that has more is a flash or night
_LEAST_DETAIL = 1.5  # grey levels; a face that has less says nothing
_HUES, _SATURATIONS = 8, 4
_COMMON_COLOUR = 0.5  # least overlap of the histograms of one person's faces
LOOK_BYTES = FACE_PX**2 + _HUES * _SATURATIONS


@dataclass(frozen=True, eq=False)
class FrameLooks:
    """How one frame and the faces in it look.

    Parameters
    ----------
    thumbnail : ndarray of uint8, shape `FRAME_SHAPE`
    faces : ndarray of uint8, shape (n, `LOOK_BYTES`)
    """

    thumbnail: np.ndarray
    faces: np.ndarray

    @classmethod
    def of(cls, rgb: np.ndarray, boxes_xyxy: np.ndarray, landmarks: np.ndarray) -> FrameLooks:
        """Look at a frame, uint8 RGB, and its faces: boxes (n, 4) and landmarks (n, 68, 2), px."""
        looks = [face_look(rgb, box, points) for box, points in zip(boxes_xyxy, landmarks, strict=True)]
        faces = np.stack(looks) if looks else np.empty((0, LOOK_BYTES), np.uint8)
        return cls(thumbnail(rgb), faces)

    def to_bytes(self) -> list[bytes]:
        """Pack the frame and one face, for each face."""
        return [self.thumbnail.tobytes() + face.tobytes() for face in self.faces]

    @classmethod
    def from_bytes(cls, packed: list[bytes]) -> FrameLooks:
        """Unpack what `to_bytes` packed of one frame, which has a face."""
        both = np.stack([np.frombuffer(one, np.uint8) for one in packed])
        pixels = FRAME_SHAPE[0] * FRAME_SHAPE[1]
        return cls(both[0, :pixels].reshape(FRAME_SHAPE), both[:, pixels:])


class CutDetector:
    """Finds the hard cuts of one film, frame after frame."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None
        self._changes: deque[float] = deque(maxlen=_FRAMES)

    def update(self, small: np.ndarray) -> bool:
        """Take the `thumbnail` of the next frame; return whether a shot begins with it.

        Blank frames are passed over, so that a fade or a flash is judged by the frames around it.
        """
        if is_blank(small):
            return False
        before, self._before = self._before, small
        if before is None:
            return False
        change = thumbnail_change(before, small)
        usual = float(np.mean(self._changes)) if self._changes else 0.0
        self._changes.append(min(change, CHANGE))
        return change > max(CHANGE, CHANGE_RATIO * usual)


def thumbnail_change(before: np.ndarray, after: np.ndarray) -> float:
    """How much a thumbnail changes: 1 less the correlation at the best small shift, 0 to 2."""
    import cv2

    down, across = _SHIFT
    inner = np.ascontiguousarray(after[down:-down, across:-across])
    return 1.0 - float(cv2.matchTemplate(before, inner, cv2.TM_CCOEFF_NORMED).max())


def is_blank(small: np.ndarray) -> bool:
    """Whether a thumbnail shows nothing: night, fog, a flash."""
    clipped = float(((small < 6) | (small > 249)).mean())
    return clipped > _MOST_CLIPPED or float(small.std()) < _LEAST_SPREAD


def thumbnail(rgb: np.ndarray) -> np.ndarray:
    """Shrink a frame to a small grey picture.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (height, width, 3)

    Returns
    -------
    ndarray of uint8, shape `FRAME_SHAPE`
        From 16 pixels each, so that large frames cost no more than small ones.
    """
    import cv2

    sparse = cv2.resize(rgb, (4 * FRAME_SHAPE[1], 4 * FRAME_SHAPE[0]), interpolation=cv2.INTER_NEAREST)
    return cv2.resize(
        cv2.cvtColor(sparse, cv2.COLOR_RGB2GRAY), FRAME_SHAPE[::-1], interpolation=cv2.INTER_AREA
    )


def face_look(rgb: np.ndarray, box_xyxy: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Describe how a face looks.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (height, width, 3)
    box_xyxy : ndarray of float, shape (4,), px
    landmarks : ndarray of float, shape (68, 2), px
        Where they are not known the box is cut out.

    Returns
    -------
    ndarray of uint8, shape (`LOOK_BYTES`,)
        Grey of the upright crop, then its histogram of hue and saturation.
    """
    import cv2

    side = 4 * FACE_PX  # bilinear samples; averaging over all pixels costs eight times as much
    matrix = landmark_matrix(landmarks, side) if np.isfinite(landmarks).all() else box_matrix(box_xyxy, side)
    if not np.isfinite(matrix).all():
        matrix = box_matrix(box_xyxy, side)
    crop = cv2.warpAffine(rgb, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    crop = cv2.resize(crop, (2 * FACE_PX, 2 * FACE_PX), interpolation=cv2.INTER_AREA)
    grey = cv2.resize(
        cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), (FACE_PX, FACE_PX), interpolation=cv2.INTER_AREA
    )
    hsv = cv2.cvtColor(crop, cv2.COLOR_RGB2HSV)
    bins = (hsv[..., 0].ravel() // 23).astype(int) * _SATURATIONS + hsv[..., 1].ravel() // 64
    counts = np.bincount(bins, minlength=_HUES * _SATURATIONS)
    return np.concatenate([grey.ravel(), np.round(255 * counts / counts.sum()).astype(np.uint8)])


class FaceLook:
    """A face as it is compared.

    Parameters
    ----------
    look : ndarray of uint8, shape (`LOOK_BYTES`,)
        See `face_look`.
    """

    def __init__(self, look: np.ndarray) -> None:
        import cv2

        grey = look[: FACE_PX**2].reshape(FACE_PX, FACE_PX).astype(np.float32)
        detail = (grey - cv2.GaussianBlur(grey, (0, 0), FACE_PX / 5)).ravel()  # light and shade say little
        detail -= detail.mean()
        contrast = float(np.linalg.norm(detail))
        self.is_flat = contrast < FACE_PX * _LEAST_DETAIL
        self._detail = detail / max(contrast, 1e-6)
        colours = look[FACE_PX**2 :].astype(np.float32)
        self._colours = colours / max(float(colours.sum()), 1.0)

    def likeness(self, other: FaceLook) -> float:
        """Return the correlation of two faces' details, -1 to 1."""
        return float(self._detail @ other._detail)

    def is_same(self, other: FaceLook) -> bool:
        """Whether both are one person, as far as details and colours tell."""
        common = float(np.minimum(self._colours, other._colours).sum())
        return common >= _COMMON_COLOUR and self.likeness(other) >= SAME_FACE
