"""Faces followed through a film: an id that stays, answers smoothed over time, labels that do not flicker.

Every answer depends on the frames before it only, so that a camera is followed as a file is. AUs and
probabilities pass a filter of the first order, whose weights fall by time and not by frame: rates may vary.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import numpy as np

from feat_pipeline.faces.appearance import FrameLooks
from feat_pipeline.faces.track import MAX_GAP_S, FaceTracker
from feat_pipeline.models.protocol import EmotionModel, is_explainable
from feat_pipeline.predict import FacePrediction

if TYPE_CHECKING:
    from analysis.explain import FaceExplanation
    from analysis.logit import MultinomialLogit

TIME_CONSTANT_S = 0.25
"""Time in which the weight of a frame falls to 37 %: nearly all of it lies within half a second."""
STAY_S = 0.2
"""A label changes where another emotion has been ahead for so long."""
REFRESH_S = 0.5
"""Numbers and reasons on the picture stay for so long, that they can be read, unless the label changes."""

_MAIN_S = 1.0  # time constant of the size by which the main face is chosen
_MAIN_LEAD = 1.3  # another face must be larger by this factor


@dataclass(frozen=True, eq=False, kw_only=True)
class FollowedFace(FacePrediction):
    """One face of a film. As a `FacePrediction` it is what is shown: smoothed AUs, and the answer to them.

    Parameters
    ----------
    face_id : int
        The same number for the same face; see `feat_pipeline.faces.track`.
    raw : FacePrediction
        What the models say of this frame alone.
    labels : dict of str to str
        Model to its steady label, of this frame.
    smooth : dict of str to dict
        Model to emotion to smoothed probability, of this frame. `probabilities`, `explanations` and `label`
        are those of a frame up to `REFRESH_S` before, that they can be read.
    shown : dict of str to str
        Model to the label that goes with `probabilities`.
    """

    face_id: int
    raw: FacePrediction
    labels: dict[str, str] = field(default_factory=dict)
    smooth: dict[str, dict[str, float]] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)

    def label(self, model: str | None = None) -> str:
        """Return the steady label by one model, by default the first; '' where there is none."""
        return self.shown.get(model or next(iter(self.probabilities), ""), "")


class Follower:
    """Follows the faces of one film or camera.

    Parameters
    ----------
    models : mapping of str to EmotionModel
        Those that predict, as `Predictor.models`.
    max_gap_s : float
        A face that was not seen for longer is a new one.
    """

    def __init__(self, models: Mapping[str, EmotionModel], *, max_gap_s: float = MAX_GAP_S) -> None:
        import scipy.optimize  # noqa: F401 - for the tracker: a second, which would come between two pictures

        self._models = {name: model for name, model in models.items() if is_explainable(model)}
        self._tracker = FaceTracker(max_gap_s)
        self._max_gap_s = max_gap_s
        self._states: dict[int, _State] = {}

    def update(
        self, time_s: float, faces: Sequence[FacePrediction], rgb: np.ndarray | None = None
    ) -> list[FollowedFace]:
        """Follow the faces of the next frame.

        Parameters
        ----------
        time_s : float
            Not before that of the frame before.
        faces : sequence of FacePrediction
        rgb : ndarray of uint8, shape (height, width, 3), optional
            The frame; without it no cut is found, and ids go by the faces' places alone.

        Returns
        -------
        list of FollowedFace
            In the order given.
        """
        self._states = {
            number: state
            for number, state in self._states.items()
            if time_s - state.time_s <= self._max_gap_s
        }
        if not faces:
            return []
        boxes, landmarks = (np.array([getattr(f, name) for f in faces]) for name in ("box_xyxy", "landmarks"))
        looks = None if rgb is None else FrameLooks.of(rgb, boxes, landmarks)
        followed = []
        for number, face in zip(self._tracker.update(time_s, boxes, landmarks, looks), faces, strict=True):
            state = self._states.setdefault(number, _State(self._models))
            state.take(time_s, face)
            followed.append(state.show(number, face))
        return followed


class _State:
    """What is known of one face until now."""

    def __init__(self, models: dict[str, MultinomialLogit]) -> None:
        self._models = models
        self.time_s = -math.inf
        self._aus: dict[str, float] = {}
        self._smooth: dict[str, dict[str, float]] = {}
        self._labels: dict[str, str] = {}
        self._ahead: dict[str, tuple[str, float]] = {}  # who leads without having the label yet, how long
        self._shown_s = -math.inf
        self._shown: dict[str, str] = {}
        self._probabilities: dict[str, dict[str, float]] = {}
        self._explanations: dict[str, FaceExplanation] = {}

    def take(self, time_s: float, face: FacePrediction) -> None:
        """Add the answers of one frame."""
        step_s, self.time_s = time_s - self.time_s, time_s
        weight = 1 - math.exp(-step_s / TIME_CONSTANT_S)
        if np.isfinite(list(face.aus.values())).all():
            self._aus = _mixed(self._aus, face.aus, weight)
        for name, probabilities in face.probabilities.items():
            if name in face.explanations:  # the answer to the smoothed AUs, whose reasons sum up to it
                self._smooth[name] = self._answer(name)
            else:
                self._smooth[name] = _mixed(self._smooth.get(name, {}), probabilities, weight)
            self._settle(name, step_s)
        if time_s - self._shown_s >= REFRESH_S or self._shown != self._labels:
            self._refresh(face)

    def show(self, number: int, face: FacePrediction) -> FollowedFace:
        """Return the face as it is shown."""
        own = {entry.name: getattr(face, entry.name) for entry in fields(face)}
        own |= {"aus": dict(self._aus) or face.aus}
        own |= {"probabilities": dict(self._probabilities), "explanations": dict(self._explanations)}
        smooth = {name: dict(values) for name, values in self._smooth.items()}
        return FollowedFace(
            **own, face_id=number, raw=face, labels=dict(self._labels), smooth=smooth, shown=dict(self._shown)
        )

    def _answer(self, name: str) -> dict[str, float]:
        model = self._models[name]
        (row,) = model.predict_proba(self._row(model))
        return dict(zip(map(str, model.classes_), map(float, row), strict=True))

    def _row(self, model: MultinomialLogit) -> np.ndarray:
        return np.array([[self._aus[str(au)] for au in model.input_names_]])

    def _settle(self, name: str, step_s: float) -> None:
        """Give the label to another emotion where it has been ahead for long enough."""
        smooth = self._smooth[name]
        leader = max(smooth, key=smooth.__getitem__)
        label = self._labels.get(name, leader)
        if leader != label:
            before, ahead_s = self._ahead.get(name, ("", 0.0))
            ahead_s = step_s + (ahead_s if before == leader else 0.0)
            self._ahead[name] = (leader, ahead_s)
            label = leader if ahead_s >= STAY_S else label
        if leader == label:
            self._ahead.pop(name, None)
        self._labels[name] = label

    def _refresh(self, face: FacePrediction) -> None:
        from analysis.explain import explain_many

        self._shown_s, self._shown = self.time_s, dict(self._labels)
        self._probabilities = dict(self._smooth)
        for name in face.explanations:
            model = self._models[name]
            (explanation,) = explain_many(model, self._row(model), target=self._labels[name])
            if explanation is not None:
                self._explanations[name] = explanation


def _mixed(before: dict[str, float], now: Mapping[str, float], weight: float) -> dict[str, float]:
    if before.keys() != now.keys():
        return {name: float(value) for name, value in now.items()}
    return {name: before[name] + weight * (float(value) - before[name]) for name, value in now.items()}


class MainFace:
    """Finds the face that a film is about: the one that was largest of late, until another is far larger."""

    def __init__(self) -> None:
        self._sizes: dict[int, float] = {}
        self._number = -1
        self._time_s = -math.inf

    def update(self, time_s: float, faces: Sequence[FollowedFace]) -> FollowedFace | None:
        """Return the main face of the next frame; None where it is not there."""
        keep = math.exp(-max(0.0, time_s - self._time_s) / _MAIN_S)
        self._time_s = time_s
        areas = {face.face_id: float((face.box_xyxy[2:] - face.box_xyxy[:2]).prod()) for face in faces}
        self._sizes = {number: size * keep for number, size in self._sizes.items() if size * keep > 1}
        for number, area in areas.items():
            self._sizes[number] = self._sizes.get(number, 0.0) + (1 - keep) * area
        if self._sizes:
            largest = max(self._sizes, key=self._sizes.__getitem__)
            if self._sizes[largest] > _MAIN_LEAD * self._sizes.get(self._number, 0.0):
                self._number = largest
        return next((face for face in faces if face.face_id == self._number), None)
