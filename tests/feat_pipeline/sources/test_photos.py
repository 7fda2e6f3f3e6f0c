import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from feat_pipeline.errors import InputError
from feat_pipeline.sources import photos as sources
from feat_pipeline.sources.frame import Frame, Skipped, input_name
from feat_pipeline.sources.photos import from_array, read_frame, read_frames, read_photo
from tests.feat_pipeline.sources.test_find import photo


@pytest.fixture
def rgb():
    return np.random.default_rng(5).integers(0, 256, (37, 53, 3)).astype(np.uint8)


def smooth(height=90, width=120):
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 2, y * 2, x + y], axis=2).astype(np.uint8)


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.tiff", "a.webp", "A.PNG"])
def test_lossless_formats_come_back_equal(tmp_path, rgb, name):
    Image.fromarray(rgb).save(tmp_path / name, lossless=True)
    assert np.array_equal(read_photo(tmp_path / name), rgb)


def test_a_jpeg_comes_back_nearly_equal(tmp_path):
    Image.fromarray(smooth()).save(tmp_path / "a.jpg", quality=95)
    assert np.abs(read_photo(tmp_path / "a.jpg").astype(int) - smooth()).mean() < 2


def test_the_content_decides_and_not_the_suffix(tmp_path, rgb):
    Image.fromarray(rgb).save(tmp_path / "a.jpg", format="PNG")
    assert np.array_equal(read_photo(tmp_path / "a.jpg"), rgb)


UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
    8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_applied(tmp_path, rgb, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(rgb).save(tmp_path / f"a.{suffix}", exif=exif, lossless=True)
    assert np.array_equal(read_photo(tmp_path / f"a.{suffix}"), UPRIGHT[orientation](rgb))


def test_transparency_is_laid_over_white(tmp_path):
    rgba = np.zeros((4, 3, 4), np.uint8)
    rgba[..., 0] = 200
    rgba[:, :, 3] = [0, 51, 255]
    Image.fromarray(rgba).save(tmp_path / "a.png")
    expected = [[255, 255, 255], [244, 204, 204], [200, 0, 0]]
    assert np.abs(read_photo(tmp_path / "a.png")[0].astype(int) - expected).max() <= 1


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (Image.new("L", (3, 2), 77), [77, 77, 77]),
        (Image.new("1", (3, 2), 1), [255, 255, 255]),
        (Image.new("LA", (3, 2), (0, 0)), [255, 255, 255]),
        (Image.new("RGB", (3, 2), (9, 80, 200)).quantize(2), [9, 80, 200]),
    ],
)
def test_other_modes_become_rgb(tmp_path, picture, expected):
    picture.save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    assert photo.shape == (2, 3, 3)
    assert (photo == expected).all()


def test_a_transparent_palette_colour_becomes_white(tmp_path):
    picture = Image.new("P", (3, 2), 0)
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.save(tmp_path / "a.png", transparency=0)
    assert (read_photo(tmp_path / "a.png") == 255).all()


def test_a_transparent_rgb_colour_becomes_white(tmp_path):
    Image.new("RGB", (3, 2), (1, 2, 3)).save(tmp_path / "a.png", transparency=(1, 2, 3))
    assert (read_photo(tmp_path / "a.png") == 255).all()


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_grey_is_scaled_and_not_clipped(tmp_path, suffix):
    grey = np.array([[0, 257, 128 * 257], [65535, 300 * 100, 128]], np.uint16)
    Image.fromarray(grey).save(tmp_path / f"a.{suffix}")
    assert read_photo(tmp_path / f"a.{suffix}")[..., 1].tolist() == [[0, 1, 128], [255, 117, 0]]


def test_a_16_bit_colour_png_is_scaled(tmp_path):
    row = b"\0" + struct.pack(">6H", 65535, 32896, 0, 257, 514, 771)
    (tmp_path / "a.png").write_bytes(png(2, 1, zlib.compress(row), depth=16))
    assert read_photo(tmp_path / "a.png").tolist() == [[[255, 128, 0], [1, 2, 3]]]


def test_cmyk_becomes_rgb(tmp_path):
    Image.new("CMYK", (16, 8), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=100)
    assert np.abs(read_photo(tmp_path / "a.jpg").astype(int) - [255, 0, 0]).max() < 10


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_a_32_bit_picture_is_refused(tmp_path, dtype):
    Image.fromarray(np.ones((4, 5), dtype)).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"a\.tif: has 32 bits a pixel .* save it with 8 or 16 bits"):
        read_photo(tmp_path / "a.tif")


@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
def test_the_first_of_several_pictures_is_taken(tmp_path, rgb, suffix):
    first, second = Image.fromarray(rgb), Image.fromarray(255 - rgb)
    first.save(tmp_path / f"a.{suffix}", save_all=True, append_images=[second], lossless=True)
    assert np.array_equal(read_photo(tmp_path / f"a.{suffix}"), rgb)


def test_one_pixel_is_a_photo(tmp_path):
    Image.new("RGB", (1, 1), (5, 6, 7)).save(tmp_path / "a.png")
    assert read_photo(tmp_path / "a.png").tolist() == [[[5, 6, 7]]]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, data, depth=8):
    header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    (tmp_path / "bomb.png").write_bytes(png(20_000, 20_000, zlib.compress(bytes(1000))))
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(InputError) as refused:
        read_photo(tmp_path / "bomb.png")
    assert str(refused.value) == (
        f"{tmp_path}/bomb.png: 20,000 x 20,000 = 400,000,000 pixels, more than the limit of 100,000,000; "
        "shrink the picture first"
    )


def test_the_pixel_limit_is_a_parameter(tmp_path, rgb):
    Image.fromarray(rgb).save(tmp_path / "a.png")
    assert read_photo(tmp_path / "a.png", max_pixels=37 * 53).shape == rgb.shape
    with pytest.raises(InputError, match="more than the limit of 1,960"):
        read_photo(tmp_path / "a.png", max_pixels=37 * 53 - 1)


def test_pillows_own_limit_does_not_matter(tmp_path, rgb, monkeypatch):
    Image.fromarray(rgb).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert np.array_equal(read_photo(tmp_path / "a.png"), rgb)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "tif"])
def test_a_truncated_file_is_refused_in_one_line(tmp_path, rgb, suffix, share):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(rgb).save(path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(
        InputError, match=r"damaged or truncated \(.+\); save or download it again"
    ) as refused:
        read_photo(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "tif"])
def test_damaged_bytes_give_a_picture_or_an_input_error(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(smooth(20, 30)).save(path)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    rng = np.random.default_rng(11)
    for _ in range(60):
        damaged = whole.copy()
        damaged[rng.integers(0, len(whole), 6)] = rng.integers(0, 256, 6)
        path.write_bytes(damaged.tobytes())
        answer = read_frame(path, max_pixels=10_000_000)
        assert isinstance(answer, Skipped) or answer.rgb.dtype == np.uint8


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (
            b"hello, I am a text\n",
            "is no JPEG, PNG, WebP, BMP, TIFF, HEIC, AVIF or JPEG 2000 picture; convert it to one of these",
        ),
        (
            b"RIFF\0\0\0\0WAVEfmt ",
            "is no JPEG, PNG, WebP, BMP, TIFF, HEIC, AVIF or JPEG 2000 picture; convert it to one of these",
        ),
    ],
)
def test_what_is_no_picture_is_skipped_with_its_reason(tmp_path, content, reason):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    assert read_frame(path) == Skipped(str(path), 0, reason)


def test_a_missing_file_is_skipped(tmp_path):
    assert read_frame(tmp_path / "no.jpg").reason == "cannot be opened: no such file or directory"


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    assert read_frame(tmp_path / "a.jpg").reason == "is no regular file, expected a photo"


def test_names_stay_as_the_user_wrote_them(tmp_path, monkeypatch):
    photo(tmp_path / "in" / "größe 1.png")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert [frame.path for frame in read_frames("../in")] == ["../in/größe 1.png"]


def test_a_given_file_that_is_no_photo_is_reported(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("no photo")
    (answer,) = read_frames([path])
    assert "is no JPEG" in answer.reason


def test_linked_folders_and_broken_links_are_found(tmp_path):
    photo(tmp_path / "elsewhere" / "x.png")
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "broken.png").symlink_to(tmp_path / "gone.png")
    broken, linked = read_frames(folder)
    assert broken.reason == "cannot be opened: no such file or directory"
    assert linked.path == str(folder / "linked" / "x.png")


def test_a_name_that_is_no_utf8_can_be_written(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png"))
    photo(path)
    (frame,) = read_frames(tmp_path)
    assert frame.path == f"{tmp_path}/\\xff.png" == input_name(path)
    assert isinstance(read_frame(path), Frame)


def test_one_bad_photo_does_not_end_the_run(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    photo(tmp_path / "b.png")
    bad, good = read_frames(tmp_path)
    assert isinstance(bad, Skipped)
    assert good.rgb.shape == (3, 4, 3)
    assert (good.index, good.time_s) == (0, 0.0)


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3), (5, 7, 4)])
def test_arrays_become_frames(shape):
    frame = from_array(np.full(shape, 255, np.uint8))
    assert frame.rgb.shape == (5, 7, 3)
    assert (frame.rgb == 255).all()


@pytest.mark.parametrize(
    "array", [np.zeros((5, 7, 3)), np.zeros((5, 7, 2), np.uint8), np.zeros((0, 7, 3), np.uint8), np.uint8(3)]
)
def test_other_arrays_are_refused(array):
    with pytest.raises(InputError, match="array: expected uint8 of shape"):
        from_array(array)


def test_the_limit_is_stated():
    assert sources.MAX_PIXELS == 100_000_000
