"""Random changes to a batch of face crops, as tensors, on the device where the network runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn


@dataclass(frozen=True)
class Augment:
    """How far crops are changed; every number 0 leaves them as they are.

    Parameters
    ----------
    mirror : float
        Share of crops that is mirrored.
    rotation_deg, scale, shift : float
        Largest rotation, change of size (share) and shift (share of the side), uniform around none.
    gamma : float
        Lighting: brightness b in 0-1 becomes b**g, log g uniform within this.
    erase : float
        Share of crops in which one rectangle is replaced by the crop's mean (Zhong et al., 2020).
    erase_area : tuple of two floats
        Smallest and largest area of that rectangle, as a share of the crop.
    """

    mirror: float = 0.5
    rotation_deg: float = 15.0
    scale: float = 0.15
    shift: float = 0.08
    gamma: float = 0.3
    erase: float = 0.5
    erase_area: tuple[float, float] = (0.02, 0.2)

    def __call__(self, crops: torch.Tensor, size: int, rng: np.random.Generator) -> torch.Tensor:
        """Change a batch.

        Parameters
        ----------
        crops : tensor of uint8, shape (n, 1, h, w)
        size : int
            Side of the crops that come out, px.
        rng : numpy Generator
            All that is random is drawn from it, so that a seed gives the same batch on every device.

        Returns
        -------
        tensor of float32, 0-255, shape (n, 1, size, size)
        """
        n = len(crops)
        matrices = torch.from_numpy(self._matrices(n, rng)).to(crops.device)
        grid = nn.functional.affine_grid(matrices, [n, 1, size, size], align_corners=False)
        changed = nn.functional.grid_sample(
            crops.float(), grid, mode="bilinear", padding_mode="border", align_corners=False
        )
        power = np.exp(rng.uniform(-self.gamma, self.gamma, (n, 1, 1, 1))).astype(np.float32)
        changed = 255 * (changed / 255).clamp(0, 1) ** torch.from_numpy(power).to(crops.device)
        hidden = torch.from_numpy(self._rectangles(n, size, rng)).to(crops.device)
        return torch.where(hidden, changed.mean((2, 3), keepdim=True), changed)

    def _matrices(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Matrices from places in the new crop to places in the old one, shape (n, 2, 3), float32."""
        angle = np.deg2rad(rng.uniform(-self.rotation_deg, self.rotation_deg, n))
        zoom = 1 + rng.uniform(-self.scale, self.scale, n)
        flip = np.where(rng.random(n) < self.mirror, -1.0, 1.0)
        cosine, sine = np.cos(angle) * zoom, np.sin(angle) * zoom
        move = 2 * rng.uniform(-self.shift, self.shift, (n, 2))  # the crop reaches from -1 to 1
        rows = [[flip * cosine, -sine, move[:, 0]], [flip * sine, cosine, move[:, 1]]]
        return np.array(rows).transpose(2, 0, 1).astype(np.float32)

    def _rectangles(self, n: int, size: int, rng: np.random.Generator) -> np.ndarray:
        """Masks of what is erased, shape (n, 1, size, size)."""
        area = rng.uniform(*self.erase_area, n) * (rng.random(n) < self.erase)
        aspect = np.exp(rng.uniform(-1, 1, n))
        height, width = np.sqrt(area * aspect) * size, np.sqrt(area / aspect) * size
        centre_y, centre_x = rng.uniform(0, size, (2, n))
        place = np.arange(size) + 0.5
        down = np.abs(place - centre_y[:, None]) < height[:, None] / 2
        across = np.abs(place - centre_x[:, None]) < width[:, None] / 2
        return (down[:, :, None] & across[:, None, :])[:, None]
