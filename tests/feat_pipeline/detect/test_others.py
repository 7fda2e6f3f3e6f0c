import numpy as np
import pytest

from analysis.boxes import box_iou
from benchmarks.detection import measure
from feat_pipeline.detect import available_detectors, make_detector
from feat_pipeline.errors import UnavailableError, UsageError
from feat_pipeline.sources.photos import read_photo


@pytest.mark.parametrize(
    ("name", "faces"), [("multi_face.jpg", 4), ("single_face.jpg", 1), ("free-mountain-vector-01.jpg", 0)]
)
def test_haar_finds_the_frontal_faces(feat_photos, name, faces):
    assert len(make_detector("haar").detect(read_photo(feat_photos / name))) == faces


def test_haar_is_sure_of_a_frontal_face(feat_photos):
    (face,) = make_detector("haar").detect(read_photo(feat_photos / "single_face.jpg"))
    assert face.box_xyxy == pytest.approx([157, 153, 384, 380], abs=20)
    assert face.points is None
    assert face.confidence > 0.9


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "faces"), [("multi_face.jpg", 5), ("single_face.jpg", 1), ("free-mountain-vector-01.jpg", 0)]
)
def test_yunet_finds_every_face(yunet_file, feat_photos, name, faces):
    found = make_detector("yunet", model=yunet_file).detect(read_photo(feat_photos / name))
    assert len(found) == faces


@pytest.mark.shared
def test_yunet_reads_its_file_from_the_environment(yunet_file, monkeypatch):
    monkeypatch.setenv("FEAT_YUNET", str(yunet_file))
    assert make_detector("yunet").detect(np.full((90, 80, 3), 90, np.uint8)) == []


@pytest.mark.shared
def test_yunet_and_mtcnn_give_the_points_in_one_order(yunet_file, feat_photos):
    rgb = read_photo(feat_photos / "single_face.jpg")
    (one,) = make_detector("mtcnn").detect(rgb)
    (other,) = make_detector("yunet", model=yunet_file).detect(rgb)
    assert one.points == pytest.approx(other.points, abs=12)
    assert one.points[0, 0] < one.points[1, 0]


def test_yunet_without_a_file_says_how_to_get_one(monkeypatch):
    monkeypatch.delenv("FEAT_YUNET", raising=False)
    with pytest.raises(UnavailableError, match=r"no ONNX file is named; get .* and run: export FEAT_YUNET="):
        make_detector("yunet")


def test_yunet_names_a_missing_file(tmp_path):
    with pytest.raises(UnavailableError, match=r"gone\.onnx is no file"):
        make_detector("yunet", model=tmp_path / "gone.onnx")


def test_yunet_names_a_file_that_is_no_network(tmp_path):
    (tmp_path / "bad.onnx").write_bytes(b"no network")
    with pytest.raises(UnavailableError, match=r"OpenCV cannot load .*bad\.onnx"):
        make_detector("yunet", model=tmp_path / "bad.onnx")


def test_none_takes_the_whole_picture():
    (face,) = make_detector("none").detect(np.zeros((48, 50, 3), np.uint8))
    assert face.box_xyxy.tolist() == [0, 0, 50, 48]
    assert face.confidence == 1
    assert face.points is None


def test_none_takes_the_whole_picture_where_there_is_no_face(feat_photos):
    for shape in [(1, 1), (1, 400), (400, 1), (16, 13), (48, 48), (90, 130)]:
        assert len(make_detector("none").detect(np.full((*shape, 3), 120, np.uint8))) == 1
    (face,) = make_detector("none").detect(read_photo(feat_photos / "single_face.jpg"))
    known = np.array([[175, 150, 380, 395]], np.float32)
    assert box_iou(known, face.box_xyxy[None])[0, 0] > 0.15


@pytest.mark.parametrize(
    "options",
    [
        {"min_face_px": 2},
        {"max_side_px": 0},
        {"scale_factor": 1.0},
        {"min_neighbors": 0},
    ],
)
def test_an_haar_option_out_of_range_is_named(options):
    with pytest.raises(UsageError, match=f"detector haar: {next(iter(options))} must lie in"):
        make_detector("haar", **options)


@pytest.mark.parametrize(
    "options",
    [
        {"min_confidence": -0.1},
        {"max_side_px": 0},
    ],
)
def test_a_yunet_option_out_of_range_is_named(options):
    with pytest.raises(UsageError, match=f"detector yunet: {next(iter(options))} must lie in"):
        make_detector("yunet", **options)


@pytest.mark.shared
def test_yunet_finds_all_43_faces_of_group_photos(yunet_file, shared):
    assert (
        measure(make_detector("yunet", model=yunet_file), shared / "data" / "photos", times=1)["found"] >= 43
    )


def test_the_list_knows_the_detectors_that_ship_and_what_the_others_need(monkeypatch):
    monkeypatch.delenv("FEAT_YUNET", raising=False)
    monkeypatch.setenv("FEAT_MEDIAPIPE_MODEL", "gone.task")
    status = {one.name: one for one in available_detectors()}
    assert all(status[name].available for name in ("mtcnn", "fast", "haar", "none"))
    assert not status["yunet"].available and "export FEAT_YUNET=" in status["yunet"].mend
    assert not status["blazeface"].available and "feat-pipeline" in status["blazeface"].mend
