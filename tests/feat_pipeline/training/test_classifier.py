"""The training of classifiers, on twelve-pixel faces of three classes, bright at different places."""

import errno
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import softmax
from sklearn.metrics import log_loss

from feat_pipeline.errors import InputError, OutputError, TrainingError, UsageError
from feat_pipeline.models.nets import ResidualNet
from feat_pipeline.training.batches import pick_device, predict_logits
from feat_pipeline.training.classifier import ClassifierTask, train_classifier
from feat_pipeline.training.recipe import Examples, Recipe
from feat_pipeline.training.temperature import fit_temperature

torch.set_num_threads(1)  # tiny nets: a second thread would only wait

SIDE = 12


def faces(n, seed):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    images = rng.integers(0, 120, (n, SIDE, SIDE))
    for i, label in enumerate(labels):
        images[i, 4 * label : 4 * label + 4] += 120
    return Examples(images.astype(np.uint8), labels)


LEARNED, JUDGED = faces(66, 1), faces(30, 2)


def small_net():
    torch.manual_seed(5)
    return ResidualNet(classes=3, stem=4, widths=(6, 10), blocks=(1, 1), dropout=0.2)


def recipe(**changes):
    settings = {"epochs": 4, "batch": 16, "rate": 0.05, "sizes": ((0, 8), (0.5, SIDE)), "mixup": 0.2,
                "average": 0.9, "bf16": False}  # fmt: skip
    return Recipe(**{**settings, **changes})


def run(work, net=None, learned=LEARNED, **changes):
    options = {key: changes.pop(key) for key in ("resume", "report", "trained") if key in changes}
    return train_classifier(
        net or small_net(), learned, JUDGED, recipe(**changes), work=work, device="cpu", **options
    )


def test_learns_and_writes_its_curves(tmp_path):
    rows = []
    done = run(tmp_path, epochs=12, report=rows.append)
    assert done.history["val_accuracy"].max() > 0.9
    assert done.history["train_loss"].iloc[-1] < done.history["train_loss"].iloc[0]
    assert done.best_epoch == 1 + done.history["val_accuracy"].argmax()
    assert done.history["size"].tolist() == [8] * 6 + [12] * 6
    assert rows == done.history.to_dict("records")
    kept = pd.read_csv(tmp_path / "curves.csv")
    assert list(kept) == ["epoch", "size", "rate", "train_loss", "val_loss", "val_accuracy", "seconds"]
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    net = small_net()
    net.load_state_dict(done.state)
    one, both = (
        predict_logits(net, JUDGED.images, size=SIDE, device=torch.device("cpu"), mirror=mirror)
        for mirror in (False, True)
    )
    assert (one.argmax(1) == JUDGED.labels).mean() == pytest.approx(done.history["val_accuracy"].max())
    shares = softmax(one.astype(float), axis=1)
    assert done.history["val_loss"][done.best_epoch - 1] == pytest.approx(log_loss(JUDGED.labels, shares))
    assert done.temperature == pytest.approx(fit_temperature(both, JUDGED.labels))


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_a_killed_training_goes_on_to_the_same_weights(tmp_path, monkeypatch, optimiser):
    whole = run(tmp_path / "whole", optimiser=optimiser)
    steps = iter(range(1000))
    take_step = ClassifierTask.descend

    def killed(task, loss):
        take_step(task, loss)
        if next(steps) == 10:  # in the middle of epoch 3
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ClassifierTask, "descend", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "cut", optimiser=optimiser)
    torch.manual_seed(99)
    rest = run(tmp_path / "cut", optimiser=optimiser, resume=True)
    assert all(torch.equal(whole.state[name], rest.state[name]) for name in whole.state)
    assert whole.history.drop(columns="seconds").equals(rest.history.drop(columns="seconds"))
    assert whole.temperature == rest.temperature


def test_a_finished_training_is_handed_out_again(tmp_path):
    first = run(tmp_path)
    again = run(tmp_path, resume=True, report=lambda row: pytest.fail("trained again"))
    assert all(torch.equal(first.state[name], again.state[name]) for name in first.state)


def test_leaves_the_callers_random_numbers_alone(tmp_path):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    net = ResidualNet(classes=3, stem=4, widths=(6,), blocks=(1,), dropout=0.2)
    torch.manual_seed(3)
    run(tmp_path, net=net, epochs=1)
    assert torch.equal(torch.rand(2), expected)


def test_shares_teach_what_labels_teach(tmp_path):
    shares = np.eye(3, dtype=np.float32)[LEARNED.targets]
    soft = run(tmp_path / "soft", learned=Examples(LEARNED.images, shares))
    hard = run(tmp_path / "hard", smoothing=0.0)
    assert all(torch.allclose(soft.state[name], hard.state[name], atol=1e-4) for name in hard.state)
    unsure = run(tmp_path / "unsure", learned=Examples(LEARNED.images, shares * 0.5 + 1 / 6))
    assert not torch.allclose(unsure.state["head.weight"], hard.state["head.weight"], atol=1e-3)


def test_a_trained_network_is_kept_where_no_epoch_is_better(tmp_path):
    first = run(tmp_path / "first", epochs=6)
    net = small_net()
    net.load_state_dict(first.state)
    after = run(tmp_path / "after", net=net, rate=20.0, epochs=2, trained=True)
    assert after.start_accuracy == pytest.approx(first.history["val_accuracy"].max())
    assert after.best_epoch == 0 and len(after.history) == 2
    assert all(torch.equal(after.state[name], value) for name, value in first.state.items())
    again = run(tmp_path / "after", rate=20.0, epochs=2, trained=True, resume=True)
    assert (again.best_epoch, again.start_accuracy) == (0, after.start_accuracy)
    assert run(tmp_path / "none").start_accuracy is None


def test_all_layers_but_the_last_may_learn_more_slowly(tmp_path):
    before = {name: value.clone() for name, value in small_net().state_dict().items()}
    done = run(tmp_path, early=0.0, epochs=1)
    changed = {name for name, value in done.state.items() if not torch.equal(value, before[name])}
    assert {name for name in changed if "running" not in name and "num_batches" not in name} == {
        "head.weight", "head.bias",
    }  # fmt: skip


def test_stops_when_validation_grows_no_better(tmp_path, monkeypatch):
    monkeypatch.setattr(Recipe, "rate_at", lambda self, step, steps: 0.0)
    done = run(tmp_path, epochs=50, patience=2, average=0.0)
    assert 3 <= len(done.history) < 50
    assert len(done.history) == done.best_epoch + 2


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_checkpoint(tmp_path, monkeypatch):
    honest = ClassifierTask.loss
    calls = iter(range(1000))

    def broken(task, rows, size, rng):
        loss = honest(task, rows, size, rng)
        return loss * math.nan if next(calls) == 9 else loss

    monkeypatch.setattr(ClassifierTask, "loss", broken)
    with pytest.raises(
        TrainingError, match=r"loss is nan in epoch 3, batch 2; .*checkpoint.pt holds epoch 2"
    ):
        run(tmp_path)
    kept = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert len(kept["rows"]) == 2
    assert all(torch.isfinite(value).all() for value in kept["net"].values())
    monkeypatch.setattr(ClassifierTask, "loss", honest)
    assert len(run(tmp_path, resume=True).history) == 4


def test_a_rate_far_too_high_is_told_as_such(tmp_path):
    with pytest.raises(TrainingError, match="no epoch was finished; lower the rate"):
        run(tmp_path, rate=1e30, optimiser="adamw", warmup=0.0)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    write = Path.write_bytes
    writes = iter(range(1000))

    def full(path, content):
        if next(writes) < 2:
            return write(path, content)
        write(path, bytes(content)[:500])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(OutputError, match="No space left on device"):
            run(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["checkpoint.pt", "curves.csv"]
    assert len(pd.read_csv(tmp_path / "curves.csv")) == 2
    whole, rest = run(tmp_path / "whole"), run(tmp_path, resume=True)
    assert all(torch.equal(whole.state[name], rest.state[name]) for name in whole.state)


def test_refuses_a_checkpoint_that_is_not_meant(tmp_path):
    with pytest.raises(UsageError, match="no checkpoint to go on from"):
        run(tmp_path, resume=True)
    run(tmp_path, epochs=1)
    with pytest.raises(UsageError, match="holds a checkpoint; add --resume"):
        run(tmp_path, epochs=1)
    with pytest.raises(UsageError, match=r"another recipe \(epochs 1 -> 2, rate 0.05 -> 0.07\)"):
        run(tmp_path, epochs=2, rate=0.07, resume=True)
    other = ResidualNet(classes=3, stem=5, widths=(6, 10), blocks=(1, 1), dropout=0.2)
    with pytest.raises(InputError, match="cannot be gone on from"):
        run(tmp_path, net=other, epochs=1, resume=True)
    checkpoint = tmp_path / "checkpoint.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:3000])
    with pytest.raises(InputError, match="cannot be gone on from"):
        run(tmp_path, epochs=1, resume=True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epochs": 0}, "epochs, batch"),
        ({"optimiser": "adam"}, "expected 'sgd' or 'adamw', got 'adam'"),
        ({"sizes": ((0.5, 12),)}, "sizes"),
        ({"batch": 67}, "batch: expected at most the 66 faces"),
    ],
)
def test_refuses_a_recipe_that_cannot_be(tmp_path, changes, said):
    with pytest.raises(UsageError, match=said):
        run(tmp_path, **changes)


def test_refuses_faces_without_targets_and_unknown_devices(tmp_path):
    with pytest.raises(InputError, match="30 faces and 29 targets"):
        Examples(JUDGED.images, JUDGED.targets[1:])
    with pytest.raises(UsageError, match="device: expected 'cpu'"):
        pick_device("abacus")
