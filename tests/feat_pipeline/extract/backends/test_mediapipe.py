"""The face landmarker as a backend; what all backends promise is in tests/conformance."""

import numpy as np
import pandas as pd
import pytest

from analysis.autable import AUTable
from analysis.facs import BLENDSHAPE_PROXIES
from feat_pipeline.detect import Detection, make_detector
from feat_pipeline.errors import UnavailableError
from feat_pipeline.extract import make_extractor
from feat_pipeline.extract.backends.mediapipe import BLENDSHAPES, MediapipeExtractor, proxy_aus
from feat_pipeline.extract.measure import Measured, face_rows, make_table
from feat_pipeline.faces.align import MESH_68, MIRROR_68
from feat_pipeline.sources.frame import Frame
from feat_pipeline.sources.photos import read_photo


@pytest.fixture(scope="module")
def extractor(landmarker_file):
    return MediapipeExtractor(landmarker_file)


@pytest.fixture(scope="module")
def group(feat_photos):
    rgb = read_photo(feat_photos / "multi_face.jpg")
    return rgb, make_detector("mtcnn").detect(rgb)


def shapes(**values):
    return {name: values.get(name, 0.1) for name in BLENDSHAPES}


def test_a_proxy_is_the_mean_of_both_sides_or_the_larger_of_two():
    aus = proxy_aus(shapes(mouthSmileLeft=0.8, mouthSmileRight=0.4, jawLeft=0.7, jawRight=0.2))
    assert aus["AU12_p"] == pytest.approx(0.6) and aus["AU30_p"] == pytest.approx(0.7)
    assert aus["AU01_p"] == pytest.approx(0.1)
    assert list(aus) == [f"AU{number:02d}_p" for number in BLENDSHAPE_PROXIES]


def test_a_blendshape_that_is_missing_makes_its_proxy_missing_and_no_other():
    aus = proxy_aus(shapes(mouthSmileLeft=np.nan, jawLeft=np.nan))
    assert [name for name, value in aus.items() if np.isnan(value)] == ["AU12_p", "AU30_p"]


def test_a_score_that_rounding_took_past_one_stays_in_range():
    assert proxy_aus(shapes(jawOpen=1.0000002))["AU26_p"] == 1


def test_the_proxies_are_those_that_a_table_of_blendshapes_is_read_as(tmp_path):
    rng = np.random.default_rng(3)
    rows = pd.DataFrame(rng.uniform(0, 1, (4, 52)), columns=BLENDSHAPES)
    rows.assign(input="a.jpg").to_csv(tmp_path / "shapes.csv", index=False)
    read = AUTable.read(tmp_path / "shapes.csv")
    ours = pd.DataFrame([proxy_aus(row) for row in rows.to_dict("records")])
    assert read.backend == "mediapipe" and set(read.au_columns) == set(ours.columns)
    assert read.aus.to_numpy() == pytest.approx(ours[read.au_columns].to_numpy())


def test_the_map_to_68_points_is_symmetric():
    assert len(set(MESH_68)) == 68 and max(MESH_68) < 478
    assert sorted(MIRROR_68[MIRROR_68].tolist()) == list(range(68))


@pytest.mark.shared
def test_all_blendshapes_stand_in_the_table_beside_the_proxies(extractor, group, tmp_path):
    rgb, found = group
    (faces,) = extractor.extract([rgb], [found])
    table = make_table(face_rows(Measured(Frame(rgb, "group.jpg"), faces)), extractor)
    assert (table.scale, len(table.au_columns), len(table)) == ("p", 23, 5)
    assert set(BLENDSHAPES) <= set(table.frame.columns)
    smile = table.frame[["mouthSmileLeft", "mouthSmileRight"]].mean(axis=1)
    assert smile.to_numpy() == pytest.approx(table.frame["AU12_p"].to_numpy(), abs=1e-6)
    assert (table.frame["AU12_p"] > 0.3).all()
    table.write(tmp_path / "aus.csv")
    read = AUTable.read(tmp_path / "aus.csv")
    assert (read.backend, read.backend_version) == ("mediapipe", extractor.version)
    assert read.frame["jawOpen"].to_numpy() == pytest.approx(table.frame["jawOpen"].to_numpy(), rel=1e-4)


@pytest.mark.shared
def test_two_of_them_give_the_same_bits(extractor, landmarker_file, group):
    rgb, found = group
    tables = [
        make_table(face_rows(Measured(Frame(rgb, "a"), one.extract([rgb], [found])[0])), one).frame
        for one in (extractor, MediapipeExtractor(landmarker_file), extractor)
    ]
    assert tables[0].equals(tables[1]) and tables[0].equals(tables[2])


@pytest.mark.shared
def test_a_box_beside_a_face_does_not_take_the_neighbours(extractor, group):
    rgb, found = group
    x0, y0, x1, y1 = found[0].box_xyxy
    width = x1 - x0
    beside = Detection(np.array([x1 + 0.1 * width, y0, x1 + 1.1 * width, y1], np.float32), 0.9)
    (faces,) = extractor.extract([rgb], [[beside, found[0]]])
    empty, face = faces
    assert np.isnan([*empty.aus.values(), *empty.extra.values(), *empty.pose_rad]).all()
    assert np.isnan(empty.landmarks).all() and empty.confidence == pytest.approx(0.9)
    assert np.isfinite([*face.aus.values(), *face.extra.values()]).all()


@pytest.mark.shared
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_with_points_a_face_is_found_however_the_picture_lies(extractor, feat_photos, turns):
    rgb = read_photo(feat_photos / "single_face.jpg")
    (found,) = make_detector("mtcnn").detect(rgb)
    ((upright,),) = extractor.extract([rgb], [[found]])
    turned = np.ascontiguousarray(np.rot90(rgb, turns))

    def turn(points):
        size = np.array(rgb.shape[1::-1], float)
        for _ in range(turns):
            points = np.stack([points[..., 1], size[0] - points[..., 0]], axis=-1)
            size = size[::-1]
        return points

    corners = turn(found.box_xyxy.reshape(2, 2))
    box = np.r_[corners.min(0), corners.max(0)].astype(np.float32)
    ((face,),) = extractor.extract([turned], [[Detection(box, 0.9, turn(found.points).astype(np.float32))]])
    eyes = np.linalg.norm(upright.landmarks[36] - upright.landmarks[45])
    assert np.linalg.norm(face.landmarks - turn(upright.landmarks), axis=1).mean() < 0.03 * eyes
    assert np.mean([abs(face.aus[name] - upright.aus[name]) for name in face.aus]) < 0.02
    roll = (upright.pose_rad[2] - face.pose_rad[2] - turns * np.pi / 2) % (2 * np.pi)
    assert min(roll, 2 * np.pi - roll) < 0.05


@pytest.mark.shared
def test_a_face_crop_of_48_px_is_measured(extractor, shared):
    crop = read_photo(sorted((shared / "data" / "ckplus_dev" / "happy").glob("*.png"))[2])
    assert crop.shape == (48, 48, 3)
    ((face,),) = extractor.extract([crop], [make_detector("none").detect(crop)])
    assert face.aus["AU12_p"] > 0.5


@pytest.mark.shared
def test_the_environment_names_the_bundle(landmarker_file, monkeypatch):
    monkeypatch.setenv("FEAT_MEDIAPIPE_MODEL", str(landmarker_file))
    assert MediapipeExtractor.check().endswith("/64184e22")
    assert make_extractor("mediapipe").version == MediapipeExtractor.check()


def test_without_a_bundle_it_names_the_command_that_mends_it(monkeypatch, tmp_path):
    monkeypatch.setenv("FEAT_MEDIAPIPE_MODEL", str(tmp_path / "gone.task"))
    monkeypatch.setattr("feat_pipeline.errors.find_spec", lambda name: object())
    monkeypatch.setattr("feat_pipeline.weights.mediapipe.version", lambda name: "1.2.2")
    for ask in (MediapipeExtractor.check, MediapipeExtractor):
        with pytest.raises(UnavailableError, match="run: feat-pipeline models fetch mediapipe"):
            ask()
