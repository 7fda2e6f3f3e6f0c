"""Judge every kind of model on CK+, by subject, and show what a random split would have claimed.

    python tools/ckplus_models.py --ckplus DATA/ckplus --work WORK [--start models/cnn-fer2013]

The crops lie in one folder an emotion and are named by subject, sequence and frame. Each crop is answered
by models that learned from the other folds: five folds of whole subjects, and five random folds, in which
frames of one sequence stand on both sides, as in many published results. Networks take their epoch by
further subjects (or, where the split is random, rows) held out of the training folds, one in six.

`cnn` begins from random weights, `cnn-tuned` from the model of ``--start``; `logit` and `gbm-aus` see the
AUs of the embedded backend, whose formulas were chosen by FACS codes of CK+ faces, though not by emotions.
Settings are the models' own or stated here, none was chosen on CK+.

WORK/subject and WORK/random get each model's answers and a comparison with report; answers that are there
are not made again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.autable import AUTable
from analysis.compare import compare
from analysis.logit import MultinomialLogit
from analysis.report import build_report
from analysis.splits import grouped_folds
from feat_pipeline.datasets.faces import LabelledFaces
from feat_pipeline.datasets.read import read_faces
from feat_pipeline.extract.arrays import crop_table
from feat_pipeline.models.cnn import CnnClassifier
from feat_pipeline.models.flexible import AuBoosting
from feat_pipeline.models.texture import TextureClassifier
from feat_pipeline.models.transfer import TransferClassifier
from feat_pipeline.training.recipe import Recipe

FOLDS, INNER = 5, 6
SCRATCH = Recipe(epochs=40, batch=32, rate=0.05, average=0.99)
TUNED = Recipe(epochs=15, batch=32, rate=0.01, average=0.99)

Answer = Callable[[LabelledFaces, AUTable, np.ndarray, np.ndarray, Any], tuple[list[str], np.ndarray]]


def of_pixels(make: Callable[[], Any]) -> Answer:
    """Fit a model of crops that holds faces out by itself where it needs to."""

    def answer(faces, table, train, test, groups):
        model = make().fit(faces.images[train], faces.emotions[train])
        return model.classes_.tolist(), model.predict_proba(faces.images[test])

    return answer


def network(recipe: Recipe, start: CnnClassifier | None) -> Answer:
    """Fit the network, its epoch chosen by faces out of the training folds."""

    def answer(faces, table, train, test, groups):
        known = None if groups is None else groups[train]
        learned, judged = grouped_folds(faces.emotions[train], known, folds=INNER)[0]
        parts = [(faces.images[train][rows], faces.emotions[train][rows]) for rows in (learned, judged)]
        model = CnnClassifier(recipe=recipe, start=start).fit(*parts[0], validation=parts[1])
        return model.classes_.tolist(), model.predict_proba(faces.images[test])

    return answer


def of_aus(make: Callable[[], Any]) -> Answer:
    """Fit a model of AUs."""

    def answer(faces, table, train, test, groups):
        model = make().fit(table.with_rows(train), faces.emotions[train])
        return model.classes_.tolist(), model.predict_proba(table.with_rows(test))

    return answer


def models(start: CnnClassifier | None) -> dict[str, Answer]:
    found = {
        "logit": of_aus(MultinomialLogit),
        "gbm-aus": of_aus(AuBoosting),
        "texture": of_pixels(TextureClassifier),
        "transfer": of_pixels(TransferClassifier),
        "cnn": network(SCRATCH, None),
    }
    return found if start is None else found | {"cnn-tuned": network(TUNED, start)}


def answers(answer: Answer, faces: LabelledFaces, table: AUTable, groups: Any, seed: int) -> pd.DataFrame:
    """What models that did not learn from a crop say of it."""
    frame = pd.DataFrame({"input": faces.names, "frame": 0, "face": 0})
    for train, test in grouped_folds(faces.emotions, groups, folds=FOLDS, seed=seed):
        classes, probabilities = answer(faces, table, train, test, groups)
        for name, column in zip(classes, probabilities.T, strict=True):
            frame.loc[test, f"p_{name}"] = column
    return frame


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ckplus", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="the network that 'cnn-tuned' begins from")
    parser.add_argument("--models", default="", help="names out of them, by commas; all by default")
    parser.add_argument("--seed", type=int, default=0, help="of the folds")
    args = parser.parse_args()
    faces = read_faces(args.ckplus, "ckplus")
    table = crop_table(faces.images, faces.names)
    print(f"{len(faces)} crops of {len(np.unique(faces.groups))} subjects")
    for split, groups in (("subject", faces.groups), ("random", None)):
        folder = args.work / split
        folder.mkdir(parents=True, exist_ok=True)
        known, found = models(args.start and CnnClassifier.load(args.start)), {}
        for name in args.models.split(",") if args.models else known:
            file = folder / f"{name}.csv"
            if not file.is_file():
                answers(known[name], faces, table, groups, args.seed).to_csv(file, index=False)
            found[name] = pd.read_csv(file)
        result = compare(found, faces.emotions, groups=faces.groups)
        result.save(folder)
        build_report(folder, pictures=args.ckplus)
        shown = result.scores[result.scores["metric"].isin(["accuracy", "macro_f1", "log_loss"])]
        print(f"\nfolds by {split}; 95 % intervals by subject\n{shown.to_string(index=False)}", flush=True)


if __name__ == "__main__":
    main()
