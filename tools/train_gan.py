"""Train the generator that ships in models/gan-fer2013/, on FER2013's Training part alone.

    python tools/train_gan.py --fer2013 DATA/fer2013.csv.xz --work WORK --epochs 60 --seed 1 [--resume]

It is `feat-pipeline train gan` with one thing more: after the first and every fifth epoch the distance (FID,
2,000 made faces, 5,000 real ones) from the Training faces in the feature space of cnn-fer2013 goes into
``curves.csv``. Nothing is chosen by it: what ships is the moving average at the last epoch. The rates are
constant, so that ``--resume`` with more ``--epochs`` goes on where a training ended. The networks and the
recipe are `feat_pipeline.generator.model.NETWORK`, `DISCRIMINATOR` and
`feat_pipeline.generator.adversarial.GanRecipe`. PublicTest and PrivateTest are not looked at.
``WORK/gan/checkpoint.pt`` is written after every epoch; with ``--resume`` the training goes on from it to the
same weights as without a stop. ``--ship OUT`` copies what ships.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import time
from pathlib import Path

import numpy as np
import torch

from feat_pipeline.datasets.fer2013 import read_fer2013
from feat_pipeline.datasets.npz import save_faces
from feat_pipeline.generator.adversarial import GanRecipe
from feat_pipeline.generator.model import make_faces
from feat_pipeline.generator.nets import Generator
from feat_pipeline.generator.quality import frechet_distance, network_features
from feat_pipeline.models import load_model
from feat_pipeline.runs.train_gan import train_gan

JUDGED_EVERY, JUDGED_FACES, REAL_FACES = 5, 2000, 5000
SHIPPED = ("model.json", "weights.safetensors", "curves.csv", "curves.png")


class Judge:
    """FID of the averaged generator from the Training faces, by the epoch."""

    def __init__(self, training, work: Path) -> None:
        self.model = load_model("cnn-fer2013")
        some = np.random.default_rng(0).permutation(len(training))[:REAL_FACES]
        kept = work / "training-features.npy"
        if not kept.is_file():
            np.save(kept, self._features(training.images[some]))
        self.features = np.load(kept)
        self.shares = np.bincount(training.labels) / len(training)

    def __call__(self, net: Generator, epoch: int) -> dict[str, float]:
        if epoch % JUDGED_EVERY and epoch != 1:
            return {"fid": math.nan}
        rng = np.random.default_rng(0)
        labels = torch.from_numpy(rng.choice(len(self.shares), JUDGED_FACES, p=self.shares))
        noise = torch.from_numpy(rng.standard_normal((JUDGED_FACES, net.latent), np.float32))
        made = self._features(make_faces(net, noise, labels))
        return {"fid": round(frechet_distance(made, self.features), 4)}

    def _features(self, faces: np.ndarray) -> np.ndarray:
        return network_features(self.model, faces, mirror=False, bf16=True)


def say(row: dict) -> None:
    print(time.strftime("%H:%M:%S"), json.dumps({k: round(v, 5) for k, v in row.items()}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fer2013", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=GanRecipe.epochs)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--ship", type=Path, help="folder that takes the files that ship, when done")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.work.mkdir(parents=True, exist_ok=True)
    training = read_fer2013(args.fer2013, cache=args.work).part("Training")
    learned = args.work / "training.npz"
    save_faces(training, learned)
    train_gan(
        learned, out=args.work / "gan", recipe=GanRecipe(epochs=args.epochs, seed=args.seed),
        resume=args.resume, judge=Judge(training, args.work), report=say,
    )  # fmt: skip
    if args.ship:
        args.ship.mkdir(parents=True, exist_ok=True)
        for name in SHIPPED:
            shutil.copy(args.work / "gan" / name, args.ship / name)


if __name__ == "__main__":
    main()
