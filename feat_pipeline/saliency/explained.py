"""What is explained of a model: its centred log-probabilities as a function of pixels."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from feat_pipeline.errors import UsageError
from feat_pipeline.models.protocol import EmotionModel, NetworkModel
from feat_pipeline.models.views import views_of

if TYPE_CHECKING:
    import torch
    from torch import nn

#: Below this a probability is taken for this: a model may answer 0, which has no logarithm.
SMALLEST = 1e-9


def views_at(
    model: NetworkModel, crops: torch.Tensor, views: str | None = None
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return the looks that a network's answer is the mean of, as `views_of` does, in tensors."""
    import torch

    found = views_of(views or model.views, crops.shape[-1])
    return [(torch.from_numpy(rows), torch.from_numpy(columns)) for rows, columns in found]


def network_answers(
    model: NetworkModel, net: nn.Module | None = None, *, views: str | None = None
) -> nn.Module:
    """Return a network's centred log-probabilities.

    Parameters
    ----------
    model : NetworkModel
        Its ``temperature_`` divides the logits.
    net : torch Module, optional
        In place of the model's own.
    views : str, optional
        As for `feat_pipeline.models.views.views_of`; by default as the model looks when it predicts.

    Returns
    -------
    torch Module
        From crops, float 0-255, (n, 1, H, W), to (n, K).
    """
    from torch import nn

    class Centred(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = (model.to_torch() if net is None else net).requires_grad_(False)

        def forward(self, crops: torch.Tensor) -> torch.Tensor:
            looks = views_at(model, crops, views)
            logits = sum(self.net(rows @ crops @ columns.T) for rows, columns in looks) / len(looks)
            return (logits - logits.mean(1, keepdim=True)) / model.temperature_

    return Centred().eval()


def model_answers(model: EmotionModel) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return any model's centred log-probabilities, from crops, float 0-255, (n, C, H, W), to (n, K).

    One channel is shown as grey crops, shape (n, H, W), three as RGB, (n, H, W, 3).
    """
    import torch

    def answers(crops: torch.Tensor) -> torch.Tensor:
        pixels = crops.numpy().round().clip(0, 255).astype(np.uint8)
        shown = pixels[:, 0] if pixels.shape[1] == 1 else pixels.transpose(0, 2, 3, 1)
        logs = np.log(np.maximum(model.predict_proba(np.ascontiguousarray(shown)), SMALLEST))
        return torch.from_numpy((logs - logs.mean(1, keepdims=True)).astype(np.float32))

    return answers


def last_map(net: nn.Module, crops: torch.Tensor) -> nn.Module:
    """Find the last part of a network that still has places: the outermost to end with a map of features.

    Raises
    ------
    UsageError
        It has none.
    """
    import torch

    found: list[nn.Module] = []

    def note(part: nn.Module, _: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor) and output.ndim == 4 and min(output.shape[2:]) > 1:
            found.append(part)

    hooks = [part.register_forward_hook(note) for part in net.modules() if part is not net]
    try:
        with torch.inference_mode():
            net(crops[:1])
    finally:
        for hook in hooks:
            hook.remove()
    if not found:
        raise UsageError("method: 'grad-cam' needs a map of features, which this network has not")
    return found[-1]
