"""Faces cut out of their pictures as models want them."""

import numpy as np
from skimage.data import astronaut

from feat_pipeline.faces.crops import CROP_PX, FaceCrops
from feat_pipeline.models.base import as_seen

BOX = (170.0, 60.0, 280.0, 180.0)


def test_a_data_sets_own_crop_is_seen_as_it_is():
    grey = np.random.default_rng(0).integers(0, 256, (2, 48, 48), np.uint8)
    rgb = np.repeat(grey[..., None], 3, axis=3)
    np.testing.assert_array_equal(as_seen(FaceCrops(rgb, [(0, 0, 48, 48)] * 2), 48), grey)


def test_a_face_is_seen_alike_whether_it_is_cut_once_or_twice():
    crops = FaceCrops([astronaut()], [BOX])
    once, twice = as_seen(crops, 48), as_seen(crops.around(4 * CROP_PX), 48)
    assert np.abs(once.astype(int) - twice).mean() < 4


def test_numpy_takes_them_as_an_array_with_a_margin():
    crops = FaceCrops([astronaut(), astronaut()], [BOX, BOX])
    array = np.asarray(crops)
    assert array.shape == (2, CROP_PX, CROP_PX, 3) and array.dtype == np.uint8
    np.testing.assert_array_equal(array[1], crops[1:].around(CROP_PX)[0])
    assert np.asarray(FaceCrops([], [])).shape == (0, CROP_PX, CROP_PX, 3)
