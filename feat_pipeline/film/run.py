"""One video predicted frame by frame, and its annotated film written on the way."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from feat_pipeline.errors import InputError
from feat_pipeline.extract import DETECT_EVERY_S
from feat_pipeline.extract.engine.chunks import plan
from feat_pipeline.extract.measure import NO_FACE
from feat_pipeline.faces.track import gap_bound
from feat_pipeline.film.follow import FollowedFace, Follower
from feat_pipeline.film.lost_faces import Cover
from feat_pipeline.film.paint import FilmPainter
from feat_pipeline.film.writer import FilmWriter
from feat_pipeline.predict import Predicted, Predictor
from feat_pipeline.sources.frame import Frame, PathLike, Skipped
from feat_pipeline.sources.sampling import Sampling, wanted_frames
from feat_pipeline.sources.videos import probe_video


@dataclass(frozen=True, eq=False)
class FilmFrame:
    """What became of one frame.

    Parameters
    ----------
    index : int
        Number of the frame in the video.
    time_s : float
        Its time; NaN of a stretch that could not be read.
    faces : list of FollowedFace
        Left to right.
    item : Predicted or Skipped
        As `Predictor.predict_chunks` gives it; a frame without a face is skipped.
    """

    index: int
    time_s: float
    faces: list[FollowedFace]
    item: Predicted | Skipped


@dataclass(eq=False)
class VideoPrediction:
    """A video that is predicted while it is iterated over, once; see `predict_video`.

    Attributes
    ----------
    total : int
        Frames that are wanted, for a progress bar.
    film : Path or None
        The film; written when the iteration has ended, or was ended. None then where there is none.
    notes : list of str
        What a viewer of the film has to know, such as sound that could not be kept.
    """

    path: PathLike
    predictor: Predictor
    sampling: Sampling
    detect_every_s: float
    film: Path | None
    painter: FilmPainter
    total: int = 0
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chunks = plan([Path(self.path)], self.sampling)
        self.total = sum(chunk.frames for chunk in self._chunks)
        self._times_s = _times_s(self.path, self.sampling)

    def __iter__(self) -> Iterator[FilmFrame]:
        return self.frames()

    def frames(self) -> Generator[FilmFrame, None, None]:
        """Predict one frame after the other; closing the generator ends the work, and the film."""
        read: deque[Frame | Skipped] = deque()  # a frame without a face comes back without its picture

        def kept(items: Iterable[Frame | Skipped]) -> Iterator[Frame | Skipped]:
            for item in items:
                read.append(item)
                yield item

        answers = self.predictor.predict_chunks(
            (kept(chunk.read()) for chunk in self._chunks), detect_every_s=self.detect_every_s
        )
        follower = Follower(self.predictor.models, max_gap_s=gap_bound(self._times_s))
        with contextlib.closing(answers), self._drawn() as draw:
            for item in answers:
                source = read.popleft()
                found = item.faces if isinstance(item, Predicted) else []
                if isinstance(source, Skipped):
                    yield FilmFrame(source.frame, float("nan"), [], item)
                    continue
                faces = follower.update(source.time_s, found, source.rgb)
                searched = isinstance(item, Predicted) or item.reason == NO_FACE
                draw(source, faces, searched)
                yield FilmFrame(source.index, source.time_s, faces, item)

    @contextlib.contextmanager
    def _drawn(self) -> Iterator[Callable[[Frame, list[FollowedFace], bool], None]]:
        """Hand out what takes the frames for the film."""
        if self.film is None:
            yield lambda frame, faces, searched: None
            return
        whole = self.sampling.end_s == float("inf")
        cover = Cover() if self.painter.hides else Cover(0.0)
        writer = FilmWriter(self.film, rate=_rate(self._times_s), sound_of=self.path, whole_sound=whole)

        def draw(frame: Frame, faces: list[FollowedFace], searched: bool) -> None:
            for covered in cover.add(frame, faces, searched=searched):
                writer.add(self.painter.paint(covered), covered.frame.time_s)

        try:
            with writer:
                try:
                    yield draw
                finally:
                    for covered in cover.rest():
                        writer.add(self.painter.paint(covered), covered.frame.time_s)
        finally:
            self.notes += writer.notes
            if not writer.done:
                self.film = None


def predict_video(
    path: PathLike,
    predictor: Predictor,
    *,
    film: PathLike | None = None,
    sampling: Sampling | None = None,
    detect_every_s: float = DETECT_EVERY_S,
    annotate: bool = True,
    hide: str | None = None,
    emoji_set: Mapping[str, np.ndarray] | None = None,
) -> VideoPrediction:
    """Name and explain the emotion of every face in a video, frame by frame.

    Parameters
    ----------
    path : path
        The video.
    predictor : Predictor
    film : path, optional
        An ``.mp4`` file to write: the frames that are looked at, at their times, upright, with the video's
        sound. It appears when the iteration has ended, or was ended: then with what was done.
    sampling : Sampling, optional
        Which frames are looked at; all by default.
    detect_every_s : float
        As for `feat_pipeline.runs.extract.extract`.
    annotate : bool
        Whether boxes, emotions, reasons and, for the main face, AU bars are drawn on the film. The answers of
        several models stand side by side.
    hide : {'blur', 'pixelate', 'emoji'}, optional
        Whether and how faces are hidden in the film. They stay hidden where the detector loses them for a
        moment; whoever it never finds can be seen.
    emoji_set : mapping of str to ndarray of uint8, shape (h, w, 4), optional
        Own emoji by emotion, for ``hide='emoji'``; see `feat_pipeline.render.read_emoji_set`.

    Returns
    -------
    VideoPrediction
        Iterate over it for one `FilmFrame` after another; memory does not grow with the video's length.
        What cannot be read is skipped and told, as are frames without a face.

    Raises
    ------
    OutputError
        While iterating: the film cannot be written.
    """
    painter = FilmPainter(annotate=annotate, hide=hide, emoji_set=emoji_set, models=list(predictor.models))
    target = None if film is None else Path(film)
    return VideoPrediction(path, predictor, sampling or Sampling(), detect_every_s, target, painter)


def _times_s(path: PathLike, sampling: Sampling) -> np.ndarray:
    """Return the times of the frames that are looked at; none where the video cannot be opened."""
    try:
        times_s = probe_video(path).times_s
    except InputError:
        return np.empty(0)
    return times_s[wanted_frames(times_s, **asdict(sampling))]


def _rate(times_s: np.ndarray) -> float:
    """Return the typical number of frames a second; 0 where it is not known."""
    step_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 0.0
    return 1 / step_s if step_s else 0.0
