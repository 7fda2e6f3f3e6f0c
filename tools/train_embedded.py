"""Train the network that ships in models/embedded/ on the teacher's answers (see label_faces.py).

    python tools/train_embedded.py --work WORK --legend DATA/facial_expressions/legend.csv --steps 18000

A grey 96x96 crop goes in; 478 face points (x, y, z), 51 blendshapes and the head's rotation come out.
``WORK/checkpoint.pt`` and ``WORK/curves.csv`` are written every 1,000 steps (an epoch) and training goes on
from there after a stop, to the same weights as without; a call after the last step measures and ships the
network again.
Emotion labels are never read: of legend.csv only ``user.id`` and ``image`` are.
Photos are split by person, 10 % of the persons for the final numbers and 5 % to look at meanwhile;
FER2013 names nobody, so that its PublicTest part, without copies of Training images, is the check there.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from distill import DistillRecipe, DistillTask, distill
from embedded_data import BLENDSHAPES, MESH_68, SIZE, Faces, Splits, load_splits, make_batch, targets
from torch import nn
from torch.nn import functional as F

from feat_pipeline.faces.align import box_matrix, invert, landmark_matrix, transform_points, warp
from feat_pipeline.training.loop import Row
from feat_pipeline.training.parameters import count_parameters, decay_groups


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


# --------------------------------------------------------------------------------------------- training
class Distillation(DistillTask):
    """Crops with the teacher's points, blendshapes and rotations."""

    net: FaceNet

    def __init__(self, net: FaceNet, splits: Splits, recipe: DistillRecipe) -> None:
        def make(step: int) -> tuple[np.ndarray, ...]:
            return make_batch(splits, step, recipe.batch, recipe.seed)

        super().__init__(net, torch.optim.AdamW(decay_groups(net, 0.02)), recipe, make)
        self.validation = splits["validation"]

    def losses(self, batch: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        crops, points, scores, rotations = batch
        with torch.autocast("cpu", torch.bfloat16):
            answer = self.net(crops[:, None].to(memory_format=torch.channels_last))
        guess, blend, turn = (x.float() for x in answer)
        eyes = (points[:, 33, :2] - points[:, 263, :2]).norm(dim=1).clamp_min(0.1)[:, None, None]
        weights = torch.ones(points.shape[1])
        weights[MESH_68] = 4.0
        off = ((guess - points) / eyes).abs() * torch.tensor([1.0, 1.0, 0.3]) * weights[None, :, None]
        away = (blend - (scores - self.net.blendshape_mean) / self.net.blendshape_sd).clamp(-6, 6)
        return {
            "points": 8 * off.mean(),
            "blendshapes": away.square().mean(),
            "rotation": 4 * (turn - rotations).square().mean(),
        }

    def judge(self, averaged: nn.Module) -> Row:
        found = evaluate(averaged, self.validation, passes=1)
        print(json.dumps(found), flush=True)
        return {"landmark_error": found["landmark_error_mean"], "mean_r": found["mean_of_views"]["mean_r"]}


def train(splits: Splits, recipe: DistillRecipe, work: Path) -> FaceNet:
    torch.manual_seed(recipe.seed)
    net = FaceNet().to(memory_format=torch.channels_last)
    _set_scales(net, splits)
    return distill(Distillation(net, splits, recipe), work)


def _set_scales(net: FaceNet, splits: Splits) -> None:
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
            back.append(transform_points(invert(matrix), points[i]))
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
    recipe = DistillRecipe(
        steps=args.steps, batch=args.batch, rate=args.rate, seed=args.seed, average=0.999, warmup=500,
        steps_an_epoch=1000,
    )  # fmt: skip
    net = train(splits, recipe, args.work)
    result = {
        "photos of unseen persons": evaluate(net, splits["test"]),
        "FER2013 PublicTest, no copies": evaluate(net, splits["unseen_crops"]),
        "training": {"steps": args.steps, "batch": args.batch, "seed": args.seed,
                     "faces": {k: len(v) for k, v in splits.items() if isinstance(v, Faces)},
                     "parameters": count_parameters(net)},
    }  # fmt: skip
    (args.out / "evaluation.json").write_text(json.dumps(result, indent=1))
    print(json.dumps(result, indent=1))
    export(net, args.out / "network.onnx")


if __name__ == "__main__":
    main()
