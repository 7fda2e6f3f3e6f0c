import pandas as pd
import pytest

from analysis.autable import AUTable
from analysis.autable.csvs import read_csv


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("input;AU12_r;label\na;0,5;x\nb;1;y\n", "semicolons and numbers with decimal commas"),
        ("input;AU12_r;label\na;0.5;x\nb;1;y\n", "semicolons"),
        ("input\tAU12_r\tlabel\na\t0,5\tx\nb\t1\ty\n", "tabs and numbers with decimal commas"),
        ("sep=;\ninput;AU12_r;label\na;0,5;x\nb;1;y\n", "semicolons and numbers with decimal commas"),
        ('input,AU12_r,label\n"a","0,5",x\nb,1,y\n', "numbers with decimal commas"),
    ],
    ids=["semicolons and commas", "semicolons", "tabs", "first line names the separator", "quoted commas"],
)
def test_european_csvs_are_read_and_it_is_said(tmp_path, text, said):
    (tmp_path / "aus.csv").write_text(text)
    table = AUTable.read(tmp_path / "aus.csv")
    assert table.aus["AU12_r"].tolist() == [0.5, 1.0] and table.frame["label"].tolist() == ["x", "y"]
    assert said in table.notes[0]


def test_a_person_may_be_called_na_or_null(tmp_path):
    (tmp_path / "t.csv").write_text("person,age\nNA,3\nnull,NA\nKA,5\nNone,6\nnan,7\n")
    frame = read_csv(tmp_path / "t.csv")
    assert frame["person"].tolist() == ["NA", "null", "KA", "None", "nan"]
    assert frame["age"].isna().tolist() == [False, True, False, False, False]


def test_numbers_with_leading_zeros_are_names(tmp_path):
    (tmp_path / "t.csv").write_text("person,session\n007,1\n7,2\n")
    frame = read_csv(tmp_path / "t.csv")
    assert frame["person"].tolist() == ["007", "7"] and frame["session"].tolist() == [1, 2]


def test_columns_that_are_asked_for_as_text_stay_as_they_stand(tmp_path):
    (tmp_path / "t.csv").write_text("input,AU12_r,person\na,1,1\nb,2,NA\n")
    table = AUTable.read(tmp_path / "t.csv", text_columns=["person"])
    assert table.frame["person"].tolist() == ["1", "NA"]


def test_true_and_false_are_truth_values(tmp_path):
    pd.DataFrame({"agree": [True, False]}).to_csv(tmp_path / "t.csv", index=False)
    assert read_csv(tmp_path / "t.csv")["agree"].dtype == bool
