"""What the trainings on FER2013 share: how networks are judged, and how that is told."""

from __future__ import annotations

import json
import time

import numpy as np

from feat_pipeline.datasets.copies import near_copies
from feat_pipeline.datasets.faces import LabelledFaces
from feat_pipeline.models.cnn import CnnClassifier


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


def near_copied(faces: LabelledFaces, learned: LabelledFaces) -> np.ndarray:
    """Tell which faces are near copies of learned ones, bool, shape (len(faces),)."""
    first, second, _ = near_copies(np.concatenate([faces.images, learned.images]))
    copied = np.zeros(len(faces), bool)
    copied[first[(first < len(faces)) & (second >= len(faces))]] = True
    return copied


def count_parameters(model: CnnClassifier) -> int:
    """Count what is trained, and the norms' running means and variances."""
    return sum(v.size for name, v in model.weights_.items() if not name.endswith("num_batches_tracked"))


def say(row: dict) -> None:
    print(time.strftime("%H:%M:%S"), json.dumps({k: round(v, 5) for k, v in row.items()}), flush=True)
