import numpy as np
import pytest

from feat_pipeline.faces.align import (
    BOX_SCALE,
    MIRROR_68,
    TEMPLATE_5,
    box_matrix,
    five_points,
    invert,
    landmark_matrix,
    rotation_rad,
    similarity,
    transform_points,
    warp,
)


def turned(points, angle, scale, shift):
    cosine, sine = np.cos(angle), np.sin(angle)
    return scale * points @ np.array([[cosine, sine], [-sine, cosine]]) + shift


@pytest.mark.parametrize("angle", [-2.5, 0.0, 0.4, 3.0])
def test_a_similarity_is_recovered(angle):
    source = np.random.default_rng(1).random((7, 2))
    matrix = similarity(source, turned(source, angle, 2.3, (5, -3)))
    assert transform_points(matrix, source) == pytest.approx(turned(source, angle, 2.3, (5, -3)))
    assert rotation_rad(matrix) == pytest.approx(angle)
    assert transform_points(invert(matrix), transform_points(matrix, source)) == pytest.approx(source)


def test_points_that_coincide_give_no_finite_matrix():
    assert not np.isfinite(similarity(np.ones((5, 2)), TEMPLATE_5)).all()


def test_five_points_come_to_the_template_whatever_the_head_does_in_the_picture():
    five = turned(TEMPLATE_5 * 50, 0.7, 3.0, (200, 90))
    assert transform_points(landmark_matrix(five, 96), five) == pytest.approx(TEMPLATE_5 * 96)


def test_five_points_of_68_landmarks_are_eyes_nose_and_mouth_corners():
    points = np.arange(136, dtype=float).reshape(68, 2)
    assert five_points(points)[:, 0].tolist() == [77, 89, 60, 96, 108]
    assert five_points(points[None]).shape == (1, 5, 2)


def test_the_mirror_order_swaps_sides_and_undoes_itself():
    assert MIRROR_68[MIRROR_68].tolist() == list(range(68))
    assert MIRROR_68[[0, 8, 36, 39, 48, 60]].tolist() == [16, 8, 45, 42, 54, 64]


def test_a_box_fills_its_crop_but_for_the_margin():
    matrix = box_matrix(np.array([10, 20, 50, 60], np.float32), 96)
    corners = transform_points(matrix, np.array([[10, 20], [50, 60]]))
    assert np.diff(corners, axis=0) == pytest.approx(96 / BOX_SCALE)
    assert corners[:, 0].mean() == pytest.approx(48) and corners[:, 1].mean() < 48  # the chin gets more room


@pytest.mark.parametrize("scale", [0.1, 0.3, 0.45, 0.8])
def test_a_warp_keeps_the_area_of_what_it_shrinks(scale):
    picture = np.zeros((1000, 1200), np.uint8)
    picture[440:560, 520:680] = 255  # 160 wide, 120 high, around (600, 500)
    crop = warp(picture, np.array([[scale, 0, 64 - 600 * scale], [0, scale, 48 - 500 * scale]]), 128)
    assert crop.sum() / 255 == pytest.approx(160 * 120 * scale**2, rel=0.02)
    rows, columns = np.nonzero(crop > 127)
    assert rows.mean() + 0.5 == pytest.approx(48, abs=0.6) and columns.mean() + 0.5 == pytest.approx(
        64, abs=0.6
    )


def test_a_crop_beside_the_picture_repeats_its_edge():
    picture = np.full((20, 30, 3), 9, np.uint8)
    picture[:, -1] = 77
    assert (warp(picture, np.array([[1.0, 0, -500], [0, 1.0, 0]]), 16) == 77).all()
    assert (warp(picture, np.array([[0.1, 0, -500], [0, 0.1, 0]]), 16)).shape == (16, 16, 3)
