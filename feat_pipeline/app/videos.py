"""A short video: how the AUs of its main face go, and a copy with the answers drawn in."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feat_pipeline.app.limits import MEGA, SMALLEST_FACE_PX, RefusedError, sentence, shown_name
from feat_pipeline.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from feat_pipeline.app.service import FaceService
    from feat_pipeline.film import FollowedFace

EVERY_S = 1 / 15
"""Frames of a faster video are passed over, or two cores would be busy with it for minutes."""
FILM_MB = 20
"""A larger film is not handed over to the browser."""
NO_FACE = (
    "No face was found in this video. Faces have to be upright and at least about "
    f"{SMALLEST_FACE_PX} pixels high."
)


@dataclass(frozen=True, eq=False)
class VideoAnswer:
    """What was found in a video.

    Parameters
    ----------
    name : str
        The file's name, without folders.
    frames, faces : int
        Frames that were looked at, and persons seen.
    rows : list of (str, float)
        Share of the main face's frames that each emotion was the answer for, the most frequent first.
    figure : Figure
        AU series of the person seen most, with the emotions below.
    film : bytes
        MP4 with the answers drawn in; empty where there is none.
    notes : tuple of str
        What its sender has to know besides, whole sentences.
    """

    name: str
    frames: int
    faces: int
    rows: list[tuple[str, float]]
    figure: Figure
    film: bytes
    notes: tuple[str, ...]


def answer_video(service: FaceService, path: Path, name: object) -> VideoAnswer:
    """Answer for a video; only the first seconds, as the limits say, are looked at.

    Raises
    ------
    RefusedError
        It cannot be read, is too large, or shows no face.
    """
    from feat_pipeline.film import predict_video
    from feat_pipeline.sources.sampling import Sampling
    from feat_pipeline.sources.videos import probe_video

    limits, shown = service.limits, shown_name(name) or "video"
    notes = []
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        source, target = Path(folder, "video.mp4"), Path(folder, "film.mp4")
        path.rename(source)  # the suffix says that it is a video, whatever its sender calls it
        try:
            info = probe_video(source, max_pixels=limits.video_pixels)
        except InputError as error:
            raise RefusedError(sentence(str(error), source, "video")) from None
        if info.duration_s > limits.video_s:
            notes.append(
                f"Only the first {limits.video_s:g} of its {info.duration_s:.0f} seconds were looked at."
            )
        with service.video_lock:
            sampling = Sampling(end_s=limits.video_s, every_s=EVERY_S)
            run = predict_video(source, service.video_predictor, film=target, sampling=sampling)
            seen: dict[int, list[FollowedFace]] = {}
            frames = 0
            for frame in run:
                frames += 1
                for face in frame.faces:
                    seen.setdefault(face.face_id, []).append(face)
            extractor = service.video_predictor.extractor
        if not seen:
            raise RefusedError(NO_FACE)
        film = target.read_bytes() if run.film is not None else b""
    if len(film) > FILM_MB * MEGA:
        film = b""
        notes.append("The annotated film is too large to be shown here; 'feat-pipeline predict' makes it.")
    if info.broken:
        notes.append("A part of the video could not be read.")
    main = max(seen, key=lambda number: len(seen[number]))
    labels = Counter(face.raw.label() for face in seen[main] if face.raw.probabilities)
    rows = [(label, count / labels.total()) for label, count in labels.most_common()]
    figure = _figure(seen[main], extractor, shown)
    return VideoAnswer(shown, frames, len(seen), rows, figure, film, (*notes, *_sentences(run.notes)))


def _figure(faces: list[FollowedFace], extractor: Any, name: str) -> Figure:
    """Draw the AUs of one person over time, with the emotions of the first model that answers."""
    import pandas as pd

    from analysis import plots
    from analysis.autable import AUTable
    from analysis.series import au_series
    from feat_pipeline.predict import predictions_table

    raw = [face.raw for face in faces]
    table = predictions_table(raw, extractor)
    followed = AUTable(
        table.frame.assign(input=name, face_id=0),
        backend=table.backend,
        backend_version=table.backend_version,
        scale=table.scale,
    )
    series = au_series(followed, neutral="none")
    model = next(iter(raw[0].probabilities), "")
    chances = pd.DataFrame([face.probabilities.get(model, {}) for face in raw])
    person = series.persons()[0]
    return plots.series(
        series.of(person),
        series.aus,
        events=series.events(),
        probabilities=chances if len(chances.columns) else None,
        max_gap_s=series.facts["max_gap_s"][person[0]],
        title=name,
        top=8,
    )


def _sentences(notes: list[str]) -> list[str]:
    return [f"{note[:1].upper()}{note[1:].rstrip('.')}." for note in notes]
