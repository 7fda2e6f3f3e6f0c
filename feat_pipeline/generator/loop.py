"""How the generator and the discriminator are trained, resumed exactly where they stopped.

As in `feat_pipeline.training.loop`, everything random in an epoch comes from the seed and the epoch's number.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from analysis.filenames import CHECKPOINT
from feat_pipeline.errors import TrainingError, UsageError
from feat_pipeline.generator.augment import DiffAugment
from feat_pipeline.generator.nets import Discriminator, Generator
from feat_pipeline.progress import progress
from feat_pipeline.training.checkpoint import read_checkpoint, refuse_checkpoint, write_checkpoint
from feat_pipeline.training.recipe import Examples


@dataclass(frozen=True)
class GanRecipe:
    """How the two networks are trained.

    Parameters
    ----------
    epochs, batch, seed : int
    generator_rate, discriminator_rate : float
        Learning rates of Adam (betas .5 and .99): the discriminator learns faster (Heusel et al., 2017).
    decay : float
        Share of the epochs, at the end, over which both rates fall by a line to a tenth. Where it is 0, a
        training can be resumed with more epochs than it was begun with.
    average : float
        Decay per step of the moving average of the generator's weights, which is what is kept.
    balance : float
        Classes are drawn in proportion to their number of faces to the power of 1 - balance: 0 as they are,
        1 all alike.
    r1 : float
        Weight of the penalty on the gradient at real faces (Mescheder et al., 2018); 0: none.
    r1_every : int
        Steps between two penalties, each then as many times heavier (Karras et al., 2020).
    bf16 : bool
        Matrix products in bfloat16.
    augment : DiffAugment
    """

    epochs: int = 60
    batch: int = 64
    seed: int = 0
    generator_rate: float = 1e-4
    discriminator_rate: float = 4e-4
    decay: float = 0.0
    average: float = 0.998
    balance: float = 0.5
    r1: float = 0.0
    r1_every: int = 16
    bf16: bool = True
    augment: DiffAugment = field(default_factory=DiffAugment)

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 2:
            raise UsageError(f"epochs, batch: expected at least 1 and 2, got {self.epochs} and {self.batch}")
        if self.generator_rate <= 0 or self.discriminator_rate <= 0:
            raise UsageError(
                f"rate: expected rates above 0, got {self.generator_rate} and {self.discriminator_rate}"
            )
        if not 0 <= self.balance <= 1:
            raise UsageError(f"balance: expected 0 to 1, got {self.balance}")

    def slowed(self, done: float) -> float:
        """Factor of the rates where a share of the training is done."""
        return 1.0 if done < 1 - self.decay else 1 - 0.9 * (done - 1 + self.decay) / (self.decay or 1)


def train_networks(
    generator: Generator,
    discriminator: Discriminator,
    faces: Examples,
    recipe: GanRecipe,
    *,
    work: Path,
    resume: bool = False,
    device: torch.device,
    judge: Callable[[Generator, int], dict[str, float]] | None = None,
    report: Callable[[Generator, dict[str, float]], None] | None = None,
) -> tuple[dict[str, torch.Tensor], list[dict[str, float]]]:
    """Train both networks; what is kept is the generator's moving average.

    Parameters
    ----------
    generator, discriminator : Module
        As they stand at the beginning.
    faces : Examples
        With one class each, uint8 (n, side, side).
    recipe : GanRecipe
    work : Path
        Folder of ``checkpoint.pt`` and ``curves.csv``, written after every epoch.
    resume : bool
        Go on from the folder's checkpoint: the weights at the end are those of an uninterrupted training.
    device : torch.device
    judge : callable, optional
        Gets the averaged generator and the epoch's number, from 1; its numbers are added to the epoch's row.
    report : callable, optional
        Gets the averaged generator and the epoch's row, when the checkpoint is written.

    Returns
    -------
    state : dict of str to tensor
        The averaged generator's.
    rows : list of dict
        One an epoch: ``epoch, discriminator_loss, generator_loss, real_score, made_score, rate, seconds``
        and what `judge` told.

    Raises
    ------
    UsageError, InputError, OutputError
        See `feat_pipeline.training.checkpoint`.
    TrainingError
        A loss is no number. The checkpoint of the epoch before is kept.
    """
    loop = _Loop(generator, discriminator, faces, recipe, work, device)
    if resume:
        free = () if recipe.decay else ("epochs",)
        read_checkpoint(work, recipe, device, loop.restore, free=free)
    else:
        refuse_checkpoint(work)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        for epoch in range(len(loop.rows), recipe.epochs):
            row = loop.epoch(epoch)
            averaged = loop.averaged.eval()
            if judge is not None:
                row |= judge(averaged, epoch + 1)
            write_checkpoint(work, recipe, loop.state(), loop.rows)
            if report is not None:
                report(averaged, row)
    return {name: value.cpu() for name, value in loop.averaged.state_dict().items()}, loop.rows


class _Loop:
    """The state of a training between its epochs."""

    def __init__(
        self, generator: Generator, discriminator: Discriminator, faces: Examples, recipe: GanRecipe,
        work: Path, device: torch.device,
    ) -> None:  # fmt: skip
        self.generator = generator.to(device, memory_format=torch.channels_last)
        self.discriminator = discriminator.to(device, memory_format=torch.channels_last)
        self.averaged = copy.deepcopy(self.generator)
        self.faces, self.recipe, self.work, self.device = faces, recipe, work, device
        self.rows: list[dict[str, float]] = []
        self.optimisers = [
            torch.optim.Adam(net.parameters(), lr=rate, betas=(0.5, 0.99), fused=True)
            for net, rate in ((generator, recipe.generator_rate), (discriminator, recipe.discriminator_rate))
        ]
        self.steps = len(faces.images) // recipe.batch
        if not self.steps:
            raise UsageError(f"batch: expected at most the {len(faces.images)} faces, got {recipe.batch}")
        self.weights, self.shares = drawn_shares(faces.targets, recipe.balance)

    def state(self) -> dict[str, Any]:
        return {
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "rows": self.rows,
        }

    def restore(self, kept: dict[str, Any]) -> None:
        self.generator.load_state_dict(kept["generator"])
        self.discriminator.load_state_dict(kept["discriminator"])
        self.averaged.load_state_dict(kept["averaged"])
        for optimiser, state in zip(self.optimisers, kept["optimisers"], strict=True):
            optimiser.load_state_dict(state)
        self.rows = kept["rows"]

    def epoch(self, epoch: int) -> dict[str, float]:
        began = time.perf_counter()
        recipe = self.recipe
        rng = np.random.default_rng((recipe.seed, epoch))
        torch.manual_seed(int(rng.integers(2**31)))
        rows = rng.choice(len(self.faces.images), (self.steps, recipe.batch), p=self.weights)
        classes = rng.choice(len(self.shares), (self.steps, recipe.batch), p=self.shares)
        self.generator.train()
        self.discriminator.train()
        told = torch.zeros(4)
        part = f"epoch {epoch + 1} of {recipe.epochs}"
        for i in progress(range(self.steps), total=self.steps, unit="batch", part=part):
            step = epoch * self.steps + i
            factor = recipe.slowed(step / (recipe.epochs * self.steps))
            for optimiser, rate in zip(self.optimisers, self._rates(), strict=True):
                optimiser.param_groups[0]["lr"] = rate * factor
            told += self._step(step, self._batch(rows[i]), torch.from_numpy(classes[i]).to(self.device))
        means = (told / self.steps).tolist()
        if not all(map(math.isfinite, means)):
            raise TrainingError(self._stopped(epoch))
        names = ("discriminator_loss", "generator_loss", "real_score", "made_score")
        self.rows.append(
            {"epoch": epoch + 1, **dict(zip(names, means, strict=True)),
             "rate": recipe.generator_rate * factor, "seconds": round(time.perf_counter() - began, 2)}
        )  # fmt: skip
        return self.rows[-1]

    def _rates(self) -> tuple[float, float]:
        return self.recipe.generator_rate, self.recipe.discriminator_rate

    def _batch(self, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        faces = torch.from_numpy(self.faces.images[rows]).to(self.device).float()[:, None] / 127.5 - 1
        return faces, torch.from_numpy(self.faces.targets[rows]).to(self.device)

    def _step(
        self, step: int, batch: tuple[torch.Tensor, torch.Tensor], classes: torch.Tensor
    ) -> torch.Tensor:
        """Train both once, on the same made faces; returns losses and mean scores, shape (4,)."""
        recipe, (real, labels) = self.recipe, batch
        noise = torch.randn(len(classes), self.generator.latent).to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=recipe.bf16):
            made = self.generator(noise, classes)
        made = made.float()
        told = self._discriminator_step(step, real, labels, made.detach(), classes)
        for value in self.discriminator.parameters():
            value.requires_grad_(False)
        loss = -self._scores(recipe.augment(made), classes).mean()
        self.optimisers[0].zero_grad(set_to_none=True)
        loss.backward()
        self.optimisers[0].step()
        for value in self.discriminator.parameters():
            value.requires_grad_(True)
        self._average(step)
        return torch.stack([told[0], loss.detach().cpu(), *told[1:]])

    def _discriminator_step(
        self, step: int, real: torch.Tensor, labels: torch.Tensor, made: torch.Tensor, classes: torch.Tensor
    ) -> list[torch.Tensor]:
        recipe = self.recipe
        looked_at = torch.cat([recipe.augment(real), recipe.augment(made)])
        real_scores, made_scores = self._scores(looked_at, torch.cat([labels, classes])).chunk(2)
        loss = nn.functional.relu(1 - real_scores).mean() + nn.functional.relu(1 + made_scores).mean()
        total = loss
        if recipe.r1 and step % recipe.r1_every == 0:
            total = loss + recipe.r1 * recipe.r1_every / 2 * self._penalty(real, labels)
        self.optimisers[1].zero_grad(set_to_none=True)
        total.backward()
        self.optimisers[1].step()
        return [value.detach().cpu() for value in (loss, real_scores.mean(), made_scores.mean())]

    def _scores(self, faces: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.bf16):
            return self.discriminator(faces, labels).float()

    def _penalty(self, real: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        real = self.recipe.augment(real).requires_grad_(True)
        scores = self.discriminator(real, labels)
        (gradient,) = torch.autograd.grad(scores.sum(), real, create_graph=True)
        return gradient.square().sum((1, 2, 3)).mean()

    @torch.no_grad()
    def _average(self, step: int) -> None:
        keep = min(self.recipe.average, (1 + step) / (10 + step))
        now = self.generator.state_dict()
        for name, value in self.averaged.state_dict().items():
            if value.is_floating_point():
                value.lerp_(now[name], 1 - keep)
            else:
                value.copy_(now[name])

    def _stopped(self, epoch: int) -> str:
        kept = (
            f"{self.work / CHECKPOINT} holds epoch {len(self.rows)}" if self.rows else "no epoch was finished"
        )
        return f"training stopped: a loss is no number in epoch {epoch + 1}; {kept}; lower the rates"


def drawn_shares(labels: np.ndarray, balance: float) -> tuple[np.ndarray, np.ndarray]:
    """Tell how probable each face is to be drawn, and each class.

    Parameters
    ----------
    labels : ndarray of int64, shape (n,)
    balance : float
        See `GanRecipe`.

    Returns
    -------
    ndarray of float, shape (n,), and shape (K,)
    """
    counts = np.bincount(labels).astype(float)
    shares = np.where(counts > 0, counts ** (1 - balance), 0)
    shares /= shares.sum()
    return (shares / np.maximum(counts, 1))[labels], shares
