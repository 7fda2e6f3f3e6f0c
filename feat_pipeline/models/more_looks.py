"""Test-time augmentation: let any model look at a face more often than it usually does."""

from __future__ import annotations

from typing import Any

import numpy as np

from feat_pipeline.faces.crops import FaceCrops

VIEWS = "ten-crop"  # the best of the views on FER2013's PublicTest, see the network's card
IN_THE_MIRROR = "the face and its mirror image"


def with_more_looks(model: Any) -> tuple[Any, str]:
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
    if hasattr(model, "members"):
        looks = {name: with_more_looks(member) for name, member in model.members.items()}
        model.members = {name: member for name, (member, _) in looks.items()}
        return model, "; ".join(f"{name}: {told}" for name, (_, told) in looks.items())
    if model.consumes == "aus":
        return model, f"AUs of {IN_THE_MIRROR}, averaged"
    if hasattr(model, "views"):
        model.views = VIEWS
        return model, f"views {VIEWS}"
    return MirroredModel(model), f"probabilities of {IN_THE_MIRROR}, averaged"


class MirroredModel:
    """A model of pixels whose answer is the mean of those for a face and for its mirror image.

    Parameters
    ----------
    model : EmotionModel
        It consumes pixels.
    """

    consumes = "pixels"

    def __init__(self, model: Any) -> None:
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
