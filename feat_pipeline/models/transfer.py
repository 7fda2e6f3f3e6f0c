"""A frozen network's features and a small head on them, trained as Teachable Machine trains its own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from feat_pipeline.errors import InputError, UnavailableError, UsageError, require
from feat_pipeline.faces.align import box_matrix, warp
from feat_pipeline.faces.crops import FaceCrops
from feat_pipeline.models.base import (
    as_seen,
    check_fitted,
    learned_and_judged,
    read_model,
    write_model,
)
from feat_pipeline.models.perceptron import fit_perceptron, perceptron_scores, shares_of
from feat_pipeline.registry import resolve
from feat_pipeline.weights.onnx_session import open_session
from feat_pipeline.weights.shipped import models_dir

FORMAT, VERSION = "transfer", 1
BACKBONES: dict[str, str] = {
    "embedded": "feat_pipeline.models.transfer:EmbeddedBackbone",
    "mobilenet": "feat_pipeline.models.transfer:MobileNetBackbone",
}
_ROWS_AT_ONCE = 64


class Backbone(Protocol):
    """A frozen network: `digest` of its file, and features of crops, float32, shape (n, d)."""

    digest: str

    def features(self, crops: np.ndarray | FaceCrops) -> np.ndarray:
        """Return what the network makes of crops as models are shown them."""
        ...


class TransferClassifier:
    """A Teachable-Machine-style classifier: frozen backbone, 100 ReLU units, softmax.

    Parameters
    ----------
    backbone : {'embedded', 'mobilenet'}
        'embedded': the last hidden layer of the AU network that ships, which never saw an emotion;
        'mobilenet': torchvision's MobileNetV2, as in Teachable Machine, where its weights are on the machine.
    epochs, batch : int
        Passes over the faces, and faces in a step of Adam.
    rate : float
        Adam's step.
    held_out : float
        Share of the faces that is only judged by where `fit` is given no validation faces.
    seed : int

    Attributes
    ----------
    classes_ : ndarray of str, shape (K,)
    validation_accuracy_ : float
        On the faces that were held out.
    arrays_ : dict of str to ndarray
        The head.

    Notes
    -----
    Head and training are Teachable Machine's: Dense(100, ReLU), softmax, Adam 1e-3, 50 epochs, batches of
    16, 15 % for validation. Other than there, features are standardised.
    """

    consumes = "pixels"
    explains = False
    settings: ClassVar[tuple[str, ...]] = ("backbone", "epochs", "batch", "rate", "held_out", "seed")
    fit_options: ClassVar[tuple[str, ...]] = ("validation",)

    def __init__(
        self,
        *,
        backbone: str = "embedded",
        epochs: int = 50,
        batch: int = 16,
        rate: float = 1e-3,
        held_out: float = 0.15,
        seed: int = 0,
    ) -> None:
        self.backbone = backbone
        self.epochs = epochs
        self.batch = batch
        self.rate = rate
        self.held_out = held_out
        self.seed = seed

    def fit(
        self,
        X: np.ndarray,
        y: Sequence[str],
        *,
        validation: tuple[np.ndarray, Sequence[str]] | None = None,
    ) -> TransferClassifier:
        """Fit the head.

        Parameters
        ----------
        X : ndarray of uint8, shape (n, h, w) or (n, h, w, 3)
            Faces, as for `predict_proba`.
        y : sequence of str, shape (n,)
            Their emotions.
        validation : (X, y), optional
            By default a random share `held_out` of every class.

        Returns
        -------
        TransferClassifier
            Itself.

        Raises
        ------
        InputError, UsageError
            Faces and emotions that do not fit, fewer than two classes, or an unknown backbone.
        UnavailableError
            The backbone's weights are not on this machine.
        """
        net = _backbone(self.backbone)
        classes, features, codes, others, answers = learned_and_judged(
            partial(_features, net), (X, y), validation, self.held_out, self.seed
        )
        arrays = fit_perceptron(
            features,
            codes,
            hidden_layer_sizes=(100,),
            alpha=0.0,
            learning_rate_init=self.rate,
            batch_size=min(self.batch, len(codes)),
            max_iter=self.epochs,
            n_iter_no_change=self.epochs,
            random_state=self.seed,
        )
        self._set(classes, net, arrays)
        told = shares_of(perceptron_scores(arrays, others)).argmax(1)
        self.validation_accuracy_ = float((told == answers).mean())
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the probabilities of the emotions.

        Parameters
        ----------
        X : ndarray of uint8, shape (n, h, w) or (n, h, w, 3)
            RGB crops as `Predictor` cuts them, or grey crops cut at the box; any size.

        Returns
        -------
        ndarray of float64, shape (n, K)
            Columns as `classes_`; rows sum to 1.

        Raises
        ------
        InputError
            X is no such array.
        UsageError
            The model is not fitted.
        """
        check_fitted(self)
        if len(X) == 0:
            return np.zeros((0, len(self.classes_)))
        return shares_of(perceptron_scores(self.arrays_, _features(self._net, X)))

    def save(self, path: str | Path) -> Path:
        """Write ``model.json`` and the head's ``weights.safetensors`` into a folder, and return the first.

        The backbone is named, with the digest of its file, and not copied.

        Raises
        ------
        OutputError
            The folder cannot be written.
        """
        content = {
            "format": FORMAT,
            "version": VERSION,
            "classes": self.classes_.tolist(),
            "backbone": self.backbone,
            "backbone_digest": self._net.digest,
            "validation_accuracy": self.validation_accuracy_,
        }
        return write_model(path, content, self.arrays_)

    @classmethod
    def load(cls, path: str | Path) -> TransferClassifier:
        """Read a model that `save` wrote, from its folder or its ``model.json``.

        Raises
        ------
        InputError
            A file is missing or damaged, or the head was trained on another version of the backbone.
        UnavailableError
            The backbone's weights are not on this machine.
        """
        return read_model(path, FORMAT, VERSION, cls._made)

    @classmethod
    def _made(cls, content: dict[str, Any], arrays: dict[str, np.ndarray]) -> TransferClassifier:
        model = cls(backbone=content["backbone"])
        net = _backbone(model.backbone)
        if net.digest != content["backbone_digest"]:
            raise ValueError(f"it was trained on another version of the backbone {model.backbone}")
        model._set(content["classes"], net, arrays)
        model.validation_accuracy_ = float(content["validation_accuracy"])
        return model

    def _set(self, classes: Sequence[str], net: Backbone, arrays: dict[str, np.ndarray]) -> None:
        self.classes_ = np.array(classes, dtype=str)
        self._net = net
        self.arrays_ = arrays


class EmbeddedBackbone:
    """The last hidden layer of the AU network in ``models/embedded``, without its own outputs."""

    SIZE = 96

    def __init__(self) -> None:
        import onnx

        file = models_dir() / "embedded" / "network.onnx"
        try:
            packed = file.read_bytes()
        except OSError as error:
            raise UnavailableError(
                f"backbone embedded: {file} cannot be read ({error.strerror}); install the package again"
            ) from None
        self.digest = hashlib.sha256(packed).hexdigest()
        model = onnx.load_from_string(packed)
        (hidden,) = (node.input[0] for node in model.graph.node if "rotation" in node.output)
        del model.graph.output[:]
        model.graph.output.append(onnx.helper.make_tensor_value_info(hidden, onnx.TensorProto.FLOAT, None))
        self._session = open_session(model.SerializeToString())

    def features(self, crops: np.ndarray | FaceCrops) -> np.ndarray:
        """Return the features, float32, shape (n, d); crops get the margin that the network knows."""
        side = self.SIZE
        if isinstance(crops, FaceCrops):
            crops = crops.around(side)
        if crops.ndim == 4:
            import cv2

            crops = np.stack([cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) for crop in crops])
            matrix = np.diag([side / crops.shape[2], side / crops.shape[1], 1.0])[:2]
        else:
            matrix = box_matrix(np.array([0, 0, crops.shape[2], crops.shape[1]]), side)
        seen = np.stack([warp(crop, matrix, side) for crop in crops])
        return self._session.run(None, {"crop": seen[:, None].astype(np.float32)})[0]


class MobileNetBackbone:
    """MobileNetV2 (Sandler et al., 2018) as torchvision trained it on ImageNet; pooled features."""

    SIZE = 224

    def __init__(self) -> None:
        require("torch", "torchvision", extra="train", what="backbone mobilenet")
        import torch
        from torchvision.models import MobileNet_V2_Weights, mobilenet_v2

        weights = MobileNet_V2_Weights.IMAGENET1K_V1
        file = Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rpartition("/")[2]
        if not file.is_file():
            raise UnavailableError(
                f"backbone mobilenet: its weights are not on this machine; fetch {weights.url} to {file}, "
                f"or take the backbone embedded"
            )
        packed = file.read_bytes()
        self.digest = hashlib.sha256(packed).hexdigest()
        net = mobilenet_v2()
        net.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
        self._net = net.features.eval()
        self._norm = weights.transforms()

    def features(self, crops: np.ndarray | FaceCrops) -> np.ndarray:
        """Return the features, float32, shape (n, 1280), of the faces inside their boxes, in grey."""
        import torch

        grey = torch.from_numpy(as_seen(crops, self.SIZE)).float()[:, None] / 255
        mean, spread = (torch.tensor(value)[:, None, None] for value in (self._norm.mean, self._norm.std))
        with torch.inference_mode():
            return self._net((grey - mean) / spread).mean((2, 3)).numpy()


def _backbone(name: str) -> Backbone:
    if name not in BACKBONES:
        raise UsageError(f"backbone: expected one of {', '.join(BACKBONES)}, got {name!r}")
    return resolve(BACKBONES[name])()


def _features(net: Backbone, X: np.ndarray | FaceCrops) -> np.ndarray:
    X = X if isinstance(X, FaceCrops) else np.asarray(X)
    as_seen(X[:1], 8)  # refuses what are no crops
    if not len(X):
        raise InputError("faces: expected at least one, got none")
    parts = [net.features(X[start : start + _ROWS_AT_ONCE]) for start in range(0, len(X), _ROWS_AT_ONCE)]
    return np.concatenate(parts)
