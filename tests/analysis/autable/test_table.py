import json
import time

import numpy as np
import pandas as pd
import pytest

from analysis.autable import AUTable
from analysis.autable.write import meta_path
from analysis.errors import AnalysisError, TableError


@pytest.fixture
def small() -> AUTable:
    frame = pd.DataFrame(
        {
            "emotion": ["happy", "", "sad"],
            "x_0": [1.5, np.nan, 2.25],
            "y_0": [3.5, np.nan, 4.25],
            "AU12_r": [1.25, np.nan, 5.0],
            "AU01_r": [0.0, np.nan, 2.5],
            "input": ["NA", "007", "über, alle/x.jpg"],
            "frame": [0, 1, 0],
            "time_s": [12345.678901, 0.0, 0.04],
            "face": [0, 0, 2],
            "confidence": [0.5, 0.25, 1.0],
            "pose_Rx": [0.125, np.nan, -0.5],
        }
    )
    return AUTable(frame, backend="embedded", backend_version="1.2", scale="r", extra={"detector": "mtcnn"})


def read_text(tmp_path, text: str, name: str = "aus.csv") -> AUTable:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return AUTable.read(path)


def test_columns_stand_in_the_same_order_whatever_came_in(small):
    order = "input frame time_s face confidence pose_Rx AU01_r AU12_r x_0 y_0 emotion"
    assert list(small.frame.columns) == order.split()
    assert small.au_columns == ["AU01_r", "AU12_r"]
    assert small.aus.shape == (3, 2)
    assert len(small) == 3


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_comes_back_with_its_metadata(small, tmp_path, suffix):
    path = small.write(tmp_path / "new" / f"aus.{suffix}")
    back = AUTable.read(path)
    assert back.meta == small.meta
    assert back.frame["input"].tolist() == ["NA", "007", "über, alle/x.jpg"]
    columns = ["frame", "time_s", "face", "confidence", "pose_Rx", "AU01_r", "AU12_r", "x_0", "y_0"]
    pd.testing.assert_frame_equal(back.frame[columns], small.frame[columns])
    assert not list((tmp_path / "new").glob(".*"))


def test_metadata_stand_beside_a_csv(small, tmp_path):
    small.write(tmp_path / "aus.csv")
    meta = json.loads((tmp_path / "aus.meta.json").read_text())
    assert (meta["backend"], meta["scale"], meta["extra"]) == ("embedded", "r", {"detector": "mtcnn"})
    assert meta_path("DIR/aus.csv").as_posix() == "DIR/aus.meta.json"


def test_writing_twice_gives_the_same_bytes(small, tmp_path):
    first = small.write(tmp_path / "a.csv").read_bytes()
    assert AUTable.read(tmp_path / "a.csv").write(tmp_path / "b.csv").read_bytes() == first


def test_a_failed_face_is_nan_and_a_missing_au_has_no_column(small, tmp_path):
    back = AUTable.read(small.write(tmp_path / "aus.csv"))
    assert back.aus.iloc[1].isna().all()
    assert "AU06_r" not in back.frame


def test_a_table_without_faces_is_a_table(tmp_path):
    table = read_text(tmp_path, "input,frame,face,AU12_r\n")
    assert len(table) == 0
    assert table.aus.dtypes.tolist() == [np.dtype("float64")]
    assert len(AUTable.read(table.write(tmp_path / "again.parquet"))) == 0


def test_openface_headers_with_blanks_are_read(tmp_path):
    table = read_text(tmp_path, " AU01_r, AU12_r,emotion\n0.5,2,0\n 1,  3.25,1\n", "stills.csv")
    assert table.aus.to_numpy().tolist() == [[0.5, 2.0], [1.0, 3.25]]
    assert (table.backend, table.scale) == ("unknown", "r")
    assert table.frame["input"].tolist() == ["stills.csv", "stills.csv"]
    assert table.frame["frame"].tolist() == [0, 1]


def test_an_openface_video_keeps_its_times_and_loses_its_failed_frames(tmp_path):
    table = read_text(
        tmp_path,
        "frame, face_id, timestamp, success, AU12_r\n1, 0, 0.00, 1, 2\n2, 0, 0.04, 0, 0\n",
    )
    assert table.frame["time_s"].tolist() == [0.0, 0.04]
    assert table.frame["face"].tolist() == [0, 0]
    assert table.frame["AU12_r"].isna().tolist() == [False, True]


def test_of_two_scales_the_intensity_stays_and_the_note_says_so(tmp_path):
    table = read_text(tmp_path, "input,AU12_r,AU12_c,AU28_c\na,2,1,0\n")
    assert table.au_columns == ["AU12_r"]
    assert "AU12_c, AU28_c" in table.notes[0]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("input,AU12_r\na,abc\nb,2\n", ["aus.csv", "AU12_r", "row 1", "'abc'", "0 to 5"]),
        (
            "input,AU12_r\na,1\nb,7\nc,-2\nd,9\ne,8\n",
            ["AU12_r", "row 2: 7.0", "row 3: -2.0", "and 1 more"],
        ),
        ("input,AU12_r,AU01_r\na,1,2\nb,7,9\n", ["AU01_r", "row 2: 9.0", "also bad: AU12_r"]),
        ("input,AU12_r\na,inf\n", ["AU12_r", "row 1: inf"]),
        ("input,AU12_p\na,1.5\n", ["AU12_p", "0 to 1", "1.5"]),
        ("input,AU12_c\na,0.5\n", ["AU12_c", "0 or 1", "0.5"]),
        ("input,frame,AU12_r\na,0.5,1\n", ["frame", "whole number", "0.5"]),
        ("input,confidence,AU12_r\na,high,1\n", ["confidence", "'high'"]),
        ("", ["aus.csv", "empty"]),
        ("input,smile\na,1\n", ["aus.csv", "no AU column", "AU12_r", "smile"]),
        ("input,AU12_r,AU12_r\na,1,2\n", ["twice", "AU12_r"]),
        ("input,AU12_r\na,1,2,3\n", ["more values than the 2 column names"]),
        ('input,AU12_r\n"a,1\n', ["not a CSV"]),
        ('input,"AU12_r\na,1\nb,2"\n', ["column name goes on over lines"]),
        ("input,AU12_r\na,\0\0\0", ["NUL bytes", "save it as UTF-8"]),
        ("input,frame,AU12_r\na,1e300,1\n", ["column frame", "whole number", "1e+300"]),
        ("input,time_s,AU12_r\na,1e999,1\n", ["column time_s", "a number or empty", "inf"]),
        ("input,w,AU12_r\na,-inf,1\n", ["column w", "inf"]),
        ("input,x_0,y_0,AU12_r\na,nose,1,1\n", ["column x_0", "a number", "nose"]),
        ("input,smile\u2028,b\n", ["no AU column"]),
        ("\u2028\ninput,AU12_r\na,1\n", ["first line holds no column name"]),
        ("Unnamed: 0\na\n", ["first line holds no column name"]),
    ],
)
def test_a_bad_table_is_refused_in_one_line(tmp_path, text, parts):
    with pytest.raises(TableError) as caught:
        read_text(tmp_path, text)
    message = str(caught.value)
    assert all(part in message for part in parts), message
    assert "\n" not in message


def test_files_that_are_no_tables_are_refused(tmp_path):
    (tmp_path / "photo.csv").write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF\x80")
    (tmp_path / "bad.parquet").write_bytes(b"PAR?")
    (tmp_path / "folder.csv").mkdir()
    for name in ("photo.csv", "bad.parquet", "folder.csv", "missing.csv", "aus.xlsx"):
        with pytest.raises(TableError, match=name):
            AUTable.read(tmp_path / name)


@pytest.mark.parametrize(
    "meta",
    [
        *("{not json", "[1]", '{"scale": "p"}', '{"scale": "z"}', '{"scale": ["r"]}', '{"extra": "mtcnn"}'),
        *('{"extra": [[1]]}', '{"backend": 4}', '{"backend": "\\ud800"}', '{"rows": "one"}', "[" * 100_000),
    ],
    ids=lambda meta: meta[:30],
)
def test_metadata_that_do_not_belong_are_refused(tmp_path, meta):
    (tmp_path / "aus.meta.json").write_text(meta)
    with pytest.raises(TableError, match=r"aus(\.meta\.json|\.csv)"):
        read_text(tmp_path, "input,AU12_r\na,1\n")


def test_rows_that_are_lost_are_told(small, tmp_path):
    for suffix in ("csv", "parquet"):
        path = small.write(tmp_path / f"aus.{suffix}")
        assert AUTable.read(path).notes == []
    lines = (tmp_path / "aus.csv").read_text().splitlines(keepends=True)
    (tmp_path / "aus.csv").write_text("".join(lines[:-1]))
    assert AUTable.read(tmp_path / "aus.csv").notes == [
        "aus.csv: holds 2 rows, its metadata say 3: rows were lost, removed or added"
    ]


def test_rows_with_too_few_values_are_told_unless_all_are(tmp_path):
    table = read_text(tmp_path, 'input,AU01_r,AU12_r\na,1,2\n"b,\nc",1,2\nd,1\ne\n')
    assert table.frame["input"].tolist() == ["a", "b,\nc", "d", "e"]
    assert table.aus.isna().sum(axis=1).tolist() == [0, 0, 1, 2]
    assert table.notes == [
        "aus.csv: rows 3, 4 of 4 have fewer values than the 3 columns; what lacks counts as missing"
    ]
    with pytest.raises(TableError, match="every row has fewer values than the 2 column names"):
        read_text(tmp_path, "input,AU12_r\na;1\nb;2\n")


def test_a_table_of_thousands_of_columns_is_read_within_seconds_and_of_more_refused(tmp_path):
    def wide(columns):
        names = ",".join(f"c{number}" for number in range(columns))
        return read_text(tmp_path, f"input,AU12_r,{names}\na,1{',0' * columns}\n")

    begun = time.process_time()
    assert wide(4000).frame.shape == (1, 4004) and time.process_time() - begun < 8
    with pytest.raises(TableError, match=r"aus\.csv: 10,001 columns; expected a table of at most 10,000"):
        wide(9999)


def test_a_parquet_table_of_pandas_with_an_index_is_read(tmp_path):
    frame = pd.DataFrame({"input": ["a", "b"], "AU12_r": [1.0, 2.0]})
    frame.set_index("input").to_parquet(tmp_path / "named.parquet")
    frame.set_axis([5, 7]).to_parquet(tmp_path / "numbers.parquet")
    for name in ("named", "numbers"):
        table = AUTable.read(tmp_path / f"{name}.parquet").frame
        assert table[["input", "AU12_r"]].to_dict("list") == {"input": ["a", "b"], "AU12_r": [1.0, 2.0]}
        assert set(table) == {"input", "frame", "face", "AU12_r"}


def test_a_parquet_table_with_a_column_twice_is_refused(tmp_path):
    pd.DataFrame({"input": ["a"], "AU12_r": [1.0], "AU12_r ": [2.0]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(TableError, match=r"a\.parquet: columns stand twice: 'AU12_r'"):
        AUTable.read(tmp_path / "a.parquet")


def test_building_checks_the_columns():
    frame = pd.DataFrame({"input": ["a"], "AU12_r": [1.0]})
    for bad, scale in (
        (frame, "c"),
        (frame, "x"),
        (frame.drop(columns="input"), "r"),
        (frame[["input"]], "r"),
        (frame.assign(AU12_c=1), "r"),
    ):
        with pytest.raises(AnalysisError):
            AUTable(bad, backend="b", backend_version="1", scale=scale)


def test_selecting_names_the_aus_that_are_missing(small):
    assert small.select(["AU12_r"]).au_columns == ["AU12_r"]
    assert "emotion" in small.select(["AU12_r"]).frame
    with pytest.raises(TableError, match=r"lacks AU06_r, AU25_r; it has AU01_r, AU12_r"):
        small.select(["AU06_r", "AU12_r", "AU25_r"])


def test_rows_are_kept_by_mask_or_number(small):
    assert small.with_rows(np.array([True, False, True])).frame["face"].tolist() == [0, 2]
    assert small.with_rows([2, 0]).frame["face"].tolist() == [2, 0]
    assert small.with_rows([2, 0]).meta["backend"] == "embedded"


def test_a_failed_write_leaves_the_old_file(small, tmp_path, monkeypatch):
    path = small.write(tmp_path / "aus.csv")
    before = path.read_bytes()

    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_csv", fail)
    with pytest.raises(OSError, match="disk full"):
        small.write(path)
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["aus.csv", "aus.meta.json"]
