"""How a network is trained, and on what."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from feat_pipeline.errors import InputError, UsageError
from feat_pipeline.training.augment import Augment


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Parameters
    ----------
    epochs, batch, seed : int
    optimiser : {'sgd', 'adamw'}
        SGD is used with Nesterov's momentum .9.
    rate : float
        Highest learning rate: reached by a line over ``warmup`` (share of all steps), left by a cosine to 0.
    weight_decay : float
        On weights of convolutions and linear layers only.
    smoothing : float
        Label smoothing (Szegedy et al., 2016), for hard labels.
    mixup : float
        Parameter of the Beta distribution that mixes pairs of faces (Zhang et al., 2018); 0: no mixing.
    average : float
        Decay per step of the moving average of the weights, which is what is kept; 0: none.
    sizes : tuple of (float, int)
        From which share of the epochs on faces of which side, px, are trained on. Smaller faces at first
        save time (Tan & Le, 2021). The last is the size that is validated and shipped.
    patience : int, optional
        Epochs without a better validation accuracy after which training stops.
    bf16 : bool
        Matrix products in bfloat16 (torch's autocast).
    early : float
        Share of the rate by which all layers but the last learn.
    augment : Augment
    """

    epochs: int = 60
    batch: int = 128
    seed: int = 0
    optimiser: str = "sgd"
    rate: float = 0.1
    warmup: float = 0.1
    weight_decay: float = 5e-4
    smoothing: float = 0.1
    mixup: float = 0.0
    average: float = 0.999
    sizes: tuple[tuple[float, int], ...] = ((0.0, 48),)
    patience: int | None = None
    bf16: bool = True
    early: float = 1.0
    augment: Augment = field(default_factory=Augment)

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 2:
            raise UsageError(f"epochs, batch: expected at least 1 and 2, got {self.epochs} and {self.batch}")
        if self.optimiser not in ("sgd", "adamw"):
            raise UsageError(f"optimiser: expected 'sgd' or 'adamw', got {self.optimiser!r}")
        if not self.sizes or self.sizes[0][0] != 0:
            raise UsageError(f"sizes: expected the first to begin at 0, got {self.sizes!r}")

    def size_at(self, epoch: int) -> int:
        """Side of the faces in an epoch, counted from 0, px."""
        return [size for start, size in self.sizes if start * self.epochs <= epoch][-1]

    def rate_at(self, step: int, steps: int) -> float:
        """Learning rate of a step, counted from 0."""
        rising = max(1, round(self.warmup * steps))
        if step < rising:
            return self.rate * (step + 1) / rising
        return self.rate * 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


def fine_tuning(**settings: Any) -> Recipe:
    """Return the recipe of a network that begins from a trained one; ``settings`` are those of `Recipe`.

    The rate that networks learn with from nothing undoes in its first steps what the start has learned.
    """
    return Recipe(**({"rate": 0.02, "early": 0.25, "warmup": 0.3} | settings))


@dataclass(frozen=True)
class Examples:
    """Faces and what they are trained towards, or judged by.

    Attributes
    ----------
    images : ndarray of uint8, shape (n, height, width) or (n, height, width, 3)
    targets : ndarray, shape (n,) of int (indices of classes) or (n, K) of float (shares that sum to 1)
    """

    images: np.ndarray
    targets: np.ndarray

    def __post_init__(self) -> None:
        if len(self.images) == 0 or len(self.images) != len(self.targets):
            raise InputError(
                f"examples: expected faces and one target each, got {len(self.images)} faces "
                f"and {len(self.targets)} targets"
            )

    @property
    def labels(self) -> np.ndarray:
        """Class of each face; for shares the largest."""
        return self.targets if self.targets.ndim == 1 else self.targets.argmax(1)
