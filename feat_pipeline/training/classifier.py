"""The training of a classifier on face crops: its loss, its validation, the epoch that is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from analysis.filenames import CURVES_FIGURE
from analysis.files import atomic_path
from feat_pipeline.errors import UsageError
from feat_pipeline.files import named_errors
from feat_pipeline.training.batches import as_batch, pick_device, predict_logits
from feat_pipeline.training.loop import Row, Task, train
from feat_pipeline.training.parameters import decay_groups
from feat_pipeline.training.recipe import Examples, Recipe
from feat_pipeline.training.temperature import fit_temperature

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
        From 1; 0 where no epoch was better than the start.
    start_accuracy : float or None
        Of the network as it came, on the validation faces; None where it was not to be kept.
    temperature : float
        By which logits are divided so that the validation faces' log loss is least (Guo et al., 2017).
    """

    state: dict[str, torch.Tensor]
    history: pd.DataFrame
    best_epoch: int
    temperature: float
    start_accuracy: float | None = None


def train_classifier(
    net: nn.Module,
    training: Examples,
    validation: Examples,
    recipe: Recipe,
    *,
    work: str | Path,
    resume: bool = False,
    device: str | None = None,
    report: Callable[[Row], None] | None = None,
    trained: bool = False,
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
    trained : bool
        The network is a trained one: its state is kept where no epoch is better.

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
    import pandas as pd

    work = Path(work)
    task = ClassifierTask(net, training, validation, recipe, pick_device(device))
    if trained:
        task.judge_start()
    report_row = None if report is None else lambda _, row: report(row)
    train(task, recipe, work=work, resume=resume, report=report_row)
    history = pd.DataFrame(task.history)
    draw_curves(history, work / CURVES_FIGURE)
    net.load_state_dict(task.best)
    logits = predict_logits(net, validation.images, size=recipe.sizes[-1][1], device=task.device)
    state = {k: v.detach().cpu() for k, v in task.best.items()}
    return Trained(
        state, history, task.best_epoch, fit_temperature(logits, validation.labels), task.start_accuracy
    )


class ClassifierTask(Task[np.ndarray]):
    """A network, the faces it learns from and those it is judged by; see `train_classifier`."""

    def __init__(
        self, net: nn.Module, training: Examples, validation: Examples, recipe: Recipe, device: torch.device
    ) -> None:
        self.training, self.validation, self.recipe, self.device = training, validation, recipe, device
        self.best: dict[str, torch.Tensor] = {}
        self.start_accuracy: float | None = None
        steps_an_epoch = len(training.images) // recipe.batch
        if not steps_an_epoch:
            raise UsageError(
                f"batch: expected at most the {len(training.images)} faces to learn from, got {recipe.batch}"
            )
        net = net.to(device, memory_format=torch.channels_last)
        steps = steps_an_epoch * recipe.epochs
        super().__init__(net, [_optimiser(net, recipe)], steps=steps, steps_an_epoch=steps_an_epoch)

    def rates(self, step: int) -> tuple[float]:
        """See `Recipe.rate_at`."""
        return (self.recipe.rate_at(step, self.steps),)

    def batches(self, steps: range, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """Yield rows of the faces to learn from, every face at most once."""
        order = rng.permutation(len(self.training.images))
        for i in range(len(steps)):
            yield order[i * self.recipe.batch : (i + 1) * self.recipe.batch]

    def training_step(
        self, batch: np.ndarray, step: int, rng: np.random.Generator
    ) -> dict[str, torch.Tensor]:
        """Learn from the faces of some rows."""
        loss = self.loss(batch, self.recipe.size_at(step // self.steps_an_epoch), rng)
        self.descend(loss)
        return {"train_loss": loss.detach()}

    def loss(self, rows: np.ndarray, size: int, rng: np.random.Generator) -> torch.Tensor:
        """Return the cross-entropy of changed and, by the recipe, mixed faces."""
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

    def judge_start(self) -> None:
        """Keep the network as it stands, unless an epoch is better."""
        self.net.eval()
        _, self.start_accuracy = self._judged(self.net)
        self.net.train()
        self.best = {k: v.detach().clone() for k, v in self.net.state_dict().items()}

    def _judged(self, net: nn.Module) -> tuple[np.ndarray, float]:
        """Return the logits of the validation faces, and the share that is right."""
        logits = predict_logits(
            net, self.validation.images, size=self.recipe.sizes[-1][1], device=self.device, mirror=False,
            bf16=self.recipe.bf16,
        )  # fmt: skip
        return logits, float((logits.argmax(1) == self.validation.labels).mean())

    def _accuracies(self) -> list[float]:
        """Return the validation accuracies of the start (-1: not to be kept) and of every epoch."""
        start = -1.0 if self.start_accuracy is None else self.start_accuracy
        return [start, *(row["val_accuracy"] for row in self.history)]

    def history_row(self, epoch: int, rate: float, means: Row, averaged: nn.Module) -> Row:
        """Validate the averaged network, and keep its state where it is the best so far."""
        labels = self.validation.labels
        logits, accuracy = self._judged(averaged)
        if accuracy > max(self._accuracies()):
            self.best = {k: v.detach().clone() for k, v in averaged.state_dict().items()}
        loss = nn.functional.cross_entropy(torch.from_numpy(logits).double(), torch.from_numpy(labels).long())
        return {
            "epoch": epoch, "size": self.recipe.size_at(epoch - 1), "rate": rate, **means,
            "val_loss": loss.item(), "val_accuracy": accuracy,
        }  # fmt: skip

    def exhausted(self) -> bool:
        """Tell whether the last `Recipe.patience` epochs were no better."""
        patience, done = self.recipe.patience, len(self.history)
        return patience is not None and done > 0 and done - self.best_epoch >= patience

    @property
    def best_epoch(self) -> int:
        """Number, from 1, of the first epoch with the highest validation accuracy; 0: the start's is."""
        return int(np.argmax(self._accuracies()))

    def state_dict(self) -> dict[str, Any]:
        """Return the state with that of the best epoch."""
        return super().state_dict() | {"best": self.best, "start_accuracy": self.start_accuracy}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        super().load_state_dict(state)
        self.best, self.start_accuracy = state["best"], state.get("start_accuracy")


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


def _optimiser(net: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    groups = decay_groups(net, recipe.weight_decay, recipe.early)
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(groups)
    return torch.optim.SGD(groups, momentum=0.9, nesterov=True)
