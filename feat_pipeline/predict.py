"""From a frame to its faces with their emotions and the reasons: the only prediction path."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.errors import ModelError
from feat_pipeline.detect import DEFAULT_DETECTOR, make_detector
from feat_pipeline.errors import InputError, UsageError
from feat_pipeline.extract import BACKENDS, FaceAUs, make_extractor
from feat_pipeline.extract.measure import NO_FACE, FaceRow, Measured, face_rows, make_table, measure_chunks
from feat_pipeline.faces.crops import CROP_PX, FaceCrops
from feat_pipeline.models import DEFAULT_MODELS, load_model, model_name
from feat_pipeline.models.protocol import OF_AUS, EmotionModel, is_explainable, lacking, looks_at_aus
from feat_pipeline.sources.frame import Frame, PathLike, Skipped, input_name
from feat_pipeline.sources.photos import from_array, read_photo

if TYPE_CHECKING:
    from analysis.autable import AUTable
    from analysis.explain import FaceExplanation
    from feat_pipeline.extract import AUExtractor

UNKNOWN = "unknown"  # the backend of a table that does not name it


@dataclass(frozen=True, eq=False, kw_only=True)
class FacePrediction(FaceAUs):
    """One face as it was measured, where it stands, and what every model says of it.

    Parameters
    ----------
    box_xyxy, confidence, landmarks, pose_rad, aus, extra
        As measured, see `feat_pipeline.extract.FaceAUs`; all AUs are NaN where it could not be.
    input : str
        The file as the user wrote it.
    frame : int
        Number of the frame in its file, from 0.
    time_s : float
        Time of the frame in seconds.
    face : int
        Number of the face in its frame, from 0, left to right.
    crop_rgb : ndarray of uint8, shape (160, 160, 3)
        The face with a margin.
    probabilities : dict of str to dict
        Model to emotion to probability; without the AU models where the face could not be measured.
    explanations : dict of str to FaceExplanation
        AU model to its reasons.
    """

    input: str
    frame: int
    time_s: float
    face: int
    crop_rgb: np.ndarray
    probabilities: dict[str, dict[str, float]] = field(default_factory=dict)
    explanations: dict[str, FaceExplanation] = field(default_factory=dict)

    def label(self, model: str | None = None) -> str:
        """Return the likeliest emotion by one model, by default the first; '' where there is none."""
        of_model = self.probabilities.get(model or next(iter(self.probabilities), ""), {})
        return max(of_model, key=of_model.__getitem__, default="")

    @property
    def agree(self) -> bool | None:
        """Whether all models name one emotion; None where fewer than two have an answer."""
        answers = [self.label(model) for model, shares in self.probabilities.items() if shares]
        return len(set(answers)) == 1 if len(answers) > 1 else None

    def __repr__(self) -> str:
        from analysis.rounding import percent

        said = [
            f"{model}: {label} {percent(of_model[label])}"
            for model, of_model in self.probabilities.items()
            if (label := self.label(model))
        ]
        where = f"{self.input!r}, frame {self.frame}, face {self.face}"
        return f"FacePrediction({where}, {'; '.join(said) or 'no answer'})"

    def _repr_html_(self) -> str:
        from analysis.notebook import prediction_html

        return prediction_html(self)


@dataclass(frozen=True, eq=False)
class Predicted:
    """A frame, measured, with the predictions for its faces."""

    measured: Measured
    faces: list[FacePrediction]


class Predictor:
    """Finds the faces of a frame, measures their AUs, and lets every model name and explain their emotion.

    Parameters
    ----------
    models : sequence of str or path
        Shipped names, folders or files, as `load_model` takes them.
    detector : str
        Name out of ``feat_pipeline.detect.DETECTORS``.
    backend : str, optional
        AU backend; by default the one that the AU models were fitted on.
    tta : bool
        Test-time augmentation: every face is measured twice, as it is and mirrored, and models of pixels look
        more often (see `feat_pipeline.models.views`). AUs are the means of both.

    Attributes
    ----------
    models : dict of str to EmotionModel
    detector : FaceDetector
    extractor : AUExtractor
    looks : dict of str to str
        With `tta`, model to how it looks at a face.

    Raises
    ------
    InputError, AnalysisError
        A model cannot be loaded, or needs other AUs or another scale than the backend measures.
    UsageError
        The models need different backends, or two have one name.
    UnavailableError
        The backend or the detector cannot run here.
    """

    def __init__(
        self,
        *,
        models: Sequence[PathLike] = DEFAULT_MODELS,
        detector: str = DEFAULT_DETECTOR,
        backend: str | None = None,
        tta: bool = False,
    ) -> None:
        self.models = _load_models(models)
        self.extractor = make_extractor(backend or _backend_of(self.models))
        self.looks: dict[str, str] = {}
        if tta:
            self._look_more()
        self.detector = make_detector(detector)
        self._check_models(backend_named=backend is not None)

    def predict(self, frame: Frame | np.ndarray | PathLike) -> list[FacePrediction]:
        """Predict the faces of one frame, array (uint8 RGB) or photo.

        Returns
        -------
        list of FacePrediction
            Left to right; empty where there is no face.

        Raises
        ------
        InputError
            The photo cannot be read, or detection or extraction fails on it.
        """
        if isinstance(frame, np.ndarray):
            frame = from_array(frame)
        elif not isinstance(frame, Frame):
            frame = Frame(read_photo(frame), input_name(frame))
        (item,) = self.predict_many([frame])
        if isinstance(item, Predicted):
            return item.faces
        if item.reason == NO_FACE:
            return []
        raise InputError(f"{item.input}: {item.reason}")

    def predict_many(self, items: Iterable[Frame | Skipped]) -> Iterator[Predicted | Skipped]:
        """Predict frame after frame, in order; what is skipped is handed on (see `measure_chunks`)."""
        yield from self.predict_chunks([items])

    def predict_chunks(
        self, chunks: Iterable[Iterable[Frame | Skipped]], *, detect_every_s: float = 0.0
    ) -> Generator[Predicted | Skipped, None, None]:
        """Predict chunks of frames, such as the stretches of a video, as extract measures them.

        Parameters
        ----------
        chunks : iterable of iterable of Frame or Skipped
        detect_every_s : float
            How often the detector looks at a video; see `measure_chunks`.

        Yields
        ------
        Predicted or Skipped
            One for each item, in order.
        """
        measured = measure_chunks(
            ((None, items) for items in chunks),
            self.detector,
            self.extractor,
            detect_every_s=detect_every_s,
        )
        for _, batch in measured:
            found = [item for item in batch if isinstance(item, Measured)]
            faces = iter(self._predict(found) if found else [])
            for item in batch:
                yield (
                    item if isinstance(item, Skipped) else Predicted(item, [next(faces) for _ in item.faces])
                )

    def _predict(self, items: list[Measured]) -> list[FacePrediction]:
        """Ask every model once for all faces of a batch, in order."""
        rows = [row for item in items for row in face_rows(item)]
        pictures = [item.frame.rgb for item in items for _ in item.faces]
        crops = FaceCrops(pictures, [row[-1].box_xyxy for row in rows])
        faces = [_unlabelled(row, crop) for row, crop in zip(rows, crops.around(CROP_PX), strict=True)]
        table = make_table(rows, self.extractor)
        for name, model in self.models.items():
            _add_answers(name, model, faces, table, crops)
        return faces

    def _look_more(self) -> None:
        from feat_pipeline.extract.mirrored import MirroredExtractor
        from feat_pipeline.models.views import with_more_views

        self.extractor = MirroredExtractor(self.extractor)
        for name, model in self.models.items():
            self.models[name], self.looks[name] = with_more_views(model)

    def _check_models(self, *, backend_named: bool) -> None:
        """Let a model that does not fit the backend say so before the work begins."""
        table = make_table([], self.extractor)
        for name, model in self.models.items():
            if not looks_at_aus(model):
                continue
            try:
                model.predict_proba(_shown(model, table, FaceCrops([], [])))
            except ModelError as error:
                raise ModelError(
                    f"model {name}: {error}; fit one on AUs of {self.extractor.name}, "
                    f"as 'feat-pipeline extract' measures them"
                ) from None
            if not backend_named and model.backend_ == UNKNOWN:
                raise ModelError(
                    f"model {name}: the table it was fitted on does not say what measured its AUs; "
                    f"fit it on one that does, as 'feat-pipeline extract' writes (aus.csv with aus.meta.json "
                    f"beside it)"
                )


def predictions_table(faces: Iterable[FacePrediction], extractor: AUExtractor) -> AUTable:
    """Join predicted faces to the AU table that ``extract`` would have made of them."""
    return make_table([(face.input, face.frame, face.time_s, face.face, face) for face in faces], extractor)


def _unlabelled(row: FaceRow, crop_rgb: np.ndarray) -> FacePrediction:
    path, index, time_s, number, face = row
    place: dict[str, Any] = {"input": path, "frame": index, "time_s": time_s, "face": number}
    return FacePrediction(**vars(face), **place, crop_rgb=crop_rgb)


def _add_answers(
    name: str, model: EmotionModel, faces: list[FacePrediction], table: AUTable, crops: FaceCrops
) -> None:
    if is_explainable(model):
        from analysis.explain import explain_many

        for face, explanation in zip(faces, explain_many(model, table), strict=True):
            if explanation is not None:  # None: the face could not be measured
                face.probabilities[name] = dict(explanation.probabilities)
                face.explanations[name] = explanation
        return
    answers, expected = model.predict_proba(_shown(model, table, crops)), (len(faces), len(model.classes_))
    if np.shape(answers) != expected:
        raise ModelError(
            f"model {name}: predict_proba gave an array of shape {np.shape(answers)}, expected {expected}"
        )
    for face, row in zip(faces, answers, strict=True):
        if not np.isnan(row).any():
            face.probabilities[name] = dict(zip(map(str, model.classes_), map(float, row), strict=True))


def _shown(model: EmotionModel, table: AUTable, crops: FaceCrops) -> Any:
    """Return what the model consumes: the table, the crops, or both by name."""
    seen = {"aus": table, "pixels": crops}
    return seen.get(model.consumes, seen)


def _load_models(specs: Sequence[PathLike]) -> dict[str, EmotionModel]:
    if isinstance(specs, (str, os.PathLike)) or not specs:
        raise UsageError(f"models: expected a list of names or folders, got {specs!r}")
    models: dict[str, EmotionModel] = {}
    for spec in specs:
        name = model_name(spec)
        if name in models:
            raise UsageError(f"model {os.fspath(spec)}: another model is named {name} too; rename its folder")
        models[name] = load_model(spec)
        if looks_at_aus(models[name]) and (missing := lacking(models[name], OF_AUS)):
            raise ModelError(f"model {name}: it looks at AUs and lacks {', '.join(missing)}; see AuModel")
    return models


def _backend_of(models: dict[str, EmotionModel]) -> str:
    backends = {model.backend_ for model in models.values() if looks_at_aus(model)} - {UNKNOWN}
    if len(backends) > 1:
        raise UsageError(
            f"models: {', '.join(models)} were fitted on different AU backends "
            f"({', '.join(sorted(backends))}); predict with them one at a time"
        )
    missing = sorted(backends - BACKENDS.keys())
    if missing:
        raise UsageError(
            f"models: {', '.join(models)} need the AU backend {', '.join(missing)}, which cannot measure "
            f"photos here; backends are {', '.join(BACKENDS)}"
        )
    return backends.pop() if backends else "auto"
