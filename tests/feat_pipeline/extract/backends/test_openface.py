"""OpenFace as a backend, by a stand-in for its program; what all backends promise is in tests/conformance."""

import numpy as np
import pytest

from feat_pipeline.detect import Detection
from feat_pipeline.extract.backends import openface_tool
from feat_pipeline.extract.backends.openface import BOX_XYXY, OpenFaceExtractor, match, tight_box
from feat_pipeline.extract.backends.openface_tool import OpenFaceError
from feat_pipeline.extract.measure import Measured, face_rows, make_table
from feat_pipeline.sources.frame import Frame
from tests.feat_pipeline.extract.backends.openface_made import (
    INTENSITIES,
    PRESENCES,
    SHAPE,
    is_hanging,
    made_clock,
    make_openface,
)
from tests.feat_pipeline.fakes import FakeDetector, draw_face


def extractor(tmp_path, *, gaze=False, stalled_s=60.0, **behaviour):
    return OpenFaceExtractor(binary_dir=make_openface(tmp_path, **behaviour), gaze=gaze, stalled_s=stalled_s)


@pytest.fixture(scope="module")
def frames():
    """A picture of three faces, one without a face, one of a single face; and where they are."""
    three = np.full((160, 300, 3), 30, np.uint8)
    for x, y, side, smile, frown in ((20, 30, 60, 4, 0), (110, 60, 48, 0, 3), (200, 20, 70, 1, 1)):
        draw_face(three, x, y, side, smile, frown)
    one = draw_face(np.full((90, 80, 3), 30, np.uint8), 10, 12, 50, smile=2)
    pictures = [three, np.full((70, 60, 3), 40, np.uint8), one]
    return pictures, [FakeDetector().detect(picture) for picture in pictures]


def smiles(faces):
    return [[round(face.aus["AU12_r"], 1) for face in of_frame] for of_frame in faces]


def test_each_detected_face_has_its_own_aus_presences_and_landmarks(tmp_path, frames):
    made = extractor(tmp_path)
    faces = made.extract(*frames)
    assert smiles(faces) == [[4.0, 0.0, 1.0], [], [2.0]]
    first, second, _ = faces[0]
    assert list(first.aus) == list(made.au_columns) == INTENSITIES
    assert (second.aus["AU04_r"], second.extra["AU04_present"], second.extra["AU12_present"]) == (
        3.0,
        1.0,
        0.0,
    )
    presences = [name.replace("_c", "_present") for name in PRESENCES]
    assert sorted(first.extra) == sorted([*presences, "openface_confidence"])
    assert first.extra["openface_confidence"] == 0.925 and first.confidence == pytest.approx(0.9)
    assert first.pose_rad == pytest.approx([0.1, -0.2, 0.05])
    box = tight_box(frames[1][0][0], frames[0][0].shape)
    assert first.landmarks == pytest.approx(SHAPE * (box[2:] - box[:2]) + box[:2], abs=0.06)


def test_gaze_is_given_when_it_is_asked_for(tmp_path, frames):
    faces = extractor(tmp_path, gaze=True).extract(*frames)
    assert (faces[2][0].extra["gaze_angle_x"], faces[2][0].extra["gaze_0_z"]) == (0.125, -1.0)
    blind = extractor(tmp_path, gaze=True, eyes=False)
    assert np.isnan(blind.extract(*frames)[2][0].extra["gaze_angle_x"])


def test_its_faces_make_a_table(tmp_path, frames):
    made = extractor(tmp_path / "bin", separator=",")
    (faces,) = made.extract(frames[0][:1], frames[1][:1])
    table = make_table(face_rows(Measured(Frame(frames[0][0], "three.png"), faces)), made)
    assert (table.backend, table.scale, table.au_columns) == ("openface", "r", INTENSITIES)
    assert table.frame["AU04_present"].tolist() == [0, 1, 0]
    assert table.backend_version == made.version and made.version.startswith("build ")


def test_rows_are_given_to_the_faces_that_they_lie_over_and_not_by_their_order(tmp_path, frames):
    assert smiles(extractor(tmp_path, shuffle=True).extract(*frames)) == [[4.0, 0.0, 1.0], [], [2.0]]


def test_a_face_whose_landmarks_went_astray_is_nan_and_does_not_take_the_neighbours(tmp_path, frames):
    (faces, _, _) = extractor(tmp_path, drift=True).extract(*frames)
    assert faces[0].aus["AU12_r"] == 4.0
    for face in faces[1:]:
        assert np.isnan([*face.aus.values(), *face.extra.values(), *face.pose_rad]).all()
        assert np.isnan(face.landmarks).all() and face.confidence == pytest.approx(0.9)


def test_a_picture_that_breaks_it_costs_only_itself(tmp_path, frames):
    pictures, found = frames
    faces = extractor(tmp_path, crash_on=[1]).extract(
        [pictures[2], pictures[0], pictures[2]], [found[2], found[0], found[2]]
    )
    assert [len(of_frame) for of_frame in faces] == [1, 3, 1]
    assert smiles(faces)[0] == smiles(faces)[2] == [2.0]
    assert all(np.isnan([*face.aus.values()]).all() for face in faces[1])


def test_a_picture_on_which_it_hangs_costs_only_itself(tmp_path, frames, monkeypatch):
    pictures, found = frames
    monkeypatch.setattr(openface_tool, "time", made_clock(lambda: is_hanging(tmp_path)))
    faces = extractor(tmp_path, hang_on=[0], stalled_s=2.5).extract([pictures[2]] * 2, [found[2]] * 2)
    assert np.isnan(faces[0][0].aus["AU12_r"]) and faces[1][0].aus["AU12_r"] == 2.0


def test_a_crash_after_the_last_picture_costs_nothing(tmp_path, frames):
    assert smiles(extractor(tmp_path, crash_at_end=True).extract(*frames)) == [[4.0, 0.0, 1.0], [], [2.0]]


def test_where_it_breaks_on_everything_it_says_so(tmp_path, frames):
    with pytest.raises(OpenFaceError, match=r"ended with signal SIGABRT: .*terminate called"):
        extractor(tmp_path, crash_on=[0]).extract(frames[0][:1], frames[1][:1])
    with pytest.raises(OpenFaceError, match=r"exit code 1: .*ERROR: Could not load the landmark detector"):
        extractor(tmp_path, exit=1, say="ERROR: Could not load the landmark detector").extract(*frames)


def test_a_face_for_which_nothing_was_written_is_nan(tmp_path, frames):
    faces = extractor(tmp_path, no_csv=True).extract(*frames)
    assert [len(of_frame) for of_frame in faces] == [3, 0, 1]
    assert np.isnan(faces[2][0].aus["AU12_r"])


def test_nothing_to_look_at_runs_nothing(tmp_path, frames):
    made = extractor(tmp_path, exit=9)
    assert made.extract([], []) == [] and made.extract(frames[0][1:2], [[]]) == [[]]
    dot = Detection(np.array([5, 5, 6, 6], np.float32), 0.5)
    outside = Detection(np.array([900, 900, 950, 950], np.float32), 0.5)
    ((one, other),) = made.extract(frames[0][:1], [[dot, outside]])
    assert np.isnan([*one.aus.values(), *other.aus.values()]).all()


def test_the_box_that_it_begins_with_is_tight_around_the_landmarks():
    found = Detection(np.array([100, 50, 200, 150], np.float32), 1.0)
    x0, y0, x1, y1 = BOX_XYXY
    expected = [100 + 100 * x0, 50 + 100 * y0, 100 + 100 * x1, 50 + 100 * y1]
    assert tight_box(found, (300, 400)) == pytest.approx(expected)


@pytest.mark.parametrize("turn_deg", [0, 25, -40])
def test_with_points_the_box_follows_them_and_not_the_roll(turn_deg):
    from feat_pipeline.faces.align import TEMPLATE_5

    angle = np.radians(turn_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = ((TEMPLATE_5 - 0.5) @ turn.T * 120 + (200, 150)).astype(np.float32)
    box = tight_box(Detection(np.array([0, 0, 9, 9], np.float32), 1.0, points), (300, 400))
    assert box[2:] - box[:2] == pytest.approx([0.618 * 120, 0.591 * 120], abs=0.1)
    middle = np.array([0.499 - 0.5, 0.5675 - 0.5]) @ turn.T * 120 + (200, 150)
    assert (box[2:] + box[:2]) / 2 == pytest.approx(middle, abs=0.1)


def test_points_that_coincide_leave_the_box_to_the_detectors():
    points = np.full((5, 2), 70, np.float32)
    box = np.array([50, 60, 90, 110], np.float32)
    with_points, without = (tight_box(Detection(box, 0.9, given), (200, 200)) for given in (points, None))
    assert with_points == pytest.approx(without)


def test_the_most_overlap_in_all_decides():
    square = np.array([[0, 0], [10, 10]], float)
    landmarks = np.stack([np.resize(square + shift, (68, 2)) for shift in (3, 0, 40)])
    boxes = [np.array([0, 0, 10, 10.0]), np.array([4, 4, 14, 14.0]), None, np.array([80, 80, 90, 90.0])]
    assert match(landmarks, boxes) == {0: 1, 1: 0}
    assert match(landmarks[:0], boxes) == {}
