import json
import math

import numpy as np
import pytest

from analysis.autable import AUTable
from feat_pipeline.extract.engine import chunks, processes
from feat_pipeline.extract.engine.chunks import Stretch, Unreadable, plan
from feat_pipeline.extract.measure import measure_chunks
from feat_pipeline.runs.extract import extract
from feat_pipeline.sources.sampling import Sampling
from tests.feat_pipeline.conftest import save
from tests.feat_pipeline.fakes import FakeDetector, draw_face
from tests.feat_pipeline.sources.made_videos import write_video

SHARP = {"qp": "4", "sc_threshold": "0"}  # keyframes at every twelfth frame and nowhere else


def two_faces(i):
    """One face smiles more and more on the left; another one shows from frame 20 to 39, on the right."""
    picture = draw_face(np.full((64, 112, 3), 30, np.uint8), 8 + i // 6, 12, 32, smile=i / 20)
    return draw_face(picture, 70, 20, 24, smile=0, frown=3) if 20 <= i < 40 else picture


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    return write_video(path, 60, draw=two_faces, size=(112, 64), options=SHARP, pixels="yuv444p")


def test_a_video_gives_a_row_for_each_face_of_each_frame_with_its_time(fakes, film):
    result = extract(film)
    rows = result.table.frame
    assert rows["frame"].tolist() == sorted([*range(60), *range(20, 40)])
    assert rows["time_s"].to_numpy() == pytest.approx(rows["frame"].to_numpy() * 0.04)
    left = rows[rows["x"] < 40]
    assert left["AU12_r"].to_numpy() == pytest.approx(left["frame"].to_numpy() / 20, abs=0.25)
    assert result.run["counts"] == {"inputs": 1, "frames": 60, "faces": 80, "skipped": {}}
    assert result.table.extra["detect_every_s"] == 0.25


def test_a_face_keeps_its_id_whatever_its_number_in_the_frame(fakes, film):
    rows = extract(film).table.frame
    assert set(rows.loc[rows["x"] < 40, "face_id"]) == {0}
    assert set(rows.loc[rows["x"] > 40, "face_id"]) == {1}


def test_photos_have_no_face_id_alone_and_their_own_beside_a_video(fakes, film, photos):
    assert "face_id" not in extract(photos).table.frame
    rows = extract([film, photos]).table.frame
    of_photo = rows[rows["input"] == str(photos / "two.png")]
    assert of_photo["face_id"].tolist() == of_photo["face"].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("sampling", "frames"),
    [
        (Sampling(every_frames=25), [0, 25, 50]),
        (Sampling(every_s=0.5), [0, 13, 25, 38, 50]),
        (Sampling(start_s=1.0, end_s=1.2), [25, 26, 27, 28, 29]),
        (Sampling(start_s=2.3), [58, 59]),
    ],
)
def test_a_part_of_a_video_is_measured_when_asked(fakes, film, sampling, frames):
    assert sorted(set(extract(film, sampling=sampling).table.frame["frame"])) == frames


def test_the_detector_rests_between_two_looks_that_agree(fakes, film, monkeypatch):
    looks = []
    detect = FakeDetector.detect
    monkeypatch.setattr(FakeDetector, "detect", lambda self, frame: looks.append(0) or detect(self, frame))
    rested = extract(film).table.frame
    few = len(looks)
    every = extract(film, detect_every_s=0).table.frame
    assert len(looks) - few == 60 and few < 25
    assert rested["frame"].tolist() == every["frame"].tolist()
    assert rested["x"].to_numpy() == pytest.approx(every["x"].to_numpy(), abs=1.01)


def test_a_video_is_cut_where_decoding_can_begin_and_read_as_one(fakes, film, monkeypatch):
    whole = extract(film, detect_every_s=0).table.frame
    monkeypatch.setattr(chunks, "STRETCH_FRAMES", 20)
    stretches = plan([film], Sampling())
    assert [(s.sampling.start_s, s.sampling.end_s, s.frames) for s in stretches] == [
        (0.0, pytest.approx(0.96), 24),
        (pytest.approx(0.96), pytest.approx(1.92), 24),
        (pytest.approx(1.92), math.inf, 12),
    ]
    parts = extract(film, detect_every_s=0).table.frame
    assert parts["frame"].tolist() == whole["frame"].tolist()
    assert parts["face_id"].tolist() == whole["face_id"].tolist()
    np.testing.assert_array_equal(parts["AU12_r"], whole["AU12_r"])


def test_a_stretch_counts_only_the_frames_that_are_wanted(film, monkeypatch):
    monkeypatch.setattr(chunks, "STRETCH_FRAMES", 5)
    assert [s.frames for s in plan([film], Sampling(every_frames=4))] == [6, 6, 3]


def test_an_interrupted_video_goes_on_at_the_stretch_where_it_was(fakes, film, tmp_path, monkeypatch):
    def broken(chunks, *arguments, **options):
        yield from list(measure_chunks(chunks, *arguments, **options))[:2]
        raise KeyboardInterrupt

    monkeypatch.setattr(chunks, "STRETCH_FRAMES", 20)
    extract(film, out=tmp_path / "whole")
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(processes, "measure_chunks", broken)
        with pytest.raises(KeyboardInterrupt) as caught:
            extract(film, out=out)
    assert "24 of 60 frames are measured and kept" in caught.value.__notes__[0]
    extract(film, out=out)
    assert (out / "aus.csv").read_bytes() == (tmp_path / "whole" / "aus.csv").read_bytes()


def test_several_processes_measure_one_video_alike(film, tmp_path, monkeypatch):
    from feat_pipeline.detect import DETECTORS
    from feat_pipeline.extract import BACKENDS

    monkeypatch.setitem(DETECTORS, "mtcnn", "tests.feat_pipeline.fakes:FakeDetector")
    monkeypatch.setitem(BACKENDS, "embedded", "tests.feat_pipeline.fakes:FakeExtractor")
    monkeypatch.setattr(chunks, "STRETCH_FRAMES", 20)
    for jobs in (1, 2):
        extract(film, out=tmp_path / str(jobs), backend="embedded", jobs=jobs, format="parquet")
    one, two = (AUTable.read(tmp_path / name / "aus.parquet") for name in "12")
    assert one.frame.equals(two.frame) and one.meta == two.meta and len(one) == 80


def test_a_video_that_cannot_be_read_is_listed_and_the_rest_goes_on(fakes, film, tmp_path, run):
    (tmp_path / "torn.mp4").write_bytes(film.read_bytes()[:200])
    photo = save(two_faces(3), tmp_path / "one.png")
    code, _, err = run("extract", tmp_path / "torn.mp4", photo, film, "--out", tmp_path / "out")
    assert code == 1 and f"{tmp_path / 'torn.mp4'}: " in err
    counts = json.loads((tmp_path / "out" / "run.json").read_text())["counts"]
    assert counts == {"inputs": 3, "frames": 62, "faces": 81, "skipped": {"error": 1}}


def test_an_interval_beyond_the_end_is_an_error_that_tells_the_end(fakes, film, tmp_path, run):
    (lost,) = plan([film], Sampling(start_s=9.0))
    assert isinstance(lost, Unreadable)
    code, _, err = run("extract", film, "--out", tmp_path / "out", "--start", "9")
    assert code == 1 and "film.mp4: holds no frame between 9 and inf s; it ends at 2.400 s" in err


def test_the_options_of_videos_reach_them(fakes, film, tmp_path, run):
    options = ["--every", "0.2s", "--start", "1", "--end", "2", "--detect-every", "0"]
    assert run("extract", film, "--out", tmp_path / "out", *options)[0] == 0
    parameters = json.loads((tmp_path / "out" / "run.json").read_text())["parameters"]
    assert parameters["every_s"] == 0.2 and (parameters["start_s"], parameters["end_s"]) == (1, 2)
    rows = AUTable.read(tmp_path / "out" / "aus.csv").frame
    assert rows["frame"].drop_duplicates().tolist() == [25, 30, 35, 40, 45]


@pytest.mark.parametrize(("option", "value"), [("--every", "often"), ("--end", "0"), ("--start", "nan")])
def test_wrong_options_of_videos_are_refused(fakes, film, tmp_path, run, option, value):
    code, out, err = run("extract", film, "--out", tmp_path / "out", option, value)
    assert (code, out) == (2, "") and option.strip("-") in err and not (tmp_path / "out").exists()


def test_folders_are_searched_for_videos_too(fakes, film, photos):
    target = photos / "sub" / "film.mp4"
    target.write_bytes(film.read_bytes())
    names = set(extract(photos).table.frame["input"])
    assert str(target) in names and len(names) == 3


def test_a_stretch_can_be_sent_to_another_process(film):
    import pickle

    (stretch,) = plan([film], Sampling())
    again = pickle.loads(pickle.dumps(stretch))
    assert isinstance(again, Stretch) and again.identity() == stretch.identity()


def cut_film(i):
    """A face in one room, then at the same place in another from frame 17 on."""
    rng = np.random.default_rng(int(i >= 17))
    room = rng.integers(0, 180, (8, 14, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    return draw_face(room, 40, 16, 32, smile=1)


def test_no_face_id_crosses_a_hard_cut_by_its_place(fakes, tmp_path):
    film = write_video(
        tmp_path / "cut.mp4", 40, draw=cut_film, size=(112, 64), options=SHARP, pixels="yuv444p"
    )
    rows = extract(film).table.frame
    assert rows["face_id"].tolist() == [0] * 17 + [1] * 23
    assert "look" not in rows


def test_a_cut_between_two_measured_stretches_is_found_too(fakes, tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "STRETCH_FRAMES", 17)
    draw = lambda i: cut_film(i - 7)  # noqa: E731 - the cut is at a keyframe: frame 24
    film = write_video(tmp_path / "cut.mp4", 40, draw=draw, size=(112, 64), options=SHARP, pixels="yuv444p")
    rows = extract(film).table.frame
    assert rows["face_id"].tolist() == [0] * 24 + [1] * 16
