"""Labels of a film that stay where they are beside their faces, for as long as they can."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np

from feat_pipeline.render.labels import Row
from feat_pipeline.render.labels_placing import (
    SMALLEST_LETTERS_PX,
    Box,
    Placed,
    measure,
    overlaps,
    place_at,
    place_labels,
)

STAY_S = 2.0
"""As often it is tried whether labels would tell more elsewhere. They are placed anew at once where a face
has come or gone, where labels touch, and where one hides a face."""

_LARGER = 1.2
_MOST_HIDDEN = 0.25  # of another face, or of its own beyond what it hid when it was placed


class KeptPlaces:
    """Places labels like `place_labels`, in frame after frame of one film."""

    def __init__(self) -> None:
        self._time_s = -math.inf
        self._px = 0.0
        self._kept: dict[Hashable, tuple[int, int, float]] = {}  # length, side of the face, what it hides

    def place(
        self,
        time_s: float,
        keys: Sequence[Hashable],
        options: Sequence[Sequence[tuple[Row, ...]]],
        boxes: Sequence[Box],
        size: tuple[int, int],
        letters_px: float,
    ) -> list[Placed | None]:
        """Find the places for one frame.

        Parameters
        ----------
        time_s : float
        keys : sequence
            One for each face, the same in every frame.
        options, boxes, size, letters_px
            As for `place_labels`.
        """
        kept = self._again(keys, options, boxes, size) if set(keys) == self._kept.keys() else None
        if kept is not None and time_s - self._time_s < STAY_S:
            return kept
        self._time_s = time_s
        found = place_labels(options, boxes, size, letters_px)
        if kept is not None and not _tells_more(found, kept, options):
            return kept
        self._px = next((label.label.text_px for label in found if label is not None), letters_px)
        self._kept = {
            key: (-1, 0, 0.0)
            if label is None
            else (list(of_face).index(label.label.rows), label.side, _hidden(label.box, box))
            for key, label, of_face, box in zip(keys, found, options, boxes, strict=True)
        }
        return found

    def _again(
        self,
        keys: Sequence[Hashable],
        options: Sequence[Sequence[tuple[Row, ...]]],
        boxes: Sequence[Box],
        size: tuple[int, int],
    ) -> list[Placed | None] | None:
        """Return the labels at their sides of the faces; None where that does not do any more."""
        placed: list[Placed | None] = []
        for key, of_face, box in zip(keys, options, boxes, strict=True):
            length, side, hidden = self._kept[key]
            if length < 0:
                placed.append(None)
                continue
            label = measure(of_face[min(length, len(of_face) - 1)], max(SMALLEST_LETTERS_PX, self._px))
            if label.width > size[0] or label.height > size[1]:
                return None
            found = place_at(label, side, box, size)
            if _hidden(found.box, box) > hidden + _MOST_HIDDEN:
                return None
            placed.append(found)
        return placed if _apart(placed, boxes) else None


def _tells_more(
    found: Sequence[Placed | None],
    kept: Sequence[Placed | None],
    options: Sequence[Sequence[tuple[Row, ...]]],
) -> bool:
    """Whether labels placed anew are longer, all in all, or of letters that are clearly larger."""

    def shortness(labels: Sequence[Placed | None]) -> int:
        pairs = zip(labels, options, strict=True)
        return sum(len(o) if label is None else list(o).index(label.label.rows) for label, o in pairs)

    def letters(labels: Sequence[Placed | None]) -> float:
        return max((label.label.text_px for label in labels if label is not None), default=0.0)

    return shortness(found) < shortness(kept) or letters(found) > _LARGER * letters(kept)


def _hidden(label: Box, face: Box) -> float:
    """Return the share of a face that a label hides."""
    area = max((face[2] - face[0]) * (face[3] - face[1]), 1.0)
    return float(overlaps(np.array([label]), np.array([face]))[0, 0] / area)


def _apart(placed: Sequence[Placed | None], boxes: Sequence[Box]) -> bool:
    """Whether no label lies over another one, or over a good part of another's face."""
    there = [(number, found.box) for number, found in enumerate(placed) if found is not None]
    labels = np.array([box for _, box in there]).reshape(-1, 4)
    common = overlaps(labels, labels)
    np.fill_diagonal(common, 0)
    if common.any():
        return False
    return all(
        _hidden(label, face) <= _MOST_HIDDEN
        for number, label in there
        for other, face in enumerate(boxes)
        if other != number
    )
