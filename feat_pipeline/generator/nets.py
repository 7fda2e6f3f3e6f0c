"""The two networks that learn to make faces from each other (torch): generator and discriminator."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from feat_pipeline.errors import UsageError

#: Norms of one leave scores of some tenths (seen in two epochs of FER2013), where the hinge, at 1, is never
#: reached and every face counts alike; this brings them up to it.
_REACH = 6.0
_GROUP = 4  # faces whose spread the discriminator is told, as in StyleGAN2 (Karras et al., 2020)


class ConditionalNorm(nn.Module):
    """Batch norm whose gain and shift follow from noise and class (de Vries et al., 2017).

    Parameters
    ----------
    channels, condition : int
        Of the features, and length of what they are conditioned on.
    """

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.affine = nn.Linear(condition, 2 * channels)
        nn.init.normal_(self.affine.weight, std=0.02)
        nn.init.zeros_(self.affine.bias)

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """Map features, shape (n, channels, h, w), and conditions, shape (n, condition), to features."""
        gain, shift = self.affine(condition)[:, :, None, None].chunk(2, 1)
        return torch.addcmul(shift, self.norm(x), 1 + gain)


class GrowingBlock(nn.Module):
    """A residual convolution, then one that leads to twice the size.

    Both are at the smaller size, where they take a quarter of the time.
    """

    def __init__(self, inputs: int, outputs: int, condition: int) -> None:
        super().__init__()
        self.first_norm = ConditionalNorm(inputs, condition)
        self.first = nn.Conv2d(inputs, inputs, 3, padding=1, bias=False)
        self.second_norm = ConditionalNorm(inputs, condition)
        self.second = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """Map features, shape (n, inputs, h, w) -> (n, outputs, 2h, 2w)."""
        x = x + self.first(nn.functional.relu(self.first_norm(x, condition)))
        y = self.second(nn.functional.relu(self.second_norm(x, condition)))
        return nn.functional.interpolate(y, scale_factor=2, mode="nearest")


class Generator(nn.Module):
    """Noise and a class become a face.

    The last doubling is a pixel shuffle before a narrow layer: convolutions at full size would take most of
    the time of a step on a CPU.

    Parameters
    ----------
    classes : int
    side : int
        Of the faces, px: a multiple of 2 ** len(widths).
    latent : int
        Length of the noise.
    embedding : int
        Length of what is learned for each class.
    widths : sequence of int
        Channels of each size, the smallest first; sizes double, and the last is half of ``side``.
    head : int
        Channels at full size.
    """

    def __init__(
        self, *, classes: int, side: int, latent: int, embedding: int, widths: Sequence[int], head: int
    ) -> None:
        super().__init__()
        self.latent, self.start = latent, _start(side, widths)
        condition = latent + embedding
        self.embedding = nn.Embedding(classes, embedding)
        self.first = nn.Linear(condition, widths[0] * self.start**2)
        pairs = pairwise(widths)
        self.blocks = nn.ModuleList(GrowingBlock(a, b, condition) for a, b in pairs)
        self.last_norm = ConditionalNorm(widths[-1], condition)
        self.spread = nn.Conv2d(widths[-1], 4 * head, 3, padding=1)
        self.last = nn.Conv2d(head, 1, 3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.orthogonal_(module.weight)

    def forward(self, noise: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Map noise, shape (n, latent), and classes, int64 (n,), to faces, -1 to 1, (n, 1, side, side)."""
        condition = torch.cat([noise, self.embedding(labels)], 1)
        x = self.first(condition).view(len(noise), -1, self.start, self.start)
        x = x.contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            x = block(x, condition)
        x = _spread_out(self.spread(nn.functional.relu(self.last_norm(x, condition))))
        return torch.tanh(self.last(nn.functional.relu(x)))


class ShrinkingBlock(nn.Module):
    """A convolution of patches of 2x2 that leads to half the size, then one of 3x3, with spectral norms.

    Patches do not overlap, so that theirs is a product of matrices: gradients of strided convolutions in
    bfloat16 would take most of a step (oneDNN 3.13).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = spectral_norm(nn.Conv2d(4 * inputs, outputs, 1))
        self.second = spectral_norm(nn.Conv2d(outputs, outputs, 3, padding=1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map features, shape (n, inputs, h, w) -> (n, outputs, h/2, w/2)."""
        return _leaky(self.second(_leaky(self.first(_patches(x)))))


class Discriminator(nn.Module):
    """Tells real faces of a class from made ones: a projection discriminator (Miyato & Koyama, 2018).

    Every weight is divided by its largest singular value (Miyato et al., 2018), and faces come in as four
    half-size channels, for the sake of time.

    Parameters
    ----------
    classes, side : int
        As of `Generator`.
    widths : sequence of int
        Channels of each size, from half of ``side`` down.
    """

    def __init__(self, *, classes: int, side: int, widths: Sequence[int]) -> None:
        super().__init__()
        _start(side, widths)
        self.stem = spectral_norm(nn.Conv2d(4, widths[0], 3, padding=1))
        self.blocks = nn.Sequential(*(ShrinkingBlock(a, b) for a, b in pairwise(widths)))
        self.last = spectral_norm(nn.Conv2d(widths[-1] + 1, widths[-1], 3, padding=1))
        self.realness = spectral_norm(nn.Linear(widths[-1], 1))
        self.embedding = spectral_norm(nn.Embedding(classes, widths[-1]))

    def forward(self, faces: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Map faces, shape (n, 1, side, side), and classes, int64 (n,), to scores, (n,): real is high."""
        x = self.blocks(_leaky(self.stem(_patches(faces))))
        x = torch.cat([x, _group_spread(x)], 1).contiguous(memory_format=torch.channels_last)
        features = _leaky(self.last(x)).sum((2, 3))
        return _REACH * (self.realness(features)[:, 0] + (self.embedding(labels) * features).sum(1))


def _patches(x: torch.Tensor) -> torch.Tensor:
    """Lay the four places of every patch of 2x2 over each other: (n, c, h, w) -> (n, 4c, h/2, w/2).

    It is torch's pixel_unshuffle with another order of channels; that one is slow on channels_last.
    """
    n, channels, height, width = x.shape
    x = x.permute(0, 2, 3, 1).reshape(n, height // 2, 2, width // 2, 2, channels)
    x = x.transpose(2, 3).reshape(n, height // 2, width // 2, 4 * channels)
    return x.permute(0, 3, 1, 2)


def _spread_out(x: torch.Tensor) -> torch.Tensor:
    """Undo `_patches`: (n, 4c, h, w) -> (n, c, 2h, 2w)."""
    n, channels, height, width = x.shape
    x = x.permute(0, 2, 3, 1).reshape(n, height, width, 2, 2, channels // 4)
    x = x.transpose(2, 3).reshape(n, 2 * height, 2 * width, channels // 4)
    return x.permute(0, 3, 1, 2)


def _leaky(x: torch.Tensor) -> torch.Tensor:
    return nn.functional.leaky_relu(x, 0.2)


def _group_spread(x: torch.Tensor) -> torch.Tensor:
    """Mean standard deviation of the features among neighbours in the batch, shape (n, 1, h, w)."""
    n, _, height, width = x.shape
    group = _GROUP if n % _GROUP == 0 else n
    grouped = x.permute(0, 2, 3, 1).flatten(1).float().unflatten(0, (n // group, group))
    variance = (grouped - grouped.mean(1, keepdim=True)).square().mean(1)
    spread = (variance + 1e-6).sqrt().mean(1).to(x.dtype)
    return spread.repeat_interleave(group)[:, None, None, None].expand(n, 1, height, width)


def _start(side: int, widths: Sequence[int]) -> int:
    """Side of the smallest features."""
    start, rest = divmod(side, 2 ** len(widths))
    if rest or not start:
        raise UsageError(
            f"side: expected a multiple of {2 ** len(widths)} for {len(widths)} widths, got {side}"
        )
    return start
