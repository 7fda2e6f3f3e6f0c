"""The one training loop: a torch network on face crops, resumed exactly where it stopped.

Everything random in an epoch comes from the recipe's seed and the epoch's number, so that a checkpoint
at the end of an epoch needs no state of a generator to go on with the very same numbers.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from analysis.filenames import CHECKPOINT, CURVES_FIGURE
from analysis.files import atomic_path
from feat_pipeline.errors import TrainingError, UsageError
from feat_pipeline.files import named_errors
from feat_pipeline.progress import progress
from feat_pipeline.training.batches import as_batch, pick_device, predict_logits
from feat_pipeline.training.checkpoint import read_checkpoint, refuse_checkpoint, write_checkpoint
from feat_pipeline.training.recipe import Examples, Recipe
from feat_pipeline.training.temperature import fit_temperature, log_loss

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Trained:
    """What a training gives.

    Attributes
    ----------
    state : dict of str to tensor
        Weights (their moving average) of the epoch that was best on the validation faces.
    history : DataFrame
        One row an epoch: ``epoch, size, rate, train_loss, val_loss, val_accuracy, seconds``.
    best_epoch : int
        From 1.
    temperature : float
        By which logits are divided so that the validation faces' log loss is least (Guo et al., 2017).
    """

    state: dict[str, torch.Tensor]
    history: pd.DataFrame
    best_epoch: int
    temperature: float


def train(
    net: nn.Module,
    training: Examples,
    validation: Examples,
    recipe: Recipe,
    *,
    work: str | Path,
    resume: bool = False,
    device: str | None = None,
    report: Callable[[dict[str, float]], None] | None = None,
) -> Trained:
    """Train a network and keep the state that is best on the validation faces.

    Parameters
    ----------
    net : Module
        Maps float crops 0-255, shape (n, channels, h, w), to logits; as it stands at the beginning.
    training, validation : Examples
    recipe : Recipe
    work : path
        Folder of ``checkpoint.pt`` (written whole after every epoch), ``curves.csv`` and ``curves.png``.
    resume : bool
        Go on from the folder's checkpoint: the weights at the end are those of an uninterrupted training.
    device : str, optional
        A torch device; by default the first GPU, else the CPU.
    report : callable, optional
        Gets each epoch's row of the history.

    Returns
    -------
    Trained

    Raises
    ------
    UsageError
        The folder holds a checkpoint and ``resume`` is false, or it was made with another recipe.
    TrainingError
        The loss is no number. The checkpoint of the epoch before is kept.
    OutputError
        A checkpoint cannot be written; the one before is kept.
    """
    work = Path(work)
    place = pick_device(device)
    loop = _Loop(net.to(place, memory_format=torch.channels_last), training, validation, recipe, work, place)
    first = loop.resume() if resume else loop.begin()
    with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
        for epoch in range(first, recipe.epochs):
            if loop.exhausted():
                break
            row = loop.epoch(epoch)
            loop.save()
            if report is not None:
                report(row)
    return loop.result()


def draw_curves(history: pd.DataFrame, path: str | Path) -> Path:
    """Draw loss and validation accuracy by epoch, as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    loss.plot(history["epoch"], history["train_loss"], ".-", label="training (changed faces)")
    loss.plot(history["epoch"], history["val_loss"], ".-", label="validation")
    loss.set(xlabel="Epoch", ylabel="Log loss")
    loss.legend()
    accuracy.plot(history["epoch"], 100 * history["val_accuracy"], ".-")
    accuracy.set(xlabel="Epoch", ylabel="Validation accuracy, %")
    path = Path(path)
    with named_errors(path), atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120)
    return path


class _Loop:
    """The state of one training between its epochs."""

    def __init__(
        self, net: nn.Module, training: Examples, validation: Examples, recipe: Recipe, work: Path,
        device: torch.device,
    ) -> None:  # fmt: skip
        self.net, self.recipe, self.work, self.device = net, recipe, work, device
        self.training, self.validation = training, validation
        self.optimiser = _optimiser(net, recipe)
        self.averaged = {k: v.detach().clone() for k, v in net.state_dict().items()}
        self.rows: list[dict[str, float]] = []
        self.best: dict[str, torch.Tensor] = {}
        self.steps_an_epoch = len(training.images) // recipe.batch
        if not self.steps_an_epoch:
            raise UsageError(
                f"batch: expected at most the {len(training.images)} faces to learn from, got {recipe.batch}"
            )

    def begin(self) -> int:
        refuse_checkpoint(self.work)
        return 0

    def resume(self) -> int:
        read_checkpoint(self.work, self.recipe, self.device, self._restore)
        return len(self.rows)

    def _restore(self, kept: dict[str, Any]) -> None:
        self.net.load_state_dict(kept["net"])
        self.optimiser.load_state_dict(kept["optimiser"])
        self.averaged, self.best, self.rows = kept["averaged"], kept["best"], kept["rows"]

    def exhausted(self) -> bool:
        patience = self.recipe.patience
        return patience is not None and len(self.rows) - self.best_epoch >= patience and bool(self.rows)

    @property
    def best_epoch(self) -> int:
        """Number, from 1, of the first epoch with the highest validation accuracy."""
        return 1 + int(np.argmax([row["val_accuracy"] for row in self.rows])) if self.rows else 0

    def epoch(self, epoch: int) -> dict[str, float]:
        began = time.perf_counter()
        size = self.recipe.size_at(epoch)
        train_loss = self._steps(epoch, size)
        shipped = self._shipped_net()
        logits = predict_logits(
            shipped, self.validation.images, size=self.recipe.sizes[-1][1], device=self.device,
            mirror=False, bf16=self.recipe.bf16,
        )  # fmt: skip
        labels = self.validation.labels
        self.rows.append(
            {
                "epoch": epoch + 1,
                "size": size,
                "rate": self.recipe.rate_at((epoch + 1) * self.steps_an_epoch - 1, self._all_steps),
                "train_loss": train_loss,
                "val_loss": log_loss(logits, labels),
                "val_accuracy": float((logits.argmax(1) == labels).mean()),
                "seconds": round(time.perf_counter() - began, 2),
            }
        )
        if self.best_epoch == epoch + 1:
            self.best = {k: v.detach().clone() for k, v in self.averaged.items()}
        return self.rows[-1]

    @property
    def _all_steps(self) -> int:
        return self.steps_an_epoch * self.recipe.epochs

    def _steps(self, epoch: int, size: int) -> float:
        """Train one epoch; returns its mean loss."""
        recipe = self.recipe
        rng = np.random.default_rng((recipe.seed, epoch))
        torch.manual_seed(int(rng.integers(2**31)))  # dropout draws from torch's own generator
        order = rng.permutation(len(self.training.images))
        self.net.train()
        total = 0.0
        steps, part = self.steps_an_epoch, f"epoch {epoch + 1} of {recipe.epochs}"
        for i in progress(range(steps), total=steps, unit="batch", part=part):
            rows = order[i * recipe.batch : (i + 1) * recipe.batch]
            step = epoch * self.steps_an_epoch + i
            for group in self.optimiser.param_groups:
                group["lr"] = recipe.rate_at(step, self._all_steps)
            loss = self._loss(rows, size, rng)
            value = loss.item()
            if not math.isfinite(value):
                raise TrainingError(self._stopped(f"the loss is {value} in epoch {epoch + 1}, batch {i + 1}"))
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
            self.optimiser.step()
            self._average(step)
            total += value
        return total / self.steps_an_epoch

    def _loss(self, rows: np.ndarray, size: int, rng: np.random.Generator) -> torch.Tensor:
        recipe = self.recipe
        crops = recipe.augment(as_batch(self.training.images[rows]).to(self.device), size, rng)
        targets = torch.from_numpy(self.training.targets[rows]).to(self.device)
        smoothing = recipe.smoothing if targets.ndim == 1 else 0.0
        share = float(rng.beta(recipe.mixup, recipe.mixup)) if recipe.mixup else 1.0
        if recipe.mixup:
            crops = share * crops + (1 - share) * crops.flip(0)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=recipe.bf16):
            logits = self.net(crops.to(memory_format=torch.channels_last))
        logits = logits.float()
        loss = nn.functional.cross_entropy(logits, targets, label_smoothing=smoothing)
        if recipe.mixup:
            other = nn.functional.cross_entropy(logits, targets.flip(0), label_smoothing=smoothing)
            loss = share * loss + (1 - share) * other
        return loss

    @torch.no_grad()
    def _average(self, step: int) -> None:
        keep = min(self.recipe.average, (1 + step) / (10 + step))
        for name, value in self.net.state_dict().items():
            if value.is_floating_point():
                self.averaged[name].lerp_(value, 1 - keep)
            else:
                self.averaged[name].copy_(value)

    def _shipped_net(self) -> nn.Module:
        import copy

        net = copy.deepcopy(self.net)
        net.load_state_dict(self.averaged)
        return net

    def _stopped(self, why: str) -> str:
        kept = (
            f"{self.work / CHECKPOINT} holds epoch {len(self.rows)}" if self.rows else "no epoch was finished"
        )
        return f"training stopped: {why}; {kept}; lower the rate and train again"

    def save(self) -> None:
        """Write the checkpoint and the curves, each whole or not at all."""
        state = {
            "net": self.net.state_dict(), "averaged": self.averaged, "best": self.best,
            "optimiser": self.optimiser.state_dict(), "rows": self.rows,
        }  # fmt: skip
        write_checkpoint(self.work, self.recipe, state, self.rows)

    def result(self) -> Trained:
        import pandas as pd

        history = pd.DataFrame(self.rows)
        draw_curves(history, self.work / CURVES_FIGURE)
        self.net.load_state_dict(self.best)
        logits = predict_logits(
            self.net, self.validation.images, size=self.recipe.sizes[-1][1], device=self.device
        )
        state = {k: v.detach().cpu() for k, v in self.best.items()}
        return Trained(state, history, self.best_epoch, fit_temperature(logits, self.validation.labels))


def _optimiser(net: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    groups = [
        {"params": [p for p in net.parameters() if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in net.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.rate)
    return torch.optim.SGD(groups, lr=recipe.rate, momentum=0.9, nesterov=True)
