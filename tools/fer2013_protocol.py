"""What the trainings on FER2013 share: how networks are judged, and how that is told."""

from __future__ import annotations

import json
import time

import numpy as np
import pandas as pd

from analysis.compare import compare
from analysis.facs import EMOTIONS
from feat_pipeline.datasets.copies import near_copies
from feat_pipeline.datasets.faces import FOUR_EMOTIONS, SIX_EMOTIONS, LabelledFaces
from feat_pipeline.datasets.ferplus import by_votes
from feat_pipeline.models.cnn import CnnClassifier
from feat_pipeline.models.views import VIEWS

METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "ece")


def accuracy(right: np.ndarray) -> dict:
    """Accuracy and half its 95 % interval (normal approximation), in percent."""
    half = 1.96 * right.std() / np.sqrt(len(right))
    return {
        "n": len(right),
        "accuracy": round(100 * float(right.mean()), 2),
        "plus_minus": round(100 * float(half), 2),
    }


def judge(model: CnnClassifier, faces: LabelledFaces, copies: np.ndarray, called: str = "copies") -> dict:
    right = model.classes_[model.predict_proba(faces.images).argmax(1)] == faces.emotions
    return {"all": accuracy(right), f"without {called} of Training faces": accuracy(right[~copies])}


def judge_part(model: CnnClassifier, faces: LabelledFaces, exact: np.ndarray, near: np.ndarray) -> dict:
    """Judge a network of seven emotions on a part of FER2013, in every respect that its card tells.

    ``scores`` has a row for each of the views, and for the model's own views at temperature 1; the rest is
    of the model's own views. [value, low, high] are shares with the 95 % bootstrap over faces; labels of
    FER+ are the majority's, where it is one of the seven emotions.
    """
    own, answers = model.views, {}
    for views in VIEWS:
        model.views = views
        answers[views] = model.predict_proba(faces.images)
    model.views = own
    raw = answers[own] ** model.temperature_
    told = {**answers, "temperature 1": raw / raw.sum(1, keepdims=True)}
    columns = [f"p_{name}" for name in model.classes_]
    found = compare({name: pd.DataFrame(p, columns=columns) for name, p in told.items()}, faces.emotions)
    recall = found.tables["per_class"].query("model == @own").itertuples()
    right = _right(model, answers[own], faces.emotions)
    without = {"copies": exact, "near copies": near}
    result = {
        "n": len(faces),
        "scores": {
            name: {row.metric: _rounded(row.value, row.low, row.high) for row in rows.itertuples()}
            for name, rows in found.scores.query("metric in @METRICS").groupby("model", sort=False)
        },
        "recall": {row.emotion: _rounded(row.recall, row.recall_low, row.recall_high) for row in recall},
        "without": {f"{kind} of Training faces": accuracy(right[~mask]) for kind, mask in without.items()},
        "among": {
            ", ".join(kept): accuracy(_right(model, answers[own][rows], faces.emotions[rows], kept))
            for kept in (FOUR_EMOTIONS, SIX_EMOTIONS)
            for rows in [np.isin(faces.emotions, kept)]
        },
    }
    if faces.votes is not None:
        voted = by_votes(faces, EMOTIONS)
        rows = np.searchsorted(faces.rows, voted.rows)
        result["FER+ majority"] = accuracy(_right(model, answers[own][rows], voted.emotions))
    return result


def _right(model: CnnClassifier, answers: np.ndarray, y: np.ndarray, kept=EMOTIONS) -> np.ndarray:
    """Which answers are right, where only some emotions are possible."""
    possible = np.where(np.isin(model.classes_, kept), answers, -1)
    return model.classes_[possible.argmax(1)] == y


def _rounded(*numbers: float) -> list[float]:
    return [round(float(number), 4) for number in numbers]


def near_copied(faces: LabelledFaces, learned: LabelledFaces) -> np.ndarray:
    """Tell which faces are near copies of learned ones, bool, shape (len(faces),)."""
    first, second, _ = near_copies(np.concatenate([faces.images, learned.images]))
    copied = np.zeros(len(faces), bool)
    copied[first[(first < len(faces)) & (second >= len(faces))]] = True
    return copied


def count_weights(model: CnnClassifier) -> int:
    """Count what is trained, and the norms' running means and variances."""
    return sum(v.size for name, v in model.weights_.items() if not name.endswith("num_batches_tracked"))


def say(row: dict) -> None:
    print(time.strftime("%H:%M:%S"), json.dumps({k: round(v, 5) for k, v in row.items()}), flush=True)
