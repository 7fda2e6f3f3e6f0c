"""Faces with answers and reasons, made without any network."""

import numpy as np

from analysis.explain import explain_many
from feat_pipeline.predict import FacePrediction

PLACES_68 = np.concatenate(
    [
        np.column_stack([np.linspace(0.02, 0.98, 17), 0.42 + 0.55 * np.sin(np.linspace(0, np.pi, 17))]),
        np.column_stack([np.linspace(0.15, 0.85, 10), np.full(10, 0.25)]),  # brows
        np.column_stack([np.full(4, 0.5), np.linspace(0.35, 0.55, 4)]),  # bridge of the nose
        np.column_stack([np.linspace(0.4, 0.6, 5), np.full(5, 0.6)]),
        np.column_stack([np.linspace(0.22, 0.40, 6), np.full(6, 0.36)]),  # eyes
        np.column_stack([np.linspace(0.60, 0.78, 6), np.full(6, 0.36)]),
        np.column_stack([np.linspace(0.33, 0.67, 20), np.full(20, 0.78)]),  # mouth
    ]
)
"""An upright face in its box of side 1."""


def made_face(box, aus, model=None, *, number=0, turned_deg=0.0, measured=True, name="tiny", **answers):
    """A face in a box, x0, y0, x1, y1, with what an AU model says of its AUs.

    Further answers are given as ``cnn={"happy": 0.9, "sad": 0.1}``.
    """
    x0, y0, x1, y1 = box
    turn = np.deg2rad(turned_deg)
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    points = (PLACES_68 - 0.5) * (x1 - x0, y1 - y0) @ matrix + ((x0 + x1) / 2, (y0 + y1) / 2)
    columns = {f"AU{n:02d}_r": float(v) for n, v in aus.items()}
    face = FacePrediction(
        input="photo.jpg",
        frame=0,
        time_s=0.0,
        face=number,
        box_xyxy=np.array(box, np.float32),
        confidence=0.9,
        landmarks=np.float32(points if measured else np.full((68, 2), np.nan)),
        pose_rad=np.float32([0, 0, turn] if measured else [np.nan] * 3),
        aus=columns if measured else dict.fromkeys(columns, np.nan),
        crop_rgb=np.full((160, 160, 3), 90 + number % 100, np.uint8),
    )
    if model is not None and measured:
        row = np.array([[columns.get(c, 0.0) for c in model.input_names_]])
        (told,) = explain_many(model, row)
        face.probabilities[name], face.explanations[name] = dict(told.probabilities), told
    face.probabilities.update(answers)
    return face
