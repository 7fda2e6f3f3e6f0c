"""The regions that Action Units lie in, as parts of a face crop, and attributions summed over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.facs import REGIONS
from feat_pipeline.errors import InputError
from feat_pipeline.faces.align import box_matrix, transform_points
from feat_pipeline.models.base import seen_matrix

if TYPE_CHECKING:
    import pandas as pd

    from feat_pipeline.predict import FacePrediction
    from feat_pipeline.saliency.attribution import Attribution

BACKGROUND = "background"
#: Of a crop's pixels: those of the AUs, without the head's pose, which has no place, and all the rest.
PIXEL_REGIONS = (*(name for name in REGIONS if name != "head"), BACKGROUND)


def landmarks_seen(prediction: FacePrediction, size: int | None) -> np.ndarray:
    """Map the landmarks of a predicted face to what a network of `size` px looks at of its `crop_rgb`.

    Parameters
    ----------
    prediction : FacePrediction
    size : int, optional
        None: the whole crop is looked at.

    Returns
    -------
    ndarray of float64, shape (68, 2), px

    Notes
    -----
    A network looks at the part of the crop inside the detector's box (`feat_pipeline.models.base.as_seen`).
    """
    side = prediction.crop_rgb.shape[0]
    in_crop = transform_points(box_matrix(prediction.box_xyxy, side), prediction.landmarks)
    return in_crop if size is None else transform_points(seen_matrix(side, side, size), in_crop)


def region_masks(landmarks: np.ndarray, size: int) -> np.ndarray:
    """Cut a crop into the regions of `PIXEL_REGIONS`.

    Parameters
    ----------
    landmarks : ndarray of float, shape (68, 2) or (n, 68, 2)
        dlib's 68 points in px of the crop, as `landmarks_seen` maps them.
    size : int
        Side of the crop, px.

    Returns
    -------
    ndarray of bool, shape (7, size, size) or (n, 7, size, size)
        Every pixel lies in exactly one region. A region that lies outside the crop is empty.

    Raises
    ------
    InputError
        Landmarks of another shape, or that are no numbers.

    Notes
    -----
    Brow: from the lid's fold to a third of the eyes' distance above the brows, where AUs 1, 2 and 4 wrinkle
    the forehead, with the glabella. Eye: the lids and what is close. Nose: bridge, its sides and the wings.
    Mouth: the lips and a fifth around them. Jaw: below the corners of the mouth. Cheek: the rest of the face
    up to the eyes' outer corners. Forehead, hair and surroundings are background. The catalogue counts the
    chin's raiser, AU17, to the mouth, while the skin that it bulges lies in the jaw.
    """
    landmarks = np.asarray(landmarks, np.float64)
    if landmarks.shape[-2:] != (68, 2) or landmarks.ndim not in (2, 3) or not np.isfinite(landmarks).all():
        raise InputError(
            f"landmarks: expected 68 points, shape (68, 2) or (n, 68, 2), without NaN, got {landmarks.shape}"
        )
    faces = landmarks.reshape(-1, 68, 2)
    masks = np.stack([_masks(face, size) for face in faces]) if len(faces) else np.zeros(
        (0, len(PIXEL_REGIONS), size, size), bool
    )  # fmt: skip
    return masks[0] if landmarks.ndim == 2 else masks


def by_region(attribution: Attribution, masks: np.ndarray) -> pd.DataFrame:
    """Sum attributions over regions.

    Parameters
    ----------
    attribution : Attribution
        Of n faces.
    masks : ndarray of bool, shape (n, R, H, W)
        As `region_masks` makes them.

    Returns
    -------
    DataFrame
        A row for each face and region: ``face`` (number from 0), ``target``, ``region``, ``attribution``
        (NaN for Grad-CAM), ``share`` (of the sum of all regions' sizes, signed) and ``area`` (share of the
        crop's pixels). The attributions of a face add up to its pixels' sum.

    Raises
    ------
    InputError
        Masks of other faces or another size.
    """
    import pandas as pd

    values, masks = attribution.values, np.asarray(masks, bool)
    expected = (len(values), len(PIXEL_REGIONS), *values.shape[1:])
    if masks.shape != expected:
        raise InputError(f"masks: expected shape {expected}, got {masks.shape}")
    sums = np.einsum("nrhw,nhw->nr", masks, values)
    sizes = np.abs(sums).sum(1, keepdims=True)
    shares = np.divide(sums, sizes, out=np.zeros_like(sums), where=sizes > 0)
    n, R = sums.shape
    known = attribution.method != "grad-cam"
    return pd.DataFrame(
        {
            "face": np.repeat(np.arange(n), R),
            "target": np.repeat(attribution.targets, R),
            "region": np.tile(PIXEL_REGIONS, n),
            "attribution": sums.ravel() if known else np.nan,
            "share": shares.ravel(),
            "area": masks.mean((2, 3)).ravel(),
        }
    )


def _masks(face: np.ndarray, size: int) -> np.ndarray:
    """Paint the regions of one face over each other, the later over the earlier."""
    from matplotlib.path import Path

    places = np.arange(size) + 0.5
    pixels = np.stack(np.meshgrid(places, places), -1).reshape(-1, 2)
    painted = np.full(size * size, PIXEL_REGIONS.index(BACKGROUND))
    for name, polygon in _polygons(face):
        painted[Path(polygon).contains_points(pixels)] = PIXEL_REGIONS.index(name)
    return painted.reshape(size, size) == np.arange(len(PIXEL_REGIONS))[:, None, None]


def _polygons(face: np.ndarray) -> list[tuple[str, Any]]:
    eyes = face[36:42].mean(0), face[42:48].mean(0)
    between = float(np.linalg.norm(eyes[1] - eyes[0])) or 1.0
    across = (eyes[1] - eyes[0]) / between
    up = np.array([across[1], -across[0]])
    up = up if up @ (face[27] - face[57]) >= 0 else -up
    jaw, brows, lips = face[:17], face[17:27], face[48:60]
    cheek = np.vstack([jaw, face[[45, 36]]])
    chin = np.vstack([jaw[4:13], face[54], face[48]])
    bridge = (face[39] + face[27]) / 2, (face[42] + face[27]) / 2
    wings = face[31] + 0.45 * (face[31] - face[33]), face[35] + 0.45 * (face[35] - face[33])
    nose = np.vstack([bridge[0], bridge[1], wings[1], face[33] - 0.12 * between * up, wings[0]])
    forehead = brows + 0.33 * between * up
    brow = np.vstack([forehead, face[[45, 42]], face[[39, 36]]])
    return [
        ("cheek", cheek),
        ("jaw", chin),
        ("nose", nose),
        ("mouth", _widened(lips, across, up, 1.2, 1.4)),
        ("brow", brow),
        *(("eye", _widened(_lids(face, start, between, up), across, up, 1.3, 1.0)) for start in (36, 42)),
    ]


def _lids(face: np.ndarray, start: int, between: float, up: np.ndarray) -> np.ndarray:
    """Take an eye with half of the way to its brow and as much below, open or closed."""
    eye = face[start : start + 6].copy()
    eye[1:3] += 0.12 * between * up
    eye[4:6] -= 0.12 * between * up
    return eye


def _widened(points: np.ndarray, across: np.ndarray, up: np.ndarray, wide: float, high: float) -> np.ndarray:
    """Stretch a polygon about its middle along and across the line of the eyes."""
    middle = points.mean(0)
    away = points - middle
    return middle + wide * np.outer(away @ across, across) + high * np.outer(away @ up, up)
