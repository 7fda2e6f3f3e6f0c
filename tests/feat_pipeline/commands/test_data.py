"""`feat-pipeline data fer2013`: FER2013 as pictures, as CSVs by part and as an .npz."""

import errno

import numpy as np
import pandas as pd
import pytest

from feat_pipeline.datasets import export
from feat_pipeline.datasets.fer2013 import PARTS, read_fer2013
from feat_pipeline.datasets.read import read_faces
from tests.feat_pipeline.datasets.test_fer2013 import pixels

ROWS = [
    (3, "Training"),
    (6, "PublicTest"),
    (0, "PrivateTest"),
    (0, "Training"),
    (3, "PublicTest"),
    (6, "PrivateTest"),
]


def kaggle(path, *damaged):
    rng = np.random.default_rng(1)
    lines = [f"{emotion},{' '.join(map(str, rng.integers(0, 256, 2304)))},{usage}" for emotion, usage in ROWS]
    path.write_text("\n".join(["emotion,pixels,Usage", *lines, *damaged]) + "\n")
    return path


@pytest.fixture
def source(tmp_path):
    return kaggle(tmp_path / "fer2013.csv")


def names(folder):
    return sorted(str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file())


def in_order_of_rows(faces, rows):
    return faces.select(np.argsort(rows))


def test_writes_a_picture_a_face_that_is_read_as_it_was(run, source, tmp_path):
    out = tmp_path / "faces"
    code, stdout, stderr = run("data", "fer2013", source, "--to", "folder", out)
    assert (code, stdout) == (0, f"{out}\n")
    assert "6 faces (Training 2, PublicTest 2, PrivateTest 2), damaged rows: none" in stderr
    assert names(out) == [
        "PrivateTest/angry/00002.png", "PrivateTest/neutral/00005.png", "PublicTest/happy/00004.png",
        "PublicTest/neutral/00001.png", "Training/angry/00003.png", "Training/happy/00000.png",
    ]  # fmt: skip
    original, again = read_fer2013(source), read_faces(out)
    again = in_order_of_rows(again, [int(name[-9:-4]) for name in again.names])
    assert np.array_equal(again.images, original.images)
    assert again.emotions.tolist() == original.emotions.tolist()
    assert again.usage.tolist() == original.usage.tolist()


def test_writes_a_csv_a_part_with_kaggles_columns(run, source, tmp_path):
    out = tmp_path / "splits"
    assert run("data", "fer2013", source, "--to", "csv-splits", out)[0] == 0
    assert names(out) == sorted(f"{part}.csv" for part in PARTS)
    original = read_fer2013(source)
    for part in PARTS:
        again = read_faces(out / f"{part}.csv")
        assert np.array_equal(again.images, original.part(part).images)
        assert set(again.usage) == {part}
    assert list(pd.read_csv(out / "Training.csv")) == ["emotion", "pixels", "Usage"]


def test_writes_one_npz(run, source, tmp_path):
    out = tmp_path / "fer2013.npz"
    assert run("data", "fer2013", source, "--to", "npz", out)[:2] == (0, f"{out}\n")
    assert np.array_equal(read_faces(out).images, read_fer2013(source).images)
    assert read_faces(out).rows.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("form", ["folder", "csv-splits", "npz"])
def test_replaces_earlier_results_only_when_told_to(run, source, tmp_path, form):
    out = tmp_path / "out"
    run("data", "fer2013", source, "--to", form, out)
    if form != "npz":
        (out / "mine.txt").write_text("kept")
    before = names(tmp_path)
    code, stdout, stderr = run("data", "fer2013", source, "--to", form, out)
    assert code == 2 and stdout == "" and "add --overwrite" in stderr
    assert run("data", "fer2013", source, "--to", form, out, "--overwrite")[0] == 0
    assert names(tmp_path) == before


def test_a_part_with_foreign_files_is_left_alone(run, source, tmp_path):
    out = tmp_path / "out"
    (out / "Training").mkdir(parents=True)
    (out / "Training" / "letter.txt").write_text("dear")
    code, _, stderr = run("data", "fer2013", source, "--to", "folder", out, "--overwrite")
    assert code == 2 and "letter.txt: was not written by this command" in stderr
    assert names(out) == ["Training/letter.txt"]


def test_names_damaged_rows_and_exits_with_1(run, tmp_path):
    source = kaggle(tmp_path / "fer2013.csv", f"3,{pixels(300)},Training", "3,1 2,Training")
    code, _, stderr = run("data", "fer2013", source, "--to", "npz", tmp_path / "x.npz")
    assert code == 1 and "damaged rows: 2" in stderr
    assert "fer2013.csv, row 7: a pixel of 300, expected 0 to 255" in stderr
    assert "fer2013.csv, row 8: 2 pixels, expected 2304" in stderr


@pytest.mark.parametrize("form", ["folder", "csv-splits"])
def test_leaves_nothing_half_written(run, source, tmp_path, monkeypatch, form):
    def full(faces, folder):
        (folder / "Training").mkdir()
        raise OSError(errno.ENOSPC, "No space left on device")

    out = tmp_path / "out"
    run("data", "fer2013", source, "--to", form, out)
    before = names(out)
    monkeypatch.setitem(export._WRITERS, form, full)
    code, _, stderr = run("data", "fer2013", source, "--to", form, out, "--overwrite")
    assert code == 2 and "No space left on device" in stderr
    assert names(out) == before and not [f for f in out.iterdir() if f.name.startswith(".")]


def test_lists_copies_across_parts(run, tmp_path):
    source = kaggle(tmp_path / "fer2013.csv")
    lines = source.read_text().splitlines()
    source.write_text("\n".join([*lines, lines[1].replace("Training", "PublicTest")]) + "\n")
    copies = tmp_path / "copies.csv"
    code, stdout, stderr = run(
        "data", "fer2013", source, "--to", "npz", tmp_path / "x.npz", "--copies", copies
    )
    assert code == 0 and stdout.splitlines()[1] == str(copies) and "1 pairs of copies" in stderr
    (row,) = pd.read_csv(copies).to_dict("records")
    assert (row["first"], row["second"], row["second_part"]) == (0, 6, "PublicTest")


def test_says_what_is_wrong(run, source, tmp_path):
    assert "is a folder" in run("data", "fer2013", source, "--to", "npz", tmp_path)[2]
    code, _, stderr = run("data", "fer2013", tmp_path / "absent.csv", "--to", "npz", tmp_path / "x.npz")
    assert code == 2 and "no such file" in stderr
    (tmp_path / "file").touch()
    code, _, stderr = run("data", "fer2013", source, "--to", "folder", tmp_path / "file")
    assert code == 2 and "cannot be written" in stderr
