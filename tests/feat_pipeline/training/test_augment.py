import numpy as np
import pytest
import torch

from feat_pipeline.training.augment import Augment
from feat_pipeline.training.batches import resized

torch.set_num_threads(1)  # tiny nets: a second thread would only wait

NONE = {"mirror": 0, "rotation_deg": 0, "scale": 0, "shift": 0, "gamma": 0, "erase": 0}


def crops(n=6, height=10, width=10):
    values = np.random.default_rng(0).integers(0, 256, (n, 1, height, width), np.uint8)
    return torch.from_numpy(values)


def changed(size=10, seed=1, images=None, **settings):
    images = crops() if images is None else images
    return Augment(**{**NONE, **settings})(images, size, np.random.default_rng(seed))


def test_nothing_asked_for_changes_nothing():
    assert torch.allclose(changed(), crops().float(), atol=1e-3)


def test_a_mirror_is_a_mirror():
    assert torch.allclose(changed(mirror=1), crops().float().flip(3), atol=1e-3)


def test_the_same_seed_gives_the_same_faces():
    assert torch.equal(
        Augment()(crops(), 8, np.random.default_rng(4)), Augment()(crops(), 8, np.random.default_rng(4))
    )
    assert not torch.equal(
        Augment()(crops(), 8, np.random.default_rng(4)), Augment()(crops(), 8, np.random.default_rng(5))
    )


def test_every_change_keeps_the_range_and_gives_the_size_asked_for():
    out = changed(size=7, rotation_deg=40, scale=0.5, shift=0.5, gamma=2, erase=1, mirror=0.5)
    assert out.shape == (6, 1, 7, 7) and out.dtype == torch.float32
    assert out.min() >= 0 and out.max() <= 255.001


def test_a_spot_turns_by_the_angle_it_should():
    """A quarter turn takes what is above the middle to its side, at the same distance."""
    spot = torch.zeros(1, 1, 21, 21, dtype=torch.uint8)
    spot[0, 0, 4, 10] = 255

    class Quarter(np.random.Generator):
        def uniform(self, low=0.0, high=1.0, size=None):
            return np.full(size, high)

    out = Augment(**{**NONE, "rotation_deg": 90.0})(spot, 21, Quarter(np.random.PCG64(0)))
    row, column = np.unravel_index(out[0, 0].numpy().argmax(), (21, 21))
    assert row == 10 and abs(column - 10) == 6


def test_erasing_hides_a_rectangle_of_the_area_asked_for():
    out = changed(erase=1, erase_area=(0.25, 0.25), images=crops(40, 20, 20), size=20)
    share = ((out - crops(40, 20, 20).float()).abs() > 1e-3).float().mean((1, 2, 3))
    assert share.max() == pytest.approx(0.25, abs=0.06)
    assert share.min() > 0.02  # some lies beyond the edge
    untouched = changed(erase=0, images=crops(40, 20, 20), size=20)
    assert torch.allclose(untouched, crops(40, 20, 20).float(), atol=1e-3)


def test_light_keeps_black_and_white():
    ends = torch.tensor([0, 255], dtype=torch.uint8).repeat_interleave(50).reshape(1, 1, 10, 10)
    assert torch.allclose(changed(gamma=0.7, images=ends), ends.float(), atol=1e-3)
    grey = torch.full((5, 1, 10, 10), 100, dtype=torch.uint8)
    assert changed(gamma=0.7, images=grey).std(0).min() > 1


def test_resizing_keeps_the_mean_and_leaves_fitting_faces_alone():
    assert torch.equal(resized(crops(), 10), crops().float())
    smaller = resized(torch.full((2, 1, 10, 14), 77, dtype=torch.uint8), 6)
    assert smaller.shape == (2, 1, 6, 6)
    assert torch.allclose(smaller, torch.full_like(smaller, 77.0))
