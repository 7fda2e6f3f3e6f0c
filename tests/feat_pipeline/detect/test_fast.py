import threading

import cv2
import numpy as np
import pytest
from skimage import data

from benchmarks.detection import measure
from feat_pipeline.detect import make_detector
from feat_pipeline.detect.fast import decode, one_per_face
from feat_pipeline.errors import UnavailableError, UsageError
from feat_pipeline.sources.photos import read_photo


@pytest.fixture(scope="module")
def detector():
    return make_detector("fast")


@pytest.mark.parametrize(
    ("name", "faces"), [("multi_face.jpg", 5), ("single_face.jpg", 1), ("free-mountain-vector-01.jpg", 0)]
)
def test_sample_photos_give_the_known_number_of_faces(detector, feat_photos, name, faces):
    assert len(detector.detect(read_photo(feat_photos / name))) == faces


def test_its_points_lie_where_its_teacher_sees_them(detector, single):
    (mine,), (taught,) = detector.detect(single), make_detector("mtcnn").detect(single)
    side = taught.box_xyxy[2] - taught.box_xyxy[0]
    assert np.linalg.norm(mine.points - taught.points, axis=1).mean() < 0.06 * side


@pytest.mark.parametrize("times", [0.12, 0.3, 1.5, 4.0])
def test_a_face_of_any_size_is_found(detector, single, times):
    kind = cv2.INTER_AREA if times < 1 else cv2.INTER_LINEAR
    (usual,) = detector.detect(single)
    (face,) = detector.detect(cv2.resize(single, None, fx=times, fy=times, interpolation=kind))
    side = float(usual.box_xyxy[2] - usual.box_xyxy[0])
    assert face.box_xyxy / times == pytest.approx(usual.box_xyxy, abs=0.2 * side)
    assert face.points / times == pytest.approx(usual.points, abs=0.1 * side)


@pytest.mark.parametrize("degrees", [-30, 30])
def test_a_tilted_face_is_found_and_its_points_tilt_with_it(detector, single, degrees):
    height, width = single.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    tilted = cv2.warpAffine(single, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    (face,) = detector.detect(tilted)
    right_eye, left_eye = face.points[:2]
    angle = np.degrees(np.arctan2(*(left_eye - right_eye)[::-1]))
    assert angle == pytest.approx(-degrees, abs=8)


def test_colour_makes_no_difference(detector, single):
    grey = np.repeat(cv2.cvtColor(single, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    (one,), (other,) = detector.detect(single), detector.detect(grey)
    assert one.box_xyxy == pytest.approx(other.box_xyxy, abs=0.5)


def test_threads_that_share_one_get_what_each_would_get_alone(detector, feat_photos):
    photos = [read_photo(feat_photos / name) for name in ("single_face.jpg", "multi_face.jpg")]
    alone = [detector.detect(photo) for photo in photos]
    answers = {}
    threads = [
        threading.Thread(target=lambda i=i: answers.update({i: detector.detect(photos[i % 2])}))
        for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(8):
        assert [f.box_xyxy.tolist() for f in answers[i]] == [f.box_xyxy.tolist() for f in alone[i % 2]]


def test_a_map_says_where_a_face_lies():
    maps = [np.full((1, 15, 64 // stride, 64 // stride), -9.0, np.float32) for stride in (8, 16, 32)]
    maps[1][0, :, 2, 1] = [np.log(3), 0.5, -0.25, np.log(0.5), 0, *[0.25] * 10]
    (row,) = decode(maps, 0.5)
    assert row[0] == pytest.approx(0.75)
    assert row[1:5] == pytest.approx([32 - 8, 36 - 16, 32 + 8, 36 + 16])
    assert row[5:] == pytest.approx([28, 44] * 5)
    assert len(decode(maps, 0.76)) == 0


def test_rows_of_one_face_become_one_between_them():
    def row(score, left, top):
        return [score, left, top, left + 20, top + 20, *[left + 5, top + 5] * 5]

    found = one_per_face(np.array([row(0.8, 12, 10), row(0.6, 100, 10), row(0.8, 10, 10)]))
    assert found[:, 0].tolist() == [0.8, 0.6]
    assert found[0, 1:5] == pytest.approx([11, 10, 31, 30])
    assert found[1, 1:5] == pytest.approx([100, 10, 120, 30])


def test_a_box_within_a_better_one_is_no_face_of_its_own():
    def row(score, left, side):
        return [score, left, left, left + side, left + side, *[left] * 10]

    inner, outer, apart = row(0.7, 30, 30), row(0.9, 10, 100), row(0.6, 95, 50)
    assert one_per_face(np.array([inner, outer, apart])) == pytest.approx(np.array([outer, apart]))


def test_what_the_network_doubts_needs_a_second_opinion():
    cat = np.asarray(data.chelsea())
    alone = make_detector("fast", sure_confidence=0, min_confidence=0.05)
    assert len(alone.detect(cat)) > 0
    assert make_detector("fast", min_confidence=0.05).detect(cat) == []


def test_nothing_found_is_no_row():
    assert one_per_face(np.zeros((0, 15))).shape == (0, 15)


def test_a_damaged_network_is_named(tmp_path):
    (tmp_path / "network.onnx").write_bytes(b"no network")
    with pytest.raises(UnavailableError, match=r"detector fast: .*network\.onnx is missing or damaged"):
        make_detector("fast", directory=tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        {"min_confidence": 1.5},
        {"max_side_px": 0},
    ],
)
def test_an_option_out_of_range_is_named(options):
    with pytest.raises(UsageError, match=f"detector fast: {next(iter(options))} must lie in"):
        make_detector("fast", **options)


@pytest.mark.shared
def test_it_finds_all_43_faces_of_group_photos(shared):
    assert measure(make_detector("fast"), shared / "data" / "photos", times=1)["found"] >= 43
