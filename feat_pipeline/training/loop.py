"""The one training loop: what is trained comes as a `Task`, and is resumed exactly where it stopped.

Everything random in an epoch comes from the recipe's seed and the epoch's number, so that a checkpoint
at the end of an epoch needs no state of a generator to go on with the very same numbers.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from analysis.filenames import CHECKPOINT
from feat_pipeline.errors import TrainingError
from feat_pipeline.progress import progress
from feat_pipeline.training.checkpoint import read_checkpoint, refuse_checkpoint, write_checkpoint
from feat_pipeline.training.parameters import moving_average

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    class LoopRecipe(DataclassInstance, Protocol):
        """What the loop itself reads of a recipe."""

        @property
        def seed(self) -> int:
            """Of all that is random."""

        @property
        def average(self) -> float:
            """Decay per step of the weights' moving average."""


Batch = TypeVar("Batch")
Row = dict[str, float]
_LARGEST_GRADIENT = 5.0


class Task(ABC, Generic[Batch]):
    """What is trained: a network, its optimisers, its data and its losses.

    Parameters
    ----------
    net : Module
        The network whose weights are averaged, on its device.
    optimisers : sequence of Optimizer
        Their rates are set by the loop.
    steps, steps_an_epoch : int
        Of the whole training and of each epoch; the last epoch may have fewer.

    Attributes
    ----------
    history : list of dict
        A row an epoch.
    """

    #: What a training that diverges says.
    diverged: ClassVar[str] = (
        "the loss is {value} in epoch {epoch}, batch {batch}; {kept}; lower the rate and train again"
    )

    def __init__(
        self, net: nn.Module, optimisers: Sequence[Optimizer], *, steps: int, steps_an_epoch: int
    ) -> None:
        self.net, self.optimisers = net.train(), optimisers
        self.steps, self.steps_an_epoch = steps, steps_an_epoch
        self.history: list[Row] = []

    @abstractmethod
    def rates(self, step: int) -> Sequence[float]:
        """Return the learning rate of each optimiser at a step, counted from 0."""

    @abstractmethod
    def batches(self, steps: range, rng: np.random.Generator) -> Iterable[Batch]:
        """Return the batches of an epoch's steps; ``rng`` is the epoch's."""

    @abstractmethod
    def training_step(self, batch: Batch, step: int, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Learn from a batch; returns named numbers, whose means over the epoch enter the history."""

    def history_row(self, epoch: int, rate: float, means: Row, averaged: nn.Module) -> Row:
        """Return what the history says of an epoch, counted from 1; the averaged network is judged here."""
        return {"epoch": epoch, "rate": rate, **means}

    def exhausted(self) -> bool:
        """Tell whether to stop before the last epoch."""
        return False

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps, beside the moving average and the history."""
        return {"net": self.net.state_dict(), "optimiser": self.optimisers[0].state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.net.load_state_dict(state["net"])
        self.optimisers[0].load_state_dict(state["optimiser"])

    def descend(self, loss: torch.Tensor) -> None:
        """Take one step of the first optimiser, the gradient's norm being bounded."""
        self.optimisers[0].zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), _LARGEST_GRADIENT)
        self.optimisers[0].step()


def train(
    task: Task[Any],
    recipe: LoopRecipe,
    *,
    work: Path,
    resume: bool = False,
    free: Sequence[str] = (),
    report: Callable[[nn.Module, Row], None] | None = None,
) -> nn.Module:
    """Train until the last epoch, or until the task is exhausted.

    Parameters
    ----------
    task : Task
        As it stands at the beginning.
    recipe : dataclass
        With the ``seed`` and the ``average`` (decay per step of the moving average); a checkpoint of
        another one is refused.
    work : Path
        Folder of ``checkpoint.pt`` and ``curves.csv``, each written whole after every epoch.
    resume : bool
        Go on from the folder's checkpoint: the weights at the end are those of an uninterrupted training.
    free : sequence of str
        Fields of the recipe that may differ from the checkpoint's.
    report : callable, optional
        Gets the averaged network and the epoch's row, when the checkpoint is written.

    Returns
    -------
    Module
        The moving average of ``task.net``, in evaluation mode.

    Raises
    ------
    UsageError, InputError, OutputError
        See `feat_pipeline.training.checkpoint`.
    TrainingError
        A loss is no number. The checkpoint of the epoch before is kept.
    """
    loop = _Loop(task, recipe, work)
    if resume:
        read_checkpoint(work, recipe, loop.device, loop.load_state_dict, free=free)
    else:
        refuse_checkpoint(work)
    loop.schedule()
    with torch.random.fork_rng(devices=[loop.device] if loop.device.type == "cuda" else []):
        for epoch in range(len(task.history), loop.epochs):
            if task.exhausted():
                break
            loop.epoch(epoch)
            loop.save()
            if report is not None:
                report(loop.averaged.module, task.history[-1])
    return loop.averaged.module


class _Loop:
    """A training between its epochs."""

    def __init__(self, task: Task[Any], recipe: LoopRecipe, work: Path) -> None:
        self.task, self.recipe, self.work = task, recipe, work
        self.device: torch.device = next(task.net.parameters()).device
        self.averaged = moving_average(task.net, recipe.average)
        self.epochs = math.ceil(task.steps / task.steps_an_epoch)

    def schedule(self) -> None:
        """Begin the schedule of the rates, or take it up where the history ends."""
        done = self._steps(len(self.task.history)).start
        self.schedulers = []
        for i, optimiser in enumerate(self.task.optimisers):
            for group in optimiser.param_groups:
                # of 1 the scheduler's factor is the rate itself, to the last digit
                group["initial_lr"] = group.get("share", 1.0)
            self.schedulers.append(
                LambdaLR(optimiser, lambda step, i=i: self.task.rates(step)[i], last_epoch=done - 1)
            )

    def epoch(self, epoch: int) -> None:
        """Train one epoch and add its row to the history."""
        began = time.perf_counter()
        task, steps = self.task, self._steps(epoch)
        rng = np.random.default_rng((self.recipe.seed, epoch))
        torch.manual_seed(int(rng.integers(2**31)))  # dropout draws from torch's own generator
        part = f"epoch {epoch + 1} of {self.epochs}"
        batches = progress(task.batches(steps, rng), total=len(steps), unit="batch", part=part)
        sums: Row = {}
        for step, batch in zip(steps, batches, strict=True):
            values = task.training_step(batch, step, rng)
            for name, value in zip(values, torch.stack([*values.values()]).tolist(), strict=True):
                if not math.isfinite(value):
                    raise TrainingError(self._diverged(value, epoch, step - steps.start))
                sums[name] = sums.get(name, 0.0) + value
            self.averaged.update_parameters(task.net)
            rate = self.schedulers[0].get_last_lr()[0]
            for scheduler in self.schedulers:
                scheduler.step()
        means = {name: total / len(steps) for name, total in sums.items()}
        row = task.history_row(epoch + 1, rate, means, self.averaged.module)
        task.history.append(row | {"seconds": round(time.perf_counter() - began, 2)})

    def save(self) -> None:
        """Write the checkpoint and the curves, each whole or not at all."""
        kept = {"averaged": self.averaged.module.state_dict(), "rows": self.task.history}
        write_checkpoint(self.work, self.recipe, self.task.state_dict() | kept, self.task.history)

    def load_state_dict(self, kept: Mapping[str, Any]) -> None:
        """Restore what `save` wrote."""
        self.task.load_state_dict(kept)
        self.task.history[:] = kept["rows"]
        self.averaged.module.load_state_dict(kept["averaged"])
        self.averaged.n_averaged.fill_(1 + self._steps(len(kept["rows"])).start)

    def _steps(self, epoch: int) -> range:
        """Numbers of an epoch's steps, counted from 0."""
        first, last = (min(n * self.task.steps_an_epoch, self.task.steps) for n in (epoch, epoch + 1))
        return range(first, last)

    def _diverged(self, value: float, epoch: int, batch: int) -> str:
        done = len(self.task.history)
        kept = f"{self.work / CHECKPOINT} holds epoch {done}" if done else "no epoch was finished"
        said = self.task.diverged.format(value=value, epoch=epoch + 1, batch=batch + 1, kept=kept)
        return f"training stopped: {said}"
