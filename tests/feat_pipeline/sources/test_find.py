import re
from pathlib import Path

import pytest
from PIL import Image

from feat_pipeline.errors import InputError
from feat_pipeline.sources.find import find_files
from feat_pipeline.sources.frame import Frame
from feat_pipeline.sources.photos import read_frame, read_photo
from tests.feat_pipeline.sources.made_videos import write_video


@pytest.mark.parametrize("name", ["x" * 300 + ".jpg", "a\0b.jpg"])
def test_an_impossible_name_is_an_input_error(tmp_path, name):
    with pytest.raises(InputError, match="cannot be opened"):
        read_photo(tmp_path / name)
    with pytest.raises(InputError, match=r"cannot be opened|no such file"):
        find_files(tmp_path / name)


def photo(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 3), (1, 2, 3)).save(path, format="PNG")
    return path


def names(paths, folder):
    return [path.relative_to(folder).as_posix() for path in paths]


def test_folders_are_searched_deep_and_in_order(tmp_path):
    for name in [
        "b/z.jpg",
        "b/a.PNG",
        "a.jpeg",
        "b/c/d.tiff",
        "Z.webp",
        "e.bmp",
        "b/.hidden.jpg",
        ".git/x.jpg",
    ]:
        photo(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no photo")
    expected = ["Z.webp", "a.jpeg", "e.bmp", "b/a.PNG", "b/z.jpg", "b/c/d.tiff"]
    assert names(find_files([tmp_path]), tmp_path) == expected


def test_given_files_keep_their_order_and_count_once(tmp_path):
    b, a = photo(tmp_path / "b.png"), photo(tmp_path / "a.png")
    assert find_files([b, str(a), b, tmp_path]) == [b, a]


def test_a_missing_path_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match=r"nowhere: no such file or folder; check the path"):
        find_files([tmp_path / "nowhere", tmp_path / "gone"])


def test_a_path_without_photos_beside_others_is_listed_and_read_as_skipped(tmp_path):
    (tmp_path / "empty").mkdir()
    good, gone, empty = photo(tmp_path / "a.png"), tmp_path / "gone", tmp_path / "empty"
    assert find_files([gone, good, empty]) == [gone, good, empty]
    assert read_frame(gone).reason == "cannot be opened: no such file or directory"
    assert read_frame(empty).reason == "is a folder, expected a photo or a folder with photos"


def test_an_empty_name_is_no_folder():
    with pytest.raises(InputError, match="an empty name"):
        find_files([""])


def test_a_folder_without_photos_is_an_input_error(tmp_path):
    (tmp_path / "notes.txt").write_text("no photo")
    with pytest.raises(
        InputError, match="the folder holds no JPEG, PNG, WebP, BMP, TIFF, HEIC, AVIF or JPEG 2000 file"
    ):
        find_files([tmp_path])


def test_no_path_is_an_input_error():
    with pytest.raises(InputError, match="no photo or folder was given"):
        find_files([])


def test_links_in_a_circle_end(tmp_path):
    photo(tmp_path / "a" / "x.png")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert names(find_files(tmp_path), tmp_path) == ["a/x.png"]


def test_a_closed_folder_is_an_input_error(tmp_path, locked):
    photo(tmp_path / "a.png")
    locked(tmp_path)
    with pytest.raises(InputError, match="the folder cannot be opened: permission denied"):
        find_files(tmp_path)


def test_a_closed_subfolder_is_skipped_with_its_reason(tmp_path, locked):
    photo(tmp_path / "a.png")
    photo(tmp_path / "closed" / "b.png")
    locked(tmp_path / "closed")
    found = find_files(tmp_path)
    assert names(found, tmp_path) == ["a.png", "closed"]
    answers = [read_frame(path) for path in found]
    assert isinstance(answers[0], Frame)
    assert answers[1].reason == "the folder cannot be opened: permission denied"


def test_numbers_in_names_count_as_numbers(tmp_path):
    for number in (10, 2, 1, 12, 100):
        photo(tmp_path / f"frame_{number}.png")
    expected = [f"frame_{number}.png" for number in (1, 2, 10, 12, 100)]
    assert names(find_files(tmp_path), tmp_path) == expected


@pytest.mark.parametrize("name", ["IMG_0001", "scan.dat", "photo.jpg.part"])
def test_a_photo_is_found_whatever_it_is_called(tmp_path, name):
    assert find_files(photo(tmp_path / name).parent) == [tmp_path / name]


def test_a_video_is_found_by_its_bytes_where_videos_count(tmp_path):
    write_video(tmp_path / "clip.mp4", 3)
    (tmp_path / "clip.mp4").rename(tmp_path / "clip")
    photo(tmp_path / "x.png")
    assert names(find_files(tmp_path, videos=True), tmp_path) == ["clip", "x.png"]
    assert names(find_files(tmp_path), tmp_path) == ["x.png"]


def test_a_picture_that_cannot_be_read_is_listed_so_that_the_reason_is_told(tmp_path):
    photo(tmp_path / "x.png")
    (tmp_path / "drawing.psd").write_bytes(b"8BPS\0\1" + bytes(30))
    (tmp_path / "notes.txt").write_text("BMW and other notes")
    found = find_files(tmp_path)
    assert names(found, tmp_path) == ["drawing.psd", "x.png"]
    reason = read_frame(found[0]).reason
    assert reason.startswith("is a Photoshop file, which is not read here") and "convert it" in reason


def test_one_file_spelled_in_several_ways_counts_once(tmp_path, monkeypatch):
    photo(tmp_path / "x.png")
    monkeypatch.chdir(tmp_path)
    assert find_files(["x.png", "./x.png", tmp_path / "x.png", "../" + tmp_path.name]) == [Path("x.png")]


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("https://example.org/x.jpg", "addresses are not fetched: download it first"),
        ("~/photos", "~ is not expanded here"),
        ("photos/*.jpg", "patterns are not expanded here"),
        ("photos", "check the path"),
    ],
)
def test_of_a_path_that_is_not_there_it_is_said_what_may_have_been_meant(path, hint):
    with pytest.raises(InputError, match=re.escape(hint)):
        find_files(path)
