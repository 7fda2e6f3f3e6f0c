"""Faces that show nobody, made for an emotion by a generator that was trained on a data set's faces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from feat_pipeline.errors import InputError, UsageError, require

if TYPE_CHECKING:
    import torch

    from feat_pipeline.generator.nets import Generator

FORMAT, VERSION = "gan", 1
SHIPPED = "gan-fer2013"


class GeneratorSize(TypedDict):
    """Arguments of `feat_pipeline.generator.nets.Generator` without ``classes`` and ``side``."""

    latent: int
    embedding: int
    widths: list[int]
    head: int


class DiscriminatorSize(TypedDict):
    """Arguments of `feat_pipeline.generator.nets.Discriminator` without ``classes`` and ``side``."""

    widths: list[int]


#: Networks of `feat-pipeline train gan`; found by their step time on one core (see the card of gan-fer2013).
NETWORK: GeneratorSize = {"latent": 96, "embedding": 32, "widths": [128, 64, 32], "head": 8}
DISCRIMINATOR: DiscriminatorSize = {"widths": [32, 64, 128]}
_BATCH = 64


class FaceGenerator:
    """A generator of grey faces by emotion.

    Parameters
    ----------
    network : GeneratorSize, optional
        By default `NETWORK`.
    side : int
        Of the faces, px.

    Attributes
    ----------
    classes_ : ndarray of str, shape (K,)
        Emotions it was trained for.
    weights_ : dict of str to ndarray
        The network's state, by torch's names.

    Notes
    -----
    What it makes are samples of what a network took from labelled pictures: no person's face, and no
    evidence of how an emotion looks.
    """

    classes_: np.ndarray
    weights_: dict[str, np.ndarray]

    def __init__(self, *, network: GeneratorSize | None = None, side: int = 48) -> None:
        self.network = network
        self.side = side

    def generate(self, emotion: str | Sequence[str], n: int | None = None, *, seed: int = 0) -> np.ndarray:
        """Make faces.

        Parameters
        ----------
        emotion : str or sequence of str
            One emotion for all `n` faces, or one for each face.
        n : int, optional
            Number of faces of one emotion; 1 by default.
        seed : int
            Draws the noise: face i has the same noise whatever its emotion and `n` are.

        Returns
        -------
        ndarray of uint8, shape (n, side, side)

        Raises
        ------
        UsageError
            An emotion that the generator does not know, or no face asked for.
        """
        labels = [emotion] * (1 if n is None else n) if isinstance(emotion, str) else list(emotion)
        if not labels or (n is not None and len(labels) != n):
            raise UsageError(f"n: expected 1 or more faces, one for each emotion, got {n}")
        if seed < 0:
            raise UsageError(f"seed: expected 0 or more, got {seed}")
        known = self.classes_.tolist()
        unknown = sorted({str(label) for label in labels} - set(known))
        if unknown:
            raise UsageError(f"emotion: expected one of {', '.join(known)}, got {unknown[0]!r}")
        net = self.to_torch()
        import torch

        noise = np.random.default_rng(seed).standard_normal((len(labels), net.latent), np.float32)
        classes = torch.tensor([known.index(label) for label in labels])
        return make_faces(net, torch.from_numpy(noise), classes)

    def to_torch(self) -> Generator:
        """Return the network as a torch module, in evaluation mode."""
        if not hasattr(self, "weights_"):
            raise UsageError(
                "the generator is not trained: call feat_pipeline.runs.train_gan.train_gan first"
            )
        import torch

        from feat_pipeline.generator.nets import Generator

        if not hasattr(self, "_net"):
            net = Generator(classes=len(self.classes_), side=self.side, **(self.network or NETWORK))
            net.load_state_dict({name: torch.from_numpy(value) for name, value in self.weights_.items()})
            self._net = net.eval()
        return self._net

    def save(self, path: str | Path) -> Path:
        """Write ``model.json`` and ``weights.safetensors``, large weights in half precision.

        Raises
        ------
        OutputError
            The folder cannot be written.
        """
        from feat_pipeline.models.base import write_model

        content = {
            "format": FORMAT,
            "version": VERSION,
            "classes": [str(name) for name in self.classes_],
            "network": self.network or NETWORK,
            "side": self.side,
        }
        shortened = {
            name: value.astype(np.float16) if value.ndim > 1 else value
            for name, value in self.weights_.items()
        }
        return write_model(path, content, shortened)

    @classmethod
    def load(cls, path: str | Path = SHIPPED) -> FaceGenerator:
        """Read a generator from its folder, its ``model.json``, or the shipped one by its name.

        Raises
        ------
        InputError
            There is none, or a file is damaged.
        UnavailableError
            torch is not installed.
        """
        from feat_pipeline.models import MODEL_FILE
        from feat_pipeline.models.base import read_model
        from feat_pipeline.weights.shipped import models_dir

        given = models_dir() / SHIPPED if str(path) == SHIPPED else Path(path)
        if not (given / MODEL_FILE if given.is_dir() else given).is_file():
            shipped = f"; {SHIPPED} ships" if (models_dir() / SHIPPED / MODEL_FILE).is_file() else ""
            raise InputError(
                f"generator {path}: no such folder with a {MODEL_FILE}{shipped}; "
                f"'feat-pipeline train gan' makes one, whose folder --model names"
            )
        require("torch", extra="train", what="generate")
        return read_model(given, FORMAT, VERSION, cls._made)

    @classmethod
    def _made(cls, content: dict[str, Any], arrays: dict[str, np.ndarray]) -> FaceGenerator:
        made = cls(network=content["network"], side=content["side"])
        made.classes_ = np.array(content["classes"], dtype=str)
        made.weights_ = {
            name: value.astype(np.float32) if value.dtype == np.float16 else value
            for name, value in arrays.items()
        }
        try:
            made.to_torch()
        except RuntimeError as error:  # torch's word for weights of another network
            raise ValueError(str(error).splitlines()[0]) from None
        return made


def make_faces(net: Generator, noise: torch.Tensor, classes: torch.Tensor) -> np.ndarray:
    """Run a generator without training it.

    Parameters
    ----------
    net : Generator
        In evaluation mode.
    noise : tensor of float32, shape (n, latent)
    classes : tensor of int64, shape (n,)

    Returns
    -------
    ndarray of uint8, shape (n, side, side)
    """
    import torch

    place = next(net.parameters()).device
    with torch.inference_mode():
        made = [
            net(some.to(place), which.to(place))[:, 0].float().cpu()
            for some, which in zip(noise.split(_BATCH), classes.split(_BATCH), strict=True)
        ]
    return ((torch.cat(made) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()


def face_grid(faces: np.ndarray, columns: int, *, gap: int = 2) -> np.ndarray:
    """Lay faces beside each other, row by row.

    Parameters
    ----------
    faces : ndarray of uint8, shape (n, side, side)
    columns, gap : int
        Faces in a row, and white px between them.

    Returns
    -------
    ndarray of uint8, shape (height, width)
    """
    n, height, width = faces.shape
    rows = -(-n // columns)
    grid = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap), 255, np.uint8)
    for i, face in enumerate(faces):
        top, left = gap + i // columns * (height + gap), gap + i % columns * (width + gap)
        grid[top : top + height, left : left + width] = face
    return grid


def packed_png(picture: np.ndarray, said: str) -> bytes:
    """Return a grey picture as PNG that says what it is."""
    import io

    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    text = PngInfo()
    text.add_text("Description", said)
    packed = io.BytesIO()
    Image.fromarray(picture).save(packed, "PNG", pnginfo=text)
    return packed.getvalue()
