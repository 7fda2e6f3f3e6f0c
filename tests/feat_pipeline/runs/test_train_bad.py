"""`feat-pipeline train` where data, numbers or disk fail: one line says why, and nothing is half-written."""

import errno
import math
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from feat_pipeline.models import cnn, load_model
from feat_pipeline.training.classifier import ClassifierTask
from tests.feat_pipeline.runs.test_train import SMALL, TINY, files, photos  # noqa: F401

torch.set_num_threads(1)  # tiny nets: a second thread would only wait


@pytest.fixture(autouse=True)
def small_network(monkeypatch):
    monkeypatch.setattr(cnn, "NETWORK", SMALL)


@pytest.fixture
def train(run, photos, tmp_path):  # noqa: F811
    """Train for four epochs into a folder of this name."""

    def train_into(name, *further):
        return run("train", "cnn", "--data", photos, "--out", tmp_path / name, *TINY, "--epochs", 4, *further)

    return train_into


def same(one, other):
    return (one / "weights.safetensors").read_bytes() == (other / "weights.safetensors").read_bytes()


def one_line(stderr):
    """The message after the lines about epochs."""
    return [line for line in stderr.splitlines() if "epoch" not in line.partition(":")[2][:7]]


def test_one_class_is_not_enough(train, photos):  # noqa: F811
    shutil.rmtree(photos / "happy")
    shutil.rmtree(photos / "neutral")
    code, stdout, stderr = train("m")
    assert code == 2 and stdout == "" and stderr.count("\n") == 1
    assert "expected pictures of two or more classes, got angry" in stderr


def test_a_class_of_unreadable_pictures_is_named_with_the_reason(train, photos):  # noqa: F811
    for file in (photos / "happy").iterdir():
        file.write_bytes(file.read_bytes()[:40])
    code, stdout, stderr = train("m")
    assert code == 2 and stdout == "" and stderr.count("\n") == 1
    assert "class happy holds no usable picture" in stderr and "is damaged or truncated" in stderr


def test_a_loss_that_is_no_number_keeps_the_last_good_epoch(train, tmp_path, monkeypatch):
    honest = ClassifierTask.loss
    calls = iter(range(1000))

    def broken(task, *arguments):
        loss = honest(task, *arguments)
        return loss * math.nan if next(calls) == 10 else loss  # four batches an epoch: in the third

    with monkeypatch.context() as patched:
        patched.setattr(ClassifierTask, "loss", broken)
        code, _, stderr = train("cut")
    assert code == 1
    (said,) = one_line(stderr)
    assert "the loss is nan in epoch 3, batch 3" in said and "lower the rate" in said
    assert "--resume goes on from them" in said
    assert len(torch.load(tmp_path / "cut" / "checkpoint.pt", weights_only=True)["rows"]) == 2
    assert not {"model.json", "weights.safetensors"} & files(tmp_path / "cut")
    assert train("whole")[0] == 0 and train("cut", "--resume")[0] == 0
    assert same(tmp_path / "cut", tmp_path / "whole")


@pytest.mark.parametrize("full_at", ["checkpoint.pt", "weights.safetensors"])
def test_a_full_disk_leaves_what_was_whole(train, tmp_path, monkeypatch, full_at):
    write = Path.write_bytes
    seen = []

    def full(path, content):
        seen.append(path.suffix == Path(full_at).suffix)
        if not seen[-1] or sum(seen) < (3 if full_at == "checkpoint.pt" else 1):
            return write(path, content)
        write(path, bytes(content)[:500])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        code, stdout, stderr = train("cut")
    assert code == 1 and stdout == ""
    (said,) = one_line(stderr)
    assert f"{tmp_path / 'cut'}: cannot be written (No space left on device)" in said and "--resume" in said
    left = {"checkpoint.pt", "curves.csv", "data.json"}
    assert files(tmp_path / "cut") == left | ({"curves.png"} if full_at != "checkpoint.pt" else set())
    code, _, stderr = train("cut", "--resume")
    assert code == 0 and train("whole")[0] == 0 and same(tmp_path / "cut", tmp_path / "whole")


def test_a_disk_without_room_for_the_first_checkpoint_keeps_nothing_of_it(train, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        code, stdout, stderr = train("m")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert code == 2 and stdout == ""
    (said,) = one_line(stderr)
    assert "cannot be written (File too large)" in said
    assert files(tmp_path / "m") == {"data.json"}


KILLED = """
import os, signal, sys
from pathlib import Path

import torch

from feat_pipeline.cli import main
from feat_pipeline.models import cnn

torch.set_num_threads(1)  # sums in another order would give other last digits
cnn.NETWORK = {network}
write, done = Path.write_bytes, []

def killed(path, content):
    if path.suffix == ".pt":
        done.append(path)
    if len(done) == 3:
        write(path, bytes(content)[: len(content) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    return write(path, content)

Path.write_bytes = killed
main(sys.argv[1:])
"""


def test_a_kill_in_the_middle_of_a_checkpoint_loses_that_epoch_only(train, photos, tmp_path):  # noqa: F811
    arguments = ["train", "cnn", "--data", photos, "--out", tmp_path / "cut", *TINY, "--epochs", 4]
    code = KILLED.format(network=SMALL)
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(torch.load(tmp_path / "cut" / "checkpoint.pt", weights_only=True)["rows"]) == 2
    assert [f for f in files(tmp_path / "cut") if f.endswith(".tmp.pt")]  # half a checkpoint, never looked at
    assert train("cut", "--resume")[0] == 0 and train("whole")[0] == 0
    assert same(tmp_path / "cut", tmp_path / "whole")


def test_half_a_checkpoint_or_half_a_model_is_refused(train, tmp_path, run, photos):  # noqa: F811
    assert train("m")[0] == 0
    for name in ("checkpoint.pt", "weights.safetensors"):
        file = tmp_path / "m" / name
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    code, _, stderr = train("m", "--resume")
    assert code != 0 and "checkpoint.pt: cannot be gone on from" in stderr
    with pytest.raises(ValueError, match=r"weights\.safetensors beside it is damaged"):
        load_model(tmp_path / "m")
    code, _, stderr = train("m", "--overwrite")
    assert code == 0 and np.isfinite(load_model(tmp_path / "m").temperature_)
