"""Train the network on FER2013 alone, as a model folder.

    python tools/train_cnn.py --fer2013 DATA/fer2013.csv --work WORK --epochs 60 --seed 1 [--resume]

A residual network of 3.05 million parameters (`feat_pipeline.models.nets.ResidualNet`): a 3x3 stem of 32
channels at 48x48, then 2, 3 and 2 blocks of 64, 128 and 256 channels at 24, 12 and 6 px. SGD with
Nesterov's momentum, batch 128, highest rate .1 (a tenth of the steps up, a cosine down), weight decay 5e-4,
label smoothing .1, mixup .2, dropout .3, a moving average of the weights (.999), faces mirrored, turned by
up to 15 degrees, scaled by 15 % and shifted by 8 %, their light changed and half of them partly erased;
40x40 px in the first 60 % of the epochs and 48x48 px in the rest; products in bfloat16.

With ``--start MODEL`` a network that this tool has trained goes on: from its weights, at 48x48 px throughout,
with a highest rate of .05, towards the mean of the label and of what MODEL itself answers (a network that
teaches its successor: Furlanello et al., 2018), since FER2013's labels are noisy.

The Training part is learned, the epoch and the temperature are chosen on PublicTest. The folder OUT gets
``model.json``, ``weights.safetensors`` and ``evaluation.json``: what `fer2013_protocol.judge_part` tells of
the model as it was written. ``WORK/checkpoint.pt`` is written after every
epoch; with ``--resume`` training goes on from it to the same weights as without a stop.
PrivateTest is looked at once, when everything is decided: by a last call with ``--resume --final``, which
trains nothing more.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from fer2013_protocol import judge_part, near_copied, say

from feat_pipeline.datasets.faces import LabelledFaces, copied_from
from feat_pipeline.datasets.fer2013 import read_fer2013
from feat_pipeline.models.cnn import CnnClassifier
from feat_pipeline.training.parameters import count_parameters
from feat_pipeline.training.recipe import Recipe

#: Small faces first: 40 px halves to 5; features of 4x4 take oneDNN longer than 6x6 in bfloat16.
SIZES = ((0.0, 40), (0.6, 48))


def recipe_of(args: argparse.Namespace) -> Recipe:
    first = Recipe(epochs=args.epochs, seed=args.seed, mixup=0.2, sizes=SIZES)
    return replace(first, rate=0.05, sizes=((0.0, 48),)) if args.start else first


def taught(faces: LabelledFaces, teacher: CnnClassifier) -> pd.DataFrame:
    """Return the mean of label and teacher's answer, a column a class."""
    shares = teacher.predict_proba(faces.images)
    for column, name in enumerate(teacher.classes_):
        shares[:, column] = (shares[:, column] + (faces.emotions == name)) / 2
    return pd.DataFrame(shares, columns=teacher.classes_)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fer2013", type=Path, required=True)
    parser.add_argument("--votes", type=Path, help="FER+'s fer2013new.csv, to be judged by its majority too")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="folder of the model; WORK/model by default")
    parser.add_argument("--start", type=Path, help="folder of a network that goes on and teaches")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--limit", type=int, help="learn from so many faces only, to try the script")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--final", action="store_true", help="look at PrivateTest, once, after training")
    args = parser.parse_args()
    out = args.out or args.work / "model"
    evaluation = out / "evaluation.json"
    if args.final and evaluation.is_file() and "PrivateTest" in json.loads(evaluation.read_text()):
        parser.error(f"{evaluation} holds PrivateTest's numbers; it is looked at once")
    torch.set_num_threads(args.threads)
    faces = read_fer2013(args.fer2013, votes=args.votes, cache=args.work)
    for line in faces.skipped:
        print("skipped:", line)
    learned, public = faces.part("Training"), faces.part("PublicTest")
    if args.limit:
        learned = learned.select(np.arange(args.limit))
    start, shares, before = None, None, None
    if args.start:
        start = CnnClassifier.load(args.start)
        shares = taught(learned, start)
        before = json.loads((args.start / "evaluation.json").read_text())["training"]
    model = CnnClassifier(recipe=recipe_of(args), start=start).fit(
        learned.images, learned.emotions, shares=shares, validation=(public.images, public.emotions),
        work=args.work, resume=args.resume, report=say,
    )  # fmt: skip
    model.save(out)
    shipped = CnnClassifier.load(out)
    history = model.history_
    result = {
        "training": {"faces": len(learned), "epochs": len(history), "seed": args.seed,
                     "best_epoch": int(history["val_accuracy"].argmax()) + 1,
                     "hours": round(float(history["seconds"].sum()) / 3600, 2),
                     "parameters": count_parameters(model.to_torch())},
        "training before": before,
        "temperature": round(model.temperature_, 4),
    }  # fmt: skip
    copied = copied_from(faces, "Training")
    for part in ("PublicTest", "PrivateTest") if args.final else ("PublicTest",):
        judged = faces.part(part)
        exact = copied[faces.usage == part]
        result[part] = judge_part(shipped, judged, exact, near_copied(judged, faces.part("Training")))
    evaluation.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
