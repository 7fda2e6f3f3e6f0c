"""What the Action Units do to a drawn face: intensities in, the places of brows, lids and lips out.

Lengths are in radii of the face's disc, x to the right and y down from its centre. Every place follows
from the intensities without a step, so that a little more of an AU moves its part a little.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from analysis.facs import SCALE_RANGES, parse_column

Point = tuple[float, float]
Get = Callable[[int], float]

EYE_X, EYE_Y = 0.36, -0.14
EYE_HALF_WIDTH = 0.185
MOUTH_Y = 0.44


@dataclass(frozen=True)
class Brow:
    """The brow on the right of the picture: its middle line from the nose outwards."""

    inner: Point
    middle: Point
    outer: Point


@dataclass(frozen=True)
class Eye:
    """The eye on the right of the picture, relative to its centre.

    `upper` and `lower` are the heights of the lids' middles, `gaze` the shift of the iris in the picture.
    """

    upper: float
    lower: float
    gaze: Point


@dataclass(frozen=True)
class Mouth:
    """Lips, relative to the mouth's centre.

    `corner` and `upper` and `lower` are heights of the corners and of the lips' middles at their inner
    edges; `square`, 0 to 1, is how far the lips run out level before they turn to the corners; `thin`, 0 to
    1, how far they are pressed away; `teeth`, 0 to 1, how far the upper teeth show; `below` likewise the
    lower ones.
    """

    half_width: float
    corner: float
    upper: float
    lower: float
    square: float
    thin: float
    teeth: float
    below: float
    pucker: float


@dataclass(frozen=True)
class Expression:
    """A drawn face; the shares, 0 to 1, say how strongly a line or a blush shows."""

    brow: Brow
    eye: Eye
    mouth: Mouth
    frown: float
    wrinkle: float
    fold: float
    cheek: float
    pouch: float
    puff: float
    dimple: float
    chin: float
    measured: bool


def intensities(aus: Mapping[str, float]) -> dict[int, float]:
    """Return AUs by number, 0 to 1 of their scale; of several scales of one AU the first is taken.

    Columns that are no AU are passed over, and so are values that are no number.
    """
    found: dict[int, float] = {}
    for column, value in aus.items():
        parsed = parse_column(column)
        if parsed is not None and math.isfinite(value):
            top = SCALE_RANGES[parsed[1]][1]
            found.setdefault(parsed[0], min(1.0, max(0.0, value / top)))
    return found


def expression(aus: Mapping[str, float]) -> Expression:
    """Return the face that AUs draw; one at rest where there are none.

    Parameters
    ----------
    aus : mapping of str to float
        AU column, such as ``AU12_r``, to its value.

    Returns
    -------
    Expression
        With `measured` false where no AU has a value.
    """
    share = intensities(aus)
    a = {number: value**0.95 for number, value in share.items()}

    def get(number: int) -> float:
        return a.get(number, 0.0)

    return Expression(
        brow=_brow(get),
        eye=_eye(get),
        mouth=_mouth(get),
        frown=_line(get(4)),
        wrinkle=_line(get(9)),
        fold=_line(max(get(9), get(10), 0.8 * get(11))),
        cheek=min(1.0, 0.75 * get(6) + 0.35 * get(12)),
        pouch=_line(get(6)),
        puff=max(get(33), get(34)),
        dimple=_line(get(14)),
        chin=_line(get(17)),
        measured=bool(share),
    )


def _line(share: float) -> float:
    """Let folds of the skin show late: the trace of an action makes none."""
    return share**1.5


def _brow(get: Get) -> Brow:
    lowered = get(4) * (1 - 0.8 * get(1))  # raised and lowered at once, the inner end stays up, pulled in
    pulled = 0.07 * get(4)
    nose = 0.06 * get(9)
    level = get(1) * get(4)  # both straighten the brow: it slants down from the nose
    inner = -0.475 - 0.20 * get(1) - 0.04 * get(2) + 0.18 * lowered + nose
    middle = -0.535 - 0.09 * get(1) - 0.15 * get(2) + 0.10 * get(4) * (1 - 0.5 * get(2)) + 0.03 * level
    outer = -0.465 - 0.15 * get(2) + 0.07 * level - 0.03 * lowered
    return Brow((0.20 - pulled, inner), (0.40 - 0.5 * pulled, middle + 0.6 * nose), (0.60, outer))


def _eye(get: Get) -> Eye:
    upper = -0.150 * (1 + 0.60 * get(5) - 0.40 * get(7) - 0.40 * get(41) - 0.40 * get(42))
    upper *= 1 - 0.10 * get(6) - 0.2 * get(9)
    lower = 0.150 * (1 + 0.15 * get(5) - 0.50 * get(7) - 0.40 * get(42) - 0.6 * get(44))
    lower -= 0.19 * get(6) + 0.05 * get(9) + 0.04 * get(12)
    lower = max(lower, upper + 0.05)
    closed = max(get(43), get(45))
    meet = 0.075 - 0.16 * get(6)  # closed lids meet low; pushed up by the cheek they make an arc
    upper, lower = (1 - closed) * upper + closed * meet, (1 - closed) * lower + closed * (meet + 1e-3)
    gaze = (get(61) - get(62)) * 0.09, (get(64) - get(63)) * 0.07
    return Eye(upper, lower, gaze)


def _mouth(get: Get) -> Mouth:
    smile = max(get(12), 0.8 * get(13))
    pucker = max(get(18), 0.8 * get(22))
    thin = min(1.0, max(get(23), get(24), get(28), 0.9 * get(32)))
    gape = min(1.0, max(get(27), 0.72 * get(26)) + 0.25 * min(get(26), get(27)))
    parted = max(get(25), 0.6 * get(26), get(27), 0.7 * get(16), 0.5 * get(22))
    gap = 0.15 * parted + 0.36 * gape * (0.25 + 0.75 * parted)
    half = 0.30 + 0.20 * smile + 0.19 * get(20) + 0.05 * get(14) + 0.03 * get(10)
    half -= 0.14 * pucker + 0.06 * thin * (1 - smile) + 0.09 * gape * (1 - smile) * (1 - get(20))
    corner = -0.19 * smile + 0.17 * get(15) + 0.05 * get(20) - 0.02 * get(14)
    push = 0.10 * get(17)  # the chin lifts the lower lip
    sag = 0.10 * smile * (1 - 0.4 * gape)
    upper = sag * (1 - 0.7 * parted) - 0.08 * get(15) - push - 0.13 * get(10) - 0.04 * get(9) - 0.35 * gap
    upper += 0.06 * smile * parted
    lower = sag * (1 + 0.9 * parted) - 0.06 * get(15) - push - 0.05 * get(10) + 0.65 * gap
    lower = max(upper, lower + 0.06 * get(16))
    square = 0.35 + 0.45 * get(20) + 0.45 * get(10) + 0.25 * parted + 0.3 * gape - 0.2 * get(15)
    teeth = min(1.0, 0.3 + 0.9 * smile + 0.8 * get(10) + 0.9 * get(20)) * (1 - 0.5 * pucker)
    teeth *= 1 - 0.75 * gape * (1 - max(smile, get(20)))
    below = min(1.0, get(16) + 0.9 * get(20))
    return Mouth(max(0.11, half), corner, upper, lower, min(1.0, square), thin, teeth, below, pucker)
