"""A user's own Teachable Machine model: its Keras export, read once and kept as JSON and safetensors."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from analysis.facs import EMOTIONS
from feat_pipeline.errors import InputError, require
from feat_pipeline.faces.crops import FaceCrops
from feat_pipeline.models.base import as_seen, read_model, write_model

FORMAT, VERSION = "teachable-machine", 1
SIDE = 224
NETWORK_FILE, LABELS_FILE = "keras_model.h5", "labels.txt"
_ROWS_AT_ONCE = 32


class TeachableMachine:
    """What Teachable Machine exports as 'Keras', run by Keras 3 on torch (extra `teachable`).

    Make it by `from_export`.

    Attributes
    ----------
    classes_ : ndarray of str, shape (K,)
        Names of `labels.txt`; those of the seven emotions in lower case.
    """

    consumes = "pixels"
    explains = False
    classes_: np.ndarray
    _net: Any

    @classmethod
    def from_export(cls, folder: str | Path) -> TeachableMachine:
        """Read the folder that Teachable Machine's download holds.

        Parameters
        ----------
        folder : path
            With ``keras_model.h5`` and ``labels.txt`` (lines such as '0 happy').

        Returns
        -------
        TeachableMachine

        Raises
        ------
        InputError
            A file is missing, damaged, or the two do not belong together.
        UnavailableError
            Keras, h5py or torch is not installed.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise InputError(
                f"{folder}: is no folder; expected that of the unpacked download, with {NETWORK_FILE} and "
                f"{LABELS_FILE}"
            )
        keras = _keras()
        model = cls()
        model.classes_ = _labels(folder / LABELS_FILE)
        model._net = _network(keras, folder / NETWORK_FILE)
        found = (model._net.input_shape, model._net.output_shape)
        if found != ((None, SIDE, SIDE, 3), (None, len(model.classes_))):
            raise InputError(
                f"{folder / NETWORK_FILE}: expected a network from {SIDE}x{SIDE} pictures to the "
                f"{len(model.classes_)} names of {LABELS_FILE}, got shapes {found[0]} to {found[1]}"
            )
        return model

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the probabilities of the emotions.

        Parameters
        ----------
        X : ndarray of uint8, shape (n, h, w) or (n, h, w, 3)
            Crops, any size; they are shown whole and in their colours.

        Returns
        -------
        ndarray of float64, shape (n, K)
            Columns as `classes_`; rows sum to 1.

        Raises
        ------
        InputError
            X is no such array.
        """
        import cv2

        X = X.around(SIDE) if isinstance(X, FaceCrops) else np.asarray(X)
        as_seen(X[:1], 8)  # refuses what are no crops
        answers = [np.zeros((0, len(self.classes_)))]
        for start in range(0, len(X), _ROWS_AT_ONCE):
            crops = [cv2.resize(crop, (SIDE, SIDE)) for crop in X[start : start + _ROWS_AT_ONCE]]
            seen = np.stack([np.repeat(c[..., None], 3, 2) if c.ndim == 2 else c for c in crops])
            answers.append(self._net.predict(seen.astype(np.float32) / 127.5 - 1, verbose=0).astype(float))
        shares = np.concatenate(answers)
        return shares / shares.sum(axis=1, keepdims=True)

    def save(self, path: str | Path) -> Path:
        """Write ``model.json`` and ``weights.safetensors`` into a folder, and return the first.

        Raises
        ------
        OutputError
            The folder cannot be written.
        """
        content = {
            "format": FORMAT,
            "version": VERSION,
            "classes": self.classes_.tolist(),
            "network": json.loads(self._net.to_json()),
        }
        arrays = {f"{number:04d}": value for number, value in enumerate(self._net.get_weights())}
        return write_model(path, content, arrays)

    @classmethod
    def load(cls, path: str | Path) -> TeachableMachine:
        """Read a model that `save` wrote, from its folder or its ``model.json``.

        Raises
        ------
        InputError
            A file is missing or damaged, or the two do not belong together.
        UnavailableError
            Keras, h5py or torch is not installed.
        """
        return read_model(path, FORMAT, VERSION, cls._made)

    @classmethod
    def _made(cls, content: dict[str, Any], arrays: dict[str, np.ndarray]) -> TeachableMachine:
        model = cls()
        model.classes_ = np.array(content["classes"], dtype=str)
        config = json.dumps(content["network"])
        _refuse_code(config)
        model._net = _keras().models.model_from_json(config)
        model._net.set_weights([arrays[name] for name in sorted(arrays)])
        return model


def _keras() -> Any:
    backend = os.environ.setdefault("KERAS_BACKEND", "torch")
    require("keras", "h5py", backend, extra="teachable", what="Teachable Machine models")
    import keras

    return keras


def _labels(file: Path) -> np.ndarray:
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: cannot be read ({error}); expected lines such as '0 happy'") from None
    names: list[str] = []
    for line in filter(None, map(str.strip, lines)):
        match = re.fullmatch(r"(\d+)\s+(.+)", line)
        if match is None or int(match[1]) != len(names):
            raise InputError(f"{file}: expected '{len(names)} name' on line {len(names) + 1}, got {line!r}")
        names.append(match[2].lower() if match[2].lower() in EMOTIONS else match[2])
    if len(set(names)) < max(2, len(names)):
        raise InputError(f"{file}: expected two names or more, each once, got {', '.join(names) or 'none'}")
    return np.array(names)


def _network(keras: Any, file: Path) -> Any:
    """Read the network from a copy whose depthwise convolutions state no `groups`, which Keras 3 refuses."""
    import h5py

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / NETWORK_FILE
        try:
            shutil.copyfile(file, copy)
            with h5py.File(copy, "r+") as opened:
                config = opened.attrs["model_config"]
                text = config.decode() if isinstance(config, bytes) else config
                _refuse_code(text)
                opened.attrs["model_config"] = json.dumps(_without_groups(json.loads(text)))
            return keras.saving.load_model(copy, compile=False)
        except (OSError, KeyError, TypeError, ValueError) as error:
            told = str(error).partition("\n")[0]
            raise InputError(
                f"{file}: is no readable Keras model ({told}); export it again as Keras"
            ) from None


def _refuse_code(config: str) -> None:
    if '"Lambda"' in config:
        raise ValueError("it holds a Lambda layer, which would run code of its own")


def _without_groups(part: Any) -> Any:
    if isinstance(part, list):
        return [_without_groups(item) for item in part]
    if not isinstance(part, dict):
        return part
    kept = {name: _without_groups(value) for name, value in part.items()}
    if part.get("class_name") == "DepthwiseConv2D":
        kept["config"].pop("groups", None)
    return kept
