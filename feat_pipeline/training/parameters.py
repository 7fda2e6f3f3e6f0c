"""A network's parameters: which of them decay, their moving average, their number."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def decay_groups(net: nn.Module, weight_decay: float, early: float = 1.0) -> list[dict[str, Any]]:
    """Return an optimiser's groups: weights of convolutions and linear layers decay, the others do not.

    Where ``early`` is not 1, all but the ``head`` of a network learn by that share of the rate.
    """
    slow = [] if early == 1 else [p for name, p in net.named_parameters() if not name.startswith("head.")]
    held = set(map(id, slow))
    fast = [p for p in net.parameters() if id(p) not in held]
    return [
        {
            "params": [p for p in parameters if (p.ndim > 1) == large],
            "weight_decay": weight_decay if large else 0.0,
            "share": share,
        }
        for parameters, share in ((fast, 1.0), (slow, early))
        for large in (True, False)
        if parameters
    ]


def moving_average(net: nn.Module, decay: float) -> AveragedModel:
    """Return the exponential moving average of a network's weights and of its norms' statistics.

    Parameters
    ----------
    net : Module
        As it stands at the beginning, which is the first that is averaged.
    decay : float
        Of each update, 0 to 1. The n-th has n / (n + 9) where that is less, so that an average of a few
        states is not held back by the first.

    Returns
    -------
    AveragedModel
        In evaluation mode; its ``update_parameters`` is to be called after every step.
    """

    def update(averaged: list[torch.Tensor], now: list[torch.Tensor], count: torch.Tensor) -> None:
        n = int(count)
        if averaged[0].is_floating_point():
            get_ema_multi_avg_fn(min(decay, n / (n + 9)))(averaged, now, n)
            return
        for kept, value in zip(averaged, now, strict=True):  # counts of batches have no average
            kept.copy_(value)

    average = AveragedModel(net, multi_avg_fn=update, use_buffers=True)
    average.n_averaged.fill_(1)
    return average.eval()


def count_parameters(net: nn.Module) -> int:
    """Count the trained weights."""
    return sum(value.numel() for value in net.parameters())
