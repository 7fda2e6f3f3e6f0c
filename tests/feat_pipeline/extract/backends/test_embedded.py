import json

import numpy as np
import pandas as pd
import pytest

from analysis.facs import AUS
from feat_pipeline.detect import make_detector
from feat_pipeline.errors import UnavailableError
from feat_pipeline.extract.backends.embedded import EmbeddedExtractor, intensity
from feat_pipeline.sources.photos import read_photo
from feat_pipeline.weights.shipped import models_dir

NAMED = {1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 16, 17, 20, 23, 24, 25, 26, 27, 43}


@pytest.fixture(scope="module")
def extractor():
    return EmbeddedExtractor()


@pytest.fixture(scope="module")
def formulas():
    return json.loads((models_dir() / "embedded" / "embedded.json").read_text(encoding="utf-8"))["aus"]


def test_it_measures_the_named_aus_and_each_is_a_known_one(extractor):
    numbers = {int(column[2:4]) for column in extractor.au_columns}
    assert numbers >= NAMED and numbers <= set(AUS)


def test_the_shipped_network_is_small():
    folder = models_dir() / "embedded"
    assert sum(file.stat().st_size for file in folder.iterdir()) < 8_000_000


def test_calibrations_rise_strictly_from_0_to_at_most_5(formulas):
    for column, formula in formulas.items():
        assert (np.diff(formula["scores"]) > 0).all() and (np.diff(formula["intensities"]) >= 0).all(), column
        assert formula["intensities"][0] == 0 and formula["intensities"][-1] <= 5, column


def test_an_au_is_made_of_its_own_region_only(formulas):
    upper = (
        *("brow", "eye", "cheek", "nose", "g_inner", "g_middle", "g_outer", "g_brow", "g_eye", "g_lower_lid"),
        *("g_upper_lid", "g_nose_w", "t_glabella", "t_nose", "t_crows", "t_under", "t_cheek", "t_forehead"),
    )
    for column, formula in formulas.items():
        number = int(column[2:4])
        for term in formula["terms"]:
            is_upper = term.startswith(upper) and term != "g_lower_lip"
            if number == 10:
                continue  # the upper lip meets the nose
            if AUS[number].region == "head" or term.startswith("h_"):
                assert AUS[number].region == "head" and term.startswith("h_"), (column, term)
                continue
            assert is_upper == (AUS[number].region in ("brow", "eye", "nose", "cheek")), (column, term)


def test_an_intensity_is_the_calibrated_sum_of_z_scores():
    formula = {
        "terms": {"a": [1.0, 2.0, 0.5], "b": [0.0, 1.0, -1.0]},
        "scores": [-1, 0, 1],
        "intensities": [0, 1, 5],
    }
    evidence = {"a": np.array([5.0, 1.0, 9.0]), "b": np.array([0.5, 0.0, -9.0])}
    assert intensity(formula, evidence).tolist() == [3.0, 1.0, 5.0]


def test_aus_tell_posed_pictures_apart(extractor, feat_photos):
    detector = make_detector("mtcnn")

    def aus(name):
        picture = read_photo(feat_photos / name)
        return extractor.extract([picture], [detector.detect(picture)])[0][0].aus

    surprised, smiling = aus("0-f1-su-ph.jpg"), aus("single_face.jpg")
    assert surprised["AU02_r"] > smiling["AU02_r"] + 1 and surprised["AU05_r"] > smiling["AU05_r"] + 1
    assert surprised["AU27_r"] > smiling["AU27_r"] and smiling["AU12_r"] > surprised["AU12_r"] + 1


def test_missing_files_are_named_with_what_mends_it(tmp_path):
    with pytest.raises(
        UnavailableError, match=r"network\.onnx and embedded\.json.*install the package again"
    ):
        EmbeddedExtractor(tmp_path)


@pytest.mark.shared
def test_landmarks_agree_with_dlibs_on_group_photos(extractor, shared):
    from xml.etree import ElementTree

    detector, errors = make_detector("mtcnn"), []
    for image in ElementTree.parse(shared / "data/photos/testing_with_face_landmarks.xml").iter("image"):
        picture = read_photo(shared / "data/photos" / image.attrib["file"])
        (faces,) = extractor.extract([picture], [detector.detect(picture)])
        for box in image.iter("box"):
            known = np.array([(float(p.attrib["x"]), float(p.attrib["y"])) for p in box.iter("part")]) + 0.5
            eyes = np.linalg.norm(known[36] - known[45])
            errors.append(min(np.linalg.norm(f.landmarks - known, axis=1)[17:].mean() for f in faces) / eyes)
    assert len(errors) > 15 and np.median(errors) < 0.07  # two schemes of points, faces of 50 px


@pytest.mark.shared
def test_head_pose_follows_openface_in_sign_and_size(extractor, shared):
    import cv2

    known = pd.read_csv(shared / "data/openface/subj01_timepoint01.csv", skipinitialspace=True)
    video, detector, poses = cv2.VideoCapture(str(shared / "data/openface/subj01_timepoint01.mp4")), None, []
    detector = make_detector("mtcnn", min_face_px=80)
    for number in range(60):
        picture = cv2.cvtColor(video.read()[1], cv2.COLOR_BGR2RGB)
        if number % 6 == 0:
            poses.append(extractor.extract([picture], [detector.detect(picture)])[0][0].pose_rad)
    columns = ["pose_Rx", "pose_Ry", "pose_Rz"]
    difference = np.array(poses) - known[columns].to_numpy()[:60:6]
    assert np.abs(difference).mean(0).max() < 0.12
