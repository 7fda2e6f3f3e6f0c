"""AUs of face crops that a data set holds as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from feat_pipeline.detect import make_detector
from feat_pipeline.errors import InputError
from feat_pipeline.extract import make_extractor
from feat_pipeline.extract.measure import Measured, face_rows, make_table, measure
from feat_pipeline.progress import progress
from feat_pipeline.sources.photos import from_array

if TYPE_CHECKING:
    from analysis.autable import AUTable


def crop_table(
    images: np.ndarray, names: Sequence[str] | None = None, *, backend: str = "embedded"
) -> AUTable:
    """Measure the AUs of crops, each of them one whole face.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w) or (n, h, w, 3)
        Grey or RGB.
    names : sequence of str, shape (n,), optional
        Their ``input`` in the table; by default their numbers.
    backend : str
        Name out of ``feat_pipeline.extract.BACKENDS``.

    Returns
    -------
    AUTable
        n rows in the same order; AUs are NaN where the backend fails on a face.

    Raises
    ------
    InputError
        As many names as crops were expected, or the backend fails on a whole picture.
    UnavailableError
        The backend cannot run here.
    """
    names = [str(i) for i in range(len(images))] if names is None else list(names)
    if len(names) != len(images):
        raise InputError(f"names: expected one for each of the {len(images)} crops, got {len(names)}")
    extractor = make_extractor(backend)
    pairs = zip(progress(images, total=len(images), unit="face"), names, strict=True)
    frames = (from_array(image, name) for image, name in pairs)
    rows = []
    for item in measure(frames, make_detector("none"), extractor):
        if not isinstance(item, Measured):
            raise InputError(f"{item.input}: {item.reason}")
        rows += face_rows(item)
    return make_table(rows, extractor, detector="none")
