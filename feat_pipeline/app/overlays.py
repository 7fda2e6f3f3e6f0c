"""The regions of a face that the strongest Action Units lie in, as coloured pictures over its crop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from analysis.display import signed
from analysis.facs import region, short_name
from analysis.plots.theme import AGAINST_COLOUR, FOR_COLOUR
from feat_pipeline.app.what_if import strongest
from feat_pipeline.faces.crops import CROP_PX
from feat_pipeline.render.encode import png

if TYPE_CHECKING:
    from analysis.explain import FaceExplanation
    from feat_pipeline.predict import FacePrediction

HIGHLIGHTED_AUS = 3
_WEAK, _STRONG, _EDGE = 0.15, 0.35, 0.95
"""Opacity of the weakest and the strongest region, and of outlines."""


def highlighted_regions(
    explanation: FaceExplanation, count: int = HIGHLIGHTED_AUS
) -> dict[str, list[tuple[str, float]]]:
    """Group the AUs that contribute most by region: to (column, contribution), strongest first."""
    found: dict[str, list[tuple[str, float]]] = {}
    for column, contribution in strongest(explanation, count):
        if contribution:
            found.setdefault(region(column), []).append((column, contribution))
    return found


def overlays(face: FacePrediction, regions: Mapping[str, list[tuple[str, float]]]) -> dict[str, bytes]:
    """Draw each highlighted region: blue where its AUs speak for the answer together, orange where against.

    Parameters
    ----------
    face : FacePrediction
    regions : mapping
        As `highlighted_regions` groups them.

    Returns
    -------
    dict of str to bytes
        Region to an RGBA PNG of `CROP_PX` that fits the face's crop. A region without a place in the face
        (the head's pose) has none; a face without landmarks has no region at all.
    """
    from feat_pipeline.saliency.regions import PIXEL_REGIONS, landmarks_seen, region_masks

    if not np.isfinite(face.landmarks).all() or not regions:
        return {}
    masks = region_masks(landmarks_seen(face, None) * (CROP_PX / face.crop_rgb.shape[0]), CROP_PX)
    sums = {name: sum(value for _, value in aus) for name, aus in regions.items()}
    most = max(map(abs, sums.values())) or 1.0
    return {
        name: _painted(masks[PIXEL_REGIONS.index(name)], total, abs(total) / most)
        for name, total in sums.items()
        if name in PIXEL_REGIONS
    }


def legend(regions: Mapping[str, list[tuple[str, float]]]) -> list[tuple[str, str, str]]:
    """Tell what is highlighted: region, 'for' or 'against', and its AUs with what they add."""
    return [
        (
            name,
            "for" if sum(value for _, value in aus) >= 0 else "against",
            ", ".join(f"{short_name(column)} {signed(value, 1)}" for column, value in aus),
        )
        for name, aus in regions.items()
    ]


def _painted(mask: np.ndarray, total: float, strength: float) -> bytes:
    colour = FOR_COLOUR if total >= 0 else AGAINST_COLOUR
    inner = mask.copy()  # what is left without a rim of two pixels
    for axis in (0, 1):
        for step in (-2, 2):
            inner &= np.roll(mask, step, axis)
    opacity = np.where(inner, _WEAK + (_STRONG - _WEAK) * strength, np.where(mask, _EDGE, 0.0))
    rgba = np.empty((*mask.shape, 4), np.uint8)
    rgba[..., :3] = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    rgba[..., 3] = np.round(255 * opacity)
    return png(rgba)
