"""Pictures that stand under two emotions, or twice under one, are told and not learned from."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from feat_pipeline.datasets.faces import LabelledFaces
from feat_pipeline.datasets.listing import list_folder
from feat_pipeline.datasets.repeats import listed_without_repeats, without_repeats
from feat_pipeline.errors import UsageError

RNG = np.random.default_rng(3)


def faces(n=12, usage=None):
    """Faces angry, happy, angry, happy, ..., no two alike."""
    images = RNG.integers(0, 256, (n, 24, 20)).astype(np.uint8)
    labels = np.arange(n) % 2
    names = np.array([f"{('angry', 'happy')[i % 2]}/{i}.png" for i in range(n)])
    parts = np.array(usage or [""] * n)
    return LabelledFaces(images, labels, parts, np.arange(n), classes=("angry", "happy"), names=names)


def test_a_picture_under_two_emotions_is_told_and_left_out():
    made = faces()
    made.images[7] = made.images[2]
    found = without_repeats(made)
    assert found.rows.tolist() == [0, 1, 3, 4, 5, 6, 8, 9, 10, 11]
    assert found.notes == (
        "1 picture stands under two emotions (angry and happy: 1), such as angry/2.png (angry) and "
        "happy/7.png (happy): left out; mend the labels, or add --keep-copies to learn from them "
        "all the same",
    )
    kept = without_repeats(made, keep=True)
    assert len(kept) == 12 and kept.notes[0].endswith("happy/7.png (happy): learned from all the same")


def test_a_picture_saved_anew_under_another_emotion_is_found_too():
    made = faces()
    made.images[7] = np.clip(made.images[2] * 0.9 + 8 + RNG.normal(0, 2, (24, 20)), 0, 255)
    assert 2 not in without_repeats(made).rows and 7 not in without_repeats(made).rows
    assert len(without_repeats(made, near=False)) == 12


def test_a_picture_twice_under_one_emotion_counts_once():
    made = faces()
    made.images[4] = made.images[8] = made.images[0]
    found = without_repeats(made)
    assert found.rows.tolist() == [0, 1, 2, 3, 5, 6, 7, 9, 10, 11]
    assert found.notes == (
        "2 faces are pictures that stand twice under one emotion, such as angry/0.png (angry) and "
        "angry/4.png (angry); angry/0.png (angry) and angry/8.png (angry): each counts once",
    )


def test_copies_in_the_part_to_judge_by_are_told_and_stay():
    made = faces(usage=["train"] * 8 + ["val"] * 2 + ["test"] * 2)
    made.images[8], made.images[11] = made.images[2], made.images[4]
    found = without_repeats(made)
    assert len(found) == 12
    assert found.notes == (
        "2 faces of test, val stand among those to learn from too (1 under another emotion), such as "
        "angry/2.png (angry) and angry/8.png (angry); angry/4.png (angry) and happy/11.png (happy)",
    )


def test_pictures_without_copies_pass_without_a_word():
    made = faces()
    found = without_repeats(made)
    assert len(found) == 12 and found.notes == ()


def test_a_class_whose_pictures_all_stand_under_another_emotion_stops_the_training():
    made = faces(4)
    made.images[1], made.images[3] = made.images[0], made.images[2]
    with pytest.raises(
        UsageError, match=r"class angry: is left without .* 2 pictures .* \(angry and happy: 2\)"
    ):
        without_repeats(made)
    assert len(without_repeats(made, keep=True)) == 4


def test_files_of_equal_pixels_are_found_before_they_are_measured(tmp_path: Path):
    for name, image in zip(
        ("anger/a.png", "anger/b.png", "joy/c.bmp", "joy/d.png"), faces(4).images, strict=True
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / name)
    Image.open(tmp_path / "joy/c.bmp").save(tmp_path / "anger/again.png")
    (tmp_path / "joy" / "broken.png").write_bytes(b"no picture")
    found = listed_without_repeats(list_folder(tmp_path))
    assert [picture.path.name for picture in found.pictures] == ["a.png", "b.png", "broken.png", "d.png"]
    assert "such as anger/again.png (angry) and joy/c.bmp (happy): left out" in found.notes[0]
