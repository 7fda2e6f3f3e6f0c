"""Folders of photos and videos through a stand-in for OpenFace's programs."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.autable import AUTable
from feat_pipeline.errors import OutputError, UsageError
from feat_pipeline.extract.measure import NO_FACE
from feat_pipeline.output.folder import only_run
from feat_pipeline.runs import openface as openface_run
from feat_pipeline.runs.openface import class_names, run_openface
from feat_pipeline.sources.find import find_files
from tests.feat_pipeline.conftest import save
from tests.feat_pipeline.extract.backends.openface_made import make_docker, make_openface
from tests.feat_pipeline.fakes import draw_face


def photo(smile, frown=0.0, size=(90, 80)):
    return draw_face(np.full((*size, 3), 30, np.uint8), 10, 12, 50, smile, frown)


@pytest.fixture
def openface(tmp_path):
    return make_openface(tmp_path / "bin")


@pytest.fixture
def classes(tmp_path):
    """Folders of two emotions with names that collide, one picture without a face, and odd names."""
    folder = tmp_path / "my photos, größer"
    for name in ("Happiness", "anger/deep"):
        (folder / name).mkdir(parents=True)
    save(photo(4), folder / "Happiness" / "a.png")
    save(photo(3), folder / "Happiness" / "a.bmp")
    save(photo(2), folder / "Happiness" / "A b.TIFF")
    save(np.full((60, 70, 3), 90, np.uint8), folder / "anger" / "empty.png")
    two = draw_face(photo(0, 4, (90, 160)), 90, 20, 40, smile=0, frown=2)
    save(two, folder / "anger" / "deep" / "a.png")
    return folder


@pytest.fixture
def film(tmp_path):
    """Twelve frames, a face on all but the fifth and sixth; it smiles more from frame to frame."""
    import av

    path = tmp_path / "mein Film, é.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv444p"
        for number in range(12):
            picture = np.full((64, 96, 3), 30, np.uint8)
            if number not in (4, 5):
                draw_face(picture, 20, 12, 40, smile=number / 4)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def test_a_folder_of_classes_becomes_one_labelled_table(openface, classes, tmp_path):
    result = run_openface(classes, out=tmp_path / "out", binary_dir=openface)
    table = AUTable.read(tmp_path / "out" / "aus.csv")
    rows = table.frame[["input", "face", "emotion", "AU12_r", "AU04_r"]].round(1).to_numpy().tolist()
    assert rows == [
        [str(classes / "Happiness" / "A b.TIFF"), 0, "happy", 2.0, 0.0],
        [str(classes / "Happiness" / "a.bmp"), 0, "happy", 3.0, 0.0],
        [str(classes / "Happiness" / "a.png"), 0, "happy", 4.0, 0.0],
        [str(classes / "anger" / "deep" / "a.png"), 0, "angry", 0.0, 4.0],
        [str(classes / "anger" / "deep" / "a.png"), 1, "angry", 0.0, 2.0],
    ]
    assert (table.backend, table.scale, table.extra) == ("openface", "r", {"detector": "openface"})
    assert table.backend_version.startswith("build ") and len(table.au_columns) == 17
    assert result.skipped.to_numpy().tolist() == [[str(classes / "anger" / "empty.png"), 0, NO_FACE]]
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (run["command"], run["complete"]) == ("openface", True)
    assert run["counts"] == {"inputs": 5, "faces": 5, "skipped": {"no face": 1}}
    assert not result.errors


def test_a_face_has_the_box_around_its_landmarks_presences_and_gaze(openface, tmp_path):
    path = save(photo(4), tmp_path / "one.png")
    frame = run_openface(path, out=tmp_path / "out", binary_dir=openface).table.frame
    assert frame.loc[0, ["x", "y", "w", "h"]].tolist() == pytest.approx([10, 12, 50, 50], abs=0.1)
    assert frame.loc[0, ["frame", "time_s", "face", "confidence"]].tolist() == [0, 0, 0, 0.925]
    assert frame.loc[0, ["AU12_present", "AU04_present", "gaze_angle_x"]].tolist() == [1, 0, 0.125]
    assert "emotion" not in frame and "face_id" not in frame


def test_a_video_has_its_frames_from_0_with_times_and_nan_where_no_face_was(openface, film, tmp_path):
    result = run_openface(film, out=tmp_path / "out", binary_dir=openface)
    frame = result.table.frame
    assert frame["frame"].tolist() == list(range(12)) and frame["face_id"].tolist() == [0] * 12
    assert frame["time_s"].to_numpy() == pytest.approx(np.arange(12) / 10)
    missing = frame[["AU12_r", "x_0", "pose_Rx", "w", "AU12_present"]].isna().all(axis=1)
    assert np.flatnonzero(missing).tolist() == [4, 5]
    assert frame["AU12_r"].dropna().to_numpy() == pytest.approx(np.delete(np.arange(12) / 4, [4, 5]), abs=0.1)
    assert result.skipped.to_numpy().tolist() == [
        [str(film), 4, "no face found in 2 of 12 frames, from this one on"]
    ]
    assert result.run["counts"] == {"inputs": 1, "frames": 12, "faces": 12, "skipped": {"not measured": 1}}
    assert not result.errors


def test_photos_and_videos_stand_in_one_table_in_their_order(openface, film, tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    film.rename(folder / "b.mp4")
    for name in ("a.png", "c.png"):
        save(photo(4), folder / name)
    table = run_openface(folder, out=tmp_path / "out", binary_dir=openface, format="parquet").table
    assert table.frame["input"].str[-5:].tolist() == ["a.png", *["b.mp4"] * 12, "c.png"]
    assert AUTable.read(tmp_path / "out" / "aus.parquet").frame["face_id"].dtype == np.int64


def test_csvs_are_kept_with_all_columns_and_names_of_their_own_when_asked(openface, classes, film, tmp_path):
    out = tmp_path / "out"
    run_openface([classes, film], out=out, binary_dir=openface, keep_csv=True)
    kept = sorted(file.name for file in (out / "openface").iterdir())
    assert kept == [
        "000000_A b.TIFF.csv", "000001_a.bmp.csv", "000002_a.png.csv", "000004_a.png.csv",
        "000005_mein Film, é.mp4.csv",
    ]  # fmt: skip
    assert [len(pd.read_csv(out / "openface" / name).columns) for name in kept] == [711] * 4 + [714]
    assert len(AUTable.read(out / "openface" / kept[3])) == 2
    run_openface(classes, out=out, binary_dir=openface, overwrite=True)
    assert not any((out / "openface").iterdir())


def test_what_cannot_be_read_is_listed_and_the_rest_goes_on(openface, classes, film, tmp_path):
    (classes / "anger" / "broken.jpg").write_bytes(b"\xff\xd8\xff no more")
    (classes / "anger" / "broken.mp4").write_bytes(film.read_bytes()[:200])
    result = run_openface([classes, tmp_path / "gone.png"], out=tmp_path / "out", binary_dir=openface)
    reasons = {Path(error.input).name: error.reason for error in result.errors}
    assert set(reasons) == {"broken.jpg", "broken.mp4", "gone.png"}
    assert "damaged" in reasons["broken.jpg"] and "no such file" in reasons["gone.png"]
    assert len(result.table) == 5 and result.run["counts"]["skipped"] == {"error": 3, "no face": 1}


def test_a_photo_that_breaks_it_is_named_and_the_rest_goes_on(classes, tmp_path):
    openface = make_openface(tmp_path / "bin", crash_on=[1])
    result = run_openface(classes, out=tmp_path / "out", binary_dir=openface)
    (error,) = result.errors
    assert error.input == str(classes / "Happiness" / "a.bmp")
    assert error.reason.startswith("OpenFace broke on it: FaceLandmarkImg ended with signal SIGABRT: ")
    assert result.table.frame["AU12_r"].round().tolist() == [2, 4, 0, 0]


def test_photos_go_in_lots_and_the_table_is_the_same(openface, classes, tmp_path, monkeypatch):
    whole = run_openface(classes, out=tmp_path / "whole", binary_dir=openface).table.frame
    monkeypatch.setattr(openface_run, "MOST_PIXELS", 10_000)
    run_openface(classes, out=tmp_path / "lots", binary_dir=openface)
    monkeypatch.setattr(openface_run, "MOST_PHOTOS", 1)
    run_openface(classes, out=tmp_path / "ones", binary_dir=openface)
    tables = [(tmp_path / name / "aus.csv").read_bytes() for name in ("whole", "lots", "ones")]
    assert tables[0] == tables[1] == tables[2] and len(whole) == 5


def test_a_program_that_fails_before_the_first_photo_ends_the_run(classes, tmp_path, run):
    openface = make_openface(tmp_path / "bin", exit=1, say="ERROR: Could not load the landmark detector")
    code, out, err = run("openface", classes, "--out", tmp_path / "out", "--binary-dir", openface)
    assert code == 2 and out == "" and err.count("\n") == 1
    assert "FaceLandmarkImg ended with exit code 1" in err and "Could not load the landmark detector" in err
    assert not (tmp_path / "out" / "aus.csv").exists()


def test_a_video_that_breaks_it_is_listed(film, tmp_path):
    openface = make_openface(tmp_path / "bin", exit=134)
    result = run_openface(film, out=tmp_path / "out", binary_dir=openface)
    assert "OpenFace broke on it: FeatureExtraction ended with exit code 134" in result.errors[0].reason
    assert len(result.table) == 0 and "AU12_r" in AUTable.read(tmp_path / "out" / "aus.csv").frame
    make_openface(tmp_path / "bin", no_csv=True)
    result = run_openface(film, out=tmp_path / "out", binary_dir=openface, overwrite=True)
    assert result.errors[0].reason.endswith("FeatureExtraction ended well but wrote no CSV")


def test_what_was_done_is_kept_when_the_work_breaks_off(openface, classes, tmp_path, monkeypatch):
    monkeypatch.setattr(openface_run, "MOST_PHOTOS", 2)
    original, calls = openface_run._Job._photos, []

    def stopped(self, numbers):
        calls.append(numbers)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(self, numbers)

    monkeypatch.setattr(openface_run._Job, "_photos", stopped)
    with pytest.raises(KeyboardInterrupt) as caught:
        run_openface(classes, out=tmp_path / "out", binary_dir=openface)
    assert caught.value.__notes__ == [f"what was measured of 2 inputs until then is in {tmp_path / 'out'}"]
    assert len(AUTable.read(tmp_path / "out" / "aus.csv")) == 2
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (run["complete"], run["stopped_by"]) == (False, "KeyboardInterrupt")


def test_the_docker_image_gives_the_same_table(classes, film, tmp_path, monkeypatch):
    openface = make_openface(tmp_path / "bin")
    here = run_openface([classes, film], out=tmp_path / "here", binary_dir=openface).table.frame
    docker = make_docker(tmp_path / "docker")
    monkeypatch.setenv("PATH", f"{docker}{os.pathsep}{os.environ['PATH']}")
    result = run_openface([classes, film], out=tmp_path / "there", docker=True)
    pd.testing.assert_frame_equal(here, result.table.frame)
    assert result.table.backend_version == "image f43ad4e7" and result.run["parameters"]["docker"] is True
    calls = [json.loads(line) for line in (docker / "calls.jsonl").read_text().splitlines()]
    runs = [call for call in calls if call[0] == "run"]
    assert len(runs) == 2 and all("--network" in call and "never" in call for call in runs)
    assert f'"source={film}"' in " ".join(runs[1]) and "readonly" in " ".join(runs[1])


def test_the_command_prints_what_it_wrote_and_counts(openface, classes, tmp_path, run):
    out = tmp_path / "out"
    code, stdout, stderr = run("openface", classes, "--out", out, "--binary-dir", openface)
    assert code == 0
    assert stdout.splitlines() == [str(out / name) for name in ("aus.csv", "skipped.csv", "run.json")]
    assert stderr.startswith("feat-pipeline: 5 inputs, 5 faces, skipped: 1 no face;")
    assert " with openface build " in stderr
    code, _, stderr = run("openface", classes, "--out", out, "--binary-dir", openface)
    assert code == 2 and "already holds aus.csv" in stderr


def test_its_table_is_fitted_by_its_labels(openface, tmp_path, run):
    for name, smile, frown in (("happy", 4, 0), ("angry", 0, 4), ("neutral", 0, 0)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(6):
            save(photo(max(0, smile - i / 5), max(0, frown - i / 5)), tmp_path / "photos" / name / f"{i}.png")
    out = tmp_path / "out"
    assert run("openface", tmp_path / "photos", "--out", out, "--binary-dir", openface)[0] == 0
    code, stdout, _ = run(
        "fit", out / "aus.csv", "--label-column", "emotion", "--out", tmp_path / "m", "--folds", 3
    )
    assert code == 0 and float(dict(line.split("\t") for line in stdout.splitlines())["accuracy"]) > 0.9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--docker", "--binary-dir", "x"], "docker, binary-dir: name one of the two"),
        (["--timeout", "0"], "timeout: expected more than 0 seconds, got 0"),
        (["--binary-dir", "nowhere"], "nowhere holds no FaceLandmarkImg"),
        (["--format", "xlsx"], "invalid choice: 'xlsx'"),
    ],
)
def test_wrong_usage_is_one_line(classes, tmp_path, run, options, message):
    code, _, stderr = run("openface", classes, "--out", tmp_path / "out", *options)
    assert code == 2 and message in stderr and "Traceback" not in stderr


def test_an_unknown_format_and_a_folder_in_use_are_refused(openface, classes, tmp_path):
    with pytest.raises(UsageError, match="format: expected one of csv, parquet, got 'xlsx'"):
        run_openface(classes, out=tmp_path / "out", binary_dir=openface, format="xlsx")
    with (
        only_run(tmp_path / "out"),
        pytest.raises(OutputError, match="another extraction is writing into it"),
    ):
        run_openface(classes, out=tmp_path / "out", binary_dir=openface)


def test_folders_name_classes_only_where_all_files_lie_in_two_or_more(classes):
    files = find_files(classes)
    assert set(class_names([classes], files)) == {"happy", "angry"}
    assert class_names([classes / "Happiness"], find_files(classes / "Happiness")) == []
    assert class_names([classes / "anger"], find_files(classes / "anger")) == []
    assert class_names([classes, files[0]], [*files, classes / "loose.png"]) == []
    assert class_names(files, files) == []
    parts = [classes / part / kind / "x.png" for part in ("train", "test") for kind in ("anger", "sad")]
    assert class_names([classes], parts) == ["angry", "sad"] * 2
    assert class_names([classes], [*parts, classes / "happy" / "x.png"]) == []
