"""The generator's networks, their changes to faces and their training, with tiny nets."""

import numpy as np
import pandas as pd
import pytest
import torch

from feat_pipeline.errors import InputError, TrainingError, UsageError
from feat_pipeline.generator import nets as generator_nets
from feat_pipeline.generator.adversarial import AdversarialTask, GanRecipe, drawn_shares, train_networks
from feat_pipeline.generator.differentiable_augment import DiffAugment
from feat_pipeline.generator.nets import Discriminator, Generator
from feat_pipeline.training.parameters import count_parameters
from feat_pipeline.training.recipe import Examples

torch.set_num_threads(1)  # tiny nets: a second thread would only wait

CPU = torch.device("cpu")
NETWORK = {"latent": 6, "embedding": 3, "widths": [8, 6], "head": 4}
RECIPE = GanRecipe(epochs=3, batch=8, seed=4, bf16=False)


def nets(seed=1, side=16, classes=3):
    torch.manual_seed(seed)
    return (
        Generator(classes=classes, side=side, **NETWORK),
        Discriminator(classes=classes, side=side, widths=[6, 8]),
    )


def faces(n=30, side=16):
    """Faces whose upper, middle or lower part is bright, after their class."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 90, (n, side, side)), np.arange(n) % 3
    for i, label in enumerate(labels):
        images[i, 5 * label : 5 * label + 6] += 150
    return Examples(images.astype(np.uint8), labels)


def trained(work, recipe=RECIPE, resume=False, **more):
    return train_networks(*nets(), faces(), recipe, work=work, resume=resume, device=CPU, **more)


def test_shapes_ranges_and_parameters():
    generator, discriminator = nets()
    labels = torch.tensor([0, 1, 2, 2, 1])
    made = generator(torch.randn(5, 6), labels)
    assert made.shape == (5, 1, 16, 16) and made.min() >= -1 and made.max() <= 1
    assert discriminator(made, labels).shape == (5,)
    first, blocks = 9 * 8 * 16 + 8 * 16, 9 * (8 * 8 + 8 * 6)
    norms = 10 * 2 * (8 + 8 + 6)
    ends = 9 * 6 * 16 + 16 + 9 * 4 + 1
    assert count_parameters(generator) == 3 * 3 + first + blocks + norms + ends


def test_the_shipped_size_fits_its_limit():
    from feat_pipeline.generator.model import NETWORK as OURS

    assert count_parameters(Generator(classes=7, side=48, **OURS)) <= 1_500_000


def test_a_side_that_cannot_be_halved_is_refused():
    with pytest.raises(UsageError, match="side: expected a multiple of 4 for 2 widths, got 18"):
        nets(side=18)


def test_every_weight_of_the_discriminator_has_a_spectral_norm_of_one():
    _, discriminator = nets()
    discriminator.train()
    for _ in range(60):  # power iterations
        discriminator(torch.randn(4, 1, 16, 16), torch.zeros(4, dtype=torch.int64))
    with torch.no_grad():
        for layer in (discriminator.stem, discriminator.realness, discriminator.blocks[0].second):
            largest = torch.linalg.svdvals(layer.weight.flatten(1))[0]
            assert float(largest) == pytest.approx(1, abs=0.03)


def test_patches_of_two_by_two_lie_over_each_other_and_are_spread_out_again():
    x = torch.arange(2 * 3 * 4 * 6.0).reshape(2, 3, 4, 6)
    patches = generator_nets._patches(x)
    assert patches.shape == (2, 12, 2, 3)
    assert set(patches[1, :, 1, 2].tolist()) == set(x[1, :, 2:, 4:].flatten().tolist())
    assert torch.equal(generator_nets._spread_out(patches), x)


def test_the_discriminator_looks_at_the_class():
    _, discriminator = nets()
    discriminator.eval()
    face = torch.randn(4, 1, 16, 16)
    zero, one = (discriminator(face, torch.full((4,), k)) for k in (0, 1))
    assert (zero - one).abs().min() > 1e-4


def test_changes_keep_the_shape_and_let_gradients_through():
    torch.manual_seed(0)
    face = torch.randn(5, 1, 16, 16, requires_grad=True)
    changed = DiffAugment(contrast=0)(face)  # which takes the mean in
    assert changed.shape == face.shape
    changed.square().sum().backward()
    assert face.grad.abs().sum() > 0 and (face.grad == 0).any()  # the square that is cut out gives none


def test_no_change_leaves_faces_as_they_are():
    face = torch.randn(3, 1, 12, 12)
    same = DiffAugment(mirror=0, brightness=0, contrast=0, shift=0, cutout=0)(face)
    torch.testing.assert_close(same, face)


@pytest.mark.parametrize("change", ["mirror", "brightness", "contrast", "shift", "cutout"])
def test_each_change_changes(change):
    torch.manual_seed(3)
    none = dict.fromkeys(["mirror", "brightness", "contrast", "shift", "cutout"], 0)
    face = torch.randn(6, 1, 16, 16)
    changed = DiffAugment(**(none | {change: 0.5}))(face)
    assert (changed - face).abs().max() > 0.1
    if change == "mirror":
        same, turned = ((changed - other).abs().amax((1, 2, 3)) < 1e-5 for other in (face, face.flip(3)))
        assert (same | turned).all() and turned.any() and same.any()


def test_shares_of_classes_follow_the_balance():
    labels = np.array([0] * 9 + [1] * 1)
    face, shares = drawn_shares(labels, 0.5)
    assert shares == pytest.approx([0.75, 0.25])
    assert face == pytest.approx([0.75 / 9] * 9 + [0.25])
    assert drawn_shares(labels, 0)[1] == pytest.approx([0.9, 0.1])
    assert drawn_shares(labels, 1)[1] == pytest.approx([0.5, 0.5])


def test_rates_fall_to_a_tenth_at_the_end():
    recipe = GanRecipe(decay=0.5)
    assert [recipe.slowed(done) for done in (0, 0.5, 0.75, 1)] == pytest.approx([1, 1, 0.55, 0.1])


def test_losses_are_finite_and_the_discriminator_learns(tmp_path):
    epochs = []
    recipe = GanRecipe(epochs=8, batch=8, seed=2, bf16=False, discriminator_rate=2e-3)
    _, rows = trained(tmp_path, recipe, report=lambda net, row: epochs.append(row["epoch"]))
    assert epochs == list(range(1, 9))
    assert np.isfinite([list(row.values()) for row in rows]).all()
    assert rows[-1]["discriminator_loss"] < rows[0]["discriminator_loss"]
    assert rows[-1]["real_score"] > rows[-1]["made_score"]
    assert pd.read_csv(tmp_path / "curves.csv")["epoch"].tolist() == epochs


def test_a_training_is_the_same_twice_and_another_with_another_seed(tmp_path):
    one, two = trained(tmp_path / "one")[0], trained(tmp_path / "two")[0]
    other = trained(tmp_path / "other", GanRecipe(epochs=3, batch=8, seed=5, bf16=False))[0]
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["last.weight"], other["last.weight"])


@pytest.mark.parametrize("more", [{}, {"r1": 1.0, "r1_every": 2}, {"bf16": True}])
def test_a_killed_training_goes_on_to_the_same_weights(tmp_path, more):
    recipe = GanRecipe(**({"epochs": 3, "batch": 8, "seed": 4, "bf16": False} | more))
    whole, rows = trained(tmp_path / "whole", recipe)

    def killed(net, row):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "cut", recipe, report=killed)
    resumed, again = trained(tmp_path / "cut", recipe, resume=True)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert [row["generator_loss"] for row in again] == [row["generator_loss"] for row in rows]


def test_the_judge_gets_the_averaged_generator_and_tells_into_the_curves(tmp_path):
    def judge(net, epoch):
        assert not net.training
        return {"fid": 10.0 * epoch}

    trained(tmp_path, judge=judge)
    assert pd.read_csv(tmp_path / "curves.csv")["fid"].tolist() == [10, 20, 30]


def test_refuses_a_checkpoint_nobody_asked_for_or_of_another_recipe(tmp_path):
    with pytest.raises(UsageError, match="no checkpoint to go on from"):
        trained(tmp_path, resume=True)
    trained(tmp_path)
    with pytest.raises(UsageError, match="holds a checkpoint; add --resume"):
        trained(tmp_path)
    with pytest.raises(UsageError, match=r"another recipe \(average .* -> 0.5\)"):
        trained(tmp_path, GanRecipe(epochs=3, batch=8, seed=4, bf16=False, average=0.5), resume=True)
    (tmp_path / "checkpoint.pt").write_bytes(b"no checkpoint")
    with pytest.raises(InputError, match="cannot be gone on from"):
        trained(tmp_path, resume=True)


def test_a_loss_that_is_no_number_stops_the_training_and_keeps_the_epoch_before(tmp_path, monkeypatch):
    step = AdversarialTask.training_step
    calls = []

    def broken(task, *given):
        calls.append(1)
        losses = step(task, *given)
        factor = float("nan") if len(calls) > 4 else 1  # three steps an epoch
        return {name: factor * value for name, value in losses.items()}

    monkeypatch.setattr(AdversarialTask, "training_step", broken)
    with pytest.raises(TrainingError, match=r"no number in epoch 2; .* holds epoch 1; lower the rates"):
        trained(tmp_path)
    assert len(pd.read_csv(tmp_path / "curves.csv")) == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "epochs, batch: expected"),
        ({"batch": 1}, "epochs, batch: expected"),
        ({"generator_rate": 0.0}, "rate: expected rates above 0"),
        ({"balance": 2.0}, "balance: expected 0 to 1"),
    ],
)
def test_recipes_that_cannot_be_are_refused(wrong, message):
    with pytest.raises(UsageError, match=message):
        GanRecipe(**wrong)


def test_a_batch_larger_than_the_data_is_refused(tmp_path):
    with pytest.raises(UsageError, match="batch: expected at most the 30 faces, got 64"):
        trained(tmp_path, GanRecipe(batch=64))
