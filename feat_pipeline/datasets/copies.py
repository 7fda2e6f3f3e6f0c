"""Pictures that are nearly equal: one photograph with other marks, light, cut or compression."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from feat_pipeline.datasets.faces import LabelledFaces

if TYPE_CHECKING:
    import pandas as pd

SIDE = 12
#: Of 14 pairs each of FER2013 that were looked at between .95 and .96, .96 and .97, .97 and .98 and above,
#: all were one photograph; between .94 and .95 about 11 were.
NEAR = 0.96
_BLOCK = 1024  # pictures that are compared with all others at a time


def near_copies(images: np.ndarray, *, least: float = NEAR) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the pairs of pictures that are equal or nearly so.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height, width)
    least : float
        Smallest correlation of two thumbnails of 12 x 12 px for which the pictures count as copies.

    Returns
    -------
    first, second : ndarray of int64, shape (m,)
        Rows, first < second.
    correlation : ndarray of float32, shape (m,)

    Notes
    -----
    Every pair is compared, by matrix products in blocks: time grows with n², memory with n. A picture of
    one single grey is nobody's copy.
    """
    thumbnails = _standardised(images)
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for start in range(0, len(images), _BLOCK):
        alike = thumbnails[start : start + _BLOCK] @ thumbnails[start:].T
        first, second = np.nonzero(alike >= least)
        later = second > first
        first, second = first[later], second[later]
        found.append((start + first, start + second, alike[first, second]))
    if not found:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)
    first, second, correlation = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return first, second, correlation


def near_copy_groups(images: np.ndarray, *, least: float = NEAR) -> np.ndarray:
    """Give a number to each group of pictures that `near_copies` joins, directly or through others.

    Returns
    -------
    ndarray of int32, shape (n,)
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first, second, _ = near_copies(images, least=least)
    n = len(images)
    edges = coo_array((np.ones(len(first), bool), (first, second)), shape=(n, n))
    return connected_components(edges, directed=False)[1]


def copies_across_parts(faces: LabelledFaces, *, least: float = NEAR) -> pd.DataFrame:
    """List the near copies that stand in different parts of a data set.

    Parameters
    ----------
    faces : LabelledFaces
    least : float
        See `near_copies`.

    Returns
    -------
    DataFrame
        A row a pair: ``first, second`` (`names` where the faces have them, else `rows`),
        ``first_part, second_part, first_label, second_label, correlation``, the most alike first.
    """
    import pandas as pd

    first, second, correlation = near_copies(faces.images, least=least)
    across = faces.usage[first] != faces.usage[second]
    first, second, correlation = first[across], second[across], correlation[across]
    called = faces.rows if faces.names is None else faces.names
    table = pd.DataFrame(
        {
            "first": called[first],
            "second": called[second],
            "first_part": faces.usage[first],
            "second_part": faces.usage[second],
            "first_label": faces.emotions[first],
            "second_label": faces.emotions[second],
            "correlation": correlation.round(4),
        }
    )
    return table.sort_values("correlation", ascending=False, kind="stable", ignore_index=True)


def _standardised(images: np.ndarray) -> np.ndarray:
    """Return thumbnails as float32 vectors of mean 0 and length 1, shape (n, SIDE²)."""
    import cv2

    small = [cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for image in images]
    vectors = np.array(small, np.float32).reshape(len(images), SIDE * SIDE)
    vectors -= vectors.mean(1, keepdims=True)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 1e-3)
