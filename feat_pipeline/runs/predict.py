"""Photos and videos in, a folder of explained predictions out."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis import filenames
from analysis.prediction_columns import TEXT
from feat_pipeline.declared import takes
from feat_pipeline.models import model_name
from feat_pipeline.options.predict import PredictOptions
from feat_pipeline.output.folder import OutputFolder, model_copies, slug
from feat_pipeline.output.pictures import FOLDERS, PicturesWriter
from feat_pipeline.output.predictions_write import PredictionsWriter
from feat_pipeline.output.runlog import RunLog
from feat_pipeline.predict import FacePrediction, Predicted, Predictor
from feat_pipeline.progress import progress_bar
from feat_pipeline.sources.find import find_files
from feat_pipeline.sources.frame import PathLike, Skipped, input_name
from feat_pipeline.sources.kinds import is_video
from feat_pipeline.sources.photos import read_frame
from feat_pipeline.sources.sampling import Sampling

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

OUTPUTS = (
    filenames.PREDICTIONS,
    filenames.EXPLANATIONS,
    filenames.SKIPPED,
    filenames.RUN,
    "faces/*.jpg",
    "annotated/*.jpg",
    "annotated/*.mp4",
    "crops/*.png",
    "sheets/*.jpg",
)


@dataclass(frozen=True, eq=False)
class PredictResult:
    """What `predict_files` found.

    Parameters
    ----------
    path : Path
        Of ``predictions.csv``.
    skipped : DataFrame
        Columns ``input, frame, reason``.
    run : dict
        Parameters, versions, counts and seconds.
    errors : list of Skipped
        The inputs that were skipped for an error; a picture without a face is none.

    Attributes
    ----------
    predictions : DataFrame
        One row per face and model; read from the file when it is first asked for.
    """

    path: Path
    skipped: pd.DataFrame
    run: dict[str, Any]
    errors: list[Skipped]

    @cached_property
    def predictions(self) -> pd.DataFrame:  # noqa: D102
        import pandas as pd

        text = dict.fromkeys(TEXT, str)
        columns = pd.read_csv(self.path, nrows=0).columns
        numbers = {
            name: [""] for name in columns if name not in text
        }  # a face may be called NA, no number is
        return pd.read_csv(self.path, dtype=text, keep_default_na=False, na_values=numbers)


@takes(PredictOptions)
def predict_files(
    paths: PathLike | Iterable[PathLike],
    *,
    out: PathLike,
    overwrite: bool = False,
    **options: object,
) -> PredictResult:
    """Name and explain the emotion of every face in photos, videos and folders.

    Parameters
    ----------
    paths : path or iterable of paths
        Photos, videos and folders; folders are searched with their subfolders.
    out : path
        Folder that takes ``predictions.csv``, ``explanations.jsonl``, ``skipped.csv``, ``run.json``, pictures
        of the faces, copies of the regressions and, where asked for, annotated copies of the photos and
        videos. Every frame of a video has its rows; reasons and pictures are written of a face that appears
        and where its smoothed label changes. When the work is interrupted, it takes what was done.
    overwrite : bool
        Whether results of an earlier run in ``out`` may be replaced.
    **options : object
        Those of `PredictOptions`, by name.

    Returns
    -------
    PredictResult

    Raises
    ------
    InputError
        A path is missing, a folder holds no photo, or the emoji are not complete.
    OutputError
        ``out`` cannot be written, or holds results and ``overwrite`` is false.
    UnavailableError, UsageError, AnalysisError
        See `Predictor`.
    """
    chosen = PredictOptions.of(options)
    files = _without_results(find_files(paths, videos=True), Path(out))
    copies = model_copies(out, map(model_name, chosen.models))
    folder = OutputFolder(out, (*OUTPUTS, *copies), overwrite=overwrite)
    predictor = Predictor(models=chosen.models, detector=chosen.detector, tta=chosen.tta)
    emoji_set = chosen.read_emoji(predictor.models)
    folder.clear()
    work = _Work(folder, predictor, files, chosen, emoji_set)
    try:
        if work.films is None:
            work.add_photos(files)
        else:
            work.add_mixed(files)
    except BaseException as error:
        work.log.stop(error)
        work.finish()
        error.add_note(work.log.kept_in(folder))
        raise
    return work.finish()


class _Work:
    """One run: its counts, its files, and what is done with photos and with videos."""

    def __init__(
        self,
        folder: OutputFolder,
        predictor: Predictor,
        files: list[Path],
        options: PredictOptions,
        emoji_set: Mapping[str, np.ndarray] | None,
    ) -> None:
        self.films: list[dict[str, Any]] | None = [] if any(map(is_video, files)) else None
        extractor = predictor.extractor
        self.log = RunLog(
            "predict",
            options.parameters() | ({} if self.films is None else options.video_parameters()),
            backend={"name": extractor.name, "version": extractor.version, "scale": extractor.scale},
            detector=options.detector,
            models=list(predictor.models),
            **({"looks": predictor.looks} if predictor.looks else {}),
            **({} if self.films is None else {"films": self.films}),
        )
        self._folder, self._predictor = folder, predictor
        self._options, self._emoji_set = options, emoji_set
        self._pictures = PicturesWriter(folder, list(predictor.models), options, emoji_set)
        self._predictions = PredictionsWriter(folder, predictor.models, videos=self.films is not None)
        self._copies = 0

    def finish(self) -> PredictResult:
        """Write the tables, all or none."""
        with self._folder.all_or_nothing():
            self._pictures.finish()
            path = self._predictions.finish()
            if len(self._predictor.models) > 1:
                self.log.note(disagreements=self._predictions.disagreements)
            self.log.write(self._folder)
        return PredictResult(path, self.log.skipped_frame(), self.log.record(), self.log.errors)

    def add_photos(self, files: Sequence[Path]) -> None:
        """Predict photos, with a progress bar of their own."""
        with progress_bar(total=len(files), done=0, unit="photo") as advance:
            self._photos(files, advance)

    def add_mixed(self, files: Sequence[Path]) -> None:
        """Predict photos and videos, in their order; progress is counted in frames."""
        from feat_pipeline.extract.engine.chunks import plan

        wanted = self._options.sampling or Sampling()
        self.log.inputs = 0
        total = sum(chunk.frames for chunk in plan(files, wanted))
        with progress_bar(total=total, done=0, unit="frame") as advance:
            for are_videos, some in groupby(files, is_video):
                if not are_videos:
                    self._photos(list(some), advance)
                    continue
                for path in some:
                    self._video(path, wanted, advance)

    def _photos(self, files: Sequence[Path], advance: Callable[[int], Any]) -> None:
        for item in self._predictor.predict_many(map(read_frame, files)):
            if isinstance(item, Predicted):
                annotated, crops = self._pictures.add(item, self._copies, self._predictions.pictures)
                for face, crop in zip(item.faces, crops, strict=True):
                    self._predictions.add(face, face_id=face.face, crop_rgb=crop, annotated=annotated)
                self._copies += 1
            self._count(item)
            if self.log.inputs is not None:
                self.log.inputs += 1
            advance(1)

    def _video(self, path: Path, sampling: Sampling, advance: Callable[[int], Any]) -> None:
        from feat_pipeline.film import predict_video

        name = f"annotated/{self._copies:06d}_{slug(str(path))}.mp4"
        self._copies += 1
        video = predict_video(
            path,
            self._predictor,
            film=self._folder.path / name if self._options.copies else None,
            sampling=sampling,
            detect_every_s=self._options.detect_every_s,
            annotate=self._options.annotate,
            hide=self._options.cover,
            emoji_set=self._emoji_set,
        )
        labels: dict[int, dict[str, str]] = {}
        try:
            with contextlib.closing(video.frames()) as frames:
                for frame in frames:
                    for face in frame.faces:
                        changed = labels.get(face.face_id) != face.labels
                        labels[face.face_id] = face.labels
                        self._predictions.add(
                            face.raw,
                            face_id=face.face_id,
                            labels=face.labels,
                            smooth=face.smooth,
                            explained=changed,
                            crop_rgb=self._shown(frame.item, face.raw) if changed else None,
                        )
                    self._count(frame.item)
                    advance(1)
        finally:
            if video.film is not None and video.film.exists():
                self._tell_film(path, name, video.notes)
        assert self.log.inputs is not None  # there are videos
        self.log.inputs += 1

    def _shown(self, item: Predicted | Skipped, face: FacePrediction) -> np.ndarray | None:
        """Return a face's picture as it may be shown."""
        if not isinstance(item, Predicted) or self._options.hide is None:
            return None
        return self._pictures.shown(item.measured.frame.rgb, item.faces)[face.face]

    def _tell_film(self, path: Path, name: str, notes: list[str]) -> None:
        assert self.films is not None
        self.films.append({"input": input_name(path), "film": name, "notes": notes})

    def _count(self, item: Predicted | Skipped) -> None:
        self.log.add(item.measured if isinstance(item, Predicted) else item)


def _without_results(photos: list[Path], out: Path) -> list[Path]:
    """Leave out the pictures that an earlier run wrote, where the results lie among the photos."""
    # realpath and not Path.resolve, which raises on links that lead in a circle
    written = [Path(os.path.realpath(out / name)) for name in ("faces", *FOLDERS)]
    return [photo for photo in photos if Path(os.path.realpath(photo)).parent not in written]
