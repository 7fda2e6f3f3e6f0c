"""Compare every kind of model on FER2013 in one report, with the commands that anyone has.

    python tools/fer2013_report.py --fer2013 DATA/fer2013.csv --work WORK [--cnn models/cnn-fer2013]
    python tools/fer2013_report.py ... --final                # once: PrivateTest

Texture and transfer learn from Training. The regression of the AUs, the network, texture and transfer answer
PublicTest, and the weights by which they vote as `vote` are those of the least log loss there. With
``--final`` all five answer PrivateTest: WORK/comparison/report.html compares them, and WORK/surrogate fits a
regression on AUs to the network's answers on both test parts and says how far it may be trusted.
Every step that is done is left alone when the tool is run again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from feat_pipeline.cli import main as feat_pipeline
from feat_pipeline.errors import EXIT_DONE

LEARNED = ("texture", "transfer")


def run(*arguments: str | Path) -> None:
    words = [str(argument) for argument in arguments]
    print("$ feat-pipeline", " ".join(words), flush=True)
    if feat_pipeline(words) != EXIT_DONE:
        sys.exit(f"this step failed; mend it and run the tool again ({words[0]})")


def step(out: Path, *arguments: str | Path) -> None:
    """Run one command into a folder, unless its results are there."""
    if not (out / "run.json").exists():
        run(*arguments, "--out", out)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fer2013", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--cnn", default="cnn-fer2013", help="shipped name or folder of the network")
    parser.add_argument("--final", action="store_true", help="look at PrivateTest, once")
    args = parser.parse_args()
    work, faces = args.work, args.work / "faces"
    if not (faces / "PrivateTest").exists():
        run("data", "fer2013", args.fer2013, "--to", "folder", faces)
    for name in LEARNED:
        step(work / name, "train", name, "--data", args.fer2013)
    members = ["logit-embedded", args.cnn, *(str(work / name) for name in LEARNED)]
    public = ("--labels", faces / "PublicTest")
    predict("PublicTest", members, work)
    step(work / "vote", "combine", *members, "--predictions", work / "PublicTest", *public)
    if not args.final:
        step(work / "chosen", "compare", work / "PublicTest", *public)
        return
    predict("PrivateTest", [*members, str(work / "vote")], work)
    step(work / "comparison", "compare", work / "PrivateTest", "--labels", faces / "PrivateTest")
    answers, aus = work / "answers.csv", work / "aus"
    join([work / part for part in ("PublicTest", "PrivateTest")], answers)
    step(aus, "extract", faces / "PublicTest", faces / "PrivateTest", "--detector", "none")
    named = ("--predictions", answers, "--model", Path(args.cnn).name)
    step(
        work / "surrogate", "surrogate", "--aus", aus / "aus.csv", "--terms", "pairs", "--alpha", "10", *named
    )


def predict(part: str, models: list[str], work: Path) -> None:
    named = [word for model in models for word in ("--model", model)]
    step(work / part, "predict", work / "faces" / part, "--detector", "none", *named)


def join(folders: list[Path], out: Path) -> None:
    """Write the answers of several runs of predict as one table beside their folders."""
    import pandas as pd

    tables = [pd.read_csv(folder / "predictions.csv") for folder in folders]
    tables = [t.assign(picture=f.name + "/" + t["picture"]) for t, f in zip(tables, folders, strict=True)]
    pd.concat(tables).to_csv(out, index=False)


if __name__ == "__main__":
    main()
