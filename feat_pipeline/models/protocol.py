"""What every emotion model offers, and what some offer besides: asked here and nowhere else.

Structural: a class that offers these is such a model, whatever it inherits from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, TypeGuard, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from torch import nn

    from analysis.logit import MultinomialLogit
    from feat_pipeline.training.recipe import Recipe

#: What a class must offer to be a model; `classes_` comes with fitting.
OFFERED = ("consumes", "explains", "predict_proba", "save", "load")
#: Of a model that looks at AUs, see `AuModel`.
OF_AUS = ("feature_names_in_", "backend_", "scale_")
#: And to be one that can be trained.
FOR_TRAINING = ("fit", "settings", "fit_options")


class EmotionModel(Protocol):
    """What every emotion model offers.

    Attributes
    ----------
    classes_ : ndarray of str, shape (K,)
        Emotions, in the order of the columns of `predict_proba`. A model that is not fitted has none.
    consumes : {'aus', 'pixels', 'both'}
        What it looks at: an AU table, or face crops, which come as `feat_pipeline.faces.crops.FaceCrops` (for
        numpy an array of uint8 RGB, shape (n, 160, 160, 3)); of an ensemble perhaps both. One that looks at
        AUs is an `AuModel`.
    explains : bool
        Whether its coefficients give the reasons of its answers, as those of
        `analysis.logit.MultinomialLogit` do; see `is_explainable`.
    """

    @property
    def classes_(self) -> np.ndarray:
        """Emotions, str, shape (K,)."""
        ...

    @property
    def consumes(self) -> str:
        """What it looks at: 'aus', 'pixels' or 'both'."""
        ...

    @property
    def explains(self) -> bool:
        """Whether `analysis.explain` gives reasons for its answers."""
        ...

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probabilities, float64, shape (n, K); rows sum to 1."""
        ...

    def save(self, path: str | Path) -> Path:
        """Write the model into a folder as ``model.json``, whose ``format`` is its kind; return that file.

        Raises
        ------
        OutputError or OSError
            The folder cannot be written.
        """
        ...

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote, from the folder or its ``model.json``.

        Raises
        ------
        InputError or AnalysisError
            A file is missing or damaged.
        """
        ...


class AuModel(EmotionModel, Protocol):
    """A model that looks at Action Units, perhaps among other things.

    Attributes
    ----------
    feature_names_in_ : ndarray of str, shape (p,)
        The AU columns that it needs.
    backend_, scale_ : str
        What measured the AUs that it was fitted on, and on which scale; 'unknown' and '' where the rows did
        not say.
    """

    @property
    def feature_names_in_(self) -> np.ndarray:
        """AU columns, str, shape (p,)."""
        ...

    @property
    def backend_(self) -> str:
        """The AU backend, or 'unknown'."""
        ...

    @property
    def scale_(self) -> str:
        """Scale of the AUs, see `analysis.facs.SCALES`."""
        ...


class TrainableModel(EmotionModel, Protocol):
    """A model that ``feat-pipeline train`` can train; its class needs no argument.

    Attributes
    ----------
    settings : tuple of str
        Arguments of its constructor, by keyword. 'seed' gets the seed of the run; 'recipe' is a
        `feat_pipeline.training.recipe.Recipe`, whose own settings can be given too (see `RecipeModel`).
    fit_options : tuple of str
        What its `fit` takes by keyword beside X and y:

        'validation' : (X, y)
            Faces to judge epochs by, or to calibrate on; by default a share of those to learn from.
        'shares' : DataFrame of float, shape (n, K)
            Shares of annotators' votes, a column an emotion, to learn in place of y.
        'work' : Path
            Folder for checkpoint and curves.
        'resume' : bool
            Go on from the checkpoint there.
        'device' : str
            Where to train: a torch device.
        'report' : callable
            Gets a dict of numbers after every epoch. A model that takes it chooses its epoch on the
            validation faces.
    """

    settings: ClassVar[tuple[str, ...]]
    fit_options: ClassVar[tuple[str, ...]]

    @property
    def fit(self) -> Callable[..., Any]:
        """Fit to faces X, as for `predict_proba`, and their emotions y, str, shape (n,); return itself."""
        ...


class RecipeModel(TrainableModel, Protocol):
    """A network that `feat_pipeline.training.loop.train` trains, and that may begin from another's weights.

    Attributes
    ----------
    recipe : Recipe, optional
    architecture_ : str
        Of a fitted one; another that begins from its weights must be alike.
    """

    recipe: Recipe | None
    architecture_: str


@runtime_checkable
class ViewedModel(Protocol):
    """A model of pixels whose looks at a face can be set.

    Attributes
    ----------
    views : str
        As for `feat_pipeline.models.views.views_of`; may be set at any time.
    """

    views: str


@runtime_checkable
class CombinedModel(Protocol):
    """A model made of others.

    Attributes
    ----------
    members : dict of str to EmotionModel
    """

    members: dict[str, EmotionModel]


class NetworkModel(EmotionModel, ViewedModel, Protocol):
    """A model of pixels that hands out its network, so that gradients can be taken.

    Attributes
    ----------
    size_ : int
        Side of the grey crops that it sees, px.
    temperature_ : float
        Divides the network's logits.
    """

    size_: int
    temperature_: float

    def to_torch(self) -> nn.Module:
        """Return the network, in evaluation mode: from crops, float 0-255, (n, 1, size, size), to logits."""
        ...


def looks_at_aus(model: EmotionModel) -> TypeGuard[AuModel]:
    """Whether a model needs Action Units."""
    return model.consumes != "pixels"


def is_explainable(model: EmotionModel) -> TypeGuard[MultinomialLogit]:
    """Whether `analysis.explain` gives reasons for a model's answers: it offers all of `MultinomialLogit`."""
    return model.explains


def hands_out_network(model: EmotionModel) -> TypeGuard[NetworkModel]:
    """Whether gradients of a model can be taken."""
    return not lacking(type(model), ("to_torch",))


def is_trainable(kind: object) -> TypeGuard[type[TrainableModel]]:
    """Whether a class of models can be trained by ``feat-pipeline train``."""
    return isinstance(kind, type) and not lacking(kind, FOR_TRAINING)


def has_recipe(model: TrainableModel) -> TypeGuard[RecipeModel]:
    """Whether a model is trained by a `Recipe`."""
    return "recipe" in model.settings


def can_be_trained(model: EmotionModel) -> TypeGuard[TrainableModel]:
    """Whether a model, fitted or not, is of a class that can be trained."""
    return is_trainable(type(model))


def lacking(kind: object, offered: Sequence[str] = OFFERED) -> list[str]:
    """Name what a class, or a model, does not offer of what it should."""
    return [name for name in offered if not hasattr(kind, name)]
