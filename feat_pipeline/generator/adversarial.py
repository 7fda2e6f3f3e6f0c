"""How the generator and the discriminator learn from each other: losses, rates, drawn faces and classes.

The loop, its checkpoint and the moving average are those of `feat_pipeline.training.loop`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from feat_pipeline.errors import UsageError
from feat_pipeline.generator.differentiable_augment import DiffAugment
from feat_pipeline.generator.nets import Discriminator, Generator
from feat_pipeline.training.loop import Row, Task, train
from feat_pipeline.training.recipe import Examples

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


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
    judge: Callable[[Generator, int], Row] | None = None,
    report: Callable[[Generator, Row], None] | None = None,
) -> tuple[dict[str, torch.Tensor], list[Row]]:
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
        One an epoch: ``epoch, discriminator_loss, generator_loss, real_score, made_score, rate``, what
        `judge` found, and ``seconds``.

    Raises
    ------
    UsageError, InputError, OutputError
        See `feat_pipeline.training.checkpoint`.
    TrainingError
        A loss is no number. The checkpoint of the epoch before is kept.
    """
    task = AdversarialTask(generator, discriminator, faces, recipe, device, judge)
    free = () if recipe.decay else ("epochs",)
    averaged = train(task, recipe, work=work, resume=resume, free=free, report=report)
    return {name: value.cpu() for name, value in averaged.state_dict().items()}, task.history


class AdversarialTask(Task[Batch]):
    """A generator and a discriminator, and the faces they learn from; see `train_networks`."""

    diverged: ClassVar[str] = "a loss is no number in epoch {epoch}; {kept}; lower the rates"

    def __init__(
        self, generator: Generator, discriminator: Discriminator, faces: Examples, recipe: GanRecipe,
        device: torch.device, judge: Callable[[Generator, int], Row] | None,
    ) -> None:  # fmt: skip
        steps = len(faces.images) // recipe.batch
        if not steps:
            raise UsageError(f"batch: expected at most the {len(faces.images)} faces, got {recipe.batch}")
        self.generator = generator.to(device, memory_format=torch.channels_last)
        self.discriminator = discriminator.to(device, memory_format=torch.channels_last).train()
        self.faces, self.recipe, self.device, self.judge = faces, recipe, device, judge
        self.face_shares, self.class_shares = drawn_shares(faces.targets, recipe.balance)
        optimisers = [
            torch.optim.Adam(net.parameters(), betas=(0.5, 0.99), fused=True)
            for net in (generator, discriminator)
        ]
        super().__init__(generator, optimisers, steps=steps * recipe.epochs, steps_an_epoch=steps)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of both networks and of their optimisers."""
        return {
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.generator.load_state_dict(state["generator"])
        self.discriminator.load_state_dict(state["discriminator"])
        for optimiser, kept in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(kept)

    def rates(self, step: int) -> tuple[float, float]:
        """Return the generator's rate and the discriminator's."""
        factor = self.recipe.slowed(step / self.steps)
        return self.recipe.generator_rate * factor, self.recipe.discriminator_rate * factor

    def batches(self, steps: range, rng: np.random.Generator) -> Iterator[Batch]:
        """Yield real faces, -1 to 1, with their classes, and the classes of the faces to make."""
        size = (len(steps), self.recipe.batch)
        rows = rng.choice(len(self.faces.images), size, p=self.face_shares)
        classes = rng.choice(len(self.class_shares), size, p=self.class_shares)
        for some, wanted in zip(rows, classes, strict=True):
            faces = torch.from_numpy(self.faces.images[some]).to(self.device).float()[:, None] / 127.5 - 1
            labels = torch.from_numpy(self.faces.targets[some]).to(self.device)
            yield faces, labels, torch.from_numpy(wanted).to(self.device)

    def training_step(self, batch: Batch, step: int, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Train both once, on the same made faces; returns losses and mean scores."""
        recipe, (real, labels, classes) = self.recipe, batch
        noise = torch.randn(len(classes), self.generator.latent).to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=recipe.bf16):
            made = self.generator(noise, classes)
        made = made.float()
        loss, real_score, made_score = self._discriminator_step(step, real, labels, made.detach(), classes)
        self.discriminator.requires_grad_(False)
        generator_loss = -self._scores(recipe.augment(made), classes).mean()
        self.optimisers[0].zero_grad(set_to_none=True)
        generator_loss.backward()
        self.optimisers[0].step()
        self.discriminator.requires_grad_(True)
        return {
            "discriminator_loss": loss, "generator_loss": generator_loss.detach(), "real_score": real_score,
            "made_score": made_score,
        }  # fmt: skip

    def history_row(self, epoch: int, rate: float, means: Row, averaged: Generator) -> Row:
        """Return the epoch's row with what the judge says of the averaged generator."""
        return {"epoch": epoch, **means, "rate": rate} | (self.judge(averaged, epoch) if self.judge else {})

    def _discriminator_step(
        self, step: int, real: torch.Tensor, labels: torch.Tensor, made: torch.Tensor, classes: torch.Tensor
    ) -> list[torch.Tensor]:
        """Train the discriminator; returns its loss and the mean scores of real and of made faces."""
        recipe = self.recipe
        changed = torch.cat([recipe.augment(real), recipe.augment(made)])
        real_scores, made_scores = self._scores(changed, torch.cat([labels, classes])).chunk(2)
        loss = nn.functional.relu(1 - real_scores).mean() + nn.functional.relu(1 + made_scores).mean()
        total = loss
        if recipe.r1 and step % recipe.r1_every == 0:
            total = loss + recipe.r1 * recipe.r1_every / 2 * self._penalty(real, labels)
        self.optimisers[1].zero_grad(set_to_none=True)
        total.backward()
        self.optimisers[1].step()
        return [value.detach() for value in (loss, real_scores.mean(), made_scores.mean())]

    def _scores(self, faces: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.bf16):
            return self.discriminator(faces, labels).float()

    def _penalty(self, real: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        real = self.recipe.augment(real).requires_grad_(True)
        scores = self.discriminator(real, labels)
        (gradient,) = torch.autograd.grad(scores.sum(), real, create_graph=True)
        return gradient.square().sum((1, 2, 3)).mean()


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
