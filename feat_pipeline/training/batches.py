"""Batches of faces on a device, and a network's logits for them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from feat_pipeline.errors import UsageError


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
        Side at which the network is given them, px.
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
    return by_batch(net.eval(), images, size=size, device=device, mirror=mirror, bf16=bf16, batch=batch)


def by_batch(
    function: Callable[[torch.Tensor], torch.Tensor],
    images: np.ndarray,
    *,
    size: int,
    device: torch.device,
    mirror: bool = True,
    bf16: bool = False,
    batch: int = 256,
) -> np.ndarray:
    """Return what a function of crops, such as part of a network, gives for images, a batch at a time.

    Parameters
    ----------
    function : callable
        Maps float crops 0-255, shape (n, channels, size, size), to (n, K).
    images, size, device, mirror, bf16
        See `predict_logits`.
    batch : int
        Images at a time.

    Returns
    -------
    ndarray of float32, shape (n, K)
    """
    answers = []
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        for start in range(0, len(images), batch):
            crops = resized(as_batch(images[start : start + batch]).to(device), size)
            views = [crops, crops.flip(3)] if mirror else [crops]
            found = [function(view.to(memory_format=torch.channels_last)).float() for view in views]
            answers.append(torch.stack(found).mean(0).cpu())
    return torch.cat(answers).numpy()


def as_batch(images: np.ndarray) -> torch.Tensor:
    """Turn images, uint8 (n, h, w) or (n, h, w, 3), into a tensor (n, channels, h, w)."""
    batch = torch.from_numpy(np.ascontiguousarray(images))
    return batch[:, None] if batch.ndim == 3 else batch.permute(0, 3, 1, 2)


def resized(crops: torch.Tensor, size: int) -> torch.Tensor:
    """Return crops, uint8 (n, 1, h, w), as float32 of another side, 0-255."""
    crops = crops.float()
    if crops.shape[-1] == size and crops.shape[-2] == size:
        return crops
    return nn.functional.interpolate(
        crops, size=(size, size), mode="bilinear", antialias=True, align_corners=False
    )


def pick_device(name: str | None = None) -> torch.device:
    """Return the named device, or the first GPU, or the CPU."""
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # a torch without CUDA asserts
        reason = str(error).splitlines()[0]
        raise UsageError(f"device: expected 'cpu', 'cuda' or 'cuda:1', got {name!r} ({reason})") from None
    return device
