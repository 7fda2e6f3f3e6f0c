"""What the models share: their two files, the crops they are shown, the emotions they learn."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from analysis.facs import in_order
from analysis.files import atomic_path
from feat_pipeline.errors import InputError, UsageError
from feat_pipeline.faces.align import box_matrix, warp
from feat_pipeline.faces.crops import FaceCrops
from feat_pipeline.files import named_errors
from feat_pipeline.models import MODEL_FILE
from feat_pipeline.models.network_file import NETWORK_FILE, WEIGHTS_FILE
from feat_pipeline.models.protocol import EmotionModel

DAMAGED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What goes wrong where a model's parts do not fit together."""
Model = TypeVar("Model")


def write_model(
    path: str | Path,
    content: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    graph: Callable[[bytes], bytes] | None = None,
) -> Path:
    """Write ``model.json`` and ``weights.safetensors`` into a folder, and perhaps ``network.onnx``.

    Parameters
    ----------
    path : path
        The folder; made where it is absent.
    content : mapping
        What the JSON holds, with `format` and `version`.
    arrays : mapping of str to ndarray
    graph : callable, optional
        Makes ``network.onnx`` of the file of weights.

    Returns
    -------
    Path
        ``model.json``, written last: it holds the digests of the files that belong to it.

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    from safetensors.numpy import save

    folder = Path(path)
    packed = save({name: np.ascontiguousarray(value) for name, value in arrays.items()})
    described = {**content, "weights": hashlib.sha256(packed).hexdigest()}
    files = {WEIGHTS_FILE: packed}
    if graph is not None:
        files[NETWORK_FILE] = graph(packed)
        described["network_onnx"] = hashlib.sha256(files[NETWORK_FILE]).hexdigest()
    with named_errors(folder):
        for name, data in files.items():
            with atomic_path(folder / name) as temporary:
                temporary.write_bytes(data)
        with atomic_path(folder / MODEL_FILE) as temporary:
            temporary.write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
    return folder / MODEL_FILE


def read_model(
    path: str | Path,
    kind: str,
    version: int,
    make: Callable[[dict[str, Any], dict[str, np.ndarray]], Model],
) -> Model:
    """Read what `write_model` wrote.

    Parameters
    ----------
    path : path
        The folder, or its ``model.json``.
    kind : str
        The `format` that the JSON must state.
    version : int
        Likewise its `version`.
    make : callable
        Builds the model from the JSON's content and the arrays.

    Returns
    -------
    Model
        What `make` returns.

    Raises
    ------
    InputError
        A file is missing or damaged, or the two do not belong together.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    given = Path(path)
    file = given / MODEL_FILE if given.is_dir() else given
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        packed = (file.parent / WEIGHTS_FILE).read_bytes()
        if (content["format"], content["version"]) != (kind, version):
            raise ValueError(f"format {content['format']!r}, version {content['version']!r}")
        json.dumps(content, ensure_ascii=False).encode()  # half a character pair cannot be written or shown
        _check_classes(content["classes"])
        if hashlib.sha256(packed).hexdigest() != content["weights"]:
            raise ValueError(f"{WEIGHTS_FILE} beside it is damaged or of another model")
        return make(content, load(packed))
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be read ({error.strerror})") from None
    except (*DAMAGED, SafetensorError) as error:
        raise InputError(f"{file}: is no usable model ({error}); train or copy it again") from None


def _check_classes(classes: Any) -> None:
    if not isinstance(classes, list) or not all(isinstance(name, str) and name for name in classes):
        raise ValueError("its emotions are no list of names")
    if len(classes) < 2 or len(set(classes)) < len(classes):
        raise ValueError("it knows fewer than two emotions, or one twice")


def check_answer(answer: np.ndarray, classes: Sequence[str]) -> None:
    """Raise `ValueError` unless a model's logits or probabilities of one face fit its emotions.

    Parameters
    ----------
    answer : ndarray of float
        Shape (1, K); of two emotions also (1, 1), the log-odds of the second.
    classes : sequence of str
    """
    answer = np.asarray(answer)
    widths = (len(classes), 1) if len(classes) == 2 else (len(classes),)
    if answer.ndim != 2 or len(answer) != 1 or answer.shape[1] not in widths or answer.dtype.kind != "f":
        raise ValueError(
            f"its weights answer with {answer.dtype} of shape {answer.shape}, not one number a class"
        )
    if not np.isfinite(answer).all():
        raise ValueError("its weights give no finite answer")


def is_fitted(model: EmotionModel) -> bool:
    """Whether a model knows its emotions."""
    return hasattr(model, "classes_")


def check_fitted(model: EmotionModel) -> None:
    """Raise `UsageError` for a model that knows no emotions yet."""
    if not is_fitted(model):
        raise UsageError("the model is not fitted: call fit first")


def as_seen(crops: np.ndarray | FaceCrops, size: int) -> np.ndarray:
    """Cut, grey and scale crops to what the models look at.

    Parameters
    ----------
    crops : FaceCrops, or ndarray of uint8, shape (n, h, w) or (n, h, w, 3)
        Faces as `Predictor` hands them on; RGB crops with a margin around the detector's box, as
        `FacePrediction` shows them; or grey crops cut at the box.
    size : int
        Side, px.

    Returns
    -------
    ndarray of uint8, shape (n, size, size)

    Raises
    ------
    InputError
        Another type or shape.
    """
    import cv2

    if isinstance(crops, FaceCrops):
        return crops.inside(size)
    crops = np.asarray(crops)
    if crops.dtype != np.uint8 or crops.ndim not in (3, 4) or crops.shape[3:] not in ((), (3,)):
        raise InputError(
            f"faces: expected uint8 crops of shape (n, height, width) or (n, height, width, 3), "
            f"got {crops.dtype} of shape {crops.shape}"
        )
    height, width = crops.shape[1:3]
    matrix = np.diag([size / width, size / height, 1.0])[:2]
    if crops.ndim == 4:
        matrix = seen_matrix(height, width, size)
        crops = np.stack([cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) for crop in crops]) if len(crops) else crops
    elif (height, width) == (size, size):
        return crops
    seen = [warp(crop, matrix, size) for crop in crops]
    return np.stack(seen) if seen else np.zeros((0, size, size), np.uint8)


def seen_matrix(height: int, width: int, size: int) -> np.ndarray:
    """Map px of a crop as `Predictor` cuts it to what `as_seen` leaves of it, the detector's box: (2, 3)."""
    inner = np.linalg.inv(np.vstack([box_matrix(np.array([0, 0, 1, 1]), 1), [0, 0, 1]]))
    to_unit = np.diag([1 / width, 1 / height, 1.0])
    return (np.diag([size, size, 1.0]) @ inner @ to_unit)[:2]


def checked_emotions(y: Sequence[str], faces: int) -> tuple[np.ndarray, list[str]]:
    """Return the labels as text, shape (faces,), and the classes among them.

    Classes are the known emotions in their order, then others by name.

    Raises
    ------
    InputError
        Fewer than two emotions, or not one for each face.
    """
    labels = np.asarray(y).astype(str)
    found = set(labels.tolist())
    if len(found) < 2:
        raise InputError(f"y: expected at least two emotions, got {', '.join(sorted(found)) or 'none'}")
    if len(labels) != faces:
        raise InputError(f"y: expected an emotion for each of the {faces} faces, got {len(labels)}")
    return labels, in_order(found)


def class_indices(labels: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Return the places of labels in `classes`, int64; `InputError` for one that is not there."""
    unknown = sorted(set(labels.tolist()) - set(classes))
    if unknown:
        raise InputError(f"validation: {unknown[0]} is none of the emotions to learn, {', '.join(classes)}")
    return np.array([classes.index(label) for label in labels.tolist()], np.int64)


def held_out_rows(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Mask a random share of every class, at least one face of each.

    Raises
    ------
    InputError
        A class has one face only.
    UsageError
        The share is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise UsageError(f"held_out: expected a share between 0 and 1, got {share}")
    rng = np.random.default_rng(seed)
    chosen = np.zeros(len(labels), bool)
    for name in np.unique(labels):
        rows = np.flatnonzero(labels == name)
        if len(rows) < 2:
            raise InputError(f"y: {name} has one face only; give two or more, or validation faces")
        chosen[rng.permutation(rows)[: max(1, round(share * len(rows)))]] = True
    return chosen


def learned_and_judged(
    features_of: Callable[[np.ndarray], np.ndarray],
    faces: tuple[np.ndarray, Sequence[str]],
    validation: tuple[np.ndarray, Sequence[str]] | None,
    share: float,
    seed: int,
) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the classes, features and class numbers to learn from, and those of the faces held out.

    Without `validation` a random share of every class is held out.

    Raises
    ------
    InputError
        Emotions that do not fit the faces, or fewer than two.
    """
    X, y = faces
    labels, classes = checked_emotions(y, len(X))
    features, codes = features_of(X), class_indices(labels, classes)
    if validation is not None:
        answers = class_indices(np.asarray(validation[1]).astype(str), classes)
        return classes, features, codes, features_of(validation[0]), answers
    judged = held_out_rows(labels, share, seed)
    return classes, features[~judged], codes[~judged], features[judged], codes[judged]
