import numpy as np
import pandas as pd
import pytest

from analysis.autable import AUTable
from analysis.errors import FitError
from feat_pipeline.runs.labelled import kept_together, labelled_table, persons_columns


@pytest.fixture
def table():
    frame = pd.DataFrame({"input": [f"/set/P{i}/a.jpg" for i in range(6)], "AU12_r": np.arange(6) / 2})
    return AUTable(frame, backend="b", backend_version="", scale="r")


def labels(tmp_path, rows):
    text = "".join(f"P{i}/a.jpg,{'Wut' if i % 2 else 'wut '},{i % 3:02d}\n" for i in range(rows))
    (tmp_path / "labels.csv").write_text("input,label,person\n" + text)
    return tmp_path / "labels.csv"


def test_label_and_person_of_a_row_come_from_the_same_line_of_the_file(table, tmp_path):
    rows, y, persons, notes = labelled_table(table, labels(tmp_path, 4), None, "person")
    assert (len(rows), y.tolist(), persons.tolist()) == (4, ["wut"] * 4, ["00", "01", "02", "00"])
    assert "2 of 6 rows have no label and are left out, such as /set/P4/a.jpg, /set/P5/a.jpg" in notes


def test_labels_of_less_than_half_of_the_rows_are_refused_unless_told_to_go_on(table, tmp_path):
    few = labels(tmp_path, 2)
    with pytest.raises(FitError, match=r"4 of 6 faces have none .*P2/a\.jpg.*--allow-unlabelled"):
        labelled_table(table, few, None, None)
    assert len(labelled_table(table, few, None, None, allow_unlabelled=True)[0]) == 2


def test_the_columns_of_persons_are_what_is_named_and_what_stands_before_a_colon():
    assert persons_columns(None) == [] and persons_columns("who") == ["who"]
    assert persons_columns("input:(S..)") == ["input:(S..)", "input"]


def test_copies_stand_on_one_side_of_a_split_with_their_persons():
    persons, same = np.array(["a", "b", "b", "c"]), np.array([0, 1, 2, 0])
    assert kept_together(persons, same).tolist() == [0, 1, 1, 0]
    assert kept_together(None, same).tolist() == same.tolist()
    assert kept_together(None, np.arange(4)) is None
