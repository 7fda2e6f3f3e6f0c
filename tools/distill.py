"""How train_embedded.py and train_detector.py train: so many steps on batches made beside the training.

The loop is `feat_pipeline.training.loop.train`; here stand the rates, the batches and the checkpoint's place.
"""

from __future__ import annotations

import json
import math
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from analysis.filenames import CHECKPOINT
from feat_pipeline.training.loop import Row, Task, train

_AHEAD = 8  # batches that are made before they are needed

Arrays = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class DistillRecipe:
    """How a network learns a teacher's answers.

    ``rate`` is the highest of AdamW: reached by a line over ``warmup`` steps, left by a cosine to 0.
    ``average`` is the decay of the weights' moving average. Every ``steps_an_epoch`` steps a checkpoint is
    written, and every ``judged_every`` epochs the averaged network is judged.
    """

    steps: int
    batch: int
    rate: float
    seed: int
    average: float
    warmup: int
    steps_an_epoch: int
    judged_every: int = 4

    def rate_at(self, step: int) -> float:
        rising = min(1.0, (step + 1) / self.warmup)
        return self.rate * rising * 0.5 * (1 + math.cos(math.pi * step / self.steps))


class Batches(Dataset):
    """The batch of a step; it depends on seed and step alone."""

    def __init__(self, make: Callable[[int], Arrays]) -> None:
        self.make = make

    def __getitem__(self, step: int) -> Arrays:
        return self.make(step)


class DistillTask(Task[list[torch.Tensor]]):
    """A network that learns a teacher's answers; ``make`` gives the arrays of a step's batch."""

    def __init__(
        self, net: nn.Module, optimiser: torch.optim.Optimizer, recipe: DistillRecipe,
        make: Callable[[int], Arrays], processes: int = 1,
    ) -> None:  # fmt: skip
        super().__init__(net, [optimiser], steps=recipe.steps, steps_an_epoch=recipe.steps_an_epoch)
        self.recipe, self.make, self.processes = recipe, make, processes
        self._made: Iterator[list[torch.Tensor]] | None = None

    @abstractmethod
    def losses(self, batch: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return named losses, whose sum is made less."""

    @abstractmethod
    def judge(self, averaged: nn.Module) -> Row:
        """Return numbers on the validation photos."""

    def rates(self, step: int) -> tuple[float]:
        return (self.recipe.rate_at(step),)

    def batches(self, steps: range, rng: np.random.Generator) -> Iterator[list[torch.Tensor]]:
        if self._made is None:  # one loader for all epochs: its processes stay at work between them
            cv2.setNumThreads(1)  # forked processes would wait for OpenCV's threads for ever
            loader = DataLoader(
                Batches(self.make), batch_size=None, sampler=range(steps.start, self.steps),
                num_workers=self.processes, prefetch_factor=_AHEAD, multiprocessing_context="fork",
            )  # fmt: skip
            self._made = iter(loader)
        return islice(self._made, len(steps))

    def training_step(
        self, batch: list[torch.Tensor], step: int, rng: np.random.Generator
    ) -> dict[str, torch.Tensor]:
        losses = self.losses(batch)
        self.descend(torch.stack([*losses.values()]).sum())
        return {name: value.detach() for name, value in losses.items()}

    def history_row(self, epoch: int, rate: float, means: Row, averaged: nn.Module) -> Row:
        row = super().history_row(epoch, rate, means, averaged)
        return row | (self.judge(averaged) if epoch % self.recipe.judged_every == 0 else {})


def distill(task: DistillTask, work: Path) -> nn.Module:
    """Train, going on from the checkpoint where the folder holds one; returns the averaged network."""
    resume = (work / CHECKPOINT).exists()
    return train(
        task, task.recipe, work=work, resume=resume, report=lambda _, row: print(json.dumps(row), flush=True)
    )
