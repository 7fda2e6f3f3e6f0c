"""The convolutional network on face crops: trained with torch, read and run without it."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.facs import EMOTIONS
from analysis.files import atomic_path
from feat_pipeline.align import box_matrix, warp
from feat_pipeline.errors import InputError, UsageError
from feat_pipeline.models import MODEL_FILE
from feat_pipeline.outputs import named_errors

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from feat_pipeline.recipe import Recipe

FORMAT, VERSION = "cnn", 1
WEIGHTS_FILE = "weights.safetensors"
BATCH = 64
#: Channels at full size, channels and residual blocks of each stage, dropout before the last layer.
NETWORK: dict[str, Any] = {"stem": 32, "widths": [64, 128, 256], "blocks": [2, 3, 2], "dropout": 0.3}


class CnnClassifier:
    """A residual network that tells the emotion of grey face crops.

    Parameters
    ----------
    recipe : Recipe, optional
        How it is trained; `feat_pipeline.recipe.Recipe()` by default.
    network : dict, optional
        Arguments of `feat_pipeline.models.nets.ResidualNet`, without ``classes``; by default `NETWORK`.
    held_out : float
        Share of the faces that `fit` judges epochs by where it is given no validation faces.
    mirror : bool
        Average the logits over each face and its mirror image.
    threads : int
        Threads of prediction; 0 takes all cores.

    Attributes
    ----------
    classes_ : ndarray of str, shape (K,)
    size_ : int
        Side at which faces are looked at, px.
    temperature_ : float
        Divides the logits, fitted on the validation faces.
    weights_ : dict of str to ndarray
        The network's state, by torch's names.
    history_ : DataFrame or None
        Training by epoch; None for a loaded model.

    Notes
    -----
    FER2013's faces are cut as wide as a detector's box (median positions of eyes and mouth of 300 of them
    agree to .02 of a side), so of `Predictor`'s wider crops the part inside the box is looked at.
    """

    consumes = "pixels"

    def __init__(
        self,
        *,
        recipe: Recipe | None = None,
        network: dict[str, Any] | None = None,
        held_out: float = 0.1,
        mirror: bool = True,
        threads: int = 1,
    ) -> None:
        self.recipe = recipe
        self.network = network
        self.held_out = held_out
        self.mirror = mirror
        self.threads = threads

    def fit(
        self,
        X: np.ndarray,
        y: Sequence[str],
        *,
        validation: tuple[np.ndarray, Sequence[str]] | None = None,
        work: str | os.PathLike[str] | None = None,
        resume: bool = False,
        report: Callable[[dict[str, float]], None] | None = None,
    ) -> CnnClassifier:
        """Train the network; the epoch and the temperature are chosen on the validation faces.

        Parameters
        ----------
        X : ndarray of uint8, shape (n, h, w) or (n, h, w, 3)
            Faces, as for `predict_proba`.
        y : sequence of str, shape (n,)
            Their emotions.
        validation : (X, y), optional
            By default a random share `held_out` of every class.
        work : path, optional
            Folder of checkpoint and curves (see `feat_pipeline.train.train`); by default a temporary one.
        resume : bool
            Go on from the checkpoint in ``work``.
        report : callable, optional
            Gets a row of the history after every epoch.

        Returns
        -------
        CnnClassifier
            Itself.

        Raises
        ------
        InputError, UsageError
            Faces and emotions that do not fit, fewer than two classes, or a checkpoint of another training.
        TrainingError
            The loss is no number.
        """
        import torch

        from feat_pipeline.models.nets import ResidualNet
        from feat_pipeline.recipe import Examples, Recipe
        from feat_pipeline.train import train

        recipe = self.recipe or Recipe()
        network = self.network or NETWORK
        size = recipe.sizes[-1][1]
        side = max(size for _, size in recipe.sizes)
        labels = np.asarray(y).astype(str)
        classes = _classes_of(labels)
        images = as_seen(X, side)
        if len(images) != len(labels):
            raise InputError(f"y: expected an emotion for each of the {len(images)} faces, got {len(labels)}")
        if validation is None:
            judged = _held_out(labels, self.held_out, recipe.seed)
            parts = [(images[~judged], labels[~judged]), (images[judged], labels[judged])]
        else:
            parts = [(images, labels), (as_seen(validation[0], side), np.asarray(validation[1]).astype(str))]
        learned, chosen_on = (Examples(faces, _indices(names, classes)) for faces, names in parts)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            net = ResidualNet(classes=len(classes), **network)
        with tempfile.TemporaryDirectory() as temporary:
            done = train(
                net, learned, chosen_on, recipe, work=Path(work or temporary), resume=resume, report=report
            )
        state = {name: value.float().numpy() for name, value in done.state.items()}
        self._set(classes, network, size, done.temperature, state)
        self.history_: pd.DataFrame | None = done.history
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the probabilities of the emotions.

        Parameters
        ----------
        X : ndarray of uint8, shape (n, h, w) or (n, h, w, 3)
            RGB crops as `Predictor` cuts them, a margin around the detector's box; or grey crops as data
            sets such as FER2013 hold them, cut at the box.

        Returns
        -------
        ndarray of float64, shape (n, K)
            Columns as `classes_`; rows sum to 1.

        Raises
        ------
        InputError
            X is no such array.
        """
        scaled = self.decision_function(X).astype(np.float64) / self.temperature_
        shares = np.exp(scaled - scaled.max(1, keepdims=True))
        return shares / shares.sum(1, keepdims=True)

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """Return the logits, float32, shape (n, K), for faces as `predict_proba` takes them."""
        faces = as_seen(X, self.size_)
        answers = [np.zeros((0, len(self.classes_)), np.float32)]
        for start in range(0, len(faces), BATCH):
            crops = faces[start : start + BATCH, None].astype(np.float32)
            looks = [crops, crops[..., ::-1]] if self.mirror else [crops]
            answers.append(np.mean([self._run(look) for look in looks], axis=0))
        return np.concatenate(answers)

    def to_torch(self) -> nn.Module:
        """Return the network as a torch module, in evaluation mode, for training it on or looking into it."""
        import torch

        from feat_pipeline.models.nets import ResidualNet

        net = ResidualNet(classes=len(self.classes_), **self.network_)
        net.load_state_dict({name: torch.from_numpy(value) for name, value in self.weights_.items()})
        return net.eval()

    def save(self, path: str | Path) -> Path:
        """Write ``model.json`` and ``weights.safetensors`` into a folder.

        Weights of convolutions and of the last layer are kept in half precision.

        Returns
        -------
        Path
            ``model.json``, written last: it holds the digest of the weights that belong to it.

        Raises
        ------
        OutputError
            The folder cannot be written.
        """
        from safetensors.numpy import save

        folder = Path(path)
        packed = save({name: _shortened(value) for name, value in self.weights_.items()})
        content = {
            "format": FORMAT,
            "version": VERSION,
            "classes": [str(name) for name in self.classes_],
            "network": self.network_,
            "size": self.size_,
            "mirror": self.mirror,
            "temperature": self.temperature_,
            "weights": hashlib.sha256(packed).hexdigest(),
        }
        with named_errors(folder):
            with atomic_path(folder / WEIGHTS_FILE) as temporary:
                temporary.write_bytes(packed)
            with atomic_path(folder / MODEL_FILE) as temporary:
                temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        return folder / MODEL_FILE

    @classmethod
    def load(cls, path: str | Path) -> CnnClassifier:
        """Read a model that `save` wrote, from its folder or its ``model.json``.

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
            if (content["format"], content["version"]) != (FORMAT, VERSION):
                raise ValueError(f"format {content['format']!r}, version {content['version']!r}")
            if hashlib.sha256(packed).hexdigest() != content["weights"]:
                raise ValueError(f"{WEIGHTS_FILE} beside it is damaged or of another model")
            weights = {name: value.astype(np.float32) for name, value in load(packed).items()}
            model = cls(mirror=bool(content["mirror"]))
            model._set(
                content["classes"], content["network"], content["size"], content["temperature"], weights
            )
        except OSError as error:
            raise InputError(f"{error.filename}: cannot be read ({error.strerror})") from None
        except (KeyError, TypeError, ValueError, SafetensorError) as error:
            raise InputError(f"{file}: is no usable model ({error}); train or copy it again") from None
        model.history_ = None
        return model

    def _set(
        self, classes: Sequence[str], network: dict[str, Any], size: int, temperature: float,
        weights: dict[str, np.ndarray],
    ) -> None:  # fmt: skip
        import onnxruntime

        from feat_pipeline.models.graph import residual_graph

        self.classes_ = np.array(classes, dtype=str)
        self.network_ = dict(network)
        self.size_, self.temperature_ = int(size), float(temperature)
        self.weights_ = weights
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        graph = residual_graph(weights, network["widths"], network["blocks"])
        self._session = onnxruntime.InferenceSession(
            graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def _run(self, crops: np.ndarray) -> np.ndarray:
        return self._session.run(["logits"], {"crops": np.ascontiguousarray(crops)})[0]


def as_seen(crops: np.ndarray, size: int) -> np.ndarray:
    """Cut, grey and scale crops to what the network looks at.

    Parameters
    ----------
    crops : ndarray of uint8, shape (n, h, w) or (n, h, w, 3)
        As for `CnnClassifier.predict_proba`.
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

    crops = np.asarray(crops)
    if crops.dtype != np.uint8 or crops.ndim not in (3, 4) or crops.shape[3:] not in ((), (3,)):
        raise InputError(
            f"faces: expected uint8 crops of shape (n, height, width) or (n, height, width, 3), "
            f"got {crops.dtype} of shape {crops.shape}"
        )
    height, width = crops.shape[1:3]
    matrix = np.diag([size / width, size / height, 1.0])[:2]
    if crops.ndim == 4:
        inner = np.linalg.inv(np.vstack([box_matrix(np.array([0, 0, 1, 1]), 1), [0, 0, 1]]))
        to_unit = np.diag([1 / width, 1 / height, 1.0])
        matrix = (np.diag([size, size, 1.0]) @ inner @ to_unit)[:2]
        crops = np.stack([cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) for crop in crops]) if len(crops) else crops
    elif (height, width) == (size, size):
        return crops
    seen = [warp(crop, matrix, size) for crop in crops]
    return np.stack(seen) if seen else np.zeros((0, size, size), np.uint8)


def _classes_of(labels: np.ndarray) -> list[str]:
    """Return the classes among labels: the known emotions in their order, then others by name."""
    found = set(labels.tolist())
    if len(found) < 2:
        raise InputError(f"y: expected at least two emotions, got {', '.join(sorted(found)) or 'none'}")
    return [name for name in EMOTIONS if name in found] + sorted(found - set(EMOTIONS))


def _indices(labels: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    unknown = sorted(set(labels.tolist()) - set(classes))
    if unknown:
        raise InputError(f"validation: {unknown[0]} is none of the emotions to learn, {', '.join(classes)}")
    return np.array([classes.index(label) for label in labels.tolist()], np.int64)


def _held_out(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Mask of a random share of every class, at least one face of each."""
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


def _shortened(value: np.ndarray) -> np.ndarray:
    """Halve what is large; norms and biases weigh nothing and keep their precision."""
    return np.ascontiguousarray(value, np.float16 if value.ndim > 1 else np.float32)
