"""Faces as a whole: subsets and merges of classes, copies across parts, the .npz file."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from analysis.facs import EMOTIONS
from feat_pipeline.datasets.copies import copies_across_parts, near_copies, near_copy_groups
from feat_pipeline.datasets.faces import FOUR_EMOTIONS, SIX_EMOTIONS, LabelledFaces, with_classes
from feat_pipeline.datasets.fer2013 import read_fer2013
from feat_pipeline.datasets.npz import load_faces, save_faces
from feat_pipeline.datasets.read import read_faces
from feat_pipeline.errors import InputError, OutputError, UsageError


def made(images, labels=None, usage=None, **fields):
    n = len(images)
    return LabelledFaces(
        images,
        np.arange(n) % 7 if labels is None else np.array(labels),
        np.array(usage or ["Training"] * n),
        np.arange(n),
        **fields,
    )


def textures(n, seed=0, side=48):
    """Pictures with structures of a few px, each another."""
    rng = np.random.default_rng(seed)
    small = rng.integers(20, 220, (n, 8, 8)).astype(np.uint8)
    return np.stack([cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC) for image in small])


def test_keeps_classes_by_name():
    faces = made(textures(7), groups=np.array(list("abcdefg")))
    four = with_classes(faces, FOUR_EMOTIONS)
    assert four.classes == ("angry", "fear", "happy", "sad") and four.labels.tolist() == [0, 1, 2, 3]
    assert four.rows.tolist() == [0, 2, 3, 4] and four.groups.tolist() == list("acde")
    assert SIX_EMOTIONS == ("angry", "disgust", "happy", "sad", "surprise", "neutral")
    assert with_classes(faces, SIX_EMOTIONS).emotions.tolist() == list(SIX_EMOTIONS)


def test_merges_classes_by_name():
    faces = made(textures(7))
    merged = with_classes(faces, merge={"disgust": "angry", "fear": "upset", "sad": "upset"})
    assert merged.classes == ("angry", "happy", "surprise", "neutral", "upset")
    assert merged.emotions.tolist() == ["angry", "angry", "upset", "happy", "upset", "surprise", "neutral"]
    two = with_classes(faces, ["upset", "happy"], {"fear": "upset", "sad": "upset"})
    assert two.labels.tolist() == [0, 1, 0] and two.rows.tolist() == [2, 3, 4]


def test_classes_may_be_named_by_their_aliases_in_any_case():
    faces = made(textures(7))
    assert with_classes(faces, ["Anger", "joy", "SURPRISE"]).classes == ("angry", "happy", "surprise")
    merged = with_classes(faces, ["sadness", "Anger"], {"Fear": "sadness", "disgusted": "anger"})
    assert merged.classes == ("sad", "angry") and merged.labels.tolist() == [1, 1, 0, 0]
    own = replace(made(textures(2)), labels=np.arange(2), classes=("Bored", "happy"))
    assert with_classes(own, ["happiness", "bored"]).classes == ("happy", "Bored")
    with pytest.raises(UsageError, match="one new name a class"):
        with_classes(faces, merge={"anger": "sad", "angry": "fear"})
    with pytest.raises(UsageError, match="two or more, each once"):
        with_classes(faces, ["anger", "angry"])


@pytest.mark.parametrize(
    ("classes", "merge", "said"),
    [
        (["happy", "bored"], None, "classes: expected classes out of .*, got 'bored'"),
        (["happy"], None, "two or more"),
        (["happy", "happy"], None, "each once"),
        (None, {"bored": "sad"}, "merge: .* got 'bored'"),
        (["sad", "fear"], {"fear": "sad"}, "got 'fear'"),
    ],
)
def test_refuses_unknown_classes(classes, merge, said):
    with pytest.raises(UsageError, match=said):
        with_classes(made(textures(7)), classes, merge)


def test_finds_copies_with_other_light_size_and_marks():
    images = textures(30)
    brighter = np.clip(images[3] * 0.7 + 60, 0, 255).astype(np.uint8)
    marked = images[5].copy()
    marked[42:44, 20:32] = 255
    coarse = cv2.resize(cv2.resize(images[7], (30, 30)), (48, 48))
    pictures = np.concatenate([images, [brighter, marked, coarse, images[9]]])
    first, second, correlation = near_copies(pictures)
    assert list(zip(first, second, strict=True)) == [(3, 30), (5, 31), (7, 32), (9, 33)]
    assert correlation.min() > 0.96 and correlation[3] == pytest.approx(1, abs=1e-5)
    groups = near_copy_groups(pictures)
    assert len(set(groups)) == 30 and groups[3] == groups[30]
    assert near_copies(np.zeros((4, 48, 48), np.uint8))[0].tolist() == []  # one grey is nobody's copy
    assert near_copies(np.zeros((0, 48, 48), np.uint8))[0].tolist() == []


def test_pairs_are_found_across_blocks(monkeypatch):
    images = textures(25)
    pictures = np.concatenate([images, images[::-1]])
    whole = [part.tolist() for part in near_copies(pictures)[:2]]
    monkeypatch.setattr("feat_pipeline.datasets.copies._BLOCK", 7)
    assert [part.tolist() for part in near_copies(pictures)[:2]] == whole
    assert len(whole[0]) == 25


def test_reports_the_copies_that_stand_in_different_parts():
    images = textures(4)
    pictures = np.concatenate([images, images[:2], images[:1]])
    parts = ["Training"] * 4 + ["PublicTest", "Training", "PrivateTest"]
    table = copies_across_parts(made(pictures, usage=parts))
    assert table[["first", "second"]].to_numpy().tolist() == [[0, 4], [0, 6], [4, 6]]
    assert table["first_part"].tolist() == ["Training", "Training", "PublicTest"]
    assert table["second_label"].tolist() == ["sad", "neutral", "neutral"]
    named = copies_across_parts(made(pictures, usage=parts, names=np.array(list("abcdefg"))))
    assert named["second"].tolist() == ["e", "g", "g"]


def test_comes_back_from_an_npz(tmp_path):
    faces = made(textures(5), skipped=("row 9: text",), groups=np.array(list("aabbc")))
    path = save_faces(faces, tmp_path / "faces.npz")
    again = read_faces(path)
    assert np.array_equal(again.images, faces.images) and again.emotions.tolist() == list(EMOTIONS[:5])
    assert again.skipped == faces.skipped and again.groups.tolist() == list("aabbc") and again.names is None
    assert [f.name for f in tmp_path.iterdir()] == ["faces.npz"]


def test_refuses_what_is_no_npz_of_faces(tmp_path):
    path = tmp_path / "faces.npz"
    whole = save_faces(made(textures(5)), path).read_bytes()
    path.write_bytes(whole[:-200])
    with pytest.raises(InputError, match="no file of labelled faces"):
        load_faces(path)
    np.savez(path, images=np.zeros(3))
    with pytest.raises(InputError, match="no file of labelled faces"):
        load_faces(path)
    with pytest.raises(InputError, match="no file of labelled faces"):
        load_faces(save_faces(made(textures(5), labels=[0, 1, 2, 3, 7]), path))
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        save_faces(made(textures(2)), tmp_path / "file" / "x.npz")


@pytest.mark.shared
@pytest.mark.slow
def test_the_near_copies_of_fer2013(shared):
    faces = read_fer2013(shared / "data" / "fer2013" / "fer2013.csv.xz")
    table = copies_across_parts(faces)
    assert table.loc[table["correlation"] > 0.99995, "second"].nunique() > 500
    known = table[table["first_part"] == "Training"].groupby("second_part")["second"].nunique()
    assert known.to_dict() == {"PublicTest": 508, "PrivateTest": 532}
