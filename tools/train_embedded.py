"""Train the network that ships in models/embedded/ on the teacher's answers (see label_faces.py).

    python tools/train_embedded.py --work WORK --legend DATA/facial_expressions/legend.csv --steps 18000

A grey 96x96 crop goes in; 478 face points (x, y, z), 51 blendshapes and the head's rotation come out.
``WORK/checkpoint.pt`` is written every 1,000 steps and training goes on from it after a stop, with the
same batches as without; a call after the last step measures and ships the network again.
Emotion labels are never read: of legend.csv only ``user.id`` and ``image`` are.
Photos are split by person, 10 % of the persons for the final numbers and 5 % to look at meanwhile;
FER2013 names nobody, so that its PublicTest part, without copies of Training images, is the check there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import re
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional as F

from feat_pipeline.align import box_matrix, landmark_matrix, transform_points, warp

SIZE = 96
#: MediaPipe mesh vertex of each of dlib's 68 points: the vertex (pair) nearest to dlib's own
#: annotations of 43 faces, left and right kept symmetric.
MESH_68 = [
    127, 137, 177, 215, 172, 136, 149, 148, 152, 377, 378, 365, 397, 435, 401, 366, 356, 46, 63, 105, 66,
    107, 336, 296, 334, 293, 276, 168, 197, 5, 4, 240, 97, 164, 326, 460, 7, 160, 158, 155, 153, 144, 382,
    385, 387, 249, 373, 380, 61, 74, 72, 11, 302, 304, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308,
    317, 14, 87,
]  # fmt: skip
BLENDSHAPES = [  # as the teacher orders them, without _neutral
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft",
    "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight",
    "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight",
    "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight",
    "mouthFrownLeft", "mouthFrownRight", "mouthFunnel", "mouthLeft", "mouthLowerDownLeft",
    "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft",
    "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight",
]  # fmt: skip
_SWAP = {"Left": "Right", "Right": "Left"}
MIRROR_BLENDSHAPES = [
    BLENDSHAPES.index(re.sub("Left|Right", lambda m: _SWAP[m[0]], name)) for name in BLENDSHAPES
]
#: The teacher's camera looks along -z with y up; OpenFace's along +z with y down.
FLIP = np.diag([1.0, -1.0, -1.0])


# --------------------------------------------------------------------------------------------- the network
class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride) if stride > 1 else nn.Identity(),
                nn.Conv2d(inputs, outputs, 1, bias=False),
                nn.BatchNorm2d(outputs),
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.first_norm(self.first(x)))
        return F.relu(self.second_norm(self.second(y)) + self.shortcut(x))


class FaceNet(nn.Module):
    """Crop, uint8-valued float (n, 1, 96, 96) -> points (n, 478, 3) in crop sides, blendshapes, rotation."""

    def __init__(self, widths=(32, 80, 160), blocks=(2, 2, 2), points: int = 478) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 24, 5, 2, 2, bias=False), nn.BatchNorm2d(24), nn.ReLU(),
            nn.Conv2d(24, widths[0], 3, 2, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU(),
        )  # fmt: skip
        layers, inputs = [], widths[0]
        for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            for i in range(count):
                layers.append(Block(inputs, width, 2 if i == 0 and stage > 0 else 1))
                inputs = width
        self.body = nn.Sequential(*layers)
        self.squeeze = nn.Sequential(nn.Conv2d(inputs, 48, 1, bias=False), nn.BatchNorm2d(48), nn.ReLU())
        self.hidden = nn.Sequential(nn.Linear(48 * 36, 320), nn.ReLU())
        self.to_points = nn.Linear(320, points * 3)
        self.to_blendshapes = nn.Linear(320, len(BLENDSHAPES))
        self.to_rotation = nn.Linear(320, 6)
        self.register_buffer("mean_points", torch.zeros(points, 3))
        self.register_buffer("blendshape_mean", torch.zeros(len(BLENDSHAPES)))
        self.register_buffer("blendshape_sd", torch.ones(len(BLENDSHAPES)))

    def forward(self, crop: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        mean = crop.mean((2, 3), keepdim=True)
        spread = (crop - mean).square().mean((2, 3), keepdim=True).sqrt()
        features = self.squeeze(self.body(self.stem((crop - mean) / (spread + 1.0))))
        hidden = self.hidden(features.flatten(1))
        points = self.mean_points + 0.1 * self.to_points(hidden).reshape(-1, *self.mean_points.shape)
        return points, self.to_blendshapes(hidden), self.to_rotation(hidden)


# --------------------------------------------------------------------------------------------- the data
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
    mirrored = np.diag([-1.0, 1, 1]) @ rotations[:, 1] @ np.diag([-1.0, 1, 1])
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


def load_splits(work: Path, legend: Path) -> dict[str, Faces]:
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


# --------------------------------------------------------------------------------------------- augmentation
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
        rotation = np.diag([-1.0, 1, 1]) @ rotation @ np.diag([-1.0, 1, 1])
    return (
        inside.astype(np.float32),
        scores,
        rotation[:, :2].T.reshape(6).astype(np.float32),
        mesh_mirror is not None,
    )


def make_batch(splits, step: int, size: int, seed: int):
    """The batch of a step depends on seed and step alone."""
    rng = np.random.default_rng([seed, step])
    crops, points, scores, rotations = [], [], [], []
    for _ in range(size):
        faces = splits["photos" if rng.random() < 0.42 else "crops"]
        crop, p, s, r, mirrored = example(faces, int(rng.integers(len(faces))), splits["mesh_mirror"], rng)
        crops.append(crop[:, ::-1] if mirrored else crop)
        points.append(p), scores.append(s), rotations.append(r)
    return tuple(np.stack(x) for x in (crops, points, scores, rotations))


_splits: dict[str, Faces] = {}


def _batch(step: int, size: int, seed: int):
    return make_batch(_splits, step, size, seed)


def batches(splits, first: int, last: int, size: int, seed: int):
    """Batches made in a process of their own, a few ahead of the training."""
    _splits.update(splits)
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        ahead: deque = deque()
        for step in range(first, last + 8):
            if step < last:
                ahead.append(pool.submit(_batch, step, size, seed))
            if step >= first + 8:
                yield tuple(torch.from_numpy(x) for x in ahead.popleft().result())


# --------------------------------------------------------------------------------------------- training
def loss_of(net: FaceNet, answer, points, scores, rotations) -> tuple[torch.Tensor, torch.Tensor]:
    guess, blend, turn = (x.float() for x in answer)
    eyes = (points[:, 33, :2] - points[:, 263, :2]).norm(dim=1).clamp_min(0.1)[:, None, None]
    weights = torch.ones(points.shape[1])
    weights[MESH_68] = 4.0
    off = ((guess - points) / eyes).abs() * torch.tensor([1.0, 1.0, 0.3]) * weights[None, :, None]
    away = (blend - (scores - net.blendshape_mean) / net.blendshape_sd).clamp(-6, 6)
    parts = torch.stack([8 * off.mean(), away.square().mean(), 4 * (turn - rotations).square().mean()])
    return parts.sum(), parts.detach()


def rate(step: int, steps: int, top: float) -> float:
    """Short warm-up, then a cosine down to nothing."""
    return top * min(1.0, (step + 1) / 500) * 0.5 * (1 + math.cos(math.pi * step / steps))


def train(splits, args) -> FaceNet:
    torch.manual_seed(args.seed)
    net = FaceNet().to(memory_format=torch.channels_last)
    _set_scales(net, splits)
    decay = [p for p in net.parameters() if p.ndim > 1]
    rest = [p for p in net.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.02}, {"params": rest, "weight_decay": 0.0}]
    )
    average = {k: v.clone() for k, v in net.state_dict().items()}
    first, checkpoint = 0, args.work / "checkpoint.pt"
    if checkpoint.exists():
        kept = torch.load(checkpoint, weights_only=True)
        net.load_state_dict(kept["net"]), optimiser.load_state_dict(kept["optimiser"])
        average, first = kept["average"], kept["step"]
        print("going on from step", first, flush=True)
    running = torch.zeros(3)
    for step, (crops, points, scores, rotations) in enumerate(
        batches(splits, first, args.steps, args.batch, args.seed), start=first
    ):
        net.train()
        for group in optimiser.param_groups:
            group["lr"] = rate(step, args.steps, args.rate)
        with torch.autocast("cpu", torch.bfloat16):
            answer = net(crops[:, None].to(memory_format=torch.channels_last))
        loss, parts = loss_of(net, answer, points, scores, rotations)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        keep = min(0.999, (1 + step) / (10 + step))
        for name, value in net.state_dict().items():
            if value.is_floating_point():
                average[name].lerp_(value, 1 - keep)
            else:
                average[name].copy_(value)
        running = 0.99 * running + 0.01 * parts
        if (step + 1) % 200 == 0:
            print(
                step + 1,
                [round(x, 4) for x in (running / (1 - 0.99 ** (step + 1 - first))).tolist()],
                flush=True,
            )
        if (step + 1) % 1000 == 0 or step + 1 == args.steps:
            state = {
                "net": net.state_dict(),
                "optimiser": optimiser.state_dict(),
                "average": average,
                "step": step + 1,
            }
            torch.save(state, checkpoint.with_suffix(".tmp"))
            checkpoint.with_suffix(".tmp").replace(checkpoint)
        if (step + 1) % 4000 == 0:
            look = FaceNet()
            look.load_state_dict(average)
            print(step + 1, json.dumps(evaluate(look, splits["validation"], passes=1)), flush=True)
    net.load_state_dict(average)
    return net.eval()


def _set_scales(net: FaceNet, splits) -> None:
    everything = np.concatenate([splits["photos"].blendshapes, splits["crops"].blendshapes])
    net.blendshape_mean.copy_(torch.from_numpy(everything.mean(0)))
    net.blendshape_sd.copy_(torch.from_numpy(everything.std(0)).clamp_min(1e-7))
    photos = splits["photos"]
    some = range(0, len(photos), 20)
    shapes = []
    for i in some:
        points = photos.points[i].astype(np.float64)
        matrix = landmark_matrix(points[MESH_68, :2], SIZE)
        shapes.append(targets(points, photos.blendshapes[i], photos.rotations[i], matrix)[0])
    net.mean_points.copy_(torch.from_numpy(np.mean(shapes, axis=0)))


# --------------------------------------------------------------------------------------------- judging
@torch.no_grad()
def measure(net: FaceNet, faces: Faces, passes: int, batch: int = 128):
    """What the network says as it is used: from a box, or again from its own points (px, blendshapes)."""
    net.eval()
    matrices = []
    for i in range(len(faces)):
        x0, y0 = faces.points[i, MESH_68, :2].min(0)
        x1, y1 = faces.points[i, MESH_68, :2].max(0)
        side = 0.95 * max(x1 - x0, y1 - y0)
        middle = np.array([(x0 + x1) / 2, y0 + 0.42 * (y1 - y0)])
        matrices.append(box_matrix(np.concatenate([middle - side / 2, middle + side / 2]), SIZE))
    for _ in range(passes):
        points, scores = [], []
        for start in range(0, len(faces), batch):
            rows = range(start, min(start + batch, len(faces)))
            crops = np.stack([warp(faces.images[i], matrices[i], SIZE) for i in rows]).astype(np.float32)
            p, s, _ = net(torch.from_numpy(crops)[:, None])
            points.append(p[:, MESH_68, :2].numpy() * SIZE), scores.append(s.numpy())
        points, scores = np.concatenate(points), np.concatenate(scores)
        back = []
        for i, matrix in enumerate(matrices):
            linear = np.linalg.inv(matrix[:, :2])
            back.append((points[i] - matrix[:, 2]) @ linear.T)
            matrices[i] = landmark_matrix(back[-1], SIZE)
    return np.stack(back), scores * net.blendshape_sd.numpy() + net.blendshape_mean.numpy()


def evaluate(net: FaceNet, faces: Faces, passes: int = 3) -> dict:
    """Landmark error in outer-eye distances and Pearson r per blendshape, against the teacher."""
    points, scores = measure(net, faces, passes)
    truth = faces.points[:, MESH_68, :2]
    eyes = np.linalg.norm(truth[:, 36] - truth[:, 45], axis=-1)
    error = np.linalg.norm(points - truth, axis=-1).mean(1) / eyes
    both = {}
    for name, target in (("mean_of_views", faces.blendshapes), ("single_view", faces.single)):
        r = {
            b: round(float(np.corrcoef(scores[:, i], target[:, i])[0, 1]), 3)
            for i, b in enumerate(BLENDSHAPES)
        }
        both[name] = {"mean_r": round(float(np.mean(list(r.values()))), 4),
                      "median_r": round(float(np.median(list(r.values()))), 4), "r": r}  # fmt: skip
    return {"n": len(faces), "landmark_error_mean": round(float(error.mean()), 5),
            "landmark_error_median": round(float(np.median(error)), 5), **both}  # fmt: skip


# --------------------------------------------------------------------------------------------- what ships
class Shipped(nn.Module):
    """The network with the outputs that the package uses: 68 points, blendshapes 0 to 1, rotation."""

    def __init__(self, net: FaceNet) -> None:
        super().__init__()
        self.net = net
        rows = (3 * torch.tensor(MESH_68)[:, None] + torch.arange(3)).flatten()
        head = nn.Linear(net.to_points.in_features, len(rows))
        head.weight.data, head.bias.data = net.to_points.weight.data[rows], net.to_points.bias.data[rows]
        net.to_points = head
        net.mean_points = net.mean_points[MESH_68]

    def forward(self, crop: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        points, scores, rotation = self.net(crop)
        return points, scores * self.net.blendshape_sd + self.net.blendshape_mean, rotation


def export(net: FaceNet, path: Path) -> None:
    """Write the network as ONNX, its large weights in half precision."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    temporary = path.with_suffix(".tmp")
    torch.onnx.export(
        Shipped(net).eval(), (torch.zeros(2, 1, SIZE, SIZE),), temporary, dynamo=False, opset_version=17,
        input_names=["crop"], output_names=["points", "blendshapes", "rotation"],
        dynamic_axes={name: {0: "n"} for name in ("crop", "points", "blendshapes", "rotation")},
    )  # fmt: skip
    model = onnx.load(temporary)
    casts = []
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype == np.float32 and values.size > 1000:
            name = weight.name
            weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name + "_half"))
            casts.append(helper.make_node("Cast", [name + "_half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, temporary)
    temporary.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--legend", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=18_000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, default=Path("models/embedded"))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    splits = load_splits(args.work, args.legend)
    print({k: len(v) for k, v in splits.items()}, flush=True)
    net = train(splits, args)
    result = {
        "photos of unseen persons": evaluate(net, splits["test"]),
        "FER2013 PublicTest, no copies": evaluate(net, splits["unseen_crops"]),
        "training": {"steps": args.steps, "batch": args.batch, "seed": args.seed,
                     "faces": {k: len(v) for k, v in splits.items() if isinstance(v, Faces)},
                     "parameters": sum(p.numel() for p in net.parameters())},
    }  # fmt: skip
    (args.out / "evaluation.json").write_text(json.dumps(result, indent=1))
    print(json.dumps(result, indent=1))
    export(net, args.out / "network.onnx")


if __name__ == "__main__":
    main()
