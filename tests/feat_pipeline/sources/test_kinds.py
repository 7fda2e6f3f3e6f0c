"""What a file is, by its first bytes."""

import numpy as np
import pytest
from PIL import Image

from feat_pipeline.sources.frame import Skipped
from feat_pipeline.sources.kinds import Kind, is_video, kind_of, kind_of_bytes
from feat_pipeline.sources.photos import read_frame, read_photo
from tests.feat_pipeline.sources.made_videos import write_video


def smooth(height=40, width=56):
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows * 4, columns * 3, rows + columns], axis=2).astype(np.uint8)


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        ("jpg", "JPEG"), ("png", "PNG"), ("webp", "WebP"), ("bmp", "BMP"), ("tif", "TIFF"), ("mpo", "JPEG"),
        ("avif", "AVIF"), ("jp2", "JPEG 2000"), ("j2k", "JPEG 2000"),
    ],
)  # fmt: skip
def test_every_kind_of_photo_is_known_and_read_under_any_name(tmp_path, suffix, kind):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(smooth()).save(path)
    odd = path.rename(tmp_path / "a.heic")
    assert kind_of(odd) == Kind(kind, "photo") and not is_video(odd)
    assert np.abs(read_photo(odd).astype(int) - smooth()).mean() < 6


@pytest.mark.parametrize("orientation", [1, 6, 8])
def test_a_heic_of_a_phone_is_read_upright(tmp_path, orientation):
    pillow_heif = pytest.importorskip("pillow_heif")
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.fromarray(smooth(64, 96))
    pillow_heif.from_pillow(picture).save(tmp_path / "a.HEIC", quality=95, exif=exif.tobytes())
    seen = read_photo(tmp_path / "a.HEIC")
    turned = np.rot90(smooth(64, 96), {1: 0, 6: -1, 8: 1}[orientation])
    assert seen.shape == turned.shape and np.abs(seen.astype(int) - turned).mean() < 6
    data = (tmp_path / "a.HEIC").read_bytes()
    (tmp_path / "cut.heic").write_bytes(data[: len(data) // 2])
    cut = read_frame(tmp_path / "cut.heic")
    assert isinstance(cut, Skipped) and cut.reason.startswith("is damaged or truncated")


@pytest.mark.parametrize("container", ["mp4", "mov", "avi", "mkv", "ts"])
def test_every_kind_of_video_is_known_without_its_suffix(tmp_path, container):
    path = tmp_path / f"clip.{container}"
    write_video(path, 4)
    bare = path.rename(tmp_path / "clip")
    assert kind_of(bare).holds == "video" and is_video(bare)


@pytest.mark.parametrize(
    ("head", "name", "holds"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC", "photo"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "AVIF", "photo"),
        (b"\0\0\0\x14ftypqt  \0\0\2\0", "MP4", "video"),
        (b"\0\0\0\x20ftypf4v \0\0\0\0", "MP4", "video"),
        (b"RIFF\0\0\0\0AVI LIST", "AVI", "video"),
        (b"GIF89a", "GIF", "video"),
        (b"II*\0\x10\0\0\0CR\2\0", "CR2", "neither"),
        (b"8BPS\0\1", "Photoshop", "neither"),
        (b"\xff\x0a", "JPEG XL", "neither"),
    ],
)
def test_signatures(head, name, holds):
    assert kind_of_bytes(head) == Kind(name, holds)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"BMW is no picture",
        b"G is a letter" * 40,
        b"RIFF\0\0\0\0WAVEfmt ",
        b"PK\3\4",
        b"{}",
        b"\0\0\0\x18ftypM4A \0\0\0\0",
    ],
)
def test_what_is_neither_is_not_taken_for_one(head):
    assert kind_of_bytes(head) is None
