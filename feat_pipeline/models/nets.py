"""The networks that are trained on face crops (torch)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from feat_pipeline.augment import resized


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
        mean = crop.mean((2, 3), keepdim=True)
        spread = (crop - mean).square().mean((2, 3), keepdim=True).sqrt()
        features = self.body(self.stem((crop - mean) / (spread + 1.0)))
        return self.head(self.dropout(features.mean((2, 3))))

    def _start(self) -> None:
        """Every block begins as its shortcut: the last norm's weights are zero (Goyal et al., 2017)."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if isinstance(module, ResidualBlock):
                nn.init.zeros_(module.second_norm.weight)


def predict_logits(
    net: nn.Module,
    images: np.ndarray,
    *,
    size: int,
    device: torch.device,
    mirror: bool = True,
    bf16: bool = False,
    batch: int = 256,
) -> np.ndarray:
    """Return what a network answers, without training it.

    Parameters
    ----------
    net : Module
        Left in evaluation mode.
    images : ndarray of uint8, shape (n, h, w) or (n, h, w, 3)
    size : int
        Side at which the network looks at them, px.
    device : torch device
        Where the network is.
    mirror : bool
        Give the mean over each face and its mirror image.
    bf16 : bool
        Matrix products in bfloat16.

    Returns
    -------
    ndarray of float32, shape (n, K)
        Logits.
    """
    net.eval()
    answers = []
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        for start in range(0, len(images), batch):
            crops = resized(as_batch(images[start : start + batch]).to(device), size)
            looks = [crops, crops.flip(3)] if mirror else [crops]
            logits = [net(look.to(memory_format=torch.channels_last)).float() for look in looks]
            answers.append(torch.stack(logits).mean(0).cpu())
    return torch.cat(answers).numpy()


def as_batch(images: np.ndarray) -> torch.Tensor:
    """Turn images, uint8 (n, h, w) or (n, h, w, 3), into a tensor (n, channels, h, w)."""
    batch = torch.from_numpy(np.ascontiguousarray(images))
    return batch[:, None] if batch.ndim == 3 else batch.permute(0, 3, 1, 2)
