"""What a damaged file is, what may come of it, and the ways in which any file breaks."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

REFUSED = "refused"  # no result, and a reason that names the file
USED = "used"  # odd, but sound
WHOLE = "whole"  # refused, or used as if nothing were wrong: all of it is there
TOLD = "told"  # refused, or used as far as it goes, with a line that says what is missing
ANY = "any"  # anything but a crash, a hang or silence


@dataclass(frozen=True)
class Damaged:
    """One damaged file, or the files of one damaged model.

    Parameters
    ----------
    name : str
        Of the file; of a model, of its folder.
    damage : str
        In a word; the quick tests take the first of each kind of file and damage.
    files : dict of str to bytes
        By their names; that of a single file is ''.
    expected : str
        What may come of it, one of the words above.
    sound : bytes, optional
        The file before it was damaged.
    """

    name: str
    damage: str
    files: dict[str, bytes]
    expected: str = REFUSED
    sound: bytes | None = None

    @property
    def suffix(self) -> str:
        """The kind of file that its name promises."""
        return self.name.rpartition(".")[2] if "." in self.name else ""


def one(name: str, damage: str, data: bytes, expected: str = REFUSED, sound: bytes | None = None) -> Damaged:
    """Make a damaged file of its bytes."""
    return Damaged(name, damage, {"": data}, expected, sound)


def generator(name: str) -> np.random.Generator:
    """Return the generator of a file's damage: the same bytes, whatever else is made."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def flipped(data: bytes, name: str, begin: int, end: int, bits: int = 8) -> bytes:
    """Flip some bits between two places."""
    rng = generator(name)
    changed = np.frombuffer(data, np.uint8).copy()
    places = rng.integers(begin, max(begin + 1, end), bits)
    np.bitwise_xor.at(changed, places, (1 << rng.integers(0, 8, bits)).astype(np.uint8))
    return changed.tobytes()


def blanked(data: bytes, begin: int, end: int) -> bytes:
    """Write zeros over a stretch, as a copy does that broke off on a disk that had reserved the space."""
    return data[:begin] + bytes(end - begin) + data[end:]


def everyday(
    stem: str, suffix: str, data: bytes, head: int, cut: str = WHOLE, blank: str = WHOLE
) -> Iterator[Damaged]:
    """Yield what may befall any file: cut short, bits flipped, overwritten.

    Parameters
    ----------
    stem, suffix : str
    data : bytes
        The sound file.
    head : int
        How many bytes its header takes.
    cut : str
        What may come of it when its end is missing.
    blank : str
        What may come of it when its second half is zeros.
    """
    size = len(data)
    places = {"4_bytes": 4, "head": head, "10": size // 10, "50": size // 2, "95": size * 95 // 100}
    for where, place in (places | {"last_byte": size - 1}).items():
        yield one(f"{stem}_cut_at_{where}{suffix}", f"cut {stem}", data[:place], cut, data)
    for number in range(2):
        name = f"{stem}_flips_in_head_{number}{suffix}"
        yield one(name, f"flips {stem}", flipped(data, name, 0, head, 4), ANY, data)
    for number in range(3):
        name = f"{stem}_flips_in_body_{number}{suffix}"
        yield one(name, f"flips {stem}", flipped(data, name, head, size), ANY, data)
    yield one(f"{stem}_zeros_in_front{suffix}", "zeros", blanked(data, 0, 16))
    yield one(
        f"{stem}_zeros_from_half{suffix}", "zeros to the end", blanked(data, size // 2, size), blank, data
    )
    yield one(f"{stem}_end_twice{suffix}", "joined", data + data[size // 2 :], ANY, data)
