"""What the page takes in, and how it says no."""

from __future__ import annotations

import re
from dataclasses import dataclass

from feat_pipeline.errors import FeatPipelineError, UsageError

MEGA = 1_000_000
SMALLEST_FACE_PX = 40
"""Faces that are not as high are seldom found: what people are told, not what is refused."""


class RefusedError(FeatPipelineError):
    """An upload that gets no answer; the message is the sentence that its sender reads."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the page takes in.

    Parameters
    ----------
    photo_mb, video_mb : float
        Largest file, in megabytes (10**6 bytes).
    photo_megapixels : float
        Largest photo, in 10**6 pixels.
    video_megapixels : float
        Largest picture of a video, in 10**6 pixels.
    video_s : float
        How many seconds of a video are looked at.
    waiting : int
        How many requests may wait for their turn; those beyond are asked to come again.
    faces : int
        How many faces of one photo get an answer, the largest ones.
    together_mb : float
        What all uploads that wait may take on the disk.
    age_s : float
        After so many seconds an upload that nobody asked about is deleted.
    """

    photo_mb: float = 20.0
    photo_megapixels: float = 50.0
    video_mb: float = 50.0
    video_megapixels: float = 2.1
    video_s: float = 20.0
    waiting: int = 40
    faces: int = 40
    together_mb: float = 500.0
    age_s: float = 120.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise UsageError(f"{name}: expected a number above 0, got {value!r}")

    @property
    def photo_bytes(self) -> int:
        """Largest photo in bytes."""
        return int(self.photo_mb * MEGA)

    @property
    def video_bytes(self) -> int:
        """Largest video in bytes."""
        return int(self.video_mb * MEGA)

    @property
    def photo_pixels(self) -> int:
        """Largest photo in pixels."""
        return int(self.photo_megapixels * MEGA)

    @property
    def video_pixels(self) -> int:
        """Largest picture of a video in pixels."""
        return int(self.video_megapixels * MEGA)

    @property
    def uploads_bytes(self) -> int:
        """What all uploads that wait may take, in bytes."""
        return int(self.together_mb * MEGA)

    @property
    def photo_words(self) -> str:
        """What a photo may be, for the page."""
        from feat_pipeline.sources.kinds import PHOTO_KINDS

        return f"{PHOTO_KINDS}, up to {self.photo_mb:g} MB and {self.photo_megapixels:g} megapixels"

    @property
    def video_words(self) -> str:
        """What a video may be, for the page."""
        from feat_pipeline.sources.kinds import VIDEO_KINDS

        size = f"{self.video_mb:g} MB"
        return f"{VIDEO_KINDS}, up to {size}; the first {self.video_s:g} seconds are looked at"


def shown_name(name: object) -> str:
    """Return a file name as the page may show it: without folders and control characters, at most 60 long."""
    last = re.split(r"[\\/]", str(name or ""))[-1]
    clean = "".join(letter for letter in last if letter.isprintable()).strip()
    return clean if len(clean) <= 60 else f"{clean[:40]}…{clean[-19:]}"


def sentence(reason: str, path: object, what: str) -> str:
    """Make a whole sentence of a reader's reason: no path in it, and nothing that a decoder says of itself.

    Parameters
    ----------
    reason : str
        An `InputError`'s message.
    path : object
        The file that it may begin with.
    what : str
        'picture' or 'video'.
    """
    reason = re.sub(r" ?\(.*\)", "", reason.removeprefix(f"{path}: ")).rstrip(".")
    reason = reason.replace("damaged or truncated", "damaged or not all there")
    if reason.startswith("cannot be opened"):
        return f"This {what} cannot be opened; send it again."
    if reason[:1].isdigit():
        return f"This {what} has {reason}."
    if re.match(r"(is|has|holds|cannot) ", reason):
        return f"This file {reason}."
    return f"{reason[:1].upper()}{reason[1:]}."
