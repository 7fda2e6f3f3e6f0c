"""What train_embedded.py learns from: the teacher's answers as crops and targets, split by person.

Batches depend on the seed and the step alone. Emotion labels are never read: of legend.csv only ``user.id``
and ``image`` are.
"""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import cv2
import numpy as np
import pandas as pd

from feat_pipeline.extract.backends import mediapipe
from feat_pipeline.extract.backends.embedded import SIZE
from feat_pipeline.faces.align import MESH_68, landmark_matrix, transform_points, warp

BLENDSHAPES = list(mediapipe.BLENDSHAPES[1:])  # as the teacher orders them, without _neutral
_SWAP = {"Left": "Right", "Right": "Left"}
MIRROR_BLENDSHAPES = [
    BLENDSHAPES.index(re.sub("Left|Right", lambda m: _SWAP[m[0]], name)) for name in BLENDSHAPES
]
#: The teacher's camera looks along -z with y up; OpenFace's along +z with y down.
FLIP = np.diag([1.0, -1.0, -1.0])
MIRROR = np.diag([-1.0, 1.0, 1.0])


@dataclass
class Faces:
    """Pictures with the teacher's mean answer of both views."""

    images: list[np.ndarray]
    points: np.ndarray  # (n, 478, 3) px
    blendshapes: np.ndarray  # (n, 51)
    single: np.ndarray  # (n, 51), the upright view's answer alone
    rotations: np.ndarray  # (n, 3, 3), OpenFace's axes
    names: np.ndarray
    low_resolution: np.ndarray  # (n,) bool

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: np.ndarray) -> Faces:
        images = [self.images[i] for i in rows]
        return Faces(images, self.points[rows], self.blendshapes[rows], self.single[rows],
                     self.rotations[rows], self.names[rows], self.low_resolution[rows])  # fmt: skip


class Splits(TypedDict):
    photos: Faces
    crops: Faces
    unseen_crops: Faces
    validation: Faces
    test: Faces
    mesh_mirror: np.ndarray  # of each vertex the one that is its mirror image


def mirror_mesh(points: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Which vertex of the mirrored picture's mesh is which of the upright one's: nearest on average."""
    upright, back = points[:, 0, :, :2], points[:, 1, :, :2].copy()
    back[..., 0] = widths[:, None] - back[..., 0]
    distance = sum(
        np.linalg.norm(a[:, None] - b[None], axis=-1) / np.ptp(a) for a, b in zip(upright, back, strict=True)
    )
    order = distance.argmin(1)
    if (order[order] != np.arange(len(order))).any():
        raise ValueError("the mirror images' meshes do not pair up")
    return order


def load_faces(path: Path, mesh_mirror: np.ndarray | None = None) -> tuple[Faces, np.ndarray]:
    """Read one file of label_faces.py; drop faces on whose place the teacher disagrees with itself."""
    data = np.load(path, allow_pickle=True)
    both = np.flatnonzero(data["found"].all(1))
    images = [np.ascontiguousarray(image) for image in data["images"][both]]
    widths = np.array([image.shape[1] for image in images], np.float32)
    points = data["landmarks"][both]
    if mesh_mirror is None:
        some = np.arange(0, len(both), max(1, len(both) // 400))
        mesh_mirror = mirror_mesh(points[some], widths[some])
    back = points[:, 1][:, mesh_mirror]
    back[..., 0] = widths[:, None] - back[..., 0]
    eyes = np.linalg.norm(points[:, 0, 33, :2] - points[:, 0, 263, :2], axis=-1)
    difference = np.linalg.norm(points[:, 0, :, :2] - back[..., :2], axis=-1).mean(1) / eyes
    sane = (difference < 0.12) & (eyes > 5)
    scores = data["blendshapes"][both][:, :, 1:]
    rotations = FLIP @ data["matrices"][both][:, :, :3, :3] @ FLIP
    mirrored = MIRROR @ rotations[:, 1] @ MIRROR
    left, _, right = np.linalg.svd(rotations[:, 0] + mirrored)
    faces = Faces(
        images, (points[:, 0] + back) / 2,
        (scores[:, 0] + scores[:, 1][:, MIRROR_BLENDSHAPES]) / 2, scores[:, 0],
        left @ right, data["names"][both], np.array([image.shape[0] <= 48 for image in images]),
    )  # fmt: skip
    print(
        f"{path.name}: {len(data['found'])} pictures, {len(both)} faces in both views, {sane.sum()} kept",
        flush=True,
    )
    return faces.take(np.flatnonzero(sane)), mesh_mirror


def person_fold(names: np.ndarray, legend: Path) -> np.ndarray:
    """A number in [0, 1) per picture, the same for all pictures of one person."""
    owner = pd.read_csv(legend, usecols=["user.id", "image"])
    owners = dict(zip(owner.image.str.replace(r"\.\w+$", "", regex=True), owner["user.id"], strict=True))
    persons = []
    for name in names:
        named = re.fullmatch(r"(.+)_\d+", str(name))
        anonymous = str(name).startswith("facial-expressions") or named is None
        persons.append(f"user {owners.get(name, name)}" if anonymous else named[1].lower())
    return np.array([int(hashlib.sha256(p.encode()).hexdigest()[:8], 16) / 16**8 for p in persons])


def load_splits(work: Path, legend: Path) -> Splits:
    """Training, validation and test photos by person; FER2013's Training and its unseen PublicTest images."""
    photos, mesh_mirror = load_faces(work / "photos.npz")
    fold = person_fold(photos.names, legend)
    crops, _ = load_faces(work / "fer2013-Training.npz", mesh_mirror)
    unseen, _ = load_faces(work / "fer2013-PublicTest.npz", mesh_mirror)
    known = {_near_hash(image) for image in crops.images}
    unseen = unseen.take(
        np.array([i for i, image in enumerate(unseen.images) if _near_hash(image) not in known])
    )
    return {
        "photos": photos.take(np.flatnonzero(fold >= 0.15)), "crops": crops, "unseen_crops": unseen,
        "validation": photos.take(np.flatnonzero((fold >= 0.10) & (fold < 0.15))),
        "test": photos.take(np.flatnonzero(fold < 0.10)), "mesh_mirror": mesh_mirror,
    }  # fmt: skip


def _near_hash(image: np.ndarray) -> bytes:
    """The same for copies that differ by noise or compression only."""
    small = cv2.resize(image, (8, 8), interpolation=cv2.INTER_AREA).astype(int)
    return ((small - small.mean()) > 0).tobytes()


def jittered_matrix(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The canonical crop, displaced as a second pass would leave it or as a mere box would."""
    narrow = rng.random() < 0.5
    turn, zoom, shift = (6, 0.06, 0.02) if narrow else (22, 0.2, 0.08)
    angle = math.radians(rng.uniform(-turn, turn))
    scale = math.exp(rng.uniform(-zoom, zoom))
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    linear = np.array([[cosine, -sine], [sine, cosine]])
    centre = np.full(2, SIZE / 2)
    move = centre - linear @ centre + rng.uniform(-shift, shift, 2) * SIZE
    base = landmark_matrix(points[MESH_68, :2], SIZE)
    if not narrow:  # a box is not turned with the head
        angle = -math.atan2(base[1, 0], base[0, 0]) * rng.uniform(0, 1)
        upright = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        base = np.column_stack([upright @ base[:, :2], upright @ (base[:, 2] - centre) + centre])
    return np.column_stack([linear @ base[:, :2], linear @ base[:, 2] + move])


def disturb(crop: np.ndarray, low_resolution: bool, rng: np.random.Generator) -> np.ndarray:
    """Resolution, blur, light, noise and a hidden part, each at random."""
    if rng.random() < (0.1 if low_resolution else 0.5):
        small = int(rng.uniform(36, 80))
        crop = cv2.resize(cv2.resize(crop, (small, small), interpolation=cv2.INTER_AREA), (SIZE, SIZE),
                          interpolation=cv2.INTER_LINEAR)  # fmt: skip
    if rng.random() < 0.15:
        crop = cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.4, 1.3))
    x = crop.astype(np.float32)
    if rng.random() < 0.5:
        x = 255 * (np.clip(x, 0, 255) / 255) ** math.exp(rng.uniform(-0.5, 0.5))
    if rng.random() < 0.3:  # light from one side
        ramp = np.linspace(-1, 1, SIZE, dtype=np.float32)
        x = x * (1 + rng.uniform(-0.4, 0.4) * ramp[None, :] + rng.uniform(-0.3, 0.3) * ramp[:, None])
    if rng.random() < 0.3:
        x = x + rng.normal(0, rng.uniform(1, 9), x.shape).astype(np.float32)
    if rng.random() < 0.08:
        top, left = rng.integers(0, SIZE - 16, 2)
        x[top : top + rng.integers(8, 32), left : left + rng.integers(8, 32)] = rng.uniform(0, 255)
    return np.clip(x, 0, 255)


def example(faces: Faces, row: int, mesh_mirror: np.ndarray, rng: np.random.Generator):
    """One augmented crop with its targets."""
    points, scores, rotation = (
        faces.points[row].astype(np.float64),
        faces.blendshapes[row],
        faces.rotations[row],
    )
    matrix = jittered_matrix(points, rng)
    crop = disturb(warp(faces.images[row], matrix, SIZE), bool(faces.low_resolution[row]), rng)
    return crop, *targets(points, scores, rotation, matrix, mesh_mirror if rng.random() < 0.5 else None)


def targets(points, scores, rotation, matrix, mesh_mirror=None):
    """Targets in the crop's frame: points in sides of the crop, blendshapes, two columns of the rotation."""
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    angle = math.atan2(matrix[1, 0], matrix[0, 0])
    turn = np.array(
        [[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]]
    )
    rotation = turn @ rotation
    inside = np.column_stack([transform_points(matrix, points[:, :2]), scale * points[:, 2]]) / SIZE
    if mesh_mirror is not None:
        inside = inside[mesh_mirror] * (-1, 1, 1) + (1, 0, 0)
        scores = scores[MIRROR_BLENDSHAPES]
        rotation = MIRROR @ rotation @ MIRROR
    return (
        inside.astype(np.float32),
        scores,
        rotation[:, :2].T.reshape(6).astype(np.float32),
        mesh_mirror is not None,
    )


def make_batch(splits: Splits, step: int, size: int, seed: int) -> tuple[np.ndarray, ...]:
    """The batch of a step depends on seed and step alone."""
    rng = np.random.default_rng([seed, step])
    crops, points, scores, rotations = [], [], [], []
    for _ in range(size):
        faces = splits["photos" if rng.random() < 0.42 else "crops"]
        crop, p, s, r, mirrored = example(faces, int(rng.integers(len(faces))), splits["mesh_mirror"], rng)
        crops.append(crop[:, ::-1] if mirrored else crop)
        points.append(p), scores.append(s), rotations.append(r)
    return tuple(np.stack(x) for x in (crops, points, scores, rotations))
