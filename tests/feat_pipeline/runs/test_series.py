import json

import numpy as np
import pandas as pd
import pytest

from analysis.autable import AUTable
from feat_pipeline.commands.series import read_neutral
from feat_pipeline.errors import InputError, UsageError
from feat_pipeline.runs.series import series_files
from feat_pipeline.sources.sampling import Sampling
from tests.feat_pipeline.fakes import draw_face
from tests.feat_pipeline.sources.made_videos import write_video

RATE = 25


def smiling(i, size):
    """Frame i: one face rests and smiles from 1 to 1.8 s, the other is away from 0.8 to 1.2 s."""
    picture = np.full((size[1], size[0], 3), 30, np.uint8)
    draw_face(picture, 16, 32, 48, smile=3.5 if 25 <= i < 45 else 0.5)
    if not 20 <= i < 30:
        draw_face(picture, 128, 48, 48, smile=0.5, frown=2)
    return picture


@pytest.fixture
def film(tmp_path):
    size = (208, 128)
    options = {"crf": "4"}
    return write_video(
        tmp_path / "film.mp4",
        60,
        draw=lambda i: smiling(i, size),
        size=size,
        options=options,
        pixels="yuv444p",
    )


def read(folder, name):
    return pd.read_csv(folder / name, keep_default_na=False, na_values=[""])


def test_a_video_becomes_series_events_and_figures(film, fakes, model_dir, run, tmp_path):
    out = tmp_path / "out"
    code, stdout, stderr = run("series", film, "--out", out, "--model", model_dir, "--detect-every", "0")
    assert code == 0, stderr
    assert [line.rsplit("/", 1)[1] for line in stdout.splitlines()] == [
        *("series.csv", "events.csv", "series", "skipped.csv", "run.json")
    ]
    table = read(out, "series.csv")
    assert table.groupby("face_id").size().to_dict() == {0: 60, 1: 50}
    first = table[table["face_id"] == 0]
    assert first["time_s"].tolist() == pytest.approx(np.arange(60) / RATE)
    assert first["AU12_r"].iloc[[0, 30]].tolist() == pytest.approx([0.5, 3.5], abs=0.25)
    assert first["calibrated_AU12_r"].iloc[[0, 30]].tolist() == pytest.approx([0, 3], abs=0.25)
    assert set(first["label"].iloc[26:44]) == {"happy"}
    chances = first[[c for c in table if c.startswith("p_")]]
    assert list(chances) == ["p_angry", "p_happy", "p_neutral"] and chances.sum(
        axis=1
    ).to_numpy() == pytest.approx(1)
    smiles = read(out, "events.csv").query("au == 'AU12_r'")
    assert smiles["face_id"].tolist() == [0] and smiles["censored"].tolist() == ["none"]
    assert smiles[["onset_s", "offset_s"]].to_numpy().ravel() == pytest.approx([0.98, 1.8], abs=0.05)
    figures = sorted(path.name for path in (out / "series").iterdir())
    assert figures == ["000000_film_face0.png", "000001_film_face1.png"]
    facts = json.loads((out / "run.json").read_text())
    assert facts["counts"] == {
        "inputs": 1,
        "faces": 110,
        "persons": 2,
        "events": len(read(out, "events.csv")),
    } | {"skipped": {}}
    assert facts["events"] == {"high": 1.0, "low": 0.5, "min_duration_s": 0.1} and facts["complete"]


def test_steps_and_bounds_choose_the_frames_of_videos_and_of_tables_alike(film, fakes, model_dir, tmp_path):
    sampling = Sampling(0.4, 2.0, None, 5)
    seen = series_files(film, out=tmp_path / "a", sampling=sampling, model=model_dir).series.frame
    assert sorted(set(seen["frame"])) == list(range(10, 50, 5))
    whole = series_files(film, out=tmp_path / "b", model=model_dir, detect_every_s=0)
    again = series_files(tmp_path / "b" / "series.csv", out=tmp_path / "c", sampling=sampling, figures=0)
    assert sorted(set(again.series.frame["frame"])) == list(range(10, 50, 5))
    assert AUTable.read(tmp_path / "c" / "series.csv").backend == "fake"
    assert len(whole.series.frame) == 110 and not (tmp_path / "c" / "series").exists()


def made_table(path, **columns):
    times = np.arange(40) / 10
    frame = pd.DataFrame(
        {
            "input": "clip.mp4",
            "frame": range(40),
            "time_s": times,
            "face": 0,
            "x": 10.0,
            "y": 10.0,
            "w": 40.0,
            "h": 40.0,
            "AU04_r": 0.1,
            "AU12_r": np.where((times > 1) & (times < 2), 3.0, 0.4),
            "AU25_r": 0.0,
        }
    ).assign(**columns)
    AUTable(frame, backend="fake", backend_version="7", scale="r").write(path)
    return path


def test_a_table_becomes_a_series_with_ids_and_emotions(tmp_path, model_dir, run):
    table = made_table(tmp_path / "clip.csv")
    code, _, stderr = run(
        "series", table, "--out", tmp_path / "out", "--model", model_dir, "--aus", "AU12,AU25"
    )
    assert code == 0, stderr
    found = read(tmp_path / "out", "series.csv")
    assert set(found["face_id"]) == {0} and "AU04_r" not in found and "p_happy" in found
    assert read(tmp_path / "out", "events.csv")["au"].tolist() == ["AU12_r"]


def test_the_shipped_model_is_left_out_of_tables_of_another_backend_and_this_is_said(tmp_path, run):
    table = made_table(tmp_path / "clip.csv")
    code, _, stderr = run("series", table, "--out", tmp_path / "out")
    assert code == 0 and "no emotions: logit-embedded was fitted on AUs of embedded" in stderr
    assert "label" not in read(tmp_path / "out", "series.csv")


@pytest.mark.shared
def test_openface_s_csv_becomes_a_series(shared, tmp_path, run):
    csv = shared / "data" / "openface" / "subj01_timepoint01.csv"
    code, _, stderr = run("series", csv, "--out", tmp_path / "out", "--neutral", "2-4", "--smooth", "0.2")
    assert code == 0, stderr
    assert (
        len(read(tmp_path / "out", "series.csv")) == 158
        and len(list((tmp_path / "out/series").iterdir())) == 1
    )


def test_a_video_without_a_face_gives_empty_tables_and_no_error(tmp_path, fakes, model_dir, run):
    path = write_video(tmp_path / "empty.mp4", 12)
    code, _, stderr = run("series", path, "--out", tmp_path / "out", "--model", model_dir)
    assert code == 0 and "12 no face" in stderr
    assert read(tmp_path / "out", "series.csv").empty and read(tmp_path / "out", "events.csv").empty
    assert len(read(tmp_path / "out", "skipped.csv")) == 12


def test_of_several_videos_a_bad_one_is_listed_and_the_rest_done(film, tmp_path, fakes, model_dir, run):
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"nothing")
    code, _, stderr = run("series", film, bad, "--out", tmp_path / "out", "--model", model_dir)
    assert code == 1 and "bad.mp4: " in stderr
    assert read(tmp_path / "out", "skipped.csv")["input"].tolist() == [str(bad)]
    assert len(read(tmp_path / "out", "series.csv")) > 100


def test_results_are_not_overwritten_unless_asked_for(tmp_path, model_dir, run):
    table = made_table(tmp_path / "clip.csv")
    assert run("series", table, "--out", tmp_path / "out", "--model", model_dir)[0] == 0
    code, _, stderr = run("series", table, "--out", tmp_path / "out", "--model", model_dir)
    assert code == 2 and "--overwrite" in stderr
    (tmp_path / "out" / "series" / "000007_old_face7.png").write_bytes(b"old")
    assert run("series", table, "--out", tmp_path / "out", "--model", model_dir, "--overwrite")[0] == 0
    assert [p.name for p in (tmp_path / "out" / "series").iterdir()] == ["000000_clip_face0.png"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--neutral", "5-2"], "neutral: expected percentile, none or two times"),
        (["--neutral", "50-60"], "nobody was measured from 50 to 60 s"),
        (["--every", "often"], "every: expected seconds"),
        (["--aus", "AU99"], "lacks AU99_r"),
        (["--model", "nowhere"], "nowhere"),
        (["--smooth", "-1"], "smooth: expected seconds"),
        (["--start", "3", "--end", "1"], "start_s"),
        (["--figures", "-1"], "figures: expected 0 or more"),
    ],
)
def test_wrong_options_cost_one_line(tmp_path, run, arguments, reason):
    table = made_table(tmp_path / "clip.csv")
    code, _, stderr = run("series", table, "--out", tmp_path / "out", *arguments)
    assert code == 2 and reason in stderr and len(stderr.strip().splitlines()) == 1


def test_a_table_without_times_a_photo_and_a_missing_file_are_refused(tmp_path, photos, run):
    frame = pd.DataFrame({"input": ["a.jpg", "b.jpg"], "AU12_r": [1.0, 2.0]})
    AUTable(frame, backend="fake", backend_version="7", scale="r").write(tmp_path / "still.csv")
    for path, reason in (
        (tmp_path / "still.csv", "column 'time_s' is missing"),
        (photos / "two.png", "expected a video or an AU table"),
        (photos, "no video and no AU table"),
        (tmp_path / "missing.mp4", "no such file"),
        (tmp_path / "missing.csv", "no such file"),
    ):
        code, _, stderr = run("series", path, "--out", tmp_path / "out")
        assert code == 2 and reason in stderr and len(stderr.strip().splitlines()) == 1


def test_a_model_of_pixels_is_refused(tmp_path):
    with pytest.raises(UsageError, match="cnn-fer2013: looks at pixels"):
        series_files(made_table(tmp_path / "clip.csv"), out=tmp_path / "out", model="cnn-fer2013")


def test_tables_that_do_not_belong_together_are_refused(tmp_path):
    one = made_table(tmp_path / "one.csv")
    with pytest.raises(InputError, match=r"input clip\.mp4 stands in two tables"):
        series_files([one, made_table(tmp_path / "two.csv")], out=tmp_path / "out")
    other = AUTable.read(made_table(tmp_path / "three.csv", input="b.mp4"))
    other.backend = "openface"
    other.write(tmp_path / "three.csv")
    with pytest.raises(InputError, match="do not join"):
        series_files([one, tmp_path / "three.csv"], out=tmp_path / "out")


def test_two_tables_of_one_kind_are_joined(tmp_path):
    paths = [made_table(tmp_path / f"{name}.csv", input=f"{name}.mp4") for name in "ab"]
    found = series_files(paths, out=tmp_path / "out", figures=1)
    assert found.series.persons() == [("a.mp4", 0), ("b.mp4", 0)]
    assert any("1 of 2 persons have a figure" in note for note in found.notes)


@pytest.mark.parametrize(("text", "expected"), [("none", "none"), ("2-5", (2, 5)), ("0.5-1.25", (0.5, 1.25))])
def test_the_neutral_face_is_read(text, expected):
    assert read_neutral(text) == expected


@pytest.mark.slow
def test_a_real_video_is_followed_and_named(feat_photos, tmp_path, run):
    film = feat_photos / "single_face.mp4"
    code, _, stderr = run("series", film, "--out", tmp_path / "out", "--every", "4", "--detector", "haar")
    assert code == 0, stderr
    table = read(tmp_path / "out", "series.csv")
    assert (table["face_id"] == 0).sum() >= 16 and set(table["label"]) <= {
        *("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    }
