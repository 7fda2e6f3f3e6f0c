"""Random changes that both real and made faces undergo before they are told apart, with gradients through.

Zhao et al. (2020), *Differentiable augmentation for data-efficient GAN training*: the discriminator then
cannot learn the real faces by heart, and the generator does not learn the changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class DiffAugment:
    """How far faces are changed; every number 0 leaves them as they are.

    Parameters
    ----------
    mirror : float
        Share of faces that is mirrored.
    brightness, contrast : float
        Largest shift of the light (of the range -1 to 1) and largest change of contrast (share).
    shift : float
        Largest shift, as a share of the side; what comes in from outside is mid grey.
    cutout : float
        Side of the square that is greyed, as a share of the face's.
    """

    mirror: float = 0.5
    brightness: float = 0.3
    contrast: float = 0.3
    shift: float = 0.125
    cutout: float = 0.4

    def __call__(self, faces: torch.Tensor) -> torch.Tensor:
        """Change a batch, float -1 to 1, shape (n, 1, side, side); draws from torch's generator."""
        n, _, side, _ = faces.shape
        device = faces.device

        def uniform(low: float, high: float) -> torch.Tensor:
            return (low + (high - low) * torch.rand(n, 1, 1, 1)).to(device)

        mirrored = uniform(0, 1) < self.mirror
        faces = torch.where(mirrored, faces.flip(3), faces)
        faces = faces + uniform(-self.brightness, self.brightness)
        mean = faces.mean((2, 3), keepdim=True)
        faces = mean + (faces - mean) * uniform(1 - self.contrast, 1 + self.contrast)
        faces = _moved(faces, round(self.shift * side))
        return faces * _kept(n, side, round(self.cutout * side)).to(device)


def _moved(faces: torch.Tensor, most: int) -> torch.Tensor:
    """Shift every face by whole px."""
    n, _, side, _ = faces.shape
    padded = nn.functional.pad(faces, (most,) * 4)[:, 0]
    down, across = torch.randint(0, 2 * most + 1, (2, n, 1), device="cpu").to(faces.device)
    place = torch.arange(side, device=faces.device)
    face = torch.arange(n, device=faces.device)[:, None, None]
    return padded[face, (place + down)[:, :, None], (place + across)[:, None, :]][:, None]


def _kept(n: int, side: int, cut: int) -> torch.Tensor:
    """Masks, shape (n, 1, side, side): 0 within a square around a random place, else 1."""
    centre = torch.randint(0, side + 1, (2, n, 1))
    place = torch.arange(side)
    inside = (place >= centre - cut // 2) & (place < centre - cut // 2 + cut)
    return (~(inside[0][:, :, None] & inside[1][:, None, :])).float()[:, None]
