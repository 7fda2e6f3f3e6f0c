"""The training loop itself, on a task of one weight."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from feat_pipeline.errors import InputError, TrainingError, UsageError
from feat_pipeline.training.loop import Task, train

torch.set_num_threads(1)  # a tiny net: a second thread would only wait


@dataclass(frozen=True)
class LineRecipe:
    steps: int = 7
    seed: int = 3
    average: float = 0.9


class Line(Task):
    """Learns a slope of 3 from noisy points, three steps an epoch; notes rates and random numbers."""

    def __init__(self, recipe=LineRecipe(), stops_after=None):
        torch.manual_seed(0)
        net = nn.Linear(1, 1)
        super().__init__(net, [torch.optim.Adam(net.parameters())], steps=recipe.steps, steps_an_epoch=3)
        self.stops_after, self.seen, self.used = stops_after, [], []

    def rates(self, step):
        return (0.1 / (1 + step),)

    def batches(self, steps, rng):
        self.seen.append(steps)
        for _ in steps:
            yield torch.from_numpy(rng.normal(size=(5, 1)).astype(np.float32))

    def training_step(self, batch, step, rng):
        loss = (self.net(batch) - 3 * batch + 0.1 * torch.randn(5, 1)).square().mean()
        self.descend(loss)
        self.used.append(self.optimisers[0].param_groups[0]["lr"])
        return {"loss": loss.detach(), "step": torch.tensor(float(step))}

    def exhausted(self):
        return len(self.history) == self.stops_after


def test_the_last_epoch_may_be_shorter(tmp_path):
    task = Line()
    train(task, LineRecipe(), work=tmp_path)
    assert task.seen == [range(0, 3), range(3, 6), range(6, 7)]
    assert [row["step"] for row in task.history] == [1, 4, 6]  # means
    curves = pd.read_csv(tmp_path / "curves.csv")
    assert list(curves) == ["epoch", "rate", "loss", "step", "seconds"]
    assert curves["epoch"].tolist() == [1, 2, 3]
    assert curves["rate"].tolist() == pytest.approx([0.1 / 3, 0.1 / 6, 0.1 / 7])


@pytest.mark.parametrize("epochs", [1, 2])
def test_every_step_has_its_rate_after_a_stop_too(tmp_path, epochs):
    whole, begun, rest = Line(), Line(stops_after=epochs), Line()
    train(whole, LineRecipe(), work=tmp_path / "whole")
    train(begun, LineRecipe(), work=tmp_path / "cut")
    averaged = train(rest, LineRecipe(), work=tmp_path / "cut", resume=True)
    assert whole.used == [0.1 / (1 + step) for step in range(7)] == begun.used + rest.used
    again = train(whole, LineRecipe(), work=tmp_path / "whole", resume=True)
    for one, two in ((whole.net, rest.net), (again, averaged)):
        assert all(torch.equal(v, two.state_dict()[k]) for k, v in one.state_dict().items())


def test_a_stop_in_the_middle_of_an_epoch_loses_that_epoch_alone(tmp_path):
    def killed(averaged, row):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(Line(), LineRecipe(), work=tmp_path, report=killed)
    task = Line()
    train(task, LineRecipe(), work=tmp_path, resume=True)
    assert task.seen == [range(3, 6), range(6, 7)] and len(task.history) == 3


def test_a_field_that_is_free_may_change_and_no_other(tmp_path):
    train(Line(stops_after=1), LineRecipe(), work=tmp_path)
    longer = LineRecipe(steps=9)
    with pytest.raises(UsageError, match=r"another recipe \(steps 7 -> 9\)"):
        train(Line(longer), longer, work=tmp_path, resume=True)
    with pytest.raises(UsageError, match=r"another recipe \(seed 3 -> 4\)"):
        train(Line(longer), replace(longer, seed=4), work=tmp_path, resume=True, free=["steps"])
    rest, whole = Line(longer), Line(longer)
    train(rest, longer, work=tmp_path, resume=True, free=["steps"])
    train(whole, longer, work=tmp_path / "whole")
    assert torch.equal(rest.net.weight, whole.net.weight)


def test_a_number_that_is_none_stops_with_its_place(tmp_path):
    class Broken(Line):
        def training_step(self, batch, step, rng):
            losses = super().training_step(batch, step, rng)
            return losses | {"step": torch.tensor(math.inf)} if step == 4 else losses

    with pytest.raises(TrainingError, match=r"is inf in epoch 2, batch 2; .* holds epoch 1; lower the rate"):
        train(Broken(), LineRecipe(), work=tmp_path)
    assert len(pd.read_csv(tmp_path / "curves.csv")) == 1


def test_the_averaged_network_is_reported_when_the_checkpoint_is_written(tmp_path):
    reported = []

    def report(averaged, row):
        kept = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
        assert kept["rows"][-1] == row and torch.equal(kept["averaged"]["weight"], averaged.weight)
        assert not averaged.training
        reported.append(averaged.weight.item())

    task = Line()
    averaged = train(task, LineRecipe(), work=tmp_path, report=report)
    assert len(set(reported)) == 3 and reported[-1] == averaged.weight.item() != task.net.weight.item()


def test_a_checkpoint_of_another_task_is_refused(tmp_path):
    train(Line(), LineRecipe(), work=tmp_path)
    other = Line()
    other.net.bias = None
    with pytest.raises(InputError, match="cannot be gone on from"):
        train(other, LineRecipe(), work=tmp_path, resume=True)
