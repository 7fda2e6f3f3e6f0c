"""Places for labels: beside their faces, inside the picture, and never one over another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from feat_pipeline.render.labels import Row
from feat_pipeline.render.palette import font

Box = tuple[float, float, float, float]

SMALLEST_LETTERS_PX = 13.0
HEAD = 1.2
"""Letters of heads, beside those of reasons."""
LINE = 1.3
"""Height of a row, in letters."""
_TRIES = (1.0, 0.85, 0.72)
_CROWD = 100  # faces; of more only the smallest letters are tried, which takes a third of the time
#: What a longer label may hide more than a shorter one, in shares of a face.
_WORTH = 0.5
#: What each step towards a shorter label counts, likewise.
_SHORTER = 0.3
_FAR = 0.4


@dataclass(frozen=True)
class Label:
    """The rows of a label and the px they need.

    Parameters
    ----------
    rows : tuple of Row
    text_px : float
        Of the letters of reasons.
    width, height, pad : float
    """

    rows: tuple[Row, ...]
    text_px: float
    width: float
    height: float
    pad: float

    def letters_px(self, row: Row) -> float:
        """Size of the letters of a row."""
        return self.text_px * (HEAD if row.head else 1.0)


@dataclass(frozen=True)
class Placed:
    """A label, and where it lies; `away` where no side of it touches its face.

    `side` is the number of its place among those around the face, for `place_at`.
    """

    label: Label
    box: Box
    away: bool
    side: int = 0


def text_px(boxes: Sequence[Box], size: tuple[int, int]) -> float:
    """Letters in proportion to the faces, between limits that the picture sets."""
    unit = (size[0] * size[1]) ** 0.5
    face_px = float(np.median([box[3] - box[1] for box in boxes])) if boxes else 0.0
    return max(15.0, min(0.024 * unit, max(0.0125 * unit, 0.13 * face_px)))


def place_labels(
    options: Sequence[Sequence[tuple[Row, ...]]],
    boxes: Sequence[Box],
    size: tuple[int, int],
    letters_px: float | None = None,
) -> list[Placed | None]:
    """Find a place for every label, those of large faces first.

    Parameters
    ----------
    options : sequence, one for each face, of its labels, the longest first
    boxes : sequence of (x0, y0, x1, y1)
        The faces, px.
    size : (width, height)
        Of the picture, px.
    letters_px : float, optional
        Size of letters to begin with; by default that of `text_px`.

    Returns
    -------
    list of Placed or None
        Inside the picture, none over another. Where there is no room the letters get smaller down to
        `SMALLEST_LETTERS_PX`, then the labels shorter; None where not even the shortest has a place.
    """
    preferred = letters_px or text_px(boxes, size)
    best: list[Placed | None] = []
    best_loss = float("inf")
    for share in _TRIES if len(boxes) <= _CROWD else _TRIES[-1:]:
        px = max(SMALLEST_LETTERS_PX, share * preferred)
        found = _attempt(options, boxes, size, px)
        loss = sum(_loss(placed, of_face) for placed, of_face in zip(found, options, strict=True))
        if loss < best_loss:
            best, best_loss = found, loss
        if best_loss == 0 or px == SMALLEST_LETTERS_PX:
            break
    return best


def _loss(placed: Placed | None, options: Sequence[tuple[Row, ...]]) -> int:
    """Return how many steps a label is shorter than its emotions with their probabilities."""
    heads = _first_short(options)
    number = len(options) if placed is None else list(options).index(placed.label.rows)
    return max(0, number - heads)


def _first_short(options: Sequence[tuple[Row, ...]]) -> int:
    """Return the number of the first option without reasons."""
    return next(i for i, rows in enumerate(options) if all(row.head for row in rows))


def _attempt(
    options: Sequence[Sequence[tuple[Row, ...]]], boxes: Sequence[Box], size: tuple[int, int], px: float
) -> list[Placed | None]:
    """Give every face a short label, then longer ones to those beside whom there is room."""
    places = np.array(boxes, float).reshape(-1, 4)
    order = np.argsort(-areas(places), kind="stable").tolist()
    taken = np.zeros((len(boxes), 4))  # empty where nothing is placed yet
    found: list[Placed | None] = [None] * len(boxes)
    # Short labels first; then twice all that fits, as places get free when other labels have moved.
    for longer in (False, True, True) if len(boxes) <= _CROWD else (False, True):
        for number in order:
            taken[number] = 0
            heads = _first_short(options[number])
            tries = [_place(rows, px, number, places, taken, size) for rows in options[number][heads:]]
            costs = [(best[0] + _SHORTER * step, best[1]) for step, best in enumerate(tries) if best]
            if not costs:
                continue
            cost, found[number] = min(costs, key=lambda pair: pair[0])
            for rows in options[number][:heads] if longer else ():
                best = _place(rows, px, number, places, taken, size)
                if best and best[0] <= cost + _WORTH and not best[1].away:
                    found[number] = best[1]
                    break
            placed = found[number]
            assert placed is not None
            taken[number] = _grown(placed, px)
    return found


def _grown(placed: Placed, px: float) -> np.ndarray:
    """Return the place of a label with a little air."""
    air = 0.12 * px
    x0, y0, x1, y1 = placed.box
    return np.array([x0 - air, y0 - air, x1 + air, y1 + air])


def _place(
    rows: tuple[Row, ...],
    px: float,
    number: int,
    places: np.ndarray,
    taken: np.ndarray,
    size: tuple[int, int],
) -> tuple[float, Placed] | None:
    """Choose the place that hides the least of faces, among those free of labels; with its cost."""
    label = measure(rows, px)
    if label.width > size[0] or label.height > size[1]:
        return None
    x0, y0, x1, y1 = box = places[number]
    candidates, far = _candidates(label, box, size)
    reach = np.concatenate([candidates[:, :2].min(0), candidates[:, 2:].max(0)])[None]
    free = overlaps(candidates, taken[overlaps(taken, reach)[:, 0] > 0]).sum(axis=1) <= 0
    if not free.any():
        return None
    candidates, far = candidates[free], far[free]
    own = np.array([box, (x0, y0 + 0.2 * (y1 - y0), x1, y1)])  # the whole face, and brows to chin
    others = np.delete(places, number, axis=0)
    others = others[overlaps(others, reach)[:, 0] > 0]
    hidden = _shares(candidates, own) @ (1, 2) + 6 * _shares(candidates, others).sum(axis=1)
    cost = hidden + _FAR * far + 0.002 * np.arange(len(candidates))
    best = int(cost.argmin())
    return float(cost[best]), _placed(label, candidates[best], box, int(np.flatnonzero(free)[best]))


def place_at(label: Label, side: int, box: Box, size: tuple[int, int]) -> Placed:
    """Return a label at a side of a face that `place_labels` chose for it before, moved into the picture."""
    face = np.array(box)
    return _placed(label, _candidates(label, face, size)[0][side], face, side)


def _placed(label: Label, place: np.ndarray, box: np.ndarray, side: int) -> Placed:
    near = np.array([box]) + 0.6 * label.text_px * np.array([-1, -1, 1, 1])
    away = overlaps(place[None], near)[0, 0] <= 0
    x0, y0, x1, y1 = place.tolist()
    return Placed(label, (x0, y0, x1, y1), bool(away), side)


def _candidates(label: Label, box: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Places around and in a face box, then farther ones, moved into the picture; how far each is away.

    Returns
    -------
    places : ndarray of float, shape (n, 4)
    far : ndarray of float, shape (n,)
        In heights of the label.
    """
    x0, y0, x1, y1 = box
    w, h = label.width, label.height
    middle, centre = (y0 + y1 - h) / 2, (x0 + x1 - w) / 2
    near = np.array([
        (x0, y1), (x0, y0 - h), (x1 - w, y1), (x1 - w, y0 - h), (centre, y1), (centre, y0 - h),
        (x0, y0), (x1 - w, y0), (x1, middle), (x0 - w, middle),
        (x1, y0), (x0 - w, y0), (x1, y1 - h), (x0 - w, y1 - h), (x0, y1 - h), (x1 - w, y1 - h),
    ])  # fmt: skip
    rows = [y1 + step * h for step in (0.5, 1, 2)] + [y0 - h - step * h for step in (0.5, 1, 2)]
    columns = [centre + step * w for step in (0, -0.5, 0.5, -1, 1)]
    farther = np.array([(x, y) for y in [*rows, middle] for x in columns])
    extent = np.array([w, h])
    corners = np.clip(np.concatenate([near, farther]), 0, np.maximum(size - extent, 0))
    places = np.hstack([corners, corners + extent])
    gaps = np.maximum(np.maximum(box[:2] - places[:, 2:], places[:, :2] - box[2:]), 0)
    return places, np.hypot(gaps[:, 0], gaps[:, 1]) / h


@lru_cache(maxsize=4096)
def measure(rows: tuple[Row, ...], px: float) -> Label:
    """Return how much room rows need with letters of a size."""
    pad = 0.32 * px
    label = Label(rows, px, 0, 0, pad)
    fonts = [font(round(label.letters_px(row), 1), bold=row.head) for row in rows]
    width = max(letters.getlength(row.text) for letters, row in zip(fonts, rows, strict=True))
    height = sum(LINE * label.letters_px(row) for row in rows)
    return Label(rows, px, float(np.ceil(width + 2 * pad)), float(np.ceil(height + pad)), pad)


def areas(boxes: np.ndarray) -> np.ndarray:
    """Return the areas of boxes, shape (..., 4); 0 where the left edge is right of the right one."""
    return np.maximum(boxes[..., 2:] - boxes[..., :2], 0).prod(axis=-1)


def overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the common areas of boxes, shapes (n, 4) and (m, 4) -> (n, m)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    return areas(np.concatenate([low, high], axis=-1))


def _shares(covers: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return which share of each box is covered, shapes (n, 4) and (m, 4) -> (n, m)."""
    return overlaps(covers, boxes) / np.maximum(areas(boxes), 1.0)
