"""Faces in their pictures, cut out as each model wants them: from the picture itself, and only once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from feat_pipeline.faces.align import box_matrix, inside_matrix, warp

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

CROP_PX = 160


class FaceCrops:
    """Faces that have not been cut out yet.

    Models of pixels take it where they take crops; for numpy it is the array ``around(CROP_PX)``. Of a face
    that is no larger than a model's side, cutting twice would blur what a data set's own crop shows.

    Parameters
    ----------
    pictures : sequence of ndarray of uint8, shape (height, width, 3)
        RGB; one for each face, the same one for faces of one picture.
    boxes_xyxy : array-like of float, shape (n, 4)
        The detector's boxes, px.
    """

    def __init__(self, pictures: Sequence[np.ndarray], boxes_xyxy: ArrayLike) -> None:
        self.pictures = list(pictures)
        self.boxes_xyxy = np.asarray(boxes_xyxy, float).reshape(len(self.pictures), 4)

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, rows: slice) -> FaceCrops:
        return FaceCrops(self.pictures[rows], self.boxes_xyxy[rows])

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        return self.around(CROP_PX).astype(dtype or np.uint8, copy=False)

    def mirrored(self) -> FaceCrops:
        """Return the same faces in mirrored pictures."""
        turned = {id(picture): np.ascontiguousarray(picture[:, ::-1]) for picture in self.pictures}
        widths = np.array([[picture.shape[1]] for picture in self.pictures], float).reshape(-1, 1)
        boxes = self.boxes_xyxy.copy()
        boxes[:, [2, 0]] = widths - self.boxes_xyxy[:, [0, 2]]
        return FaceCrops([turned[id(picture)] for picture in self.pictures], boxes)

    def around(self, size: int) -> np.ndarray:
        """Cut the boxes with a margin: uint8 RGB, shape (n, size, size, 3)."""
        return self._cut(box_matrix, size)

    def inside(self, size: int) -> np.ndarray:
        """Cut what is inside the boxes: uint8 grey, shape (n, size, size)."""
        import cv2

        cut = [cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) for crop in self._cut(inside_matrix, size)]
        return np.stack(cut) if cut else np.zeros((0, size, size), np.uint8)

    def _cut(self, matrix: Callable[[np.ndarray, int], np.ndarray], size: int) -> np.ndarray:
        pairs = zip(self.pictures, self.boxes_xyxy, strict=True)
        cut = [warp(picture, matrix(box, size), size) for picture, box in pairs]
        return np.stack(cut) if cut else np.zeros((0, size, size, 3), np.uint8)
