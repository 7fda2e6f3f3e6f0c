"""The loop of the camera: the newest picture is answered, painted, shown and perhaps recorded."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from analysis.files import atomic_path
from feat_pipeline.errors import InputError
from feat_pipeline.files import named_errors
from feat_pipeline.film.follow import FollowedFace, Follower
from feat_pipeline.film.lost_faces import Cover
from feat_pipeline.film.paint import FilmPainter
from feat_pipeline.film.writer import FilmWriter
from feat_pipeline.predict import Predictor
from feat_pipeline.render.encode import png
from feat_pipeline.sources.camera import CameraSource, LiveFrame
from feat_pipeline.sources.frame import PathLike

_WAIT_S = 0.02  # for a picture, before keys are looked at again
_KEPT = 10_000  # latencies, of the latest pictures


class View(Protocol):
    """Where pictures are shown, and how the user tells what to do."""

    def show(self, picture_rgb: np.ndarray, time_s: float, faces: Sequence[FollowedFace]) -> None:
        """Show the next picture."""
        ...

    def action(self) -> str:
        """Return 'quit', 'save', 'pause' or ''."""
        ...


@dataclass(eq=False)
class LiveResult:
    """What became of the pictures of a camera.

    Parameters
    ----------
    answered, given : int
        Pictures that were shown with answers, and all that the camera gave meanwhile.
    seconds : float
        From the first picture to the last.
    latencies_s : sequence of float
        Seconds from when a picture was due to when it was shown; of the latest 10,000.
    saved : list of Path
        Pictures that the user saved.
    notes : list of str
        What went wrong on the way.
    """

    answered: int = 0
    given: int = 0
    seconds: float = 0.0
    latencies_s: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT))
    saved: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def watch(
    source: CameraSource,
    predictor: Predictor,
    view: View,
    *,
    record: PathLike | None = None,
    hide: str | None = None,
    emoji_set: Mapping[str, np.ndarray] | None = None,
    save_to: PathLike = ".",
    tell_saved: Callable[[Path], Any] = lambda path: None,
) -> LiveResult:
    """Answer the newest picture of a camera again and again, until the user or the camera ends it.

    Parameters
    ----------
    source : CameraSource
        Not entered yet.
    predictor : Predictor
    view : View
        Entered.
    record : path, optional
        An ``.mp4`` file that takes what is shown, at its true times.
    hide, emoji_set
        As for `feat_pipeline.film.predict_video`.
    save_to : path
        Folder for the pictures that the user saves.
    tell_saved : callable
        Is told each of them.

    Returns
    -------
    LiveResult
        Also after Ctrl-C.

    Raises
    ------
    OutputError
        A picture or the film cannot be written.
    """
    painter = FilmPainter(hide=hide, emoji_set=emoji_set, models=list(predictor.models))
    loop = _Loop(predictor, view, painter, Path(save_to), tell_saved)
    with contextlib.ExitStack() as stack:
        if record is not None:
            loop.film = stack.enter_context(FilmWriter(record, rate=source.rate))
        stack.enter_context(source)
        with contextlib.suppress(KeyboardInterrupt):
            loop.run(source)
        loop.result.given = source.given
        if source.error:
            loop.result.notes.append(f"{source.name}: {source.error}")
    if loop.film is not None:
        loop.result.notes += loop.film.notes
    return loop.result


def picture_name() -> str:
    """Name a saved picture after this moment, to the millisecond."""
    return f"camera_{datetime.now():%Y-%m-%d_%H-%M-%S.%f}"[:-3] + ".png"


class _Loop:
    """One session in front of a camera."""

    def __init__(
        self,
        predictor: Predictor,
        view: View,
        painter: FilmPainter,
        save_to: Path,
        tell_saved: Callable[[Path], Any],
    ) -> None:
        self.result = LiveResult()
        self.film: FilmWriter | None = None
        self._predictor, self._view, self._painter = predictor, view, painter
        self._save_to, self._tell_saved = save_to, tell_saved
        self._follower, self._cover = Follower(predictor.models), Cover(0.0)
        self._picture: np.ndarray | None = None

    def run(self, source: CameraSource) -> None:
        began_s, paused = 0.0, False
        while not source.ended:
            action = self._view.action()
            if action == "quit":
                return
            if action == "save":
                self._save()
            if action == "pause":
                paused = not paused
            if paused:
                time.sleep(_WAIT_S)
                continue
            live = source.newest(_WAIT_S)
            if live is not None:
                self._answer(live)
                now_s = time.perf_counter()
                began_s = began_s or live.due_s
                self.result.latencies_s.append(now_s - live.due_s)
                self.result.seconds = now_s - began_s
                self.result.answered += 1

    def _answer(self, live: LiveFrame) -> None:
        frame, searched = live.frame, True
        try:
            found = self._predictor.predict(frame)
        except InputError as error:  # whatever one picture does to a detector, the next comes
            found, searched = [], False
            self._note(str(error))
        faces = self._follower.update(frame.time_s, found, frame.rgb)
        for covered in self._cover.add(frame, faces, searched=searched):
            self._picture = self._painter.paint(covered)
            self._view.show(self._picture, frame.time_s, faces)
            if self.film is not None:
                self.film.add(self._picture, frame.time_s)

    def _note(self, text: str) -> None:
        if text not in self.result.notes and len(self.result.notes) < 20:
            self.result.notes.append(text)

    def _save(self) -> None:
        if self._picture is None:
            return
        target = self._save_to / picture_name()
        with named_errors(self._save_to), atomic_path(target) as temporary:
            temporary.write_bytes(png(self._picture))
        self.result.saved.append(target)
        self._tell_saved(target)
