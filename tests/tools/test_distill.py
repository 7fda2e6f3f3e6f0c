"""The training that tools/train_embedded.py and tools/train_detector.py share, with a net of one layer."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from feat_pipeline.errors import UsageError
from tools.distill import DistillRecipe, DistillTask, distill

torch.set_num_threads(1)  # a tiny net: a second thread would only wait

RECIPE = DistillRecipe(
    steps=14, batch=4, rate=0.5, seed=2, average=0.9, warmup=3, steps_an_epoch=4, judged_every=2
)


def make(step):
    """Points and a teacher's answers, by step alone."""
    points = np.random.default_rng([RECIPE.seed, step]).normal(size=(RECIPE.batch, 2)).astype(np.float32)
    return points, points @ np.float32([2, -1])


class Student(DistillTask):
    def __init__(self, recipe=RECIPE, killed_at=None):
        torch.manual_seed(recipe.seed)
        net = nn.Linear(2, 1)
        super().__init__(net, torch.optim.AdamW(net.parameters()), recipe, make)
        self.killed_at, self.taken = killed_at, []

    def losses(self, batch):
        points, answers = batch
        self.taken.append(points.numpy())
        if len(self.taken) == self.killed_at:
            raise KeyboardInterrupt
        off = self.net(points)[:, 0] - answers
        return {"square": off.square().mean(), "absolute": off.abs().mean()}

    def judge(self, averaged):
        return {"slope": averaged.weight[0, 0].item()}


def test_batches_follow_from_the_step_and_the_losses_fall(tmp_path):
    student = Student()
    distill(student, tmp_path)
    assert all(np.array_equal(points, make(step)[0]) for step, points in enumerate(student.taken))
    assert len(student.taken) == 14
    curves = pd.read_csv(tmp_path / "curves.csv")
    assert list(curves) == ["epoch", "rate", "square", "absolute", "seconds", "slope"]
    assert curves["square"].iloc[-1] < curves["square"].iloc[0]
    assert curves["slope"].notna().tolist() == [False, True, False, True]


def test_a_stopped_training_goes_on_to_the_same_weights_and_a_finished_one_is_handed_out(tmp_path):
    whole = distill(Student(), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        distill(Student(killed_at=7), tmp_path / "cut")
    rest = Student()
    assert torch.equal(distill(rest, tmp_path / "cut").weight, whole.weight)
    assert len(rest.taken) == 14 - 4
    done = Student()
    assert torch.equal(distill(done, tmp_path / "whole").weight, whole.weight) and not done.taken


def test_does_not_go_on_with_other_steps(tmp_path):
    distill(Student(), tmp_path)
    longer = DistillRecipe(**{**vars(RECIPE), "steps": 15})
    with pytest.raises(UsageError, match=r"another recipe \(steps 14 -> 15\)"):
        distill(Student(longer), tmp_path)


def test_the_rate_rises_by_a_line_while_a_cosine_takes_it_down():
    rates = [RECIPE.rate_at(step) for step in (0, 2, 7, 14)]
    cosine = [0.5 * (1 + math.cos(math.pi * step / 14)) for step in (0, 2, 7)]
    assert rates == pytest.approx([0.5 * cosine[0] / 3, 0.5 * cosine[1], 0.25, 0])
