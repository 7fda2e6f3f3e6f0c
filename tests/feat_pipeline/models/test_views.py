"""Several looks at one face, held against OpenCV's scaling."""

import cv2
import numpy as np
import pytest
import torch

from feat_pipeline.errors import UsageError
from feat_pipeline.models.views import VIEWS, views_of

FACES = np.random.default_rng(0).uniform(0, 255, (3, 1, 48, 48)).astype(np.float32)


def looked(views, faces=FACES):
    return [rows @ faces @ columns.T for rows, columns in views_of(views, faces.shape[-1])]


def scaled(cut):
    return np.stack([cv2.resize(face[0], (48, 48))[None] for face in cut])


def same(found, expected):
    return len(found) == len(expected) and all(
        np.abs(a - b).max() < 0.02 for a, b in zip(found, expected, strict=True)
    )


def test_none_and_mirror_are_exact():
    assert np.array_equal(looked("none")[0], FACES) and len(looked("none")) == 1
    whole, mirrored = looked("mirror")
    assert np.array_equal(whole, FACES) and np.array_equal(mirrored, FACES[..., ::-1])


def test_six_are_the_published_crops():
    expected = [
        FACES,
        scaled(FACES[:, :, 2:45, :]),
        FACES[..., ::-1],
        scaled(FACES[:, :, 0:45, 0:45]),
        scaled(FACES[:, :, 2:47, 0:45]),
        scaled(FACES[:, :, 2:47, 2:47]),
    ]
    assert same(looked("six"), expected)


def test_ten_crop_is_corners_centre_and_their_mirror_images():
    cut = [FACES[:, :, t : t + 44, x : x + 44] for t, x in ((0, 0), (0, 4), (4, 0), (4, 4), (2, 2))]
    whole = [scaled(crop) for crop in cut]
    assert same(looked("ten-crop"), whole + [crop[..., ::-1] for crop in whole])


@pytest.mark.parametrize("views", VIEWS)
@pytest.mark.parametrize("size", [8, 12, 40, 64])
def test_other_sizes_keep_the_grey_of_an_even_face_and_the_shares_of_the_crops(views, size):
    even = np.full((1, 1, size, size), 7, np.float32)
    ramp = np.broadcast_to(np.arange(size, dtype=np.float32), (1, 1, size, size))
    for look in looked(views, even):
        assert look == pytest.approx(even, rel=1e-5)
    for look, known in zip(looked(views, ramp), looked(views, FACES * 0 + np.arange(48.0)), strict=True):
        assert (look.mean() + 0.5) / size == pytest.approx((known.mean() + 0.5) / 48, abs=0.01)


def test_gradients_pass_through():
    face = torch.from_numpy(FACES[:1]).requires_grad_()
    for rows, columns in views_of("six", 48):
        look = torch.from_numpy(rows) @ face @ torch.from_numpy(columns).T
        (found,) = torch.autograd.grad(look.sum(), face)
        assert found.sum().item() == pytest.approx(48 * 48, rel=1e-5)


def test_unknown_views_are_refused():
    with pytest.raises(UsageError, match="views: expected one of none, mirror, six, ten-crop, got 'seven'"):
        views_of("seven", 48)
