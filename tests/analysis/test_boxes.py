import numpy as np
import pytest

from analysis.boxes import box_iou


@pytest.mark.parametrize(
    ("other", "share"),
    [((0, 0, 10, 10), 1.0), ((5, 0, 15, 10), 1 / 3), ((10, 0, 20, 10), 0.0), ((0, 0, 0, 0), 0.0)],
)
def test_overlap_is_shared_area_of_the_union(other, share):
    assert box_iou(np.array([[0, 0, 10, 10]]), np.array([other])) == pytest.approx(share)
