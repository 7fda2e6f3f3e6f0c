"""Train the face detector that ships in models/detector/ on MTCNN's answers (see label_detections.py).

    python tools/train_detector.py --detections WORK/detections.npz --work WORK \
        --legend DATA/facial_expressions/legend.csv

A grey picture goes in; three maps come out (see `feat_pipeline.detect.fast`). ``WORK/training``
takes ``checkpoint.pt`` and ``curves.csv`` every 500 steps (an epoch) and training goes on from there after a
stop, to the same weights as without; a call after the last step measures and ships the network again.
Photos are split by person. Emotion labels are never read: of legend.csv only ``user.id`` and ``image`` are.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from detector_data import SIDE, SURE, Photo, compose, load_photos, load_scenes, make_batch, size_of
from distill import DistillRecipe, DistillTask, distill
from torch import nn
from torch.nn import functional as F

from analysis.boxes import box_iou
from feat_pipeline.detect.fast import STRIDES_PX, FastDetector
from feat_pipeline.training.loop import Row
from feat_pipeline.training.parameters import count_parameters

OUTPUTS = 15
VALIDATION_CANVASES = 300


# --------------------------------------------------------------------------------------------- the network
def conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """3x3 convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class FaceMaps(nn.Module):
    """Grey pictures, uint8-valued (n, 1, h, w), sides multiples of 32 -> three maps (n, 15, h/s, w/s)."""

    def __init__(self, widths: tuple[int, ...] = (16, 24, 32, 64, 64)) -> None:
        super().__init__()
        a, b, c, d, e = widths
        self.fine = nn.Sequential(conv(1, a, 2), conv(a, b, 2), conv(b, c, 2), conv(c, c), conv(c, c))
        self.middle = nn.Sequential(conv(c, d, 2), conv(d, d), conv(d, d))
        self.coarse = nn.Sequential(conv(d, e, 2), conv(e, e), conv(e, e))
        self.down = nn.ModuleList([nn.Conv2d(d, c, 1), nn.Conv2d(e, d, 1)])
        self.mixed = nn.ModuleList([conv(c, c), conv(d, d)])
        self.heads = nn.ModuleList([nn.Conv2d(width, OUTPUTS, 1) for width in (c, d, e)])
        for head in self.heads:
            nn.init.normal_(head.weight, std=0.01)
            nn.init.zeros_(head.bias)
            nn.init.constant_(head.bias[:1], -4.0)  # few cells hold a face

    def forward(self, picture: torch.Tensor) -> list[torch.Tensor]:
        fine = self.fine((picture.float() - 127.5) / 64)
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        middle = self.mixed[1](middle + self._up(self.down[1](coarse)))
        fine = self.mixed[0](fine + self._up(self.down[0](middle)))
        return [head(x) for head, x in zip(self.heads, (fine, middle, coarse), strict=True)]

    @staticmethod
    def _up(x: torch.Tensor) -> torch.Tensor:
        return F.interpolate(x, scale_factor=2.0, mode="nearest")


# --------------------------------------------------------------------------------------------- training
class Distillation(DistillTask):
    """Canvases with the maps that the teacher's faces make."""

    def __init__(
        self, net: FaceMaps, photos: dict[str, list[Photo]], recipe: DistillRecipe, processes: int
    ) -> None:
        scenes = load_scenes()

        def make(step: int) -> tuple[np.ndarray, ...]:
            return make_batch(photos["training"], scenes, step, recipe.batch, recipe.seed)

        optimiser = torch.optim.AdamW(net.parameters(), weight_decay=1e-3)
        super().__init__(net, optimiser, recipe, make, processes)
        self.validation = photos["validation"]

    def losses(self, batch: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        pictures, *wanted = batch
        with torch.autocast("cpu", torch.bfloat16):
            maps = self.net(pictures[:, None].to(memory_format=torch.channels_last))
        return losses_of(maps, wanted)

    def judge(self, averaged: nn.Module) -> Row:
        found = evaluate(averaged, self.validation, sure_confidence=0.0)
        print(json.dumps(found), flush=True)
        return {f"recall_{name}": part["recall"] for name, part in found.items()}


def train(photos: dict[str, list[Photo]], recipe: DistillRecipe, work: Path, processes: int) -> FaceMaps:
    torch.manual_seed(recipe.seed)
    net = FaceMaps().to(memory_format=torch.channels_last)
    return distill(Distillation(net, photos, recipe, processes), work)


def losses_of(maps: list[torch.Tensor], wanted: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    """Focal loss of the scores, and of cells with a face distance IoU of the boxes and L1 of all places."""
    focal, boxes, places, count = torch.zeros(()), torch.zeros(()), torch.zeros(()), 0
    for values, target, stride in zip(maps, wanted, STRIDES_PX, strict=True):
        values = values.float()
        truth, score = target[:, 0], values[:, 0]
        cared = truth >= 0
        chance = torch.sigmoid(score)
        missed = torch.where(truth > 0, 1 - chance, chance)
        weight = 0.5 * missed.square()
        focal = (
            focal
            + (weight * F.binary_cross_entropy_with_logits(score, truth.clamp_min(0), reduction="none"))[
                cared
            ].sum()
        )
        batch, y, x = torch.nonzero(truth > 0, as_tuple=True)
        if not len(batch):
            continue
        cells = (torch.stack([x, y], 1) + 0.5) * stride
        face, size = target[batch, 1:15, y, x], target[batch, 15, y, x, None]
        found = values[batch, :, y, x]
        middle = cells + found[:, 1:3] * stride
        half = found[:, 3:5].clamp(-5, 5).exp() * stride
        points = cells.repeat(1, 5) + found[:, 5:] * stride
        guess = torch.cat([middle - half, middle + half], 1)
        boxes = boxes + (1 - _distance_iou(guess, face[:, :4])).sum()
        off = (torch.cat([guess, points], 1) - face) / size
        places = (
            places + F.smooth_l1_loss(off, torch.zeros_like(off), beta=0.05, reduction="none").mean(1).sum()
        )
        count += len(batch)
    faces = max(count, 1)
    return {"scores": focal / faces, "boxes": boxes / faces, "points": 4 * places / faces}


def _distance_iou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Zheng et al. 2020, doi:10.1609/aaai.v34i07.6999."""
    shared = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp_min(0).prod(1)
    area_a, area_b = (a[:, 2:] - a[:, :2]).prod(1), (b[:, 2:] - b[:, :2]).prod(1)
    around = torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])
    apart = ((a[:, :2] + a[:, 2:] - b[:, :2] - b[:, 2:]) / 2).square().sum(1)
    return shared / (area_a + area_b - shared) - apart / around.square().sum(1)


# --------------------------------------------------------------------------------------------- judging
def evaluate(net: FaceMaps, photos: list[Photo], **options: float) -> dict:
    """Judge the detector, by default as it is used, on whole photos and on canvases made of them."""
    with tempfile.TemporaryDirectory() as folder:
        export(net, Path(folder) / "network.onnx")
        detector = FastDetector(directory=folder, **options)
    rng, scenes = np.random.default_rng([0, 0]), load_scenes()
    whole = []
    for photo in photos:
        sure = photo.faces[:, 4] >= SURE
        faces = np.delete(photo.faces, 4, axis=1)
        whole.append((photo.grey, list(faces[sure]), list(faces[~sure, :4])))
    made = [compose(photos, scenes, rng) for _ in range(VALIDATION_CANVASES)]
    return {
        "photos": score(detector, whole),
        "canvases": score(detector, [(c.grey, c.faces, c.doubtful) for c in made]),
    }


def score(detector: FastDetector, pictures: list[tuple[np.ndarray, list, list]]) -> dict:
    """Recall of faces at an IoU of .5, by size; false boxes; median error of points in sizes of the face."""
    sizes, found, errors, false = [], [], [], 0
    for grey, faces, doubtful in pictures:
        seen = detector.detect(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB))
        boxes = np.array([face.box_xyxy for face in seen]).reshape(-1, 4)
        free = np.ones(len(seen), bool)
        for row in faces:
            known = np.clip(row[:4], 0, [grey.shape[1], grey.shape[0]] * 2)
            overlaps = np.append(free * box_iou(boxes, known[None])[:, 0], 0.0)
            best = int(overlaps.argmax())
            sizes.append(size_of(row))
            found.append(overlaps[best] >= 0.5)
            if found[-1]:
                free[best] = False
                away = np.linalg.norm(seen[best].points - row[4:].reshape(5, 2), axis=1)
                errors.append(away.mean() / sizes[-1])
        unclear = np.reshape(doubtful, (-1, 4))
        false += int((box_iou(boxes[free], unclear).max(axis=1, initial=0) <= 0.1).sum())
    by_size, edges = {}, (8, 12, 16, 24, 48, 96, 400)
    for least, most in pairwise(edges):
        inside = [f for f, s in zip(found, sizes, strict=True) if least <= s < most]
        if inside:
            by_size[f"{least}-{most} px"] = [round(float(np.mean(inside)), 4), len(inside)]
    return {
        "pictures": len(pictures),
        "faces": len(found),
        "recall": round(float(np.mean(found)), 4),
        "recall_by_size": by_size,
        "false": false,
        "point_error": round(float(np.median(errors)), 4) if errors else None,
    }


# --------------------------------------------------------------------------------------------- what ships
def export(net: FaceMaps, path: Path) -> None:
    """Write the network as ONNX: `picture` uint8 (1, 1, h, w) -> `fine`, `middle`, `coarse`."""
    temporary = path.with_suffix(".tmp")
    names = ["fine", "middle", "coarse"]
    torch.onnx.export(
        net.eval(), (torch.zeros(1, 1, SIDE, SIDE, dtype=torch.uint8),), temporary, dynamo=False,
        opset_version=17,
        input_names=["picture"], output_names=names,
        dynamic_axes={name: {2: f"{name}_height", 3: f"{name}_width"} for name in ("picture", *names)},
    )  # fmt: skip
    temporary.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--detections", type=Path, required=True, help="of label_detections.py")
    parser.add_argument("--legend", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=14_000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--processes", type=int, default=1, help="that make batches")
    parser.add_argument("--out", type=Path, default=Path("models/detector"))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.work.mkdir(parents=True, exist_ok=True)
    photos = load_photos(args.detections, args.legend)
    print({part: len(of_part) for part, of_part in photos.items()}, flush=True)
    recipe = DistillRecipe(
        steps=args.steps, batch=args.batch, rate=args.rate, seed=args.seed, average=0.998, warmup=300,
        steps_an_epoch=500,
    )  # fmt: skip
    net = train(photos, recipe, args.work / "training", args.processes)
    training = {
        "steps": args.steps,
        "batch": args.batch,
        "seed": args.seed,
        "photos": len(photos["training"]),
        "parameters": count_parameters(net),
    }
    alone = {"min_confidence": 0.5, "sure_confidence": 0.0}
    result = {
        "test": evaluate(net, photos["test"]),
        "test of the network alone": evaluate(net, photos["test"], **alone),
        "training": training,
    }
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "evaluation.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    export(net, args.out / "network.onnx")


if __name__ == "__main__":
    main()
