"""Train the networks that others have published under one protocol, and lay their claims beside it.

    python tools/train_published.py --fer2013 DATA/fer2013.csv --work WORK [--only NAME-K] [--resume]
    python tools/train_published.py ... --final                # once: PrivateTest

Each published architecture learns FER2013's Training part with the recipe of tools/train_cnn.py, at 48x48 px
throughout, with two exceptions. What has no norms in its last layers learns at the .01 of SGD at which two of
them were published, or by Adam at .001. And patr8609, which drops .4 after every block, stays at chance for
ten epochs under our augmentation; of that it keeps only mirroring. The epoch and the temperature are chosen
on PublicTest, with the classes that were published: four for patr8609, seven for the others; for happy-ryan
also the six of its project.
WORK/NAME-K holds each network with its checkpoint and ``evaluation.json``; WORK/published.json, .csv and .md
hold the table, its accuracies in percent with half their 95 % interval. What is done is left alone when the
tool is run again; ``--resume`` goes on with a training that was stopped.
PrivateTest is looked at once, when everything is decided: ``--final`` trains nothing.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from fer2013_protocol import count_weights, judge, near_copied, say

from analysis.facs import EMOTIONS
from analysis.filenames import CHECKPOINT
from feat_pipeline.datasets.faces import FOUR_EMOTIONS, SIX_EMOTIONS, LabelledFaces, with_classes
from feat_pipeline.datasets.fer2013 import read_fer2013
from feat_pipeline.models.cnn import CnnClassifier
from feat_pipeline.training.augment import Augment
from feat_pipeline.training.recipe import Recipe

NEAR = "near copies"
DROPOUT_ENOUGH = ("patr8609",)
MIRROR_ONLY = Augment(rotation_deg=0, scale=0, shift=0, gamma=0, erase=0)


@dataclass(frozen=True)
class Run:
    name: str
    classes: tuple[str, ...]
    optimiser: str
    rate: float
    claim: str

    @property
    def folder(self) -> str:
        return f"{self.name}-{len(self.classes)}"


RUNS = (
    Run(
        "patr8609",
        FOUR_EMOTIONS,
        "adamw",
        0.001,
        "71.3 % of a random tenth of all, normalised with all of them",
    ),
    Run("happy-ryan", EMOTIONS, "sgd", 0.1, "66.23 % of PrivateTest"),
    Run("happy-ryan", SIX_EMOTIONS, "sgd", 0.1, "none with these six classes"),
    Run(
        "luanshiyinyang",
        EMOTIONS,
        "sgd",
        0.01,
        "about 67 % of PublicTest, which chose the epoch, and PrivateTest",
    ),
    Run("gong-muxiang", EMOTIONS, "adamw", 0.001, "no number; 'not yet very accurate'"),
    Run("face-emotion-classifier", EMOTIONS, "sgd", 0.01, "no number"),
)


def train(run: Run, faces: LabelledFaces, args: argparse.Namespace) -> dict:
    learned, public = faces.part("Training"), faces.part("PublicTest")
    if args.limit:
        learned, public = (part.select(np.arange(min(args.limit, len(part)))) for part in (learned, public))
    light = run.name in DROPOUT_ENOUGH
    changes = {"augment": MIRROR_ONLY, "mixup": 0.0} if light else {"mixup": 0.2}
    recipe = Recipe(
        epochs=args.epochs,
        seed=args.seed,
        batch=args.batch,
        optimiser=run.optimiser,
        rate=run.rate,
        **changes,
    )
    out = args.work / run.folder
    model = CnnClassifier(architecture=run.name, recipe=recipe, threads=args.threads).fit(
        learned.images, learned.emotions, validation=(public.images, public.emotions),
        work=out, resume=args.resume and (out / CHECKPOINT).is_file(), report=say,
    )  # fmt: skip
    model.save(out)
    history = model.history_
    return {
        "name": run.name,
        "parameters": count_weights(model),
        "classes": len(run.classes),
        "claim": run.claim,
        "optimiser": run.optimiser,
        "rate": run.rate,
        "faces": len(learned),
        "epochs": len(history),
        "best_epoch": int(history["val_accuracy"].argmax()) + 1,
        "seconds_an_epoch": round(float(history["seconds"].mean()), 1),
        "PublicTest": judge(CnnClassifier.load(out), public, near_copied(public, learned), NEAR),
    }


def look_at_private(result: dict, run: Run, faces: LabelledFaces, work: Path) -> None:
    private = faces.part("PrivateTest")
    copied = near_copied(private, faces.part("Training"))
    result["PrivateTest"] = judge(CnnClassifier.load(work / run.folder), private, copied, NEAR)


def row(result: dict) -> dict:
    def told(part: str, which: str) -> str:
        if part not in result:
            return ""
        return "{accuracy:.2f} ± {plus_minus:.2f}".format(**result[part][which])

    without = f"without {NEAR} of Training faces"
    kept = ("name", "parameters", "classes", "claim", "epochs", "seconds_an_epoch")
    judged = {
        part + more: told(part, which)
        for part in ("PublicTest", "PrivateTest")
        for more, which in (("", "all"), (f" without {NEAR}", without))
    }
    return {key: result[key] for key in kept} | judged


def write(results: list[dict], work: Path) -> None:
    table = pd.DataFrame([row(result) for result in results])
    (work / "published.json").write_text(json.dumps(results, indent=1) + "\n")
    table.to_csv(work / "published.csv", index=False)
    lines = [list(table.columns), ["---"] * table.shape[1], *table.astype(str).values.tolist()]
    text = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    (work / "published.md").write_text(text + "\n")
    print(text)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fer2013", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    folders = [run.folder for run in RUNS]
    parser.add_argument("--only", choices=folders, help="train this one and leave the others")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--limit", type=int, help="learn from and judge by so many faces, to try the script")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--final", action="store_true", help="look at PrivateTest, once, after training")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.work.mkdir(parents=True, exist_ok=True)
    all_faces = read_fer2013(args.fer2013, cache=args.work)
    results = []
    for run in RUNS:
        evaluation = args.work / run.folder / "evaluation.json"
        result = json.loads(evaluation.read_text()) if evaluation.is_file() else None
        if args.only in (None, run.folder):
            faces = with_classes(all_faces, run.classes)
            if result is None and args.final:
                parser.error(f"{evaluation} is absent; train without --final first")
            if result is None:
                print(f"{run.folder}: training", flush=True)
                result = train(run, faces, args)
            elif args.final and "PrivateTest" not in result:
                look_at_private(result, run, faces, args.work)
            evaluation.write_text(json.dumps(result, indent=1) + "\n")
        if result is not None:
            results.append(result)
    write(results, args.work)


if __name__ == "__main__":
    main()
