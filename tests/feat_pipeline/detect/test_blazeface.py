"""BlazeFace; what all detectors promise is in tests/conformance."""

import numpy as np
import pytest

from benchmarks.detection import measure
from feat_pipeline.detect import available_detectors, make_detector
from feat_pipeline.detect.blazeface import _starts, _suppress, _tiles
from feat_pipeline.errors import UnavailableError, UsageError
from feat_pipeline.sources.photos import read_photo


@pytest.mark.parametrize("shape", [(300, 500), (500, 300), (64, 640), (37, 41)])
def test_tiles_cover_the_picture_at_every_size_and_overlap_by_half(shape):
    tiles = list(_tiles(shape, 20))
    sides = sorted({side for *_, side in tiles})
    assert tiles[0] == (0, 0, max(shape)) and sides[0] <= 2 * 5 * 20
    for side in sides:
        for length, place in ((shape[1], 0), (shape[0], 1)):
            starts = sorted({tile[place] for tile in tiles if tile[2] == side})
            assert starts[0] == 0 and starts[-1] == max(0, length - side)
            assert all(np.diff(starts) <= -(-side // 2))


def test_a_picture_smaller_than_a_tile_is_one_tile():
    assert _starts(30, 64).tolist() == [0]


def test_of_boxes_that_cover_each_other_the_surest_stays():
    rows = np.array([[0, 0, 40, 40, 0.8], [2, 1, 41, 42, 0.9], [5, 20, 35, 40, 0.95], [60, 0, 90, 30, 0.76]])
    assert _suppress(rows)[:, 4].tolist() == [0.95, 0.76]
    assert _suppress(rows[[0, 1, 3]])[:, 4].tolist() == [0.9, 0.76]


@pytest.mark.shared
def test_tiles_find_the_small_faces_of_a_group_that_a_single_look_misses(landmarker_file, shared):
    rgb = read_photo(shared / "data" / "photos" / "2007_007763.jpg")
    tiled = make_detector("blazeface", model=landmarker_file).detect(rgb)
    single = make_detector("blazeface", model=landmarker_file, min_face_px=10_000).detect(rgb)
    assert len(single) < len(tiled) and all(face.points is None for face in tiled)


@pytest.mark.shared
def test_a_large_picture_is_searched_on_a_small_copy(landmarker_file, feat_photos):
    rgb = read_photo(feat_photos / "single_face.jpg")
    large = np.kron(rgb, np.ones((3, 3, 1), np.uint8))
    detector = make_detector("blazeface", model=landmarker_file)
    (small,), (big,) = detector.detect(rgb), detector.detect(large)
    assert big.box_xyxy / 3 == pytest.approx(small.box_xyxy, abs=12)


@pytest.mark.shared
def test_the_list_knows_it_is_ready_without_building_it(landmarker_file, monkeypatch):
    monkeypatch.setenv("FEAT_MEDIAPIPE_MODEL", str(landmarker_file))
    monkeypatch.setattr("feat_pipeline.detect.blazeface.open_task", lambda *args, **kwargs: 1 / 0)
    assert {one.name: one.available for one in available_detectors()}["blazeface"]


def test_without_the_bundle_it_says_what_gets_it(monkeypatch, tmp_path):
    pytest.importorskip("mediapipe", reason="MediaPipe is not installed (extra mediapipe)")
    with pytest.raises(
        UnavailableError, match=r"gone\.task is no file; run: feat-pipeline models fetch mediapipe"
    ):
        make_detector("blazeface", model=tmp_path / "gone.task")


@pytest.mark.parametrize(
    "options",
    [
        {"min_confidence": 0},
        {"min_face_px": 3},
        {"max_side_px": 0},
    ],
)
def test_an_option_out_of_range_is_named(options):
    with pytest.raises(UsageError, match=f"detector blazeface: {next(iter(options))} must lie in"):
        make_detector("blazeface", **options)


@pytest.mark.shared
def test_it_finds_all_43_faces_of_group_photos(landmarker_file, shared):
    assert (
        measure(make_detector("blazeface", model=landmarker_file), shared / "data" / "photos", times=1)[
            "found"
        ]
        >= 43
    )
