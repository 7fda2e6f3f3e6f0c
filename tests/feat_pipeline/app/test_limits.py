import re

import pytest

from feat_pipeline.app.limits import Limits, sentence, shown_name
from feat_pipeline.errors import UsageError
from feat_pipeline.sources.kinds import PHOTO_KINDS, PHOTO_SUFFIXES, VIDEO_KINDS, VIDEO_SUFFIXES


def test_a_limit_of_nothing_is_refused_by_its_name():
    with pytest.raises(UsageError, match=r"photo_mb: expected a number above 0, got 0"):
        Limits(photo_mb=0)


def test_limits_are_told_in_words_and_bytes():
    limits = Limits(photo_mb=2.5, photo_megapixels=12, video_mb=30, video_s=8)
    assert limits.photo_bytes == 2_500_000 and limits.photo_pixels == 12_000_000
    assert limits.video_bytes == 30_000_000 and limits.video_pixels == 2_100_000
    assert (
        limits.photo_words
        == "JPEG, PNG, WebP, BMP, TIFF, HEIC, AVIF or JPEG 2000, up to 2.5 MB and 12 megapixels"
    )
    assert limits.video_words.endswith("up to 30 MB; the first 8 seconds are looked at")


@pytest.mark.parametrize(
    ("kinds", "suffixes"), [(PHOTO_KINDS, PHOTO_SUFFIXES), (VIDEO_KINDS, VIDEO_SUFFIXES)]
)
def test_the_kinds_of_files_that_people_are_told_are_read(kinds, suffixes):
    usual = {"JPEG 2000": ".jp2"}
    assert {usual.get(kind, f".{kind.lower()}") for kind in re.split(", | or ", kinds)} <= suffixes


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("party.jpg", "party.jpg"),
        ("C:\\Users\\me\\party.jpg", "party.jpg"),
        ("../../etc/passwd", "passwd"),
        ("a\x00b\n.png", "ab.png"),
        (None, ""),
        ("x" * 80 + ".png", "x" * 40 + "…" + "x" * 15 + ".png"),
    ],
)
def test_a_name_is_shown_without_folders_and_control_characters(name, shown):
    assert shown_name(name) == shown


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("/tmp/a/b: the file is empty", "The file is empty."),
        (
            "/tmp/a/b: is damaged or truncated (cannot identify '/tmp/a/b'); save or download it again",
            "This file is damaged or not all there; save or download it again.",
        ),
        (
            "/tmp/a/b: 9,000 x 9,000 = 81,000,000 pixels, more than the limit of 5; shrink the picture first",
            "This picture has 9,000 x 9,000 = 81,000,000 pixels, more than the limit of 5; "
            "shrink the picture first.",
        ),
        ("/tmp/a/b: cannot be opened: permission denied", "This picture cannot be opened; send it again."),
    ],
)
def test_a_reason_becomes_a_sentence_without_path_and_innards(reason, told):
    assert sentence(reason, "/tmp/a/b", "picture") == told
