import numpy as np
import pandas as pd
import pytest

from feat_pipeline.errors import InputError, UsageError
from feat_pipeline.runs.photo_sequence import with_sequences


def photos(*names):
    frame = pd.DataFrame({"input": names, "frame": 0, "time_s": 0.0, "face": 0})
    return frame.assign(AU12_r=np.arange(len(names), dtype=float))


def test_photos_alone_have_no_times_and_are_refused_with_the_mend():
    with pytest.raises(InputError, match=r"photos have no times: where they are .* give --fps"):
        with_sequences(photos("a/1.png", "a/2.png"), None, "aus.csv")


def test_numbered_photos_of_a_folder_become_one_film_in_the_order_of_their_numbers():
    names = [f"a/frame_{i}.png" for i in (1, 10, 11, 12, *range(2, 9))]
    frame, notes = with_sequences(photos(*names), 5, "aus.csv")
    assert set(frame["input"]) == {"a/frame_#.png"}
    assert frame["frame"].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11]  # number 9 is missing
    assert frame["time_s"].tolist() == pytest.approx(frame["frame"] / 5)
    assert frame["AU12_r"].tolist() == [0, 4, 5, 6, 7, 8, 9, 10, 1, 2, 3]
    assert notes == ["11 photos are taken for 1 sequence(s) of 5 photos a second"]


def test_two_folders_are_two_films():
    frame, _ = with_sequences(photos("a/1.png", "a/2.png", "b/1.png", "b/2.png"), 10, "aus.csv")
    assert frame.groupby("input")["time_s"].apply(list).to_dict() == {
        "a/#.png": [0, 0.1],
        "b/#.png": [0, 0.1],
    }


def test_photos_among_videos_are_left_out_and_told():
    both = pd.concat([photos("a.png"), photos("film.mp4")])
    frame, notes = with_sequences(both, None, "aus.csv")
    assert frame["input"].tolist() == ["film.mp4"] and "1 rows are of photos" in notes[0]


@pytest.mark.parametrize(
    ("names", "error", "reason"),
    [
        (
            ["a/anna.png", "a/ben.png"],
            InputError,
            "anna.png: expected a name that ends in the photo's number",
        ),
        (["a/f_1.png", "a/f_01.png"], InputError, "have one number"),
        (["film.mp4"], UsageError, "holds no photo"),
    ],
)
def test_names_without_a_number_and_films_are_refused(names, error, reason):
    with pytest.raises(error, match=reason):
        with_sequences(photos(*names), 25, "aus.csv")
