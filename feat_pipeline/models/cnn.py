"""The convolutional network on face crops: trained with torch, read and run without it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from analysis.facs import in_order
from feat_pipeline.errors import InputError, UnavailableError, UsageError, require
from feat_pipeline.models.architectures import RESIDUAL, published
from feat_pipeline.models.base import (
    as_seen,
    check_answer,
    check_fitted,
    checked_emotions,
    class_indices,
    held_out_rows,
    read_model,
    write_model,
)
from feat_pipeline.models.network_file import NETWORK_FILE, exported, graph_of, read_graph
from feat_pipeline.models.views import views_of
from feat_pipeline.training.temperature import fit_temperature
from feat_pipeline.weights.onnx_session import open_session

if TYPE_CHECKING:
    import pandas as pd
    from onnxruntime import InferenceSession
    from torch import nn

    from feat_pipeline.training.classifier import Trained
    from feat_pipeline.training.recipe import Recipe

FORMAT, VERSION = "cnn", 1
BATCH = 64
_LARGEST = 1024  # side of a crop, px; as for data sets
#: Channels at full size, channels and residual blocks of each stage, dropout before the last layer.
NETWORK: dict[str, Any] = {"stem": 32, "widths": [64, 128, 256], "blocks": [2, 3, 2], "dropout": 0.3}


class CnnClassifier:
    """A convolutional network that tells the emotion of grey face crops.

    Parameters
    ----------
    recipe : Recipe, optional
        How it is trained; by default `feat_pipeline.training.recipe.Recipe()`, from a ``start``
        `feat_pipeline.training.recipe.fine_tuning()`.
    architecture : str
        'residual', or a published one out of `feat_pipeline.models.architectures.ARCHITECTURES`, which
        take faces of 48 px only.
    network : dict, optional
        Of 'residual', arguments of `feat_pipeline.models.nets.ResidualNet` without ``classes``; by default
        `NETWORK`.
    start : CnnClassifier, optional
        A fitted model of the same architecture whose weights training begins from; those of the last layer
        for the classes that both know. Its weights are kept where no epoch is better.
    held_out : float
        Share of the faces that `fit` judges epochs by where it is given no validation faces.
    views : {'none', 'mirror', 'six', 'ten-crop'}
        Looks at each face that the answer is the mean of (`feat_pipeline.models.views.views_of`); may be set
        anew at any time.
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
    notes_ : tuple of str
        Where there is a start: its accuracy on the validation faces beside that of the best epoch.

    Notes
    -----
    FER2013's faces are cut as wide as a detector's box (median positions of eyes and mouth of 300 of them
    agree to .02 of a side), so of `Predictor`'s wider crops the part inside the box is looked at.
    """

    consumes = "pixels"
    explains = False
    settings: ClassVar[tuple[str, ...]] = (
        *("recipe", "architecture", "network", "start", "held_out", "views", "threads"),
    )
    fit_options: ClassVar[tuple[str, ...]] = (
        *("shares", "validation", "work", "resume", "device", "report"),
    )

    def __init__(
        self,
        *,
        recipe: Recipe | None = None,
        architecture: str = RESIDUAL,
        network: dict[str, Any] | None = None,
        start: CnnClassifier | None = None,
        held_out: float = 0.1,
        views: str = "mirror",
        threads: int = 0,
    ) -> None:
        self.recipe = recipe
        self.architecture = architecture
        self.network = network
        self.start = start
        self.held_out = held_out
        self.views = views
        self.threads = threads

    def fit(
        self,
        X: np.ndarray,
        y: Sequence[str],
        *,
        shares: pd.DataFrame | None = None,
        validation: tuple[np.ndarray, Sequence[str]] | None = None,
        work: str | os.PathLike[str] | None = None,
        resume: bool = False,
        device: str | None = None,
        report: Callable[[dict[str, float]], None] | None = None,
    ) -> CnnClassifier:
        """Train the network; the epoch and the temperature are chosen on the validation faces.

        Parameters
        ----------
        X : ndarray of uint8, shape (n, h, w) or (n, h, w, 3)
            Faces, as for `predict_proba`.
        y : sequence of str, shape (n,)
            Their emotions.
        shares : DataFrame of float, shape (n, K), optional
            What the network is trained towards instead of `y`, such as the shares of annotators' votes: a
            column a class, named by it; rows sum to 1. Its columns are then the classes.
        validation : (X, y), optional
            By default a random share `held_out` of every class.
        work : path, optional
            Folder of checkpoint and curves (see `feat_pipeline.training.classifier.train_classifier`); by
            default a temporary one.
        resume : bool
            Go on from the checkpoint in ``work``.
        device : str, optional
            A torch device; by default the first GPU, else the CPU.
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
        UnavailableError
            torch is not installed.
        """
        require("torch", extra="train", what="training a cnn")
        import torch

        from feat_pipeline.models.nets import carry_over, make_net
        from feat_pipeline.training.classifier import train_classifier
        from feat_pipeline.training.recipe import Examples, Recipe, fine_tuning

        recipe = self.recipe or (Recipe() if self.start is None else fine_tuning())
        network = self._network([size for _, size in recipe.sizes])
        views_of(self.views, 48)  # a wrong name is told before the training, not after it
        size = recipe.sizes[-1][1]
        side = max(size for _, size in recipe.sizes)
        images = as_seen(X, side)
        labels, classes = checked_emotions(y, len(images))
        classes = classes if shares is None else in_order(shares.columns)
        targets = class_indices(labels, classes) if shares is None else _targets(shares, labels, classes)
        if validation is None:
            judged = held_out_rows(labels, self.held_out, recipe.seed)
            learned = Examples(images[~judged], targets[~judged])
            chosen_on = Examples(images[judged], class_indices(labels[judged], classes))
        else:
            learned = Examples(images, targets)
            answers = class_indices(np.asarray(validation[1]).astype(str), classes)
            chosen_on = Examples(as_seen(validation[0], side), answers)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            net = make_net(self.architecture, network, classes=len(classes))
        if self.start is not None:
            carry_over(net, classes, self.start.weights_, self.start.classes_.tolist())
        with tempfile.TemporaryDirectory() as temporary:
            done = train_classifier(
                net, learned, chosen_on, recipe, work=Path(work or temporary), resume=resume, device=device,
                report=report, trained=self.start is not None,
            )  # fmt: skip
        state = {name: value.float().numpy() for name, value in done.state.items()}
        self._set(classes, network, size, done.temperature, state)
        if self.views != "mirror":  # for which `train_classifier` has fitted it
            logits = self.decision_function(chosen_on.images)
            self.temperature_ = fit_temperature(logits, chosen_on.labels)
        self.history_: pd.DataFrame | None = done.history
        self.notes_ = _beside_start(done)
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
        """Return the logits, float32, shape (n, K), for faces as `predict_proba` takes them.

        Of several views it is the mean of the logits, and `predict_proba` follows from it: one temperature
        then scales them all as it scales a single look, and what pixels add to a logit is the mean of what
        they add in each look. (luanshiyinyang's project averages probabilities, where neither holds.)
        """
        check_fitted(self)
        faces = as_seen(X, self.size_)
        looks = views_of(self.views, self.size_)
        answers = [np.zeros((0, len(self.classes_)), np.float32)]
        for start in range(0, len(faces), BATCH):
            crops = faces[start : start + BATCH, None].astype(np.float32)
            answers.append(np.mean([self._run(rows @ crops @ columns.T) for rows, columns in looks], axis=0))
        return np.concatenate(answers)

    def to_torch(self) -> nn.Module:
        """Return the network as a torch module, in evaluation mode, for training it on or looking into it.

        Raises
        ------
        UnavailableError
            torch is not installed.
        """
        require("torch", extra="train", what="a cnn's torch module")
        import torch

        from feat_pipeline.models.nets import make_net

        net = make_net(self.architecture_, self.network_, classes=len(self.classes_))
        net.load_state_dict({name: torch.from_numpy(value) for name, value in self.weights_.items()})
        return net.eval()

    def save(self, path: str | Path) -> Path:
        """Write ``model.json``, ``weights.safetensors`` and ``network.onnx`` into a folder.

        Weights of convolutions and of the last layer are kept in half precision. The last file is the
        network's graph, exported from torch; it reads its weights from the file beside it.

        Returns
        -------
        Path
            ``model.json``, written last: it holds the digests of the files that belong to it.

        Raises
        ------
        OutputError
            The folder cannot be written.
        """
        content = {
            "format": FORMAT,
            "version": VERSION,
            "classes": [str(name) for name in self.classes_],
            "architecture": self.architecture_,
            "network": self.network_,
            "size": self.size_,
            "views": self.views,
            "temperature": self.temperature_,
        }
        arrays = {name: _shortened(value) for name, value in self.weights_.items()}
        return write_model(path, content, arrays, self._graph_beside)

    def _graph_beside(self, packed: bytes) -> bytes:
        """Return the graph for a file of weights: that which was read, or one made of the network."""
        return self._graph or graph_of(exported(self.to_torch, self.size_), packed)

    @classmethod
    def load(cls, path: str | Path) -> CnnClassifier:
        """Read a model that `save` wrote, from its folder or its ``model.json``.

        Of a folder without ``network.onnx``, as models once were saved, torch makes the graph anew.

        Raises
        ------
        InputError
            A file is missing or damaged, or they do not belong together.
        UnavailableError
            There is no ``network.onnx``, and no torch to make it.
        """
        folder = Path(path) if Path(path).is_dir() else Path(path).parent
        return read_model(path, FORMAT, VERSION, partial(cls._made, folder))

    @classmethod
    def _made(cls, folder: Path, content: dict[str, Any], arrays: dict[str, np.ndarray]) -> CnnClassifier:
        architecture = content.get("architecture", RESIDUAL)
        model = cls(architecture=architecture, views=content.get("views", "mirror"))
        weights = {name: value.astype(np.float32) for name, value in arrays.items()}
        size, temperature = int(content["size"]), float(content["temperature"])
        if not (8 <= size <= _LARGEST and 0 < temperature < np.inf):
            raise ValueError(f"size {size}, temperature {temperature}")
        graph = read_graph(folder, content.get("network_onnx"))
        try:
            model._set(content["classes"], content["network"], size, temperature, weights)
            model._graph = graph
            model._session = model._opened(None if graph is None else folder / NETWORK_FILE)
            answer = model._run(np.zeros((1, 1, size, size), np.float32))
        except UnavailableError:
            raise
        except Exception as error:  # ONNX Runtime has errors of its own for weights that do not fit
            raise ValueError(" ".join(str(error).split())[:200]) from None
        check_answer(answer, content["classes"])
        views_of(model.views, size)
        model.history_ = None
        return model

    def _network(self, sizes: list[int]) -> dict[str, Any]:
        """Return the arguments of the network to train, held against its architecture and `start`."""
        start, network = self.start, self.network
        if self.architecture != RESIDUAL:
            for size in sizes:
                published(self.architecture).check_size(size)
            if network:
                raise UsageError(f"network: architecture {self.architecture!r} takes none; leave it away")
        if start is None:
            return (network or NETWORK) if self.architecture == RESIDUAL else {}
        check_fitted(start)
        if start.architecture_ != self.architecture or network not in (None, start.network_):
            raise UsageError(
                f"start: expected a model of architecture {self.architecture!r} and network {network}, got "
                f"{start.architecture_!r} and {start.network_}; make both alike"
            )
        return start.network_

    def _set(
        self, classes: Sequence[str], network: dict[str, Any], size: int, temperature: float,
        weights: dict[str, np.ndarray],
    ) -> None:  # fmt: skip
        if self.architecture != RESIDUAL:
            published(self.architecture).check_size(size)
        self.architecture_ = self.architecture
        self.classes_ = np.array(classes, dtype=str)
        self.network_ = dict(network)
        self.size_, self.temperature_ = int(size), float(temperature)
        self.weights_: dict[str, np.ndarray] = weights
        self._graph: bytes | None = None
        self._session: InferenceSession | None = None

    def _opened(self, file: Path | None = None) -> InferenceSession:
        """Open the network: the file that was saved, or one exported for the purpose."""
        return open_session(file or exported(self.to_torch, self.size_), self.threads)

    def _run(self, crops: np.ndarray) -> np.ndarray:
        if self._session is None:
            self._session = self._opened()
        return self._session.run(["logits"], {"crops": np.ascontiguousarray(crops)})[0]


def _beside_start(done: Trained) -> tuple[str, ...]:
    if done.start_accuracy is None:
        return ()
    start, best = 100 * done.start_accuracy, 100 * done.history["val_accuracy"].max()
    if done.best_epoch == 0:
        said = f"no epoch is better than the start, whose weights are kept (best epoch: {best:.1f} %)"
    else:
        said = f"best epoch, {done.best_epoch}: {best:.1f} %"
    return (f"accuracy on the faces to judge by, in one look: start {start:.1f} %; {said}",)


def _targets(shares: pd.DataFrame, labels: np.ndarray, classes: list[str]) -> np.ndarray:
    missing = sorted(set(labels.tolist()) - set(classes))
    targets = shares[classes].to_numpy(np.float32)
    if missing or len(targets) != len(labels) or not np.allclose(targets.sum(1), 1, atol=1e-3):
        raise InputError(
            f"shares: expected a row that sums to 1 for each of the {len(labels)} faces and a column for "
            f"{', '.join(missing) or 'each class'}, got shape {targets.shape}"
        )
    return targets


def _shortened(value: np.ndarray) -> np.ndarray:
    """Halve what is large; norms and biases weigh nothing and keep their precision."""
    return np.ascontiguousarray(value, np.float16 if value.ndim > 1 else np.float32)
