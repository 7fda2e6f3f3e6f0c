"""Emotion models behind one protocol, and those that ship with the package."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from analysis import filenames
from feat_pipeline.errors import InputError
from feat_pipeline.registry import resolve
from feat_pipeline.weights.shipped import models_dir

SHIPPED: tuple[str, ...] = ("logit-embedded", "cnn-fer2013")
DEFAULT_MODELS: tuple[str, ...] = ("logit-embedded",)  # the others have no coefficients to explain by
GENERATORS: tuple[str, ...] = (
    "gan-fer2013",
)  # shipped too, but they make faces: see feat_pipeline.generator.model
MODEL_FILE = filenames.MODEL

# The `format` that a model file states -> the class whose `load` reads it.
LOADERS: dict[str, str] = {
    "multinomial-logit": "analysis.logit:MultinomialLogit",
    "cnn": "feat_pipeline.models.cnn:CnnClassifier",
    "mlp-aus": "feat_pipeline.models.flexible:AuNetwork",
    "gbm-aus": "feat_pipeline.models.flexible:AuBoosting",
    "texture": "feat_pipeline.models.texture:TextureClassifier",
    "transfer": "feat_pipeline.models.transfer:TransferClassifier",
    "ensemble": "feat_pipeline.models.ensemble:Ensemble",
    "teachable-machine": "feat_pipeline.models.teachable:TeachableMachine",
}

# What `feat-pipeline train` can train -> its class, which needs no argument.
TRAINABLE: dict[str, str] = {
    "cnn": "feat_pipeline.models.cnn:CnnClassifier",
    "mlp-aus": "feat_pipeline.models.flexible:AuNetwork",
    "gbm-aus": "feat_pipeline.models.flexible:AuBoosting",
    "texture": "feat_pipeline.models.texture:TextureClassifier",
    "transfer": "feat_pipeline.models.transfer:TransferClassifier",
}
# Of these, what training takes beyond the core: modules of the extra `train`.
TRAINED_WITH: dict[str, tuple[str, ...]] = {"cnn": ("torch",), "texture": ("skimage",)}


class EmotionModel(Protocol):
    """What every emotion model offers.

    Attributes
    ----------
    classes_ : ndarray of str, shape (K,)
        Emotions, in the order of the columns of `predict_proba`.
    consumes : {'aus', 'pixels', 'both'}
        What it looks at: an AU table, or face crops, which come as `feat_pipeline.faces.crops.FaceCrops` (for
        numpy an array of uint8 RGB, shape (n, 160, 160, 3)); of an ensemble perhaps both.
    """

    classes_: np.ndarray
    consumes: str

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probabilities, float, shape (n, K); rows sum to 1."""
        ...

    def save(self, path: str | Path) -> Path:
        """Write the model into a folder as ``model.json`` and return that file."""
        ...


@dataclass(frozen=True)
class ModelInfo:
    """One shipped model, as ``feat-pipeline models`` lists it."""

    name: str
    kind: str
    classes: tuple[str, ...]
    needs: str
    licence: str
    path: Path


def load_model(name_or_path: str | os.PathLike[str]) -> EmotionModel:
    """Load a shipped model by its name, or any model by its folder or file.

    Parameters
    ----------
    name_or_path : str or path
        A name out of `SHIPPED`, a folder that holds ``model.json``, or that file.

    Returns
    -------
    EmotionModel

    Raises
    ------
    InputError
        There is no such model, or its file is of no known kind.
    AnalysisError
        The file is damaged.
    UnavailableError
        The model runs with packages of an extra that are not installed.
    """
    path = model_path(name_or_path)
    return resolve(LOADERS[_kind(path)]).load(path)


def model_path(name_or_path: str | os.PathLike[str]) -> Path:
    """Return the model file that a name or path stands for.

    Raises
    ------
    InputError
        There is none.
    """
    shipped = os.fspath(name_or_path) in SHIPPED
    given = models_dir() / name_or_path if shipped else Path(name_or_path)
    path = given / MODEL_FILE if given.is_dir() else given
    if not path.is_file():
        missing = f"it holds no {MODEL_FILE}" if given.is_dir() else "no such shipped model, folder or file"
        raise InputError(
            f"model {os.fspath(name_or_path)}: {missing}; shipped are {', '.join(SHIPPED)}, "
            f"and 'feat-pipeline fit' makes others"
        )
    return path


def model_name(name_or_path: str | os.PathLike[str]) -> str:
    """Return the name of a model in tables: that of its folder, or of a file that is named otherwise."""
    path = model_path(name_or_path).resolve()
    return path.parent.name if path.name == MODEL_FILE else path.stem


def list_models() -> list[ModelInfo]:
    """Describe every shipped model, in the order of `SHIPPED`."""
    return [_describe(name) for name in SHIPPED if (models_dir() / name / MODEL_FILE).is_file()]


def _describe(name: str) -> ModelInfo:
    path = model_path(name)
    model: Any = load_model(name)
    columns = list(getattr(model, "feature_names_in_", ()))
    needs = f"{len(columns)} AUs, scale {model.scale_}, backend {model.backend_}" if columns else "face crops"
    return ModelInfo(
        name, _kind(path), tuple(map(str, model.classes_)), needs, _licence(path.parent), path.parent
    )


def _kind(path: Path) -> str:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: is no readable model file ({error}); fit or copy it again") from None
    kind = content.get("format") if isinstance(content, dict) else None
    if kind == "gan":
        raise InputError(f"{path}: makes faces and names no emotion; 'feat-pipeline generate' runs it")
    if not isinstance(kind, str) or kind not in LOADERS:
        raise InputError(f"{path}: format: expected one of {', '.join(LOADERS)}, got {kind!r}")
    return kind


def _licence(folder: Path) -> str:
    card = folder / "CARD.md"
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    stated = re.search(r"^\W*licen[cs]e\W+(\S.*?)\W*$", text, re.IGNORECASE | re.MULTILINE)
    return stated.group(1) if stated else "see CARD.md"
