import numpy as np
import pytest

from feat_pipeline.extract.backends.evidence import measure_evidence, turn_to_front

NAMES = ("browInnerUp", "mouthSmileLeft", "mouthSmileRight", "jawOpen", "eyeLookOutLeft", "eyeLookInLeft",
         "eyeLookOutRight", "eyeLookInRight")  # fmt: skip


def face(seed=0):
    points = np.random.default_rng(seed).random((3, 68, 3))
    points[:, 36], points[:, 45] = (0.2, 0.4, 0.1), (0.8, 0.4, 0.1)
    return points


def rotation(axis, angle):
    c, s = np.cos(angle), np.sin(angle)
    i, j = [k for k in range(3) if k != axis]
    matrix = np.eye(3)
    matrix[[i, i, j, j], [i, j, i, j]] = c, -s, s, c
    return matrix


def evidence(points=None, scores=None, turn=None, crops=None):
    n = 3
    return measure_evidence(
        face() if points is None else points,
        np.zeros((n, len(NAMES))) if scores is None else scores,
        np.broadcast_to(np.eye(3), (n, 3, 3)) if turn is None else turn,
        np.full((n, 96, 96), 90, np.uint8) if crops is None else crops,
        NAMES,
    )


def test_distances_do_not_depend_on_the_heads_pose_size_or_place():
    turn = np.stack([rotation(0, 0.3), rotation(1, -0.5) @ rotation(2, 0.2), np.eye(3)])
    moved = 7 * np.einsum("nij,npj->npi", turn, face()) + (3, 4, 5)
    straight, turned = evidence(), evidence(moved, turn=turn)
    for name in straight:
        if name.startswith("g_"):
            assert turned[name] == pytest.approx(straight[name]), name


def test_the_front_is_measured_in_distances_between_the_eyes():
    front = turn_to_front(face(), np.broadcast_to(np.eye(3), (3, 3, 3)))
    assert front[:, 36, 0] == pytest.approx(-0.5) and front[:, 45, 0] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("name", "point", "more"),
    [("g_lip_gap", 66, 0.1), ("g_corner_height", 48, -0.1), ("g_inner_brow_height", 21, -0.1),
     ("g_nose_wing_to_eye", 31, 0.1), ("g_chin_to_lip", 8, 0.1), ("g_mouth_width", 48, None)],
)  # fmt: skip
def test_a_distance_grows_when_its_landmark_moves_as_the_muscle_pulls_it(name, point, more):
    points = face()
    if more is None:
        points[:, 48, 0] = points[:, 54, 0] - 0.2
        before = evidence(points)[name]
        points[:, 48, 0] -= 0.3
    else:
        before = evidence(points)[name]
        points[:, point, 1] += more  # y points down
    assert (evidence(points)[name] > before).all()


def test_both_sides_are_averaged_and_one_sided_actions_keep_their_difference():
    scores = np.zeros((3, len(NAMES)))
    scores[:, 1], scores[:, 2] = 0.8, 0.2
    found = evidence(scores=scores)
    assert found["mouthSmile"] == pytest.approx(0.5) and found["mouthSmile_max"] == pytest.approx(0.8)
    assert found["mouthSmile_uneven"] == pytest.approx(0.6)


def test_a_wrinkle_shows_in_the_patch_where_it_is():
    crops = np.full((3, 96, 96), 120, np.uint8)
    crops[0, 38:40, 42:54] = 20  # across the nose root
    found = evidence(crops=crops)
    assert found["t_nose_root_down"][0] > 5 * max(found["t_nose_root_down"][1], 0.01)
    assert found["t_chin_down"][0] == pytest.approx(found["t_chin_down"][1])
