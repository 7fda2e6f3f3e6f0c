import numpy as np
import pytest

from feat_pipeline.detect import Detection
from feat_pipeline.extract.between import find_faces
from feat_pipeline.sources.frame import Frame, Skipped

BLANK = np.zeros((4, 6, 3), np.uint8)


def face(x, confidence=0.9, points=None):
    return Detection(np.array([x, 10, x + 40, 60], np.float32), confidence, points)


class Detector:
    """Knows the faces of every frame, and counts its looks."""

    def __init__(self, truth):
        self.truth, self.looks = truth, []

    def __call__(self, frame):
        self.looks.append(frame.index)
        return self.truth[frame.index]


def found(truth, every_s=0.25, rate=40):
    detector = Detector(truth)
    frames = [Frame(BLANK, "film", i, i / rate) for i in range(len(truth))]
    return detector, find_faces(frames, detector, every_s)


def lefts(answers):
    return [[float(one.box_xyxy[0]) for one in faces] for faces in answers]


def test_a_face_that_moves_evenly_is_looked_at_four_times_a_second():
    truth = [[face(10 + i)] for i in range(32)]  # half a pixel more than its tenth, each frame
    detector, answers = found(truth)
    assert sorted(detector.looks) == [0, 10, 20, 30, 31]
    assert lefts(answers) == pytest.approx(np.array(lefts(truth)))


def test_a_step_of_zero_looks_at_every_frame():
    detector, answers = found([[face(10)] for _ in range(7)], every_s=0)
    assert sorted(detector.looks) == list(range(7)) and len(answers) == 7


def test_frames_that_lie_apart_are_all_looked_at():
    detector, _ = found([[face(10)] for _ in range(5)], rate=2)
    assert sorted(detector.looks) == list(range(5))


def test_each_photo_is_looked_at_though_all_are_of_one_time_and_alike():
    detector = Detector([[face(10)], [face(12)], [face(14)], [face(16)]])
    frames = [Frame(BLANK, f"photo{i}", i, 0.0) for i in range(4)]
    answers = find_faces(frames, detector, 0.25)
    assert detector.looks == [0, 1, 2, 3] and lefts(answers) == [[10], [12], [14], [16]]


def test_two_videos_are_not_mixed():
    detector = Detector([[face(10 + i)] for i in range(16)])
    frames = [Frame(BLANK, "ab"[i // 8], i, (i % 8) / 40) for i in range(16)]
    find_faces(frames, detector, 0.25)
    assert sorted(detector.looks) == [0, 7, 8, 15]


@pytest.mark.parametrize("change", range(1, 20))
def test_a_face_that_comes_is_found_in_its_first_frame(change):
    truth = [[face(10)] if i < change else [face(10), face(200)] for i in range(20)]
    _, answers = found(truth)
    assert lefts(answers) == lefts(truth)


def test_a_jump_is_found_at_its_frame():
    truth = [[face(10 if i < 13 else 90)] for i in range(20)]
    assert lefts(found(truth)[1]) == lefts(truth)


def test_faces_that_change_their_order_keep_their_boxes():
    truth = [[face(10 + 6 * i), face(40)] for i in range(9)]
    truth = [sorted(faces, key=lambda f: f.box_xyxy[0]) for faces in truth]
    _, answers = found(truth)
    assert [sorted(row) for row in lefts(answers)] == [sorted(row) for row in lefts(truth)]


def test_a_frame_that_fails_is_told_and_its_neighbours_are_looked_at():
    failed = Skipped("film", 10, "face detection failed: odd")
    truth = [failed if i == 10 else [face(10)] for i in range(21)]
    detector, answers = found(truth)
    assert answers[10] is failed
    assert all(not isinstance(answer, Skipped) for i, answer in enumerate(answers) if i != 10)
    assert {9, 11} <= set(detector.looks)


def test_points_and_confidence_are_between_those_of_the_looks():
    a, b = np.zeros((5, 2), np.float32), np.full((5, 2), 8, np.float32)
    truth = [[face(10, 0.9, a)], [], [], [], [face(14, 0.6, b)]]
    detector, answers = found(truth, rate=16)
    assert sorted(detector.looks) == [0, 4]
    middle = answers[2][0]
    assert middle.points.tolist() == [[4, 4]] * 5 and middle.confidence == 0.6
    assert middle.box_xyxy.tolist() == [12, 10, 52, 60] and middle.box_xyxy.dtype == np.float32


def test_points_that_one_look_lacks_are_not_made_up():
    truth = [[face(10, points=np.zeros((5, 2), np.float32))], [], [face(10)]]
    assert found(truth, rate=8)[1][1][0].points is None


def test_no_frame_has_no_face():
    assert find_faces([], lambda frame: [], 0.25) == []


@pytest.mark.parametrize("cut", range(1, 10))
def test_no_face_is_interpolated_across_a_cut(cut):
    rng = np.random.default_rng(4)
    one, other = (rng.integers(0, 255, (18, 32, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1) for _ in "ab")
    truth = [[face(10)] if i < cut else [face(18)] for i in range(11)]
    detector = Detector(truth)
    frames = [Frame(one if i < cut else other, "film", i, i / 40) for i in range(11)]
    assert lefts(find_faces(frames, detector, 0.25)) == lefts(truth)
