"""Write models/gan-fer2013/CARD.md from what the tools measured.

    python tools/gan_card.py --judged JUDGED --question QUESTION --work WORK --out models/gan-fer2013

JUDGED is what tools/judge_gan.py wrote, QUESTION what tools/gan_question.py wrote (may be absent), WORK the
folder of tools/train_gan.py. OUT takes CARD.md, and beside it ``grid.png``, ``aus.csv``, ``aus.png`` and the
question's table and figure. ``nearest.png`` shows FER2013's own faces and stays where it is.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import pandas as pd

from feat_pipeline.generator.adversarial import GanRecipe
from feat_pipeline.generator.model import DISCRIMINATOR, NETWORK, FaceGenerator
from feat_pipeline.generator.nets import Discriminator
from feat_pipeline.training.parameters import count_parameters

CARD = """# gan-fer2013: small grey faces of nobody, by emotion

Licence: MIT (FER2013, on which it was trained, has terms of its own, see below)

## What it is
A generator of 48×48 grey faces for seven emotions: {parameters:,} parameters ({megabytes:.1f} MB in
half precision), run by torch; `feat-pipeline generate --emotion happy --n 64 --seed 1 --out made`. It
names no emotion, and no other model here was trained on what it makes. `grid.png` shows ten faces of
each emotion, the first ten of seed 1 and not chosen.

## How it was made
`tools/train_gan.py` on the {learned:,} FER2013 Training faces and nothing else: {epochs} epochs (seed
{seed}), {hours:.1f} hours of one core that other work shared. Conditional batch norm in the generator,
a projection discriminator of {critic:,} parameters with spectral norms, hinge loss, differentiable
augmentation of real and made faces, classes drawn by the square root of their size, a moving average of
the generator's weights. Widths {widths}; the sizes follow from what was left of two cores.
`curves.csv` and `curves.png` tell the training.

## Data and terms
FER2013, Kaggle competition data: research use. Its labels are the words that raters gave to web
pictures, with much noise (people agree with them on about 65 %), and are no record of what anyone felt.
The pictures were gathered from the web; the people in them were not asked.

## Measured quality
`tools/judge_gan.py`: as many made faces as PublicTest has, of the same emotions. FID and KID are taken
in the features that cnn-fer2013 pools, and compare with the floors here, never with published numbers.

{judged}
AU profiles of all emotions: `aus.csv`, `aus.png`.

## Do such faces help a classifier?
{question}
The network is small and its few epochs leave it far from done (cnn-fer2013 reaches 70 % there): a point
more here need not be one after a long training. Added faces also make the batches larger. Three seeds
tell a seed's luck poorly, and of some fifty differences with intervals of 95 % two or three leave out 0
by chance.

## Limits
- What an emotion looks like here is what FER2013's raters called so, disgust in 436 pictures: no
  evidence of how people show emotions.
- The faces inherit who stands in FER2013, in proportions that nobody has told.
- Distances to the nearest Training face are told above; they find near copies and no subtler trace of a
  person.

## Misuse
Not to deceive: do not pass these faces off as people, in profiles, news, evidence or studies; every PNG
that `generate` writes says in its text chunks that it was made. Not to train products that judge
people, for work, school, policing, border or medicine. Not to hide how small or one-sided a data set
is: state what was made.
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--judged", type=Path, required=True)
    parser.add_argument("--question", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1, help="that the generator was trained with")
    args = parser.parse_args()
    generator = FaceGenerator.load(args.out)
    run = json.loads((args.work / "gan" / "run.json").read_text())
    curves = pd.read_csv(args.work / "gan" / "curves.csv")
    asked = args.question is not None and (args.question / "question.md").is_file()
    side = generator.side
    card = CARD.format(
        parameters=count_parameters(generator.to_torch()),
        megabytes=(args.out / "weights.safetensors").stat().st_size / 1e6,
        critic=count_parameters(Discriminator(classes=len(generator.classes_), side=side, **DISCRIMINATOR)),
        learned=run["learned"],
        epochs=len(curves),
        seed=args.seed,
        hours=curves["seconds"].sum() / 3600,
        widths=f"{NETWORK['widths']} and {DISCRIMINATOR['widths']}, batch {GanRecipe.batch}",
        judged=(args.judged / "judged.md").read_text(),
        question=(args.question / "question.md").read_text() if asked else "Not measured yet.",
    )
    (args.out / "CARD.md").write_text(card)
    for name in ("grid.png", "aus.csv", "aus.png"):
        shutil.copy(args.judged / name, args.out / name)
    for name in ("question.csv", "question.png"):
        if asked:
            shutil.copy(args.question / name, args.out / name)


if __name__ == "__main__":
    main()
