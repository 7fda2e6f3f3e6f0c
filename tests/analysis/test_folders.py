"""Folders that are the parts of a data set are never taken for emotions."""

from pathlib import PurePosixPath

import pytest

from analysis.errors import FitError
from analysis.folders import emotion_level, split_level, split_of


@pytest.mark.parametrize(
    ("split", "names"),
    [
        ("train", ["train", "TRAIN", "Training", "train_set", "TrainData", "training-images"]),
        ("val", ["val", "Valid", "validation", "dev", "PublicTest", "public", "validation set"]),
        ("test", ["test", "Testing", "PrivateTest", "private", "eval", "held-out", "testset"]),
        ("", ["happy", "contest", "trainee", "detest", "", "happy_train"]),
    ],
)
def test_the_usual_names_of_parts_are_known_in_any_case(split, names):
    assert {split_of(name) for name in names} == {split}


@pytest.mark.parametrize(
    ("files", "split", "emotion"),
    [
        (["Train/happy/1.png", "test/sad/2.png", "readme.txt"], 0, 1),
        (["happy/train/1.png", "happy/test/2.png", "sad/Train/1.png"], 1, 0),
        (["happy/1.png", "sad/train/2.png"], None, 0),  # a picture in no part: no parts
        (["happy/1.png", "test/2.png"], None, 0),  # an emotion and one odd name
        (["train/1.png", "test/2.png"], 0, 1),
        (["data/train/1.png", "data/test/2.png"], 1, 0),
        ([], None, 0),
    ],
)
def test_parts_may_stand_above_the_emotions_or_in_them(files, split, emotion):
    paths = [PurePosixPath(file) for file in files]
    assert (split_level(paths), emotion_level(paths)) == (split, emotion)


def test_parts_beside_other_folders_are_refused():
    files = [PurePosixPath(f"{name}/1.png") for name in ("happy", "test", "train")]
    with pytest.raises(FitError, match="test, train look like parts of a data set, and happy beside them"):
        emotion_level(files)
