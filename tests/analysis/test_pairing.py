import numpy as np
import pandas as pd
import pytest

from analysis.autable import LANDMARK_COLUMNS, AUTable
from analysis.errors import TableError
from analysis.pairing import pair_rows


def table(**columns):
    frame = pd.DataFrame(columns)
    frame["AU12_r"] = np.linspace(0, 3, len(frame))
    return AUTable(frame, backend="made", backend_version="1", scale="r")


def boxed(rows):
    """Rows of input, frame, x, y, side."""
    names, frames, x, y, side = zip(*rows, strict=True)
    places = {"x": np.array(x, float), "y": np.array(y, float), "w": side, "h": side}
    return table(input=list(names), frame=list(frames), **places)


def test_faces_of_a_photo_are_paired_by_their_boxes_whatever_their_order():
    first = boxed([("a.jpg", 0, 10, 10, 40), ("a.jpg", 0, 90, 12, 40), ("b.jpg", 0, 5, 5, 50)])
    second = boxed([("b.jpg", 0, 8, 7, 50), ("a.jpg", 0, 94, 10, 38), ("a.jpg", 0, 12, 12, 36)])
    assert pair_rows(first, second).tolist() == [[0, 2], [1, 1], [2, 0]]


def test_a_face_that_one_did_not_find_has_no_partner():
    first = boxed([("a.jpg", 0, 10, 10, 40), ("a.jpg", 0, 90, 12, 40)])
    second = boxed([("a.jpg", 0, 92, 12, 40), ("a.jpg", 0, 300, 12, 40), ("c.jpg", 0, 10, 10, 40)])
    assert pair_rows(first, second).tolist() == [[1, 0]]


def test_landmarks_count_before_boxes_and_rows_without_them_are_left_out():
    rng = np.random.default_rng(2)
    shape = rng.uniform(0, 60, (2, 68))
    centres = np.array([[100, 100], [300, 110]])

    def rows(order, jitter, failed=()):
        points = (centres[order][:, :, None] + shape + jitter).reshape(len(order), -1)
        frame = pd.DataFrame(points, columns=list(LANDMARK_COLUMNS))
        frame.loc[list(failed)] = np.nan
        return table(input=["a.jpg"] * len(order), **{name: frame[name] for name in frame})

    assert pair_rows(rows([0, 1], 0), rows([1, 0], 3)).tolist() == [[0, 1], [1, 0]]
    assert pair_rows(rows([0, 1], 0), rows([1, 0], 3, failed=[1])).tolist() == [[1, 0]]


def test_frames_of_videos_are_paired_by_time_where_both_have_it():
    times = np.arange(6) / 30
    ours = table(input=["/here/clip.mp4"] * 6, frame=range(6), time_s=times)
    openface = table(input=["clip.csv"] * 5, frame=range(1, 6), time_s=np.round(times[:5], 3))
    assert pair_rows(ours, openface).tolist() == [[i, i] for i in range(5)]
    every_other = table(input=["clip.mp4"] * 3, frame=[0, 2, 4], time_s=times[[0, 2, 4]])
    assert pair_rows(ours, every_other).tolist() == [[0, 0], [2, 1], [4, 2]]
    assert pair_rows(every_other, ours).tolist() == [[0, 0], [1, 2], [2, 4]]


def test_frames_of_videos_without_times_are_paired_by_number():
    first = table(input=["clip.mp4"] * 3, frame=[4, 5, 6])
    second = table(input=["clip.mp4"] * 3, frame=[5, 6, 7])
    assert pair_rows(first, second).tolist() == [[1, 0], [2, 1]]


def test_inputs_are_the_same_by_name_else_by_stem_else_because_there_is_one():
    by_name = table(input=["x/a.jpg", "y/a.jpg"]), table(input=["y/a.jpg", "x/a.jpg"])
    assert pair_rows(*by_name).tolist() == [[0, 1], [1, 0]]
    by_stem = table(input=["x/a.jpg", "x/b.jpg"]), table(input=["C:\\out\\b.csv", "C:\\out\\a.csv"])
    assert pair_rows(*by_stem).tolist() == [[0, 1], [1, 0]]
    assert pair_rows(table(input=["a.jpg"]), table(input=["of.csv"])).tolist() == [[0, 0]]
    with pytest.raises(TableError, match="no input in common"):
        pair_rows(table(input=["a.jpg", "b.jpg"]), table(input=["c.jpg", "d.jpg"]))


def test_a_photo_is_one_moment_whatever_number_it_was_given():
    first = table(input=["a.jpg", "b.jpg"], frame=[0, 0], time_s=[0.0, 0.0])
    second = table(input=["a.jpg", "b.jpg"], frame=[1, 7])
    assert pair_rows(first, second).tolist() == [[0, 0], [1, 1]]
