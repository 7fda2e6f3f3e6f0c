import numpy as np
import pandas as pd
import pytest

from analysis.au_names import read_name, read_names, reading_notes, resembles_au
from analysis.aumatrix import named_matrix
from analysis.autable import AUTable
from analysis.errors import TableError


@pytest.mark.parametrize(
    ("spelled", "read"),
    [
        ("AU1_r", "AU01_r"),
        ("AU12_r (smile)", "AU12_r"),
        (" AU01_r ", "AU01_r"),
        ("au01_r", "AU01_r"),
        ("AU01-r", "AU01_r"),
        ("AU 1 intensity", "AU01_r"),
        ("au_1_intensity", "AU01_r"),
        ("AU12 presence", "AU12_c"),
        ("Action Unit 4", "AU4"),
        ("au_4", "AU4"),
        ("\uff21\uff35\uff11\uff12_r", "AU12_r"),
        ("X.AU01_r", "AU01_r"),
        ("AU12_r..smile.", "AU12_r"),
        ("AU04", "AU04"),
    ],
)
def test_au_columns_in_other_spellings_are_read(spelled, read):
    assert read_name(spelled) == read


@pytest.mark.parametrize("name", ["block", "audio_12", "beau12", "tau_12", "Unnamed: 12", "x_12", "AU98_x"])
def test_columns_that_are_no_aus_stay_as_they_are(name):
    assert read_name(name) == name and not resembles_au(name)


@pytest.mark.parametrize("name", ["AU12_r_mean", "AU12L_r", "AU6+12", "my_AU12", "AU12c", "openface AU01_r"])
def test_columns_that_may_be_aus_are_told_and_not_read(name):
    (note,) = reading_notes([name], read_names([name]))
    assert read_name(name) == name and f"not used: 1 ({name!r})" in note


def test_beside_a_left_side_an_r_is_the_right_side():
    assert read_names(["AU12_R", "AU12_L", "AU01_r"]) == ["AU12_R", "AU12_L", "AU01_r"]


def test_two_spellings_of_one_au_are_refused_by_their_names():
    with pytest.raises(TableError, match=r"'AU1_r', 'AU01_r' name one AU, AU01_r"):
        read_names(["AU1_r", "AU01_r"])


def test_a_file_and_a_frame_with_other_spellings_hold_the_same_aus(tmp_path):
    frame = pd.DataFrame(
        {"input": ["a", "b"], " AU1_r": [0.5, 1.0], "AU12_r (smile)": [2.5, 0], "smile_score": [0.1, 0.2]}
    )
    frame.to_csv(tmp_path / "aus.csv", index=False)
    read = AUTable.read(tmp_path / "aus.csv")
    made = AUTable(frame, backend="b", backend_version="", scale="r")
    assert read.au_columns == made.au_columns == ["AU01_r", "AU12_r"]
    assert read.notes == [
        "aus.csv: AU columns in another spelling were read: 2 "
        "('AU1_r' as AU01_r, 'AU12_r (smile)' as AU12_r)",
        "aus.csv: columns of numbers that are no AUs and no model uses: 1 (smile_score)",
    ]


def test_blanks_before_the_names_of_a_frame_make_no_au_of_another_column():
    frame = pd.DataFrame({" AU01_r": [0.5, 1.0], " AU12_r": [2.0, 0.0], "block": [1, 2]})
    found = named_matrix(frame)
    assert found.names == ["AU01_r", "AU12_r"] and found.scale == "r"
    np.testing.assert_allclose(found.values, [[0.5, 2], [1, 0]])


def test_beside_intensities_a_word_for_presence_is_a_column_of_its_own():
    assert read_names(["AU01_r", "AU01_present", "AU2_r"]) == ["AU01_r", "AU01_present", "AU02_r"]
    assert read_names(["AU01_present", "AU02_present"]) == ["AU01_c", "AU02_c"]
