"""The networks that are trained on face crops (torch)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from feat_pipeline.models.architectures import (
    NORM_EPSILON,
    RESIDUAL,
    Architecture,
    Conv,
    Dense,
    Dropout,
    Layer,
    Norm,
    Pool,
    PRelu,
    published,
)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut (He et al., 2016)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map features, shape (n, inputs, h, w) -> (n, outputs, h, w)."""
        y = nn.functional.relu(self.first_norm(self.first(x)), inplace=True)
        return nn.functional.relu(self.second_norm(self.second(y)) + self.shortcut(x), inplace=True)


class ResidualNet(nn.Module):
    """A plain residual network for small grey crops, made for a CPU.

    The only convolution at full size is the stem. Sizes are halved by pooling and never by a stride: the
    gradients of strided convolutions in bfloat16 took most of a training step (oneDNN 3.13, AVX-512).

    Parameters
    ----------
    classes : int
    stem : int
        Channels at full size.
    widths, blocks : sequences of int
        Channels and residual blocks of each stage; every stage halves the size.
    dropout : float
        Share of the pooled features that is dropped in training.
    """

    def __init__(
        self, *, classes: int, stem: int, widths: Sequence[int], blocks: Sequence[int], dropout: float
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, stem, 3, padding=1, bias=False), nn.BatchNorm2d(stem), nn.ReLU(inplace=True)
        )
        layers: list[nn.Module] = []
        inputs = stem
        for width, count in zip(widths, blocks, strict=True):
            layers.append(nn.MaxPool2d(2))
            for _ in range(count):
                layers.append(ResidualBlock(inputs, width))
                inputs = width
        self.body = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(inputs, classes)
        self._start()

    def forward(self, crop: torch.Tensor) -> torch.Tensor:
        """Map crops, float 0-255, shape (n, 1, h, w), to logits, shape (n, classes)."""
        features = self.body(self.stem(standardised(crop)))
        return self.head(self.dropout(features.mean((2, 3))))

    def _start(self) -> None:
        """Every block begins as its shortcut: the last norm's weights are zero (Goyal et al., 2017)."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if isinstance(module, ResidualBlock):
                nn.init.zeros_(module.second_norm.weight)


class LayeredNet(nn.Module):
    """A published network (see `feat_pipeline.models.architectures`), begun as He et al. (2015) do.

    Parameters
    ----------
    architecture : Architecture
    classes : int
    """

    def __init__(self, architecture: Architecture, *, classes: int) -> None:
        super().__init__()
        self.architecture = architecture
        parts: dict[str, list[nn.Module]] = {"body": [], "dense": [], "head": []}
        for name, layer, shape in architecture.steps(classes):
            parts[name.split(".")[0]].append(_module(layer, shape))
        self.body, self.dense = nn.Sequential(*parts["body"]), nn.Sequential(*parts["dense"])
        (self.head,) = parts["head"]
        for module in (*self.body, *self.dense):
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)

    def forward(self, crop: torch.Tensor) -> torch.Tensor:
        """Map crops, float 0-255, shape (n, 1, size, size), to logits, shape (n, classes).

        Raises
        ------
        UsageError
            Crops of another size than the architecture's.
        """
        self.architecture.check_size(crop.shape[-1])
        return self.head(self.dense(self.body(standardised(crop)).flatten(1)))


class PlacedPRelu(nn.Module):
    """A rectifier whose slope below 0 is learned for each channel and place, as Keras's PReLU has it."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.zeros(shape))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map features, shape (n, *shape), to such."""
        flat = x.permute(0, 2, 3, 1).flatten(1)  # in the order in which channels_last lie: no copy
        slope = self.slope.permute(1, 2, 0).flatten().to(x.dtype)
        n, channels, height, width = x.shape
        return nn.functional.prelu(flat, slope).view(n, height, width, channels).permute(0, 3, 1, 2)


def _module(layer: Layer, shape: tuple[int, ...]) -> nn.Module:
    match layer:
        case Conv(filters, side, padded):
            return nn.Conv2d(shape[0], filters, side, padding=side // 2 if padded else 0)
        case Norm():
            return (nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d)(shape[0], eps=NORM_EPSILON)
        case PRelu():
            return PlacedPRelu(shape)
        case Pool():
            return nn.MaxPool2d(2)
        case Dropout(share):
            return nn.Dropout(share)
        case Dense(units):
            return nn.Linear(shape[0], units)
    return nn.ReLU(inplace=True)


def standardised(crop: torch.Tensor) -> torch.Tensor:
    """Take off each crop's mean and divide by its standard deviation + 1; shape (n, 1, h, w)."""
    mean = crop.mean((2, 3), keepdim=True)
    spread = (crop - mean).square().mean((2, 3), keepdim=True).sqrt()
    return (crop - mean) / (spread + 1.0)


def make_net(architecture: str, network: dict[str, Any], *, classes: int) -> nn.Module:
    """Build a network with weights drawn by torch's generator.

    Parameters
    ----------
    architecture : str
        'residual', or a name out of `feat_pipeline.models.architectures.ARCHITECTURES`.
    network : dict
        Of 'residual' the arguments of `ResidualNet`, of others empty.
    classes : int
    """
    if architecture == RESIDUAL:
        return ResidualNet(classes=classes, **network)
    return LayeredNet(published(architecture), classes=classes)


def carry_over(
    net: nn.Module, classes: Sequence[str], weights: Mapping[str, np.ndarray], known: Sequence[str]
) -> None:
    """Let a network begin from another's weights.

    Parameters
    ----------
    net : Module
        Of the same architecture. The rows of its head for classes that are new keep what was drawn.
    classes, known : sequence of str
        Classes of the network, and of the other.
    weights : mapping of str to ndarray
        State of the other, by torch's names.
    """
    state = {name: torch.from_numpy(value) for name, value in weights.items()}
    for name in ("head.weight", "head.bias"):
        rows = net.state_dict()[name].clone()
        for row, emotion in enumerate(classes):
            if emotion in known:
                rows[row] = state[name][list(known).index(emotion)]
        state[name] = rows
    net.load_state_dict(state)
