import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from feat_pipeline.detect import make_detector
from feat_pipeline.errors import InputError
from feat_pipeline.extract import make_extractor
from feat_pipeline.extract.arrays import crop_table
from feat_pipeline.extract.measure import face_rows, make_table, measure
from feat_pipeline.sources.frame import Frame


def crops():
    face = cv2.cvtColor(astronaut()[60:180, 170:280], cv2.COLOR_RGB2GRAY)
    return np.stack([cv2.resize(face, (48, 48)), cv2.resize(face[:, ::-1], (48, 48))])


def test_crops_are_measured_as_whole_pictures_are():
    table = crop_table(crops(), ["a", "b"])
    assert table.frame["input"].tolist() == ["a", "b"]
    extractor = make_extractor("embedded")
    frames = [
        Frame(np.repeat(crop[:, :, None], 3, 2), name) for crop, name in zip(crops(), "ab", strict=True)
    ]
    rows = [row for item in measure(frames, make_detector("none"), extractor) for row in face_rows(item)]
    np.testing.assert_array_equal(table.aus, make_table(rows, extractor).aus)
    assert table.aus["AU12_r"].between(0, 5).all()


def test_each_crop_needs_a_name():
    with pytest.raises(InputError, match="each of the 2 crops, got 1"):
        crop_table(crops(), ["a"])
