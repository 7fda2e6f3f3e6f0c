"""Boxes around faces."""

from __future__ import annotations

import numpy as np


def box_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the intersection over union of every box with every other.

    Parameters
    ----------
    a, b : ndarray of float, shapes (n, 4) and (m, 4)
        Left, top, right, bottom.

    Returns
    -------
    ndarray of float, shape (n, m)
        0 to 1; 0 for boxes without area.
    """
    sides = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    shared = np.clip(sides, 0, None).prod(axis=2)
    areas = [(of[:, 2:] - of[:, :2]).prod(axis=1) for of in (a, b)]
    return np.asarray(shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-9))
