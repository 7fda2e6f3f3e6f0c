import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from feat_pipeline.errors import InputError
from feat_pipeline.sources.photos import read_photo


@pytest.fixture
def rgb():
    """A picture that no codec makes small, with a plain dark corner as studio photos have."""
    rgb = np.random.default_rng(0).integers(0, 255, (90, 70, 3), dtype=np.uint8)
    rgb[-20:] = 0
    return rgb


def write(path, data):
    path.write_bytes(data)
    return path


def jpeg(rgb, path):
    Image.fromarray(rgb).save(path, quality=90)
    return path.read_bytes()


@pytest.mark.parametrize("end", [b"\xff\xd9", b"\xff\xd9" + bytes(500)], ids=["", "padded"])
def test_a_jpeg_with_a_plain_corner_is_whole(tmp_path, rgb, end):
    data = jpeg(rgb, tmp_path / "a.jpg")
    assert read_photo(write(tmp_path / "b.jpg", data[:-2] + end)).shape == (90, 70, 3)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize(
    ("end", "reason"), [(b"\xff\xd9", "its data end before"), (bytes(4000), "its last 4,0.. bytes are zeros")]
)
def test_a_jpeg_whose_data_run_out_is_refused_though_the_decoder_takes_it(tmp_path, rgb, share, end, reason):
    data = jpeg(rgb[:-20], tmp_path / "a.jpg")
    cut = data[: int(len(data) * share)] + end
    with Image.open(write(tmp_path / "b.jpg", cut)) as image:
        image.load()  # Pillow, and with it most programs, shows a half-grey picture
    with pytest.raises(InputError, match=rf"b\.jpg: is damaged or truncated \({reason}"):
        read_photo(tmp_path / "b.jpg")


def chunk(kind, data, wrong=0):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) ^ wrong)


def png(rgb, rows, *, interlaced=False, wrong=0):
    head = struct.pack(">IIBBBBB", rgb.shape[1], rgb.shape[0], 8, 2, 0, 0, interlaced)
    data = chunk(b"IDAT", zlib.compress(rows), wrong)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + data + chunk(b"IEND", b"")


def plain_rows(rgb):
    return b"".join(b"\0" + row.tobytes() for row in rgb)


def adam7_rows(rgb):
    """Rows in the order of the PNG standard's interlacing, https://www.w3.org/TR/png-3/#8Interlace."""
    passes = [rgb[::8, ::8], rgb[::8, 4::8], rgb[4::8, ::4], rgb[::4, 2::4], rgb[2::4, ::2], rgb[::2, 1::2]]
    return b"".join(plain_rows(part) for part in [*passes, rgb[1::2]] if part.size)


@pytest.mark.parametrize("size", [(90, 70), (3, 2), (1, 1), (9, 5)])
@pytest.mark.parametrize("rows_of", [plain_rows, adam7_rows])
def test_a_png_with_a_black_last_row_is_whole_and_without_its_rows_refused(tmp_path, rgb, size, rows_of):
    part = np.ascontiguousarray(rgb[-size[0] :, : size[1]])
    interlaced = rows_of is adam7_rows
    path = write(tmp_path / "a.png", png(part, rows_of(part), interlaced=interlaced))
    assert np.array_equal(read_photo(path), part)
    rows = rows_of(part)
    cut = png(part, rows[: len(rows) // 2], interlaced=interlaced)
    reason = f"holds {len(rows) // 2:,} of {len(rows):,} bytes of its rows|image file is truncated"
    with pytest.raises(InputError, match=reason):  # Pillow sees it where a row is cut in two
        read_photo(write(tmp_path / "b.png", cut))


def test_a_png_with_a_wrong_check_sum_is_refused(tmp_path, rgb):
    path = write(tmp_path / "a.png", png(rgb, plain_rows(rgb), wrong=1))
    with pytest.raises(InputError, match=r"a\.png: .*the check sum of its part IDAT is wrong"):
        read_photo(path)


@pytest.mark.parametrize("lossless", [True, False])
def test_a_webp_that_ends_in_zeros_is_refused(tmp_path, rgb, lossless):
    Image.fromarray(rgb).save(tmp_path / "a.webp", lossless=lossless)
    assert read_photo(tmp_path / "a.webp").shape == rgb.shape
    data = (tmp_path / "a.webp").read_bytes()
    half = len(data) // 2
    with pytest.raises(InputError, match=r"b\.webp: .*(its last .* bytes are zeros|failed to read)"):
        read_photo(write(tmp_path / "b.webp", data[:half] + bytes(len(data) - half)))


def test_a_tiff_with_fewer_strips_than_rows_is_refused(tmp_path, rgb):
    Image.fromarray(rgb).save(tmp_path / "a.tif")
    data = (tmp_path / "a.tif").read_bytes()
    place = data.index(struct.pack("<HHI", 257, 4, 1))  # the entry of the height
    taller = data[: place + 8] + struct.pack("<I", 180) + data[place + 12 :]
    with pytest.raises(InputError, match=r"b\.tif: .*it holds 90 of 180 rows"):
        read_photo(write(tmp_path / "b.tif", taller))


def test_broken_exif_data_cost_no_warning_and_no_photo(tmp_path, rgb):
    data = jpeg(rgb, tmp_path / "a.jpg")
    exif = b"Exif\0\0II*\0\x08\0\0\0\x40\0\x12\x01"
    marked = data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]
    assert read_photo(write(tmp_path / "b.jpg", marked)).shape == rgb.shape
