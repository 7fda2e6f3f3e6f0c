"""Work in pieces: what is measured, kept and gone on with together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, astuple, dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from feat_pipeline.errors import InputError
from feat_pipeline.extract.measure import BATCH_FRAMES
from feat_pipeline.sources.frame import Frame, Skipped, input_name
from feat_pipeline.sources.photos import read_frame
from feat_pipeline.sources.sampling import Sampling

if TYPE_CHECKING:
    from feat_pipeline.sources.videos import VideoInfo

#: A video is cut at the first frame that decoding can begin with after so many frames.
STRETCH_FRAMES = 30 * BATCH_FRAMES

FileState = list[str | int | None]
"""Name, size in bytes and time of change in nanoseconds; the last two None where there is no file."""


@dataclass(frozen=True)
class Photos:
    """Photos that are measured together.

    Parameters
    ----------
    paths : tuple of Path
    """

    paths: tuple[Path, ...]

    @property
    def frames(self) -> int:
        """How many frames to expect."""
        return len(self.paths)

    def read(self) -> Iterator[Frame | Skipped]:
        """Read them, one at a time."""
        yield from map(read_frame, self.paths)

    def identity(self) -> list[Any]:
        """Tell what the answer depends on: names, sizes and times of change."""
        return self.files()

    def files(self) -> list[FileState]:
        """Tell the state of its files: name, size and time of change."""
        return [_state(path) for path in self.paths]


@dataclass(frozen=True)
class Stretch:
    """A part of a video.

    Parameters
    ----------
    path : Path
    sampling : Sampling
        With the bounds of the stretch.
    frames : int
        How many to expect.
    """

    path: Path
    sampling: Sampling
    frames: int

    def read(self) -> Iterator[Frame | Skipped]:
        """Read its frames, one at a time."""
        from feat_pipeline.sources.videos import read_video

        try:
            info = _probed(str(self.path), tuple(_state(self.path)))
            yield from read_video(self.path, **asdict(self.sampling), info=info)
        except InputError as error:
            yield _unreadable(self.path, error)

    def identity(self) -> list[Any]:
        """Tell what the answer depends on, as `Photos.identity`."""
        return [*self.files(), *astuple(self.sampling)]

    def files(self) -> list[FileState]:
        """Tell the state of its file, as `Photos.files`."""
        return [_state(self.path)]


@dataclass(frozen=True)
class Unreadable:
    """A video that cannot be opened, or of which nothing is wanted."""

    path: Path
    reason: str
    frames: int = 1

    def read(self) -> Iterator[Frame | Skipped]:
        """Give the reason."""
        yield Skipped(input_name(self.path), 0, self.reason)

    def identity(self) -> list[Any]:
        """Tell what the answer depends on, as `Photos.identity`."""
        return [*self.files(), self.reason]

    def files(self) -> list[FileState]:
        """Tell the state of its file, as `Photos.files`."""
        return [_state(self.path)]


Chunk = Photos | Stretch | Unreadable


def plan(paths: Iterable[Path], sampling: Sampling) -> list[Chunk]:
    """Divide photos and videos into chunks, in their order.

    Parameters
    ----------
    paths : iterable of Path
    sampling : Sampling

    Returns
    -------
    list of Chunk
        The same for the same files, whatever was measured before.
    """
    from feat_pipeline.sources.kinds import is_video

    chunks: list[Chunk] = []
    photos: list[Path] = []

    def close() -> None:
        if photos:
            chunks.append(Photos(tuple(photos)))
            photos.clear()

    for path in paths:
        if is_video(path):
            close()
            chunks += _stretches(path, sampling)
            continue
        photos.append(path)
        if len(photos) == BATCH_FRAMES:
            close()
    close()
    return chunks


def _stretches(path: Path, wanted: Sampling) -> list[Chunk]:
    from feat_pipeline.sources.sampling import wanted_frames

    try:
        info = _probed(str(path), tuple(_state(path)))
    except InputError as error:
        return [Unreadable(path, _unreadable(path, error).reason)]
    chosen = info.times_s[wanted_frames(info.times_s, **asdict(wanted))]
    if not len(chosen) and not info.broken:
        span = f"between {wanted.start_s:g} and {wanted.end_s:g} s"
        return [Unreadable(path, f"holds no frame {span}; it ends at {info.duration_s:.3f} s")]
    cuts, cut_at = [wanted.start_s], 0
    for time_s in info.key_times_s:
        at = int(np.searchsorted(chosen, time_s))
        if at - cut_at >= STRETCH_FRAMES and at < len(chosen):
            cuts.append(float(time_s))
            cut_at = at
    stretches = []
    for start_s, end_s in pairwise([*cuts, wanted.end_s]):
        frames = int(np.searchsorted(chosen, end_s) - np.searchsorted(chosen, start_s))
        stretches.append(Stretch(path, replace(wanted, start_s=start_s, end_s=end_s), frames))
    return [*stretches]


@lru_cache(maxsize=2)
def _probed(path: str, state: tuple[Any, ...]) -> VideoInfo:
    """Return what `probe_video` finds, once for all stretches of a file in this state."""
    from feat_pipeline.sources.videos import probe_video

    return probe_video(path)


def _unreadable(path: Path, error: InputError) -> Skipped:
    name = input_name(path)
    return Skipped(name, 0, str(error).removeprefix(f"{name}: "))


def unit_of(chunks: Iterable[Chunk]) -> str:
    """Return what the frames of chunks are called: photos, where there is no video among them."""
    return "photos" if all(isinstance(chunk, Photos) for chunk in chunks) else "frames"


def is_changed(state: FileState) -> bool:
    """Whether a file is another than it was; one that is not found now counts as the same."""
    now = _state(Path(str(state[0])))
    return now[1] is not None and now != list(state)


def _state(path: Path) -> FileState:
    try:
        status = path.stat()
    except OSError:
        return [input_name(path), None, None]
    return [input_name(path), status.st_size, status.st_mtime_ns]
