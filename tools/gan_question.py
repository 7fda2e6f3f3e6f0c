"""Do made faces help a classifier? One small network, trained with and without them, three seeds each.

    python tools/gan_question.py --fer2013 DATA/fer2013.csv.xz --work WORK --out OUT [--resume]

Conditions (`CONDITIONS`): FER2013's Training faces alone; with 25, 50 and 100 % of their number made by
gan-fer2013 in addition, in the classes' own proportions; with disgust alone enlarged to the median class by
made faces, or by repeating its real ones; and made faces alone, as many as the real ones.

Every condition takes the same number of steps, and a step holds 128 real faces on average with the added ones
on top of them (the batch grows with what is added): no condition sees the real faces less often than another
one. The network is `NETWORK` (a residual network of some 300,000 parameters), the recipe is that of
`recipe_of`. What is judged is the moving average after the last epoch: no epoch is chosen, so PublicTest
judges and guides nothing. PrivateTest is not looked at.

Intervals are 95 % bootstraps over seeds and faces together (seeds drawn for each condition, the same faces
for all conditions, so that differences are paired by face); with three seeds the share of the seeds is told
a little too small. Each run is kept in ``WORK/CONDITION-SEED``; ``--resume`` goes on where it stopped, within
a run too. OUT takes ``question.csv``, ``question.json``, ``question.md`` and ``question.png``.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from fer2013_protocol import near_copied

from analysis.facs import EMOTIONS
from analysis.filenames import CHECKPOINT
from analysis.files import atomic_path
from analysis.plots.theme import GREY, INK, new_figure, style_of
from feat_pipeline.datasets.faces import LabelledFaces
from feat_pipeline.datasets.fer2013 import read_fer2013
from feat_pipeline.generator.model import SHIPPED, FaceGenerator
from feat_pipeline.models.nets import ResidualNet
from feat_pipeline.training.batches import predict_logits
from feat_pipeline.training.classifier import train_classifier
from feat_pipeline.training.parameters import count_parameters
from feat_pipeline.training.recipe import Examples, Recipe

NETWORK = {"stem": 16, "widths": [32, 64, 128], "blocks": [1, 1, 1], "dropout": 0.2}
BATCH, RATE = 128, 0.1
CONDITIONS = {
    "real": "real faces alone",
    "made-25": "25 % made faces added",
    "made-50": "50 % made faces added",
    "made-100": "100 % made faces added",
    "disgust-made": "disgust enlarged by made faces",
    "disgust-repeated": "disgust enlarged by repeating",
    "made-only": "made faces alone",
}
DRAWS = 2000
_CPU = torch.device("cpu")


def recipe_of(epochs: int, seed: int, batch: int) -> Recipe:
    return Recipe(epochs=epochs, seed=seed, batch=batch, rate=RATE, mixup=0.0, average=0.995)


def learned_faces(
    condition: str, training: LabelledFaces, generator: FaceGenerator, seed: int, work: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Faces and classes of a condition."""
    counts = np.bincount(training.labels, minlength=len(EMOTIONS))
    disgust = EMOTIONS.index("disgust")
    missing = int(np.median(counts)) - counts[disgust]
    if condition == "real":
        return training.images, training.labels
    if condition == "disgust-repeated":
        rows = np.flatnonzero(training.labels == disgust)
        again = np.resize(np.random.default_rng(seed).permutation(rows), missing)
        return (
            np.concatenate([training.images, training.images[again]]),
            np.concatenate([training.labels, training.labels[again]]),
        )
    if condition == "disgust-made":
        labels = np.full(missing, disgust)
        made = generator.generate(["disgust"] * missing, seed=2000 + seed)
    else:
        share = 1.0 if condition == "made-only" else int(condition.removeprefix("made-")) / 100
        pool, pooled = made_pool(generator, counts, seed, work)
        places = [np.flatnonzero(pooled == i)[: round(share * count)] for i, count in enumerate(counts)]
        made, labels = pool[np.concatenate(places)], pooled[np.concatenate(places)]
    if condition == "made-only":
        return made, labels
    return np.concatenate([training.images, made]), np.concatenate([training.labels, labels])


def made_pool(
    generator: FaceGenerator, counts: np.ndarray, seed: int, work: Path
) -> tuple[np.ndarray, np.ndarray]:
    """As many made faces of each class as there are real ones: one pool a seed, kept for all conditions."""
    labels = np.repeat(np.arange(len(EMOTIONS)), counts)
    kept = work / f"made-{seed}.npy"
    if not kept.is_file():
        made = generator.generate(np.array(EMOTIONS)[labels].tolist(), seed=1000 + seed)
        with atomic_path(kept) as temporary, temporary.open("wb") as file:
            np.save(file, made)
    return np.load(kept), labels


def run(
    condition: str, seed: int, faces: tuple[LabelledFaces, LabelledFaces], generator: FaceGenerator,
    epochs: int, work: Path, resume: bool,
) -> np.ndarray:  # fmt: skip
    """Train one network; returns its answers on PublicTest, classes as int64, shape (n,)."""
    training, public = faces
    kept = work / "answers.npy"
    if kept.is_file():
        return np.load(kept)
    began = time.perf_counter()
    images, labels = learned_faces(condition, training, generator, seed, work.parent)
    steps = len(training) // BATCH
    recipe = recipe_of(epochs, seed, len(labels) // steps)
    torch.manual_seed(seed)
    net = ResidualNet(classes=len(EMOTIONS), **NETWORK)
    # `train_classifier` wants faces to choose an epoch by; none is chosen, so a few learned ones do.
    few = Examples(training.images[:256], training.labels[:256])
    train_classifier(
        net, Examples(images, labels), few, recipe, work=work,
        resume=resume and (work / CHECKPOINT).is_file(), device="cpu",
    )  # fmt: skip
    net.load_state_dict(torch.load(work / CHECKPOINT, weights_only=True)["averaged"])
    answers = predict_logits(net, public.images, size=48, device=_CPU).argmax(1)
    with atomic_path(kept) as temporary, temporary.open("wb") as file:
        np.save(file, answers)
    told = {"condition": condition, "seed": seed, "faces": len(labels), "batch": recipe.batch,
            "steps": epochs * steps, "accuracy": round(float((answers == public.labels).mean()), 4),
            "seconds": round(time.perf_counter() - began)}  # fmt: skip
    (work / "run.json").write_text(json.dumps(told) + "\n")
    print(time.strftime("%H:%M:%S"), json.dumps(told), flush=True)
    return answers


def judged(answers: dict[str, np.ndarray], labels: np.ndarray, plain: np.ndarray) -> pd.DataFrame:
    """Scores of every condition with intervals, and their differences from real faces alone.

    ``answers`` are classes, shape (seeds, n); ``plain`` marks faces without a near copy in Training.
    """
    rng = np.random.default_rng(0)
    n = len(labels)
    drawn = rng.multinomial(n, np.full(n, 1 / n), DRAWS).astype(np.float32).T  # how often each face
    whole = np.ones((n, 1), np.float32)
    classes = [labels == i for i in range(len(EMOTIONS))]
    points, draws = {}, {}
    for name, given in answers.items():
        right = (given == labels).astype(np.float32)
        seeds = rng.integers(0, len(right), (len(right), DRAWS))
        share = np.stack([(seeds == s).mean(0) for s in range(len(right))])  # (seeds, DRAWS)
        points[name] = _scores(right, classes, plain, whole, np.full((len(right), 1), 1 / len(right)))
        draws[name] = _scores(right, classes, plain, drawn, share)
    rows = []
    for name in answers:
        for metric, value in points[name].items():
            low, high = np.percentile(draws[name][metric], [2.5, 97.5])
            apart = draws[name][metric] - draws["real"][metric]
            rows.append(
                {"condition": name, "metric": metric, "value": float(value[0]), "low": low, "high": high,
                 "difference": float(value[0] - points["real"][metric][0]),
                 "difference_low": np.percentile(apart, 2.5), "difference_high": np.percentile(apart, 97.5)}
            )  # fmt: skip
    return pd.DataFrame(rows).round(5)


def _scores(
    right: np.ndarray, classes: list[np.ndarray], plain: np.ndarray, faces: np.ndarray, seeds: np.ndarray
) -> dict[str, np.ndarray]:
    """Scores for weights of faces, shape (n, draws), and of seeds, shape (seeds, draws)."""

    def mean(rows: np.ndarray) -> np.ndarray:
        return (seeds * (right[:, rows] @ faces[rows]) / faces[rows].sum(0)).sum(0)

    recalls = {f"recall {name}": mean(rows) for name, rows in zip(EMOTIONS, classes, strict=True)}
    everything = np.ones(len(plain), bool)
    balanced = np.mean(list(recalls.values()), axis=0)
    return {"accuracy": mean(everything), "accuracy without near copies": mean(plain),
            "balanced accuracy": balanced, **recalls}  # fmt: skip


def answer(table: pd.DataFrame) -> str:
    """Say in words which conditions differ from real faces alone, and in what."""
    told = []
    for name, rows in table.groupby("condition", sort=False):
        if name == "real":
            continue
        found = {"better in": rows[rows["difference_low"] > 0], "worse in": rows[rows["difference_high"] < 0]}
        parts = [f"{word} {', '.join(part['metric'])}" for word, part in found.items() if len(part)]
        told.append(f"{CONDITIONS[name]}: {'; '.join(parts) or 'nothing that an interval tells from 0'}")
    return "Against real faces alone, by intervals that leave out 0 - " + ". ".join(told) + "."


def as_markdown(table: pd.DataFrame, runs: dict[str, list[float]], head: str) -> str:
    """The scores as two Markdown tables: values, and differences from real faces alone."""
    metrics = list(dict.fromkeys(table["metric"]))
    lines = [head, "", "| condition | accuracy by seed | " + " | ".join(metrics) + " |",
             "|---|---|" + "---|" * len(metrics)]  # fmt: skip
    for name, rows in table.groupby("condition", sort=False):
        cells = [f"{100 * r.value:.1f} ({100 * r.low:.1f}–{100 * r.high:.1f})" for r in rows.itertuples()]
        seeds = ", ".join(f"{100 * value:.1f}" for value in runs[name])
        lines.append(f"| {CONDITIONS[name]} | {seeds} | " + " | ".join(cells) + " |")
    lines += ["", "Differences from real faces alone, in points:", "",
              "| condition | " + " | ".join(metrics) + " |", "|---|" + "---|" * len(metrics)]  # fmt: skip
    for name, rows in table.groupby("condition", sort=False):
        if name != "real":
            cells = [
                f"{100 * r.difference:+.1f} ({100 * r.difference_low:+.1f} to {100 * r.difference_high:+.1f})"
                for r in rows.itertuples()
            ]
            lines.append(f"| {CONDITIONS[name]} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", answer(table), ""])


def draw(table: pd.DataFrame, runs: dict[str, np.ndarray], labels: np.ndarray, path: Path) -> None:
    """Accuracy, balanced accuracy and the recall of disgust by condition, with every seed as a dot."""
    names = list(dict.fromkeys(table["condition"]))
    metrics = {"accuracy": "Accuracy, %", "balanced accuracy": "Balanced accuracy, %",
               "recall disgust": "Recall of disgust, %"}  # fmt: skip
    with new_figure((9.2, 0.42 * len(names) + 1.1), 1, 3, sharey=True) as (figure, axes):
        for axis, (metric, label) in zip(axes, metrics.items(), strict=True):
            rows = table[table["metric"] == metric].set_index("condition").loc[names]
            for place, name in enumerate(names):
                row, colour = rows.loc[name], style_of(0 if name == "real" else 1).colour
                axis.plot([100 * row.low, 100 * row.high], [place, place], color=colour, lw=2)
                axis.plot(100 * row.value, place, "o", color=colour, ms=6)
                seeds = [_scores((one[None] == labels).astype(np.float32),
                                 [labels == i for i in range(len(EMOTIONS))], labels >= 0,
                                 np.ones((len(labels), 1), np.float32), np.ones((1, 1)))[metric][0]
                         for one in runs[name]]  # fmt: skip
                axis.plot(100 * np.array(seeds), np.full(len(seeds), place + 0.22), ".", color=GREY, ms=4)
            axis.axvline(100 * rows.loc["real"].value, color=INK, lw=0.6, ls=":")
            axis.set(xlabel=label, yticks=range(len(names)), ylim=(len(names) - 0.5, -0.5))
            axis.set_yticklabels([CONDITIONS[name] for name in names])
            axis.grid(axis="x")
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fer2013", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--generator", type=Path, default=Path(SHIPPED))
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--conditions", nargs="+", choices=list(CONDITIONS), default=list(CONDITIONS))
    parser.add_argument("--limit", type=int, help="learn from so many faces only, to try the script")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--resume", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.work.mkdir(parents=True, exist_ok=True)
    faces = read_fer2013(args.fer2013, cache=args.work)
    parts = faces.part("Training"), faces.part("PublicTest")
    if args.limit:
        parts = parts[0].select(np.arange(args.limit)), parts[1].select(np.arange(args.limit))
    generator = FaceGenerator.load(args.generator)
    answers: dict[str, list[np.ndarray]] = {name: [] for name in args.conditions}
    for seed in args.seeds:
        for name in args.conditions:
            work = args.work / f"{name}-{seed}"
            answers[name].append(run(name, seed, parts, generator, args.epochs, work, args.resume))
    if "real" not in answers:
        return
    labels = parts[1].labels
    plain = ~near_copied(parts[1], parts[0])
    stacked = {name: np.stack(given) for name, given in answers.items()}
    table = judged(stacked, labels, plain)
    by_seed = {name: [float((one == labels).mean()) for one in given] for name, given in answers.items()}
    net = ResidualNet(classes=len(EMOTIONS), **NETWORK)
    facts = {"network": NETWORK, "parameters": count_parameters(net), "epochs": args.epochs,
             "seeds": args.seeds, "judged": len(labels), "judged without near copies": int(plain.sum()),
             "steps": args.epochs * (len(parts[0]) // BATCH), "accuracy by seed": by_seed}  # fmt: skip
    args.out.mkdir(parents=True, exist_ok=True)
    table.to_csv(args.out / "question.csv", index=False)
    (args.out / "question.json").write_text(json.dumps(facts, indent=1) + "\n")
    head = (
        f"PublicTest ({len(labels):,} faces), in percent with 95 % intervals over {len(args.seeds)} seeds "
        f"and faces; a network of {facts['parameters']:,} parameters, {facts['steps']:,} steps."
    )
    (args.out / "question.md").write_text(as_markdown(table, by_seed, head))
    draw(table, stacked, labels, args.out / "question.png")
    print((args.out / "question.md").read_text())


if __name__ == "__main__":
    main()
