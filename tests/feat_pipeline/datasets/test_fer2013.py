import gzip
import lzma
import zipfile

import numpy as np
import pytest

from analysis.facs import EMOTIONS
from feat_pipeline.datasets import fer2013
from feat_pipeline.datasets.faces import copied_from, copy_groups
from feat_pipeline.datasets.fer2013 import read_fer2013
from feat_pipeline.datasets.ferplus import by_votes
from feat_pipeline.errors import InputError

SPACED = "emotion, Usage, pixels"
PLAIN = "emotion,pixels,Usage"


def pixels(value, count=48 * 48):
    return " ".join([str(value)] * count)


def rows(*faces, header=PLAIN):
    """CSV text of faces (emotion, pixels, usage)."""
    spaced = header == SPACED
    lines = [f"{e},{u},{p}" if spaced else f"{e},{p},{u}" for e, p, u in faces]
    return "\n".join([header, *lines]) + "\n"


THREE = [(3, pixels(7), "Training"), (6, pixels(200), "PublicTest"), (0, pixels(7), "PrivateTest")]


@pytest.mark.parametrize("header", [PLAIN, SPACED])
@pytest.mark.parametrize("packing", ["", ".xz", ".gz", ".zip"])
def test_reads_kaggles_csv_however_it_is_packed(tmp_path, header, packing):
    text = rows(*THREE, header=header).encode()
    path = tmp_path / f"fer2013.csv{packing}"
    if packing == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("challenges/icml_face_data.csv", text)
            archive.writestr("challenges/example_submission.csv", "id,emotion\n")
    else:
        path.write_bytes({"": bytes, ".xz": lzma.compress, ".gz": gzip.compress}[packing](text))
    faces = read_fer2013(path)
    assert faces.images.shape == (3, 48, 48) and faces.images.dtype == np.uint8
    assert [faces.classes[label] for label in faces.labels] == ["happy", "neutral", "angry"]
    assert faces.usage.tolist() == ["Training", "PublicTest", "PrivateTest"]
    assert faces.images[:, 0, 0].tolist() == [7, 200, 7]
    assert faces.classes == EMOTIONS


def test_names_and_skips_damaged_rows(tmp_path):
    path = tmp_path / "fer2013.csv"
    damaged = [
        (3, pixels(1, 2303), "Training"),
        (3, pixels(1).replace("1", "x", 1), "Training"),
        (3, pixels(256), "Training"),
        (3, pixels(-1), "Training"),
        (7, pixels(1), "Training"),
        (3, pixels(1), "Test"),
        (3, "", "Training"),
        (3, pixels(1.5), "Training"),
    ]
    path.write_text(rows(*damaged, THREE[1]) + "3\n")
    faces = read_fer2013(path)
    assert faces.rows.tolist() == [8]
    assert faces.skipped == (
        "fer2013.csv, row 1: 2303 pixels, expected 2304",
        "fer2013.csv, row 2: pixels that are no whole numbers",
        "fer2013.csv, row 3: a pixel of 256, expected 0 to 255",
        "fer2013.csv, row 4: a pixel of -1, expected 0 to 255",
        "fer2013.csv, row 5: emotion '7', expected 0 to 6",
        "fer2013.csv, row 6: usage 'Test', expected one of Training, PublicTest, PrivateTest",
        "fer2013.csv, row 7: 0 pixels, expected 2304",
        "fer2013.csv, row 8: pixels that are no whole numbers",
        "fer2013.csv, row 10: 1 columns, expected 3",
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b\n1,2\n", "emotion, pixels, Usage are missing"),
        (PLAIN + "\n", "holds no usable row"),
        (rows((3, pixels(300), "Training")), r"no usable row \(fer2013.csv, row 1: a pixel of 300"),
        ("", "are missing"),
    ],
)
def test_says_what_is_wrong_with_a_file(tmp_path, content, said):
    path = tmp_path / "fer2013.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=said):
        read_fer2013(path)


def test_says_that_a_packed_file_is_cut_off(tmp_path):
    path = tmp_path / "fer2013.csv.xz"
    path.write_bytes(lzma.compress(rows(*THREE).encode())[:-30])
    with pytest.raises(InputError, match="cannot be read"):
        read_fer2013(path)
    with pytest.raises(InputError, match="no such file"):
        read_fer2013(tmp_path / "absent.csv")


def test_a_packed_file_with_a_damaged_stretch_or_a_password_is_refused(tmp_path):
    text = rows(*[(0, pixels(value), "Training") for value in range(60)]).encode()
    damaged = bytearray(gzip.compress(text))
    damaged[10:19] = b"\xff" * 9
    (tmp_path / "a.csv.gz").write_bytes(damaged)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("fer2013.csv", text)
    locked = bytearray((tmp_path / "a.zip").read_bytes())
    locked[6] |= 1  # the mark of encryption, here and in the directory of the archive
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(locked)
    for name in ("a.csv.gz", "a.zip"):
        with pytest.raises(InputError, match=rf"{name}: cannot be read .*(invalid block|encrypted)"):
            read_fer2013(tmp_path / name)


def test_the_second_time_the_csv_is_not_parsed_again(tmp_path, monkeypatch):
    path = tmp_path / "fer2013.csv"
    path.write_text(rows(*THREE, (9, pixels(1), "Training")))
    first = read_fer2013(path, cache=tmp_path / "cache")
    with monkeypatch.context() as patched:
        patched.setattr(fer2013, "_parse", lambda path: pytest.fail("parsed again"))
        again = read_fer2013(path, cache=tmp_path / "cache")
    assert np.array_equal(first.images, again.images) and first.skipped == again.skipped
    path.write_text(rows(THREE[0]))
    assert len(read_fer2013(path, cache=tmp_path / "cache")) == 1  # a changed file is read anew


def test_a_damaged_cache_is_made_again(tmp_path):
    path = tmp_path / "fer2013.csv"
    path.write_text(rows(*THREE))
    read_fer2013(path, cache=tmp_path / "cache")
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_bytes(kept.read_bytes()[:100])
    assert len(read_fer2013(path, cache=tmp_path / "cache")) == 3


def votes_file(path, *counts, parts=("Training", "PublicTest", "PrivateTest")):
    lines = [",".join(["Usage", "Image name", *fer2013.VOTES])]
    lines += [",".join([part, "x.png", *map(str, row)]) for part, row in zip(parts, counts, strict=True)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_votes_follow_the_rows_past_damaged_ones(tmp_path):
    path = tmp_path / "fer2013.csv"
    path.write_text(rows(THREE[0], (9, pixels(0), "PublicTest"), THREE[2]))
    votes = [[number] * 10 for number in (1, 2, 3)]
    faces = read_fer2013(path, votes=votes_file(tmp_path / "fer2013new.csv", *votes))
    assert faces.votes.tolist() == [votes[0], votes[2]]


def test_votes_of_other_rows_are_refused(tmp_path):
    path = tmp_path / "fer2013.csv"
    path.write_text(rows(*THREE))
    none = [0] * 10
    with pytest.raises(InputError, match="expected 3 rows"):
        read_fer2013(path, votes=votes_file(tmp_path / "a.csv", none, parts=("Training",)))
    parts = ("Training", "PrivateTest", "PublicTest")
    with pytest.raises(InputError, match="row 2 is of PrivateTest"):
        read_fer2013(path, votes=votes_file(tmp_path / "b.csv", none, none, none, parts=parts))


def test_finds_exact_copies_across_parts(tmp_path):
    path = tmp_path / "fer2013.csv"
    path.write_text(rows(*THREE, (3, pixels(7), "Training")))
    faces = read_fer2013(path)
    assert copy_groups(faces.images).tolist() == [0, 1, 0, 0]
    assert copied_from(faces, "Training").tolist() == [False, False, True, False]
    assert copied_from(faces, "PrivateTest").tolist() == [True, False, False, True]


@pytest.mark.shared
@pytest.mark.slow
def test_the_whole_of_fer2013_with_its_votes(shared):
    folder = shared / "data" / "fer2013"
    faces = read_fer2013(folder / "fer2013.csv.xz", votes=folder / "fer2013new.csv")
    parts = [len(faces.part(name)) for name in fer2013.PARTS]
    copies = copied_from(faces, "Training")
    assert parts == [28558, 3579, 3573] and faces.skipped == ()
    assert [int(copies[faces.usage == name].sum()) for name in fer2013.PARTS] == [0, 279, 288]
    voted = by_votes(faces)
    # As published, 3,199 and 3,153 faces to judge by have a majority.
    assert [len(voted.part(name)) for name in fer2013.PARTS] == [28386, 3199, 3152]
    original = faces.emotions[np.isin(faces.rows, voted.rows)]
    agrees = original == voted.emotions
    assert agrees.mean() > 0.6  # FER+ labelled a third anew; rows out of step would agree by chance
    assert agrees[original == "happy"].mean() > 0.9
