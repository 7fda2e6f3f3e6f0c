"""A fitted MultinomialLogit as JSON and back, number for number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

import numpy as np

from analysis import filenames
from analysis.errors import ModelError
from analysis.files import JsonObject, atomic_path
from analysis.likelihood.information import completed
from analysis.logit.estimator import LogitAttributes

Model = TypeVar("Model", bound=LogitAttributes)

FORMAT = "multinomial-logit"
VERSION = 2
"""Version 1, of terms of one AU only, is read as well."""

_TEXT = ("backend_", "scale_")
_LISTS = ("input_names_", "low_validity_", "notes_")
_NUMBERS = ("n_", "n_iter_", "converged_", "log_likelihood_", "alpha_")
_STRINGS = ("feature_names_in_", "term_names_")
_INTEGERS = ("class_count_", "term_feature_", "term_second_feature_")
_ARRAYS = {
    "class_count_": "K",
    "coef_": "KT",
    "intercept_": "K",
    "term_feature_": "T",
    "term_knot_": "T",
    "term_second_feature_": "T",
    "term_second_knot_": "T",
    "term_mean_": "T",
    "class_term_mean_": "KT",
    "term_part_mean_": "2T",
    "class_term_part_mean_": "K2T",
    "feature_mean_": "p",
    "feature_sd_": "p",
    "feature_range_": "2p",
    "class_feature_mean_": "Kp",
}


def save(model: LogitAttributes, path: str | Path) -> Path:
    """Write a fitted model; see `MultinomialLogit.save`.

    Raises
    ------
    ModelError
        Where the model is not fitted.
    """
    if not hasattr(model, "coef_"):
        raise ModelError("the model is not fitted: call fit before save")
    content: JsonObject = {"format": FORMAT, "version": VERSION, "parameters": model.get_params()}
    content["classes"] = model.classes_.tolist()
    content |= {name.rstrip("_"): getattr(model, name) for name in (*_TEXT, *_LISTS, *_NUMBERS)}
    content["scores"], content["alpha_path"] = model.scores_, model.alpha_path_
    content |= {name.rstrip("_"): getattr(model, name).tolist() for name in (*_STRINGS, *_ARRAYS)}
    content["covariance_lower_triangle"] = _triangle(model)
    target = _file(path)
    with atomic_path(target) as temporary:
        temporary.write_text(_dump(content), encoding="utf-8")
    return target


def load(make: type[Model], path: str | Path) -> Model:
    """Read a model of the class `make`; see `MultinomialLogit.load`."""
    file = _file(path)
    content = _content(file)
    try:
        content = _of_version_1(content) if content["version"] == 1 else content
        model = make(**_parameters(content["parameters"]))
        model.classes_ = np.array(content["classes"])
        for name in (*_TEXT, *_LISTS, *_NUMBERS):
            setattr(model, name, content[name.rstrip("_")])
        model.scores_, model.alpha_path_ = content["scores"], content["alpha_path"]
        for name in _STRINGS:
            setattr(model, name, np.array(content[name.rstrip("_")], dtype=str))
        sizes = {"K": len(model.classes_), "T": len(model.term_names_), "p": len(model.feature_names_in_)}
        for name, axes in _ARRAYS.items():
            dtype = np.intp if name in _INTEGERS else np.float64
            values = np.array(content[name.rstrip("_")], dtype=dtype)
            expected = tuple(sizes.get(axis, 2) for axis in axes)
            if values.shape != expected:
                raise ValueError(f"{name.rstrip('_')} has shape {values.shape}, expected {expected}")
            setattr(model, name, values)
        model.covariance_ = _covariance(content["covariance_lower_triangle"], sizes["K"], sizes["T"] + 1)
        _check(model, content)
    except KeyError as error:
        raise ModelError(f"{file}: damaged model file, {error} is missing; fit and save it again") from None
    except (ArithmeticError, AttributeError, IndexError, TypeError, ValueError) as error:
        raise ModelError(f"{file}: damaged model file ({error}); fit and save it again") from None
    return model


def _check(model: LogitAttributes, content: JsonObject) -> None:
    """Raise `ValueError` for parts that do not belong together."""
    classes, p = content["classes"], len(model.feature_names_in_)
    plain = isinstance(classes, list) and all(isinstance(name, (str, int)) and name != "" for name in classes)
    if not plain or len(classes) < 2 or len(set(map(str, classes))) < len(classes):
        raise ValueError("classes are no list of two different names or more")
    for name, kind in {**dict.fromkeys(_TEXT, str), **dict.fromkeys(_LISTS, list)}.items():
        value = getattr(model, name)
        if not isinstance(value, kind) or not all(isinstance(item, str) for item in value):
            raise ValueError(f"{name.rstrip('_')} holds no names")
    names = model.feature_names_in_.tolist()
    if len(set(names)) < p or not p or not set(names) <= set(model.input_names_):
        raise ValueError("feature_names_in are not different ones of input_names")
    if not all(isinstance(getattr(model, name), (int, float, type(None))) for name in _NUMBERS):
        raise ValueError(f"one of {', '.join(name.rstrip('_') for name in _NUMBERS)} is no number")
    if not isinstance(model.alpha_path_, dict) or not isinstance(model.scores_, (dict, type(None))):
        raise ValueError("scores or alpha_path is no object")
    first, second = model.term_feature_, model.term_second_feature_
    if (first < 0).any() or (second < -1).any() or (np.maximum(first, second) >= p).any():
        raise ValueError(f"a term is of an AU beyond the {p} that there are")
    for name in ("coef_", "intercept_", "term_mean_", "feature_mean_", "feature_sd_"):
        if not np.isfinite(getattr(model, name)).all():
            raise ValueError(f"{name.rstrip('_')} holds numbers that are missing or infinite")


def _parameters(saved: JsonObject) -> JsonObject:
    """Make tuples of lists, as the constructor had them."""
    parameters = dict(saved)
    if "knots" in saved:
        parameters["knots"] = tuple(saved["knots"])
    if isinstance(saved.get("pairs"), list):
        parameters["pairs"] = [tuple(pair) for pair in saved["pairs"]]
    return parameters


def _of_version_1(content: JsonObject) -> JsonObject:
    """Fill in what models of single AUs had no need to say."""
    T, K = len(content["term_names"]), len(content["classes"])
    return content | {
        "alpha": content["parameters"]["alpha"],
        "alpha_path": {},
        "term_second_feature": [-1] * T,
        "term_second_knot": [None] * T,
        "term_part_mean": [[None] * T] * 2,
        "class_term_part_mean": [[[None] * T] * 2] * K,
    }


def _triangle(model: LogitAttributes) -> list[float] | None:
    if model.covariance_ is None:
        return None
    size = len(model.covariance_) // len(model.classes_) * (len(model.classes_) - 1)
    lower: list[float] = model.covariance_[:size, :size][np.tril_indices(size)].tolist()
    return lower


def _covariance(triangle: list[float] | None, K: int, width: int) -> np.ndarray | None:
    if triangle is None:
        return None
    size = (K - 1) * width
    lower = np.zeros((size, size))
    indices = np.tril_indices(size)
    if len(triangle) != len(indices[0]):
        raise ValueError(f"the covariance has {len(triangle)} numbers, expected {len(indices[0])}")
    lower[indices] = triangle
    return completed(lower, K)


def _file(path: str | Path) -> Path:
    path = Path(path)
    return path if path.suffix == ".json" else path / filenames.MODEL


def _content(file: Path) -> JsonObject:
    if not file.is_file():
        raise ModelError(f"{file}: no such file; expected a model, as 'feat-pipeline fit' writes it")
    try:
        content: JsonObject = json.loads(file.read_text(encoding="utf-8"))
        json.dumps(content, ensure_ascii=False).encode()  # half a character pair cannot be written or shown
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file}: not readable as JSON ({error})") from None
    found = content.get("format") if isinstance(content, dict) else type(content).__name__
    if found != FORMAT:
        raise ModelError(f"{file}: expected a model of format {FORMAT!r}, got {found!r}")
    found = content.get("version")
    if found not in (1, VERSION):
        raise ModelError(
            f"{file}: model version {found!r}, this program reads up to {VERSION}: update it, or fit again"
        )
    return content


def _dump(content: JsonObject) -> str:
    """One line a key, so that a person can read the file and a diff stays short."""
    lines = (
        f"  {json.dumps(key)}: {json.dumps(_without_nan(value), ensure_ascii=False, default=float)}"
        for key, value in content.items()
    )
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _without_nan(value: object) -> object:
    """JSON knows no NaN: null stands for it."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and value != value else value
