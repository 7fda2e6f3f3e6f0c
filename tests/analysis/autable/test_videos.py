import numpy as np
import pandas as pd
import pytest

from analysis.autable import AUTable

FRAMES = 90


def fex(times, **columns):
    """Rows as py-feat writes them for one face of a video."""
    frame = pd.DataFrame(
        {"FaceRectX": 100.0, "FaceScore": 0.99, "AU01": 0.2, "AU12": 0.4}, index=range(FRAMES)
    )
    return frame.assign(input="clip.mp4", frame=range(FRAMES), approx_time=times, **columns)


def openface(frames, start=1, **columns):
    """Rows as OpenFace writes them for one face."""
    rows = pd.DataFrame({"frame": np.arange(start, start + frames), "face_id": 0})
    rows = rows.assign(timestamp=np.arange(frames) / 30, confidence=0.98, success=1)
    values = np.random.default_rng(frames).uniform(0, 1, (frames, 2))
    return rows.assign(AU04_r=values[:, 0], AU12_r=values[:, 1], **columns)


def read(frame, tmp_path, name="table.csv"):
    frame.to_csv(tmp_path / name, index=False)
    return AUTable.read(tmp_path / name)


@pytest.mark.parametrize("rate", [30, 25, 60, 12.5])
def test_whole_seconds_give_way_to_frame_numbers_at_the_rate_that_fits(rate, tmp_path):
    times = [f"{int(i / rate) // 60:02d}:{int(i / rate) % 60:02d}" for i in range(FRAMES)]
    table = read(fex(times), tmp_path)
    first = np.diff(table.frame["time_s"])
    assert first == pytest.approx(np.full(FRAMES - 1, 1 / rate), rel=0.05)
    assert any("share" in note and "too coarse" in note for note in table.notes)


def test_times_that_are_all_zero_give_way_to_frame_numbers_and_the_rate_is_told_as_assumed(tmp_path):
    table = read(openface(60, timestamp=0.0), tmp_path)
    assert table.frame["time_s"].nunique() == 60
    assert any("assumption" in note for note in table.notes)


def test_times_that_tell_frames_apart_stay_as_they_are(tmp_path):
    table = read(openface(60), tmp_path)
    assert table.frame["time_s"].tolist() == pytest.approx(np.arange(60) / 30)
    assert not any("coarse" in note for note in table.notes)


def test_two_faces_of_one_frame_may_share_its_time(tmp_path):
    both = pd.concat([openface(30), openface(30).assign(face_id=1)]).sort_values(["frame", "face_id"])
    table = read(both, tmp_path)
    assert set(table.frame["input"]) == {"table.csv"} and table.frame["time_s"].nunique() == 30


@pytest.mark.parametrize("column", ["filename", "file", "video", "Filename", "path"])
def test_a_column_that_names_the_video_is_taken_for_the_input(column, tmp_path):
    parts = [openface(45).assign(**{column: "anna.mp4"}), openface(90).assign(**{column: " 007 "})]
    table = read(pd.concat(parts), tmp_path)
    assert table.frame.groupby("input").size().to_dict() == {"anna.mp4": 45, "007": 90}
    assert any(f"column {column!r} names" in note for note in table.notes)


def test_a_subject_names_the_video_where_frames_start_again(tmp_path):
    parts = [openface(45).assign(subject="anna"), openface(90).assign(subject="ben")]
    assert set(read(pd.concat(parts), tmp_path).frame["input"]) == {"anna", "ben"}
    assert set(read(parts[0], tmp_path).frame["input"]) == {"table.csv"}


@pytest.mark.parametrize("left", [["frame", "timestamp"], ["frame"], ["timestamp"]])
def test_frames_or_times_that_start_again_are_other_videos_and_told(left, tmp_path):
    parts = [openface(45), openface(90), openface(30)]
    whole = pd.concat(parts)
    gone = [name for name in ("frame", "timestamp") if name not in left]
    table = read(whole.drop(columns=gone), tmp_path)
    assert table.frame.groupby("input").size().tolist() == [45, 90, 30]
    assert table.frame["input"].iloc[0] == "table.csv#1"
    assert any("starts again" in note for note in table.notes)


def test_faces_that_stand_one_after_the_other_are_one_video(tmp_path):
    parts = [openface(45).assign(face_id=face) for face in (0, 1)]
    assert set(read(pd.concat(parts), tmp_path).frame["input"]) == {"table.csv"}


def test_rows_that_stand_twice_are_no_second_video(tmp_path):
    assert set(read(pd.concat([openface(45)] * 2), tmp_path).frame["input"]) == {"table.csv"}
