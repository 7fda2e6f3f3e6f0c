"""Several looks at one face when a network predicts (test-time augmentation).

Each look is a crop, scaled back or mirrored. All of that is linear, row by row and column by column, so that
``rows @ face @ columns.T`` is a look: numpy arrays and torch tensors, gradients too, pass through it alike.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from feat_pipeline.errors import UsageError
from feat_pipeline.faces.crops import FaceCrops
from feat_pipeline.models import load_model
from feat_pipeline.models.protocol import CombinedModel, EmotionModel, ViewedModel

VIEWS = ("none", "mirror", "six", "ten-crop")
TTA_VIEWS = "ten-crop"  # the best of the views on FER2013's PublicTest, see the network's card
IN_THE_MIRROR = "the face and its mirror image"

_WHOLE = (0.0, 48.0)
#: Top, bottom, left and right of the crops, of 48 px, and whether they are mirrored.
_LOOKS: dict[str, tuple[tuple[tuple[float, float], tuple[float, float], bool], ...]] = {
    "none": ((_WHOLE, _WHOLE, False),),
    "mirror": ((_WHOLE, _WHOLE, False), (_WHOLE, _WHOLE, True)),
    "six": (
        (_WHOLE, _WHOLE, False),
        ((2, 45), _WHOLE, False),
        (_WHOLE, _WHOLE, True),
        ((0, 45), (0, 45), False),
        ((2, 47), (0, 45), False),
        ((2, 47), (2, 47), False),
    ),
    "ten-crop": tuple(
        ((top, top + 44), (left, left + 44), mirrored)
        for mirrored in (False, True)
        for top, left in ((0, 0), (0, 4), (4, 0), (4, 4), (2, 2))
    ),
}


def views_of(views: str, size: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the looks that `views` names, as matrices.

    Parameters
    ----------
    views : {'none', 'mirror', 'six', 'ten-crop'}
        The face alone; with its mirror image; luanshiyinyang's six (whole, rows 2:45, mirrored,
        [0:45, 0:45], [2:47, 0:45] and [2:47, 2:47] of 48 px, each scaled back to the whole side); or the
        four corners and the centre, 44 of 48 px, and their mirror images, scaled back (Krizhevsky et al.,
        2012, who took 224 of 256 px). Of other sides the same shares are cut.
    size : int
        Side of the faces, px.

    Returns
    -------
    list of (rows, columns)
        Each float32, shape (size, size): a look at faces (..., size, size) is ``rows @ faces @ columns.T``.
        Crops are scaled back bilinearly, pixel centres aligned, edges repeated, as OpenCV does.

    Raises
    ------
    UsageError
        Unknown views.
    """
    if views not in _LOOKS:
        raise UsageError(f"views: expected one of {', '.join(VIEWS)}, got {views!r}")
    return [
        (_resampling(*down, size), _resampling(*across, size)[:: -1 if mirrored else 1].copy())
        for down, across, mirrored in _LOOKS[views]
    ]


def _resampling(start: float, stop: float, size: int) -> np.ndarray:
    """Return the matrix that scales the px from start to stop, of 48, up to the whole side."""
    start, stop = start * size / 48, stop * size / 48
    places = start + (np.arange(size) + 0.5) * (stop - start) / size - 0.5
    places = places.clip(start, stop - 1)
    left = np.floor(places).astype(int).clip(0, max(0, size - 2))
    share = places - left
    matrix = np.zeros((size, size), np.float32)
    matrix[np.arange(size), left] = 1 - share
    matrix[np.arange(size), np.minimum(left + 1, size - 1)] += share
    return matrix


def with_more_views(model: EmotionModel) -> tuple[EmotionModel, str]:
    """Return a model that looks more often, and how it looks.

    Parameters
    ----------
    model : EmotionModel
        A network with ``views`` is set to ten; an ensemble passes it on to its members; other models of
        pixels see the mirror image too. Models of AUs stay as they are: their AUs are measured twice.

    Returns
    -------
    model : EmotionModel
    told : str
        For ``run.json``.
    """
    if isinstance(model, CombinedModel):
        looks = {name: with_more_views(member) for name, member in model.members.items()}
        model.members = {name: member for name, (member, _) in looks.items()}
        return model, "; ".join(f"{name}: {told}" for name, (_, told) in looks.items())
    if model.consumes == "aus":
        return model, f"AUs of {IN_THE_MIRROR}, averaged"
    if isinstance(model, ViewedModel):
        model.views = TTA_VIEWS
        return model, f"views {TTA_VIEWS}"
    return MirroredModel(model), f"probabilities of {IN_THE_MIRROR}, averaged"


class MirroredModel:
    """A model of pixels whose answer is the mean of those for a face and for its mirror image.

    Parameters
    ----------
    model : EmotionModel
        It consumes pixels.
    """

    consumes = "pixels"
    explains = False

    def __init__(self, model: EmotionModel) -> None:
        self.model = model
        self.classes_ = model.classes_

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probabilities, float, shape (n, K); rows sum to 1.

        Parameters
        ----------
        X : FaceCrops, or ndarray of uint8, shape (n, h, w) or (n, h, w, 3)
        """
        mirrored = X.mirrored() if isinstance(X, FaceCrops) else np.ascontiguousarray(X[:, :, ::-1])
        return (self.model.predict_proba(X) + self.model.predict_proba(mirrored)) / 2

    def save(self, path: str | Path) -> Path:
        """Write the model itself into a folder, which does not say that it looks twice."""
        return self.model.save(path)

    @classmethod
    def load(cls, path: str | Path) -> MirroredModel:
        """Read a model of pixels of any kind, and let it look twice."""
        return cls(load_model(path))
