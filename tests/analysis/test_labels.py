import numpy as np
import pandas as pd
import pytest

from analysis.autable import AUTable
from analysis.errors import FitError
from analysis.labels import column_labels, group_column, join_labels, read_labels


def table_of(*inputs: str, **columns) -> AUTable:
    frame = pd.DataFrame({"input": inputs, "frame": 0, "AU12_r": np.arange(len(inputs)) / 2, **columns})
    return AUTable(frame, backend="embedded", backend_version="1", scale="r")


def labels_of(tmp_path, text: str) -> pd.DataFrame:
    path = tmp_path / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return read_labels(path)


@pytest.mark.parametrize(
    "header", ["input,label", "image,emotion", "File, Label", "path,emotion", "user,image,label"]
)
def test_labels_are_read_under_their_usual_names(tmp_path, header):
    rows = "a.jpg,Happiness\nNA,sad\n" if header.count(",") == 1 else "u,a.jpg,Happiness\nu,NA,sad\n"
    labels = labels_of(tmp_path, f"{header}\n{rows}")
    assert labels.to_dict("list") == {"input": ["a.jpg", "NA"], "label": ["happy", "sad"]}


def test_a_folder_of_folders_labels_its_files(tmp_path):
    for name in ("Happiness/a.png", "sad/deeper/b.png", "sad/.hidden", "legend.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    labels = read_labels(tmp_path)
    assert labels["label"].tolist() == ["happy", "sad"]
    assert labels["input"].tolist() == [f"{tmp_path}/Happiness/a.png", f"{tmp_path}/sad/deeper/b.png"]
    with pytest.raises(FitError, match=r"deeper: no file in a sub-folder"):
        read_labels(tmp_path / "sad" / "deeper")


@pytest.mark.parametrize("layout", ["{part}/{kind}", "{kind}/{part}"])
def test_parts_of_a_folder_of_folders_are_no_labels(tmp_path, layout):
    for part in ("train", "Test"):
        for kind in ("anger", "happy"):
            file = tmp_path / layout.format(part=part, kind=kind) / f"{part}.png"
            file.parent.mkdir(parents=True)
            file.touch()
    assert sorted(read_labels(tmp_path)["label"]) == ["angry", "angry", "happy", "happy"]


def test_a_folder_of_parts_alone_holds_no_labels(tmp_path):
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "1.png").touch()
    with pytest.raises(
        FitError, match="folders name parts of a data set; expected one sub-folder an emotion"
    ):
        read_labels(tmp_path)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "empty"),
        ("photo,label\na,happy\n", "no column 'input'"),
        ("input,mood\na,happy\n", "no column 'label'"),
        ("input,label\n", "no row"),
        ("input,label\na,\n,happy\n", "no row"),
        ("input,label\na,happy\na,sad\n", "a is labelled happy, sad"),
        ('input,label\n"a\nb",happy\n"a\nb",sad\n', "a b is labelled happy, sad"),
    ],
)
def test_bad_label_files_are_refused(tmp_path, text, part):
    with pytest.raises(FitError, match=part):
        labels_of(tmp_path, text)


def test_a_missing_label_file_is_named(tmp_path):
    with pytest.raises(FitError, match=r"none\.csv: no such file"):
        read_labels(tmp_path / "none.csv")


def test_rows_find_their_label_by_input_then_by_name_then_without_ending(tmp_path):
    labels = labels_of(tmp_path, "input,label\nset/a.jpg,happy\nb.jpg,sad\nc.png,fear\n")
    table, y, notes = join_labels(table_of("set/a.jpg", "set/b.jpg", "set/c.jpg", "set/d.jpg"), labels)
    assert y.tolist() == ["happy", "sad", "fear"]
    assert table.frame["input"].tolist() == ["set/a.jpg", "set/b.jpg", "set/c.jpg"]
    assert [note.split(",")[0] for note in notes] == [
        "1 of 4 rows found their label by file name",
        "1 of 4 rows found their label by file name without ending",
        "1 of 4 rows have no label and are left out",
    ]


def test_rows_of_a_table_without_frames_find_their_labels_too(tmp_path):
    rows = pd.DataFrame({"input": ["a.jpg", "b.jpg", "a.jpg"], "AU12_r": [1.0, 2.0, 3.0]})
    table = AUTable(rows, backend="b", backend_version="", scale="r")
    _, y, notes = join_labels(table, labels_of(tmp_path, "input,label\na.jpg,happy\nb.jpg,sad\n"))
    assert y.tolist() == ["happy", "sad", "happy"]
    assert notes == ["faces that share their photo's label with another face of it: 1"]


def test_a_row_that_ends_early_has_no_label(tmp_path):
    assert labels_of(tmp_path, "label,input\nhappy\nsad,b\n").to_dict("list") == {
        "input": ["b"],
        "label": ["sad"],
    }
    assert labels_of(tmp_path, "input,label\na\nb,sad\n").to_dict("list") == {
        "input": ["b"],
        "label": ["sad"],
    }


def test_a_name_that_stands_for_two_files_matches_neither(tmp_path):
    labels = labels_of(tmp_path, "input,label\na.jpg,happy\nx/b.jpg,sad\ny/b.jpg,fear\nc.jpg,sad\n")
    table, y, _ = join_labels(table_of("one/a.jpg", "two/a.jpg", "z/b.jpg", "z/c.jpg"), labels)
    assert table.frame["input"].tolist() == ["z/c.jpg"]
    assert y.tolist() == ["sad"]


def test_all_faces_of_a_photo_share_its_label_and_the_note_says_so(tmp_path):
    labels = labels_of(tmp_path, "input,label\na.jpg,happy\n")
    table, y, notes = join_labels(table_of("a.jpg", "a.jpg"), labels)
    assert (len(table), y.tolist()) == (2, ["happy", "happy"])
    assert "label with another face of it: 1" in notes[0]


def test_labels_that_match_nothing_show_both_sides(tmp_path):
    labels = labels_of(tmp_path, "input,label\nq.jpg,happy\n")
    with pytest.raises(FitError, match=r"no label matches.*'q\.jpg'.*'a\.jpg', 'b\.jpg'"):
        join_labels(table_of("a.jpg", "b.jpg"), labels)


def test_a_column_of_the_table_can_hold_the_labels():
    table, y, notes = column_labels(table_of("a", "b", "c", emotion=["Anger", None, "sad"]), "emotion")
    assert y.tolist() == ["angry", "sad"]
    assert len(table) == 2
    assert "1 of 3" in notes[0]


def test_a_label_column_that_is_not_there_or_empty_is_refused():
    with pytest.raises(FitError, match=r"'mood': no such column; the table has input, frame"):
        column_labels(table_of("a"), "mood")
    with pytest.raises(FitError, match="no row has a label"):
        column_labels(table_of("a", mood=[None]), "mood")


def test_whole_numbers_stay_whole_beside_an_empty_label():
    _, y, notes = column_labels(table_of("a", "b", "c", emotion=[0.0, np.nan, 2.0]), "emotion")
    assert y.tolist() == ["0", "2"]
    assert notes == ["1 of 3 rows have no label and are left out"]


@pytest.mark.parametrize(
    ("spec", "people"),
    [
        ("subject", ["5", "7", "5"]),
        ("input:^([^_]+_[^_]+)_", ["Ann_Lee", "Bo_Ek", "Ann_Lee"]),
        (r"input:[^/]+(?=_\d+\.)", ["Ann_Lee", "Bo_Ek", "Ann_Lee"]),
        ("odd:name", ["x", "y", "x"]),
    ],
)
def test_persons_come_from_a_column_or_a_part_of_it(spec, people):
    columns = {"subject": [5.0, 7.0, 5.0], "odd:name": ["x", "y", "x "]}
    table = table_of("Ann_Lee_0001.jpg", "Bo_Ek_0002.jpg", "Ann_Lee_0003.jpg", **columns)
    assert group_column(table, spec).tolist() == people
    assert group_column(table.frame, spec).tolist() == people


@pytest.mark.parametrize(
    ("spec", "part"),
    [
        ("person", r"no column 'person'; .*: input, frame, subject"),
        ("person:(.*)", "no column 'person'"),
        ("subject", r"'subject' is empty in 1 of 3 rows \(row 2: nan\)"),
        (
            r"input:(S\d+)_",
            r"does not match '\(S\\\\d\+\)_' in 2 of 3 rows \(row 1: 'a.jpg', row 3: 'c.jpg'\)",
        ),
        ("input:(", "'\\(' is no regular expression"),
    ],
)
def test_rows_without_a_person_are_refused(spec, part):
    table = table_of("a.jpg", "S01_b.jpg", "c.jpg", subject=["x", np.nan, "y"])
    with pytest.raises(FitError, match=part):
        group_column(table, spec)


@pytest.mark.shared
def test_persons_of_ckplus_are_in_its_file_names(shared):
    names = pd.DataFrame({"input": sorted(path.name for path in (shared / "data/ckplus_dev").rglob("*.png"))})
    assert len(set(group_column(names, r"input:^(S\d+)_"))) == 59


def test_labels_of_any_language_that_differ_in_case_blanks_or_form_are_one_and_counted():
    words = ["Wut", "wut", " WUT ", "Freude", "\uff26reude", "cole\u0300re", "col\u00e8re", "Col\u00e8re"]
    _, y, (note,) = column_labels(table_of(*"abcdefgh", mood=words), "mood")
    assert y.tolist() == ["Wut"] * 3 + ["Freude"] * 2 + ["col\u00e8re"] * 3
    assert "count as one: 5 of 8 rows ('wut' as Wut" in note


def test_labels_are_merged_in_files_and_folders_too(tmp_path):
    labels = labels_of(tmp_path, "input,label\na,Wut\nb,wut\nc,Freude  laut\nd,Freude laut\n")
    assert labels["label"].tolist() == ["Wut", "Wut", "Freude laut", "Freude laut"]
    assert "labels.csv: labels that differ only" in labels.attrs["notes"][0]
    for name in ("set/Wut/a.png", "set/wut/b.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    assert read_labels(tmp_path / "set")["label"].tolist() == ["Wut", "Wut"]


def test_whole_numbers_with_points_are_the_labels_without(tmp_path):
    assert labels_of(tmp_path, "input,label\na,1.0\nb,1\nc,\n")["label"].tolist() == ["1", "1"]


def test_a_label_called_na_is_a_label_and_told(tmp_path):
    labels = labels_of(tmp_path, "input,label\na,NA\nb,sad\n")
    assert labels["label"].tolist() == ["NA", "sad"]
    assert "1 of 2 rows have the label 'NA'" in labels.attrs["notes"][0]


def test_persons_are_text_in_one_form():
    people = group_column(table_of("a", "b", "c", "d", who=["NA", " Ann  Lee", "Ann Lee", "\uff21"]), "who")
    assert people.tolist() == ["NA", "Ann Lee", "Ann Lee", "A"]


def test_labels_from_another_root_are_found_by_the_end_of_the_path(tmp_path):
    labels = labels_of(tmp_path, "input,label\nP00/peak.jpg,happy\nP01\\peak.jpg,sad\n./P02/Peak.JPG,fear\n")
    table = table_of("/data/P00/peak.jpg", "/data/P01/peak.jpg", "/data/P02/peak.jpg", "/data/P03/peak.jpg")
    rows, y, notes = join_labels(table, labels)
    assert y.tolist() == ["happy", "sad", "fear"] and len(rows) == 3
    assert notes == [
        "2 of 4 rows found their label by the end of their path",
        "1 of 4 rows found their label by the end of their path in any case",
        "1 of 4 rows could be several of the labelled files, or one with another row, such as "
        "'/data/P03/peak.jpg' ('P00/peak.jpg' or 'P01\\\\peak.jpg'); write more of their path",
        "1 of 4 rows have no label and are left out, such as /data/P03/peak.jpg",
    ]


def test_a_number_at_the_end_of_a_name_is_no_ending(tmp_path):
    labels = labels_of(tmp_path, "input,label\nKA.AN1.39,angry\nKA.AN1.40,sad\n")
    _, y, _ = join_labels(table_of("KA.AN1.39.tiff", "KA.AN1.40.tiff"), labels)
    assert y.tolist() == ["angry", "sad"]
