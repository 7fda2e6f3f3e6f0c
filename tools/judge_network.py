"""Judge a network that `feat-pipeline train cnn` learned from FER2013 on PrivateTest, once.

    python tools/judge_network.py MODEL --fer2013 DATA/fer2013.csv [--votes DATA/fer2013new.csv]

The views are chosen on PublicTest; PrivateTest is looked at with these only. Classes are the network's; with
``--votes`` the labels are those that most of FER+'s annotators chose. MODEL gets ``evaluation.json``, and a
network that has one is not judged again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from fer2013_protocol import judge, near_copied

from feat_pipeline.datasets.read import read_faces
from feat_pipeline.models.cnn import CnnClassifier
from feat_pipeline.models.views import VIEWS


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--fer2013", type=Path, required=True)
    parser.add_argument("--votes", type=Path, help="FER+'s fer2013new.csv")
    args = parser.parse_args()
    evaluation = args.model / "evaluation.json"
    if evaluation.is_file():
        parser.error(f"{evaluation} holds PrivateTest's numbers; it is looked at once")
    model = CnnClassifier.load(args.model)
    classes = None if args.votes else list(model.classes_)
    faces = read_faces(args.fer2013, classes=classes, votes=args.votes)
    learned = faces.part("Training")
    result: dict = {"learned": len(learned), "PublicTest": {}}
    public = faces.part("PublicTest")
    copied = near_copied(public, learned)
    for model.views in VIEWS:
        result["PublicTest"][model.views] = judge(model, public, copied, "near copies")
    model.views = max(VIEWS, key=lambda views: result["PublicTest"][views]["all"]["accuracy"])
    private = faces.part("PrivateTest")
    told = judge(model, private, near_copied(private, learned), "near copies")
    result["PrivateTest"] = {model.views: told}
    evaluation.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
