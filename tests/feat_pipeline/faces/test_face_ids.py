import numpy as np
import pandas as pd
import pytest

from feat_pipeline.errors import InputError
from feat_pipeline.faces.face_ids import add_face_ids


def rows(*faces, **columns):
    """An AU table's rows: (input, time, face, x)."""
    frame = pd.DataFrame(faces, columns=["input", "time_s", "face", "x"])
    return frame.assign(y=10.0, w=40.0, h=50.0, frame=(frame["time_s"] * 25).astype(int)).assign(**columns)


def test_rows_get_ids_of_their_own_input_in_their_own_order():
    frame = rows(
        ("b.mp4", 0.08, 0, 300.0),
        ("a.mp4", 0.00, 0, 100.0),
        ("a.mp4", 0.00, 1, 300.0),
        ("b.mp4", 0.00, 0, 296.0),
        ("a.mp4", 0.04, 0, 302.0),  # the left one was not found: this is the right one
    )
    told = add_face_ids(frame)
    assert told["face_id"].tolist() == [0, 0, 1, 0, 1] and told["face_id"].dtype == np.int64
    assert told.drop(columns="face_id").equals(frame) and "face_id" not in frame
    assert add_face_ids(told).equals(told)


def test_the_gap_that_is_bridged_follows_the_step_of_the_frames():
    seldom = rows(*(("a.mp4", 5.0 * i, 0, 100.0) for i in range(4)))
    assert add_face_ids(seldom)["face_id"].tolist() == [0, 0, 0, 0]
    assert add_face_ids(seldom, max_gap_s=2)["face_id"].tolist() == [0, 1, 2, 3]
    often = rows(*(("a.mp4", t, 0, 100.0) for t in (0.0, 0.04, 0.08, 3.0)))
    assert add_face_ids(often)["face_id"].tolist() == [0, 0, 0, 1]


def test_places_may_be_landmarks_and_a_row_without_one_goes_by_its_number():
    rng = np.random.default_rng(0)
    names = [f"{axis}_{i}" for axis in "xy" for i in range(68)]
    points = np.tile(rng.uniform(100, 180, 136), (4, 1))
    points[2] = np.nan
    frame = pd.DataFrame(points, columns=names).assign(input="a.mp4", face=0, time_s=[0.0, 0.1, 0.2, 0.3])
    assert add_face_ids(frame)["face_id"].tolist() == [0, 0, 0, 0]
    bare = pd.DataFrame({"input": "a.mp4", "face": [0, 1, 0, 1], "time_s": [0.0, 0.0, 0.1, 0.1]})
    assert add_face_ids(bare)["face_id"].tolist() == [0, 1, 0, 1]


def test_numbers_of_frames_stand_in_for_times():
    frame = rows(*(("a.mp4", t, 0, 100.0) for t in (0.0, 0.04, 0.08, 60.0)))
    assert add_face_ids(frame.drop(columns="time_s"))["face_id"].tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize("column", ["input", "face"])
def test_a_table_without_the_columns_is_refused(column):
    with pytest.raises(InputError, match=f"missing: {column}"):
        add_face_ids(rows(("a.mp4", 0.0, 0, 1.0)).drop(columns=column))


def test_an_empty_table_stays_empty():
    assert add_face_ids(rows())["face_id"].tolist() == []


def test_times_that_put_many_frames_into_one_moment_are_refused():
    rows = pd.DataFrame(
        {"input": "clip.mp4", "time_s": np.repeat([0.0, 1.0, 2.0], 30), "face": [*range(30)] * 3}
    )
    with pytest.raises(InputError, match=r"clip\.mp4: 87 of 90 faces lie on another face .* 'time_s'"):
        add_face_ids(rows.assign(x=100.0, y=50.0, w=120.0, h=140.0))
