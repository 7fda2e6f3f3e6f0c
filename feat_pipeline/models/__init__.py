"""Emotion models behind one protocol, and those that ship with the package."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from analysis import filenames
from feat_pipeline.errors import InputError, UnavailableError
from feat_pipeline.models.protocol import EmotionModel, is_trainable, lacking, looks_at_aus
from feat_pipeline.registry import resolve_registered, with_registered
from feat_pipeline.weights.shipped import models_dir

SHIPPED: tuple[str, ...] = ("logit-embedded", "cnn-fer2013")
DEFAULT_MODELS: tuple[str, ...] = ("logit-embedded",)  # the others have no coefficients to explain by
GENERATORS: tuple[str, ...] = (
    "gan-fer2013",
)  # shipped too, but they make faces: see feat_pipeline.generator.model
MODEL_FILE = filenames.MODEL

ENTRY_POINTS = "feat_pipeline.models"

# The `format` that a model file states -> the class whose `load` reads it.
_OWN: dict[str, str] = {
    "multinomial-logit": "analysis.logit:MultinomialLogit",
    "cnn": "feat_pipeline.models.cnn:CnnClassifier",
    "mlp-aus": "feat_pipeline.models.flexible:AuNetwork",
    "gbm-aus": "feat_pipeline.models.flexible:AuBoosting",
    "texture": "feat_pipeline.models.texture:TextureClassifier",
    "transfer": "feat_pipeline.models.transfer:TransferClassifier",
    "ensemble": "feat_pipeline.models.ensemble:Ensemble",
    "teachable-machine": "feat_pipeline.models.teachable:TeachableMachine",
}
# Likewise; installed packages add theirs by an entry point of this group.
LOADERS: dict[str, str] = with_registered(_OWN, ENTRY_POINTS, "models")

# What `feat-pipeline train` can train of these; `trainable` adds those of other packages.
TRAINABLE: dict[str, str] = {
    name: _OWN[name] for name in ("cnn", "mlp-aus", "gbm-aus", "texture", "transfer")
}
# Of these, what training takes beyond the core: modules of the extra `train`.
TRAINED_WITH: dict[str, tuple[str, ...]] = {"cnn": ("torch",), "texture": ("skimage",)}


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
        The package that registered its kind is broken, or what the model runs with is not installed.
    """
    path = model_path(name_or_path)
    kind = _kind(path)
    model: EmotionModel = model_class(kind).load(path)
    return model


def model_class(kind: str) -> type[EmotionModel]:
    """Return the class of a kind of model out of `LOADERS`.

    Raises
    ------
    UnavailableError
        The package that registered it is broken, or its class offers less than `EmotionModel`.
    """
    try:
        found = resolve_registered(LOADERS[kind])
    except ImportError as error:
        raise UnavailableError(f"model kind {kind}: {error}") from error
    if missing := lacking(found):
        raise UnavailableError(
            f"model kind {kind}: {LOADERS[kind]} offers no {', '.join(missing)}, as every model must (see "
            f"feat_pipeline.models.protocol.EmotionModel); update or remove the package that brings it"
        )
    return found


def trainable() -> dict[str, str]:
    """Return what ``feat-pipeline train`` can train beside the regression: ours and other packages' kinds.

    Classes of other packages are imported for it; those that cannot be imported or trained are left out.

    Returns
    -------
    dict of str to str
        Kind to ``'module:Class'``.
    """
    return {**TRAINABLE, **{kind: LOADERS[kind] for kind in LOADERS if kind not in _OWN and _trains(kind)}}


def _trains(kind: str) -> bool:
    try:
        return is_trainable(model_class(kind))
    except UnavailableError:
        return False


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
    model = load_model(name)
    needs = "face crops"
    if looks_at_aus(model):
        needs = f"{len(model.feature_names_in_)} AUs, scale {model.scale_}, backend {model.backend_}"
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
