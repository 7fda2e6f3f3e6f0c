"""One suite for every AU backend in the registry: a new one is tested by registering it."""

import os
import re

import cv2
import numpy as np
import pytest

from analysis.facs import SCALE_RANGES
from feat_pipeline.detect import Detection, make_detector
from feat_pipeline.errors import UnavailableError, UsageError
from feat_pipeline.extract import BACKENDS, available_backends, make_extractor
from feat_pipeline.extract.backends.pyfeat_guard import untouched
from feat_pipeline.registry import resolve
from feat_pipeline.weights.pyfeat import NEEDED
from tests.feat_pipeline.extract.backends.pyfeat_made import made_resources, make_weights

# py-feat's weights are rarely on a machine that runs tests. Small made ones go through its own loading code
# and all that a backend must do whatever its weights; what needs sense is skipped for them.
PARAMS = [pytest.param(name, marks=pytest.mark.slow) if name in NEEDED else name for name in BACKENDS]


@pytest.fixture(scope="module", params=PARAMS)
def extractor(request, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "mediapipe" and "FEAT_MEDIAPIPE_MODEL" not in os.environ:
            shared = request.getfixturevalue("shared")
            patch.setenv("FEAT_MEDIAPIPE_MODEL", str(shared / "models" / "face_landmarker.task"))
        try:
            return make_extractor(request.param)
        except UnavailableError as error:
            if request.param not in NEEDED:
                pytest.skip(str(error))
    with untouched():
        import feat  # noqa: F401
    with made_resources(tmp_path_factory.mktemp("feat")) as resources:
        with untouched():
            make_weights(resources, request.param)
        extractor = make_extractor(request.param)
    extractor.has_made_weights = True
    return extractor


@pytest.fixture(scope="module")
def sensible(extractor):
    """The extractor, where its numbers mean something."""
    if getattr(extractor, "has_made_weights", False):
        pytest.skip("its weights are made: its numbers mean nothing")
    return extractor


@pytest.fixture(scope="module")
def detector():
    return make_detector("mtcnn")


def values(face):
    return np.array(list(face.aus.values()))


def test_it_says_what_it_measures(extractor):
    assert resolve(BACKENDS[extractor.name]) is type(extractor) and extractor.version
    assert all(re.fullmatch(rf"AU\d\d_{extractor.scale}", column) for column in extractor.au_columns)
    assert len(set(extractor.au_columns)) == len(extractor.au_columns) >= 12


def test_every_detected_face_is_measured_in_order(extractor, detector, group, single):
    found = [detector.detect(group), [], detector.detect(single)]
    faces = extractor.extract([group, group, single], found)
    assert [len(of_frame) for of_frame in faces] == [5, 0, 1]
    low, high = SCALE_RANGES[extractor.scale]
    for of_frame, detections in zip(faces, found, strict=True):
        for face, detection in zip(of_frame, detections, strict=True):
            assert tuple(face.aus) == extractor.au_columns
            assert ((values(face) >= low) & (values(face) <= high)).all()
            assert face.landmarks.shape == (68, 2) and face.landmarks.dtype == np.float32
            assert face.pose_rad.shape == (3,) and (np.abs(face.pose_rad) < 1.6).all()
            assert face.box_xyxy.tolist() == detection.box_xyxy.tolist()
            assert face.confidence == detection.confidence
            assert set(face.extra) == set(extractor.extra_columns)
            x0, y0, x1, y1 = detection.box_xyxy
            inside = (face.landmarks > (x0 - 30, y0 - 30)) & (face.landmarks < (x1 + 30, y1 + 30))
            assert inside.mean() > 0.95


def test_the_same_picture_gives_the_same_numbers_alone_and_in_a_batch(extractor, detector, group, single):
    found = detector.detect(single)
    (alone,), (again,) = (extractor.extract([single], [found])[0] for _ in range(2))
    assert np.array_equal(values(alone), values(again))
    ((in_batch,), _) = extractor.extract([single, group], [found, detector.detect(group)])
    assert values(in_batch) == pytest.approx(values(alone), abs=2e-3)


def test_a_mirror_image_has_the_same_aus_and_mirrored_landmarks(sensible, detector, single):
    from feat_pipeline.faces.align import MIRROR_68

    ((face,),) = sensible.extract([single], [detector.detect(single)])
    mirror = np.ascontiguousarray(single[:, ::-1])
    ((back,),) = sensible.extract([mirror], [detector.detect(mirror)])
    swap = {"AU51": "AU52", "AU55": "AU56", "AU61": "AU62"}  # what is turned left is turned right
    swap |= {b: a for a, b in swap.items()}
    same = [abs(face.aus[c] - back.aus[swap.get(c[:4], c[:4]) + c[4:]]) for c in face.aus]
    assert np.mean(same) < 0.25 and max(same) < 1.2
    returned = back.landmarks[MIRROR_68] * (-1, 1) + (single.shape[1], 0)
    eyes = np.linalg.norm(face.landmarks[36] - face.landmarks[45])
    assert np.linalg.norm(returned - face.landmarks, axis=1).mean() < 0.05 * eyes
    assert back.pose_rad[1:] == pytest.approx(-face.pose_rad[1:], abs=0.12)


def test_a_turned_picture_turns_the_landmarks_and_the_roll_and_leaves_the_aus(sensible, detector, single):
    ((face,),) = sensible.extract([single], [detector.detect(single)])
    height, width = single.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), -20, 1.0)  # 20 degrees clockwise
    turned = cv2.warpAffine(single, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    found = detector.detect(turned)
    if not found:
        pytest.skip("the detector does not find the turned face")
    ((back,),) = sensible.extract([turned], [found])
    assert back.pose_rad[2] - face.pose_rad[2] == pytest.approx(np.radians(20), abs=0.08)
    still = [c for c in face.aus if c[:4] not in ("AU55", "AU56")]  # the head's tilt is what changed
    assert np.mean([abs(face.aus[c] - back.aus[c]) for c in still]) < 0.35


def test_a_face_cut_by_the_border_or_a_dot_is_measured_or_nan_but_does_no_harm(extractor, single):
    odd = [
        Detection(np.array([300, 200, 560, 520], np.float32), 0.9),
        Detection(np.array([0, 0, 1, 1], np.float32), 0.9),
        Detection(np.array([30, 30, 30, 30], np.float32), 0.9),
        Detection(np.array([50, 60, 90, 110], np.float32), 0.9, np.full((5, 2), 70, np.float32)),
    ]
    (faces,) = extractor.extract([single], [odd])
    assert len(faces) == 4
    for face in faces:
        measured = np.isfinite(values(face))
        assert measured.all() or not measured.any()
        for part in (face.landmarks, face.pose_rad):
            assert np.isfinite(part).all() if measured.all() else np.isnan(part).all()


def test_nothing_to_measure_is_nothing_measured(extractor, single):
    assert extractor.extract([], []) == [] and extractor.extract([single], [[]]) == [[]]


def test_the_list_of_backends_says_which_can_run():
    statuses = available_backends()
    assert [status.name for status in statuses] == list(BACKENDS)
    assert all(status.available or status.mend for status in statuses)


def test_an_unknown_backend_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match=r"auto or one of .*embedded.*'openpose'"):
        make_extractor("openpose")
