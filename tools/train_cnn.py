"""Train the network that ships in models/cnn-fer2013/ on FER2013 alone.

    python tools/train_cnn.py --fer2013 DATA/fer2013.csv --work WORK --epochs 60 --seed 1 [--resume]

The Training part is learned, the epoch and the temperature are chosen on PublicTest, and PrivateTest is
looked at once, when everything is decided: by a further call with ``--final``, which trains nothing.
``WORK/checkpoint.pt`` is written after every epoch; with ``--resume`` training goes on from it to the
same weights as without a stop. Accuracy is told with and without the faces that are exact copies of
Training faces.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from feat_pipeline.datasets.faces import copied_from
from feat_pipeline.datasets.fer2013 import read_fer2013
from feat_pipeline.models.nets import ResidualNet, predict_logits
from feat_pipeline.recipe import Examples, Recipe
from feat_pipeline.train import train

NET = {"stem": 32, "widths": (64, 128, 256), "blocks": (2, 3, 2), "dropout": 0.3}
#: Sides whose halves are no smaller than 5: 4x4 features take oneDNN longer than 6x6 in bfloat16.
SIZES = ((0.0, 40), (0.6, 48))


def recipe_of(args) -> Recipe:
    return Recipe(epochs=args.epochs, seed=args.seed, mixup=0.2, sizes=SIZES)


def accuracy(logits: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> dict:
    """Accuracy with its 95 % interval (normal approximation), in percent."""
    right = (logits.argmax(1) == labels)[rows]
    half = 1.96 * right.std() / np.sqrt(len(right))
    return {
        "n": len(right),
        "accuracy": round(100 * float(right.mean()), 2),
        "interval": round(100 * half, 2),
    }


def judge(net, faces, copies, usage: str) -> dict:
    part = faces.usage == usage
    logits = predict_logits(net, faces.images[part], size=48, device=torch.device("cpu"))
    labels, fresh = faces.labels[part], ~copies[part]
    return {
        usage: accuracy(logits, labels, np.ones(len(labels), bool)),
        f"{usage} without copies of Training faces": accuracy(logits, labels, fresh),
    }


def say(row: dict) -> None:
    print(time.strftime("%H:%M:%S"), json.dumps({k: round(v, 5) for k, v in row.items()}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fer2013", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--limit", type=int, help="learn from so many faces only, to try the script")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--final", action="store_true", help="look at PrivateTest, once, after training")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    faces = read_fer2013(args.fer2013, cache=args.work)
    copies = copied_from(faces, "Training")
    learned, public = faces.part("Training"), faces.part("PublicTest")
    if args.limit:
        learned = learned.select(np.arange(args.limit))
    torch.manual_seed(args.seed)
    net = ResidualNet(classes=len(faces.classes), **NET)
    print({"training": len(learned), "PublicTest": len(public), "skipped": len(faces.skipped),
           "parameters": sum(p.numel() for p in net.parameters())}, flush=True)  # fmt: skip
    done = train(
        net, Examples(learned.images, learned.labels), Examples(public.images, public.labels),
        recipe_of(args), work=args.work, resume=args.resume, report=say,
    )  # fmt: skip
    net.load_state_dict(done.state)
    result = {"best_epoch": done.best_epoch, "temperature": round(done.temperature, 4),
              **judge(net.eval(), faces, copies, "PublicTest")}  # fmt: skip
    if args.final:
        result |= judge(net, faces, copies, "PrivateTest")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
