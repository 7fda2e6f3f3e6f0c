"""Fit the logit that ships in models/logit-embedded/ on AUs of FER2013, measured by the embedded backend.

    python tools/train_logit.py --fer2013 DATA/fer2013/fer2013.csv.xz --work WORK --out models/logit-embedded
    python tools/train_logit.py ... --final          # once: measures PrivateTest and writes the model

Every row is measured as a face crop (`--detector none`); none is dropped. Terms and ridge are chosen by
accuracy on PublicTest; without ``--final``, PrivateTest is not looked at.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.autable import AUTable
from analysis.compare.scores import score
from analysis.facs import EMOTIONS
from analysis.logit import MultinomialLogit
from feat_pipeline.extract import make_extractor
from feat_pipeline.extract.arrays import crop_table

CHOICES = [(terms, alpha) for terms in ("linear", "hinges") for alpha in (1.0, 10.0, 100.0)]
MIRRORED = ((51, 52), (55, 56), (61, 62))  # AUs that change places in a mirror


def measure_rows(fer: pd.DataFrame, out: Path) -> AUTable:
    """AU table of every FER2013 row, ``input`` being its number; read from ``out`` where it is there."""
    if out.exists():
        return AUTable.read(out)
    images = np.stack([np.array(text.split(), np.uint8).reshape(48, 48) for text in fer.pixels])
    crop_table(images, [str(row) for row in fer.index]).write(out)
    return AUTable.read(out)


def with_mirror_images(table: AUTable, labels: np.ndarray) -> tuple[AUTable, np.ndarray, np.ndarray]:
    """Each face and its mirror image at half the weight: what is left or right must not matter."""
    swap = {f"AU{a}_r": f"AU{b}_r" for pair in MIRRORED for a, b in (pair, pair[::-1])}
    both = pd.concat([table.aus, table.aus.rename(columns=swap)[table.au_columns]], ignore_index=True)
    both.insert(0, "input", both.index.astype(str))
    doubled = AUTable(both, backend=table.backend, backend_version=table.backend_version, scale=table.scale)
    return doubled, np.concatenate([labels, labels]), np.full(2 * len(labels), 0.5)


def copies(fer: pd.DataFrame, usage: str) -> np.ndarray:
    """Which rows of a part are exact copies of Training images."""
    digest = fer.pixels.map(lambda text: hashlib.sha256(text.encode()).hexdigest())
    return digest[fer.Usage == usage].isin(set(digest[fer.Usage == "Training"])).to_numpy()


def interval(right: np.ndarray, draws: int = 2000, seed: int = 0) -> list[float]:
    """95 % bootstrap interval of the accuracy over rows (FER2013 names no persons)."""
    rng = np.random.default_rng(seed)
    means = [right[rng.integers(0, len(right), len(right))].mean() for _ in range(draws)]
    return [round(float(v), 4) for v in np.percentile(means, [2.5, 97.5])]


def judge(model: MultinomialLogit, table: AUTable, labels: np.ndarray, copied: np.ndarray) -> dict:
    """Scores on all rows, and accuracy without copies of Training images."""
    probabilities = model.predict_proba(table)
    right = model.classes_[probabilities.argmax(1)] == labels
    return {
        "n": len(labels), **score(model.classes_, probabilities, labels),
        "accuracy_interval": interval(right), "n_without_copies": int((~copied).sum()),
        "accuracy_without_copies": round(float(right[~copied].mean()), 4),
        "recall": {e: round(float(right[labels == e].mean()), 3) for e in EMOTIONS},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fer2013", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("models/logit-embedded"))
    parser.add_argument("--final", action="store_true")
    args = parser.parse_args()
    fer = pd.read_csv(args.fer2013)
    version = make_extractor("embedded").version
    table = measure_rows(fer, args.work / f"fer2013-aus-{version}.parquet")
    labels = np.array(EMOTIONS)[fer.emotion.to_numpy()]
    usage = fer.Usage.to_numpy()
    part = {name: table.with_rows(usage == name) for name in ("Training", "PublicTest")}
    print("unmeasured rows", int(table.aus.isna().any(axis=1).sum()), "of", len(table.aus))
    tried, best, chosen = [], -1.0, None
    faces, names, weight = with_mirror_images(part["Training"], labels[usage == "Training"])
    for terms, alpha in CHOICES:
        model = MultinomialLogit(terms=terms, alpha=alpha).fit(faces, names, sample_weight=weight)
        found = judge(model, part["PublicTest"], labels[usage == "PublicTest"], copies(fer, "PublicTest"))
        tried.append(
            {"terms": terms, "alpha": alpha, "accuracy": found["accuracy"], "log_loss": found["log_loss"]}
        )
        print(tried[-1], flush=True)
        if found["accuracy"] > best:
            best, chosen, public = found["accuracy"], model, found
    print(json.dumps(public, indent=1, default=float))
    if args.final:
        chosen.low_validity_ = list(make_extractor("embedded").low_validity)
        private = judge(chosen, table.with_rows(usage == "PrivateTest"), labels[usage == "PrivateTest"],
                        copies(fer, "PrivateTest"))  # fmt: skip
        chosen.scores_ = {
            "data": "FER2013",
            "tried_on_PublicTest": tried,
            "PublicTest": public,
            "PrivateTest": private,
        }
        chosen.save(args.out)
        chosen.coefficients().to_csv(args.out / "coefficients.csv", index=False, float_format="%.6g")
        print(json.dumps(private, indent=1, default=float))


if __name__ == "__main__":
    main()
