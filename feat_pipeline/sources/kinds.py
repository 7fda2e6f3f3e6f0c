"""What a file is by its first bytes, whatever it is called: a photo, a video, or something that is neither.

Signatures are those of the formats' own specifications: ISO/IEC 14496-12 (the ``ftyp`` box), RIFF, EBML,
ISO/IEC 13818-1 (transport streams) and others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

PHOTO_SUFFIXES = frozenset(
    {
        *(
            ".jpg",
            ".jpeg",
            ".jpe",
            ".jfif",
            ".mpo",
            ".png",
            ".apng",
            ".webp",
            ".bmp",
            ".dib",
            ".tif",
            ".tiff",
        ),
        *(".heic", ".heif", ".hif", ".avif", ".jp2", ".j2k", ".jpx", ".jpf"),
    }
)
#: Without .ts, which is a programming language too: such a file is known by its bytes.
VIDEO_SUFFIXES = frozenset(
    {
        *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".gif", ".wmv", ".asf", ".flv", ".f4v"),
        *(".mpg", ".mpeg", ".m2v", ".vob", ".mts", ".m2ts", ".3gp", ".3g2", ".ogv"),
    }
)
PHOTO_KINDS = "JPEG, PNG, WebP, BMP, TIFF, HEIC, AVIF or JPEG 2000"
VIDEO_KINDS = "MP4, MOV, WebM, MKV or AVI"
HEAD_BYTES = 1024
Holds = Literal["photo", "video", "neither"]


class Kind(NamedTuple):
    """A format: its name, and whether it is read here as a photo, as a video, or not at all."""

    name: str
    holds: Holds


_BRANDS: tuple[tuple[frozenset[bytes], Kind], ...] = (
    (frozenset({b"avif", b"avis"}), Kind("AVIF", "photo")),
    (
        frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}),
        Kind("HEIC", "photo"),
    ),
    (frozenset({b"crx "}), Kind("CR3", "neither")),
)
#: Brands that say how a file is laid out and not what is in it.
_GENERAL_BRANDS = frozenset({b"mif1", b"msf1"})

_STARTS: tuple[tuple[bytes, Kind], ...] = (
    (b"\xff\xd8\xff", Kind("JPEG", "photo")),
    (b"\x89PNG\r\n\x1a\n", Kind("PNG", "photo")),
    (b"BM", Kind("BMP", "photo")),
    (b"\0\0\0\x0cjP  \r\n\x87\n", Kind("JPEG 2000", "photo")),
    (b"\xff\x4f\xff\x51", Kind("JPEG 2000", "photo")),
    (b"GIF87a", Kind("GIF", "video")),
    (b"GIF89a", Kind("GIF", "video")),
    (b"\x1aE\xdf\xa3", Kind("Matroska", "video")),
    (b"FLV\1", Kind("FLV", "video")),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Kind("WMV", "video")),
    (b"\0\0\1\xba", Kind("MPEG", "video")),
    (b"\0\0\1\xb3", Kind("MPEG", "video")),
    (b"OggS", Kind("Ogg", "video")),
    (b"8BPS", Kind("Photoshop", "neither")),
    (b"\xff\x0a", Kind("JPEG XL", "neither")),
    (b"\0\0\0\x0cJXL \r\n\x87\n", Kind("JPEG XL", "neither")),
    (b"\x76\x2f\x31\x01", Kind("OpenEXR", "neither")),
    (b"FUJIFILMCCD-RAW", Kind("RAF", "neither")),
    (b"%!PS-Adobe", Kind("PostScript", "neither")),
    (b"SIMPLE  =", Kind("FITS", "neither")),
)
_BOX = 8
_PACKET = 188
"""Bytes of a transport stream's packet; on discs each has four more before it."""


def is_photo_name(path: Path) -> bool:
    """Tell whether a file is called like a photo."""
    return path.suffix.lower() in PHOTO_SUFFIXES


def is_video_name(path: Path) -> bool:
    """Tell whether a file is called like a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def is_video(path: Path) -> bool:
    """Tell whether a file is read as a video: by its first bytes, or where these say nothing by its name."""
    kind = kind_of(path)
    return is_video_name(path) if kind is None or kind.holds == "neither" else kind.holds == "video"


def kind_of(path: Path) -> Kind | None:
    """Tell what a file is.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Kind or None
        None where it is nothing that is known here, is empty, or cannot be opened.
    """
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return kind_of_bytes(file.read(HEAD_BYTES))
    except (OSError, ValueError):
        return None


def kind_of_bytes(head: bytes) -> Kind | None:
    """Tell what a file is by its first `HEAD_BYTES`; see `kind_of`."""
    for found in (_by_start, _by_riff, _by_brand, _by_tiff, _by_packets):
        kind = found(head)
        if kind is not None:
            return kind
    return None


def _by_start(head: bytes) -> Kind | None:
    for start, kind in _STARTS:
        if head.startswith(start) and (start != b"BM" or head[6:10] == b"\0\0\0\0"):
            return kind
    return None


def _by_riff(head: bytes) -> Kind | None:
    if head[:4] not in (b"RIFF", b"RF64"):
        return None
    return {b"WEBP": Kind("WebP", "photo"), b"AVI ": Kind("AVI", "video")}.get(head[8:12])


def _by_brand(head: bytes) -> Kind | None:
    """Of an ISO base media file: its brands name what it is, the most telling first."""
    if head[4:8] in (
        b"moov",
        b"mdat",
        b"wide",
        b"free",
        b"skip",
        b"pnot",
    ):  # QuickTime before there were brands
        return Kind("QuickTime", "video")
    if head[4:8] != b"ftyp":
        return None
    size = int.from_bytes(head[:4], "big")
    box = head[_BOX : max(_BOX + 4, min(size, len(head)))]
    brands = [box[:4], *(box[at : at + 4] for at in range(8, len(box) - 3, 4))]
    telling = [brand for brand in brands if brand not in _GENERAL_BRANDS] + brands
    for brand in telling:
        for known, kind in _BRANDS:
            if brand in known:
                return kind
    return None if brands[0] in (b"M4A ", b"M4B ") else Kind("MP4", "video")


def _by_tiff(head: bytes) -> Kind | None:
    if head[:4] in (b"II*\0", b"MM\0*"):
        return Kind("CR2", "neither") if head[8:10] == b"CR" else Kind("TIFF", "photo")
    if head[:4] in (b"II+\0", b"MM\0+"):
        return Kind("TIFF", "photo")
    if head[:4] in (b"IIRO", b"IIRS", b"IIU\0"):
        return Kind("raw", "neither")
    return None


def _by_packets(head: bytes) -> Kind | None:
    for lead in (0, 4):
        starts = range(lead, len(head), _PACKET + lead)
        if len(starts) > 2 and all(head[at] == 0x47 for at in starts):
            return Kind("MPEG-TS", "video")
    return None
