"""Write the cards of the shipped models out of the numbers that the other tools left beside them.

python tools/write_cards.py
"""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from analysis.facs import AUS
from analysis.logit import MultinomialLogit
from feat_pipeline.detect.mtcnn_nets import PATCH_PX

MODELS = Path(__file__).resolve().parent.parent / "models"
NINETEEN = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 16, 17, 20, 23, 24, 25, 26, 27)


def percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %"


def markdown(rows: list[dict[str, object]]) -> str:
    head = list(rows[0])
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(row[name]) for name in head) + " |" for row in rows])


def teacher_r(formula: dict, r: dict[str, float]) -> str:
    """Agreement with the teacher of the blendshapes that a formula uses."""
    found = {}
    for term in formula["terms"]:
        stem = term.split("_")[0]
        sides = [r[name] for name in (stem, stem + "Left", stem + "Right") if name in r]
        if sides:
            found[stem] = f"{stem} {sum(sides) / len(sides):.2f}"
    return ", ".join(found.values()) or "–"


def embedded_card(folder: Path) -> str:
    shipped = json.loads((folder / "embedded.json").read_text())
    judged = json.loads((folder / "evaluation.json").read_text())
    validity = pd.read_csv(folder / "validity.csv").set_index("au")
    persons, crops = judged["photos of unseen persons"], judged["FER2013 PublicTest, no copies"]
    training = judged["training"]
    r = persons["mean_of_views"]["r"]
    rows = []
    for column, formula in shipped["aus"].items():
        number = int(column[2:4])
        row = validity.loc[number]
        measured = pd.notna(row.auc)
        rows.append({
            "AU": number, "name": AUS[number].name, "region": AUS[number].region, "computed as (weights of z-scores)": row.formula,
            "r with teacher": teacher_r(formula, r), "coded": int(row.coded),
            "AUC by subject": f"{row.auc:.3f}" if measured else "–",
            "95 % interval": row.auc_interval.strip("[]").replace(", ", "–") if measured else "–",
            "plain mapping": f"{row.auc_plain:.3f}" if measured else "–",
            "validity": {"low": "**low validity**", "unknown": "not measured"}.get(row.validity, row.validity),
        })  # fmt: skip
    nineteen = validity.loc[list(NINETEEN)]
    plain_wins = [str(au) for au in nineteen.index[nineteen.auc_plain > nineteen.auc]]
    teacher = pd.Series(r)
    return f"""# embedded: landmarks, head pose and AU intensities of a face crop

Version {shipped["version"]}. Licence: MIT for the network and its formulas; see "Data and terms" for what it learned from.

## What it is
A residual network of {training["parameters"]:,} parameters while training (its {Path(folder / "network.onnx").stat().st_size / 1e6:.1f} MB file keeps
the outputs that are used, large weights in half precision). A grey 96×96 crop goes in; 68 landmarks with depth, the
head's rotation and 51 blendshapes come out. `embedded.json` holds one formula per AU: a weighted sum of that evidence,
taken from the AU's own region of the face, then a monotone piecewise linear calibration to 0–5.
Emotion labels trained nothing here: neither the network nor the weights of the formulas. Two choices were made with an eye
on emotions all the same: which AUs beyond the usual ones are offered (29, 34, 51–56), and that what reads as absent keeps
its order up to 0.5 with AU23 on the mean curve, were settled while looking at how well a regression on the AUs names
FER2013 PublicTest's emotions.

## How it was made
1. `tools/label_faces.py`: the teacher, MediaPipe's face landmarker (Apache-2.0), answers for every picture and its mirror
   image; the network learns the mean of both answers.
2. `tools/train_embedded.py`: {training["steps"]:,} steps of {training["batch"]} (seed {training["seed"]}) on {training["faces"]["photos"]:,} photos and {training["faces"]["crops"]:,} FER2013 Training crops;
   mirror, rotation, scale, shift, light, blur, noise, down-sampling. Photos are split by person.
   The shipped run was stopped and resumed with another number of steps twice (at 3,400 and 4,000), which shifted its
   learning-rate schedule a little; a run in one piece gives other weights of the same kind.
3. `tools/choose_au_formulas.py`: signs from anatomy, weights from a logistic regression on the human FACS codes of
   `ckplus_dev` (165 peak frames of 59 subjects, with two frames before each peak at a third of the weight), drawn towards
   the plain mapping by a ridge. AUs coded on fewer than ten of these faces keep the plain mapping.
4. Scale: each AU's scores over FER2013 Training faces were given the quantiles of the same AU's `_r` in a public table of
   OpenFace 2.x stills (4,473 faces). AU43 takes OpenFace's AU45; AU18, 22, 28, 29 and 34, which faces rarely show, its
   rarest (AU23); AU23 itself, which OpenFace calls 0 on three faces of four, and all others the mean curve of its 17. What
   OpenFace calls 0 keeps its order below 0.5, so that anything under 0.5 reads as absent. So '3' means 'as strong among these
   faces as OpenFace's 3 is among those', and nothing more: intensities were not compared with human intensity coders.
   AU51–56 are angles of the head in the picture: 5 is 30 degrees or more.

## Data and terms
- Photographs of faces, Apache-2.0, mostly neutral and happy.
- FER2013 Training images: Kaggle competition data, research use. Whoever needs weights free of them can train on the
  photos alone with the same tools.
- Extended Cohn-Kanade (half of its subjects): research only; used to choose formula weights, never to train the network.

## Measured quality
Landmark error in distances between the outer eye corners, and Pearson r of the 51 blendshapes, against the teacher (mean
of its two views; against one view the mean r is {persons["single_view"]["mean_r"]:.3f} and {crops["single_view"]["mean_r"]:.3f}). Between its own two views the teacher reaches a mean r of .757 on
the photos, so that 1.0 is out of reach.

| faces | n | landmark error, mean (median) | mean r | median r | blendshapes with r ≥ .80 |
|---|---|---|---|---|---|
| photos of unseen persons | {persons["n"]} | {percent(persons["landmark_error_mean"], 2)} ({percent(persons["landmark_error_median"], 2)}) | {persons["mean_of_views"]["mean_r"]:.3f} | {persons["mean_of_views"]["median_r"]:.3f} | {int((teacher >= 0.8).sum())} of 51 |
| FER2013 PublicTest, without copies | {crops["n"]} | {percent(crops["landmark_error_mean"], 2)} ({percent(crops["landmark_error_median"], 2)}) | {crops["mean_of_views"]["mean_r"]:.3f} | {crops["mean_of_views"]["median_r"]:.3f} | {int((pd.Series(crops["mean_of_views"]["r"]) >= 0.8).sum())} of 51 |

AUC against human FACS codes on the peak frames of `ckplus_dev`, cross-validated by subject (ten folds, mean of five
partitions), mean over 19 AUs: **{nineteen.auc.mean():.3f}**; the plain mapping of this network's blendshapes has {nineteen.auc_plain.mean():.3f}. Intervals are
bootstraps over subjects of the fitted formula, and a little hopeful for that; so are the AUCs, because the list of
candidates was revised twice after a look at them. Fewer than ten coded faces say little. For AU{", AU".join(plain_wins)} the plain mapping
scores better. Low validity: an AUC under .75, or an interval that reaches below .65.

{markdown(rows)}

## Limits
- The teacher is a network too; what it cannot see (cheek squint, nose sneer) comes from geometry and texture here.
- Posed, frontal, studio faces (CK+) chose the formulas. Spontaneous, occluded, strongly turned or made-up faces are worse.
- Beyond about 40° of yaw the landmarks of the far side are guesses. Faces under 24 px lose brow and lid detail.
- A single photo has no neutral face to compare with: a resting face with low brows reads as some AU4.
- Not for judging a person, for work, school, policing or medicine.
"""


def logit_card(folder: Path) -> str:
    model = MultinomialLogit.load(folder)
    scores = model.scores_
    public, private = scores["PublicTest"], scores["PrivateTest"]
    tried = markdown([{k: (f"{v:.4f}" if isinstance(v, float) and k != "alpha" else v) for k, v in t.items()}
                      for t in scores["tried_on_PublicTest"]])  # fmt: skip
    quality = markdown([
        {"part": name, "n": s["n"], "accuracy": percent(s["accuracy"]), "95 % interval": "–".join(percent(v) for v in s["accuracy_interval"]),
         "without copies of Training images": f"{percent(s['accuracy_without_copies'])} (n = {s['n_without_copies']})",
         "balanced accuracy": percent(s["balanced_accuracy"]), "macro F1": f"{s['macro_f1']:.3f}", "log loss": f"{s['log_loss']:.3f}"}
        for name, s in (("PublicTest (chose terms and ridge)", public), ("PrivateTest (looked at once)", private))
    ])  # fmt: skip
    recall = markdown(
        [{"emotion": e, "recall on PrivateTest": percent(v)} for e, v in private["recall"].items()]
    )
    return f"""# logit-embedded: seven emotions from the embedded backend's AUs

Licence: MIT (FER2013, to which it was fitted, has terms of its own, see below)

## What it is
A ridge multinomial logistic regression ({model.terms}, alpha {model.alpha:g}) on {len(model.feature_names_in_)} AU intensities of the `embedded` backend, class-centred:
`coefficients.csv` lists every coefficient with its standard error. Its answer is a sum of one function per AU, so the
contributions that explanations show are exact. The standard errors are those of a penalised fit: no p-values.

## How it was made
`tools/train_logit.py`: fitted on the AUs of all {model.n_ // 2:,} FER2013 Training rows, each measured as a face crop (`--detector
none`), none dropped; each counts half as it is and half as its mirror image, so that left and right do not matter.
Terms and ridge were chosen by accuracy on PublicTest:

{tried}

## Data and terms
FER2013, Kaggle competition data: research use. Its labels are the words that raters gave to web pictures, with
much noise (people agree with them on about 65 %), and are no record of what anyone felt.

## Measured quality
{quality}

Guessing the most frequent class scores {percent(private["majority"])}. Intervals are bootstraps over rows; FER2013 names no persons.
PublicTest's figure is hopeful: besides terms and ridge it guided, over some forty trials, which AUs the backend offers and
how their scale treats what is absent. PrivateTest was not looked at before.

{recall}

## Limits
- {", ".join(e for e, v in private["recall"].items() if v < 0.4)}: found in fewer than four of ten cases. Do not use the model to look for these.
- {len(model.low_validity_)} of its AUs are of low validity by the backend's card ({", ".join(c[:4] for c in model.low_validity_) or "none"}); explanations mark them.
- AUs travel together; a coefficient is what an AU adds given the others, not the AU's effect alone.
- What faces show is not what people feel. Not for judging a person, for work, school, policing or medicine.
"""


def within(value: float, low: float, high: float) -> str:
    return f"{percent(value)} ({100 * low:.1f}–{100 * high:.1f})"


def cnn_card(folder: Path) -> str:
    judged = json.loads((folder / "evaluation.json").read_text())
    shipped = json.loads((folder / "model.json").read_text())
    training, before = judged["training"], judged["training before"]
    parts = {name: judged[name] for name in ("PublicTest", "PrivateTest")}
    private, own = parts["PrivateTest"], shipped["views"]
    quality = markdown([
        {"part": name, "n": p["n"], "accuracy": within(*p["scores"][own]["accuracy"]),
         "balanced accuracy": within(*p["scores"][own]["balanced_accuracy"]), "macro F1": f"{p['scores'][own]['macro_f1'][0]:.3f}",
         "log loss": f"{p['scores'][own]['log_loss'][0]:.3f}",
         **{f"accuracy without {kind} (n)": f"{w['accuracy']:.1f} % ({w['n']})" for kind, w in p["without"].items()}}
        for name, p in (("PublicTest (chose the epoch)", parts["PublicTest"]), ("PrivateTest (looked at once)", private))
    ])  # fmt: skip
    views = markdown([
        {"looks at each face": name, **{part: within(*p["scores"][name]["accuracy"]) for part, p in parts.items()}}
        for name in private["scores"] if name != "temperature 1"
    ])  # fmt: skip
    recall = markdown([
        {"emotion": name, "recall on PrivateTest": within(*private["recall"][name])} for name in shipped["classes"]
    ])  # fmt: skip
    told = {
        **{f"only faces of {names}, and only these as answers": w for names, w in private["among"].items()},
        "the word that most FER+ annotators chose, where it is one of the seven": private["FER+ majority"],
    }
    further = markdown([
        {"PrivateTest judged by": name, "n": w["n"], "accuracy": f"{w['accuracy']:.1f} ± {w['plus_minus']:.1f} %"}
        for name, w in told.items()
    ])  # fmt: skip
    ece = {name: private["scores"][name]["ece"][0] for name in (own, "temperature 1")}
    weak = [name for name in shipped["classes"] if private["recall"][name][0] < 0.5]
    stages = [
        f"{t['epochs']} epochs (seed {t['seed']}, best epoch {t['best_epoch']})"
        for t in (before, training)
        if t
    ]
    size = (folder / "weights.safetensors").stat().st_size / 1e6
    return f"""# cnn-fer2013: seven emotions from the pixels of a face

Licence: MIT (FER2013, on which it was trained, has terms of its own, see below)

## What it is
A residual network of {training["parameters"]:,} parameters ({size:.1f} MB in half precision) on grey 48×48 crops, run by ONNX Runtime.
By default the logits of a face and of its mirror image are averaged. It names no reasons: the regression beside it, a
surrogate (`feat-pipeline surrogate`) or attributions (`feat-pipeline saliency`) have to find them.

## How it was made
`tools/train_cnn.py` on the {training["faces"]:,} FER2013 Training faces and nothing else: {", then ".join(stages)}.
The script's text states the recipe. The epoch and the temperature ({judged["temperature"]:.3f}) were chosen on PublicTest.

## Data and terms
FER2013, Kaggle competition data: research use. Its labels are the words that raters gave to web pictures, with much noise
(people agree with them on about 65 %), and are no record of what anyone felt. It names no persons: whether a person stands
on both sides of its own split is unknown, and {parts["PublicTest"]["n"] - parts["PublicTest"]["without"]["near copies of Training faces"]["n"]} PublicTest and {private["n"] - private["without"]["near copies of Training faces"]["n"]} PrivateTest faces are copies or near copies of Training faces.

## Measured quality
Intervals are 95 % bootstraps over faces.

{quality}

{views}

{further}

{recall}

Calibration error on PrivateTest: {ece[own]:.3f}, and {ece["temperature 1"]:.3f} without the temperature.

## Limits
- {(", ".join(weak) + ": found in fewer than half of the cases.") if weak else "Every emotion is found in at least half of the cases."}
- The faces were found by an old detector in web pictures, mostly frontal, many posed; other pictures are answered worse.
- Its probabilities are calibrated on FER2013 and on nothing else.
- What faces show is not what people feel. Not for judging a person, for work, school, policing or medicine.
"""


def detector_card(folder: Path) -> str:
    judged = json.loads((folder / "evaluation.json").read_text())
    training = judged["training"]
    rows, kinds = (
        [],
        {"as it is": judged["test"], "network alone, least score .5": judged["test of the network alone"]},
    )
    for kind, test in kinds.items():
        for name, given in (("photos", test["photos"]), ("put together", test["canvases"])):
            rows.append({
                "detector": kind, "pictures": f"{given['pictures']:,} {name}", "faces": f"{given['faces']:,}", "found": percent(given["recall"]),
                "false": given["false"], "median error of the points, in sides of the face": percent(given["point_error"]),
            })  # fmt: skip
    sizes = markdown([
        {"size of the face": size.replace("-", "–"), "faces": n, "found": percent(share),
         "by the network alone": percent(judged["test of the network alone"]["canvases"]["recall_by_size"][size][0])}
        for size, (share, n) in judged["test"]["canvases"]["recall_by_size"].items()
    ])  # fmt: skip
    columns = ["detector", "faces", "found", "false", "ms_per_photo", "ms_192_px"]
    others = markdown(pd.read_csv(folder / "group_photos.csv")[columns].to_dict("records"))
    return f"""# detector: faces in a picture, with five points

Licence: MIT for the network; see "Data and terms" for what it learned from.

## What it is
The detector `fast`: a convolutional network of {training["parameters"]:,} parameters ({(folder / "network.onnx").stat().st_size / 1e6:.1f} MB) that answers for every
cell of three maps at once. It sees grey pictures, shrunk to at most 960 px, and a second time a quarter of that for large
faces. What scores .3 to .8 there must convince the last network of MTCNN too (O-Net, {PATCH_PX["onet"]}×{PATCH_PX["onet"]} px).

## How it was made
1. `tools/label_detections.py`: MTCNN, the teacher, finds faces in photos of mostly one person.
2. `tools/train_detector.py`: {training["steps"]:,} steps of {training["batch"]} pictures (seed {training["seed"]}) that are put together from {training["photos"]:,} photos: one
   face, mosaics, or faces of 9 px and more strewn over a background, with light, sharpness, noise and JPEG quality varied;
   against them faces in pieces, parts of faces grown large and scenes that ship with scikit-image and scikit-learn.
   Photos are split by person; what the teacher doubts counts neither as face nor as none.
Emotion labels were not read. The scores .3 and .8 were chosen on photos of persons that were not learned from either. That
there is a second opinion, and that of two boxes one within the other one goes, came from looking at wrong answers, those on
the group photos below among them: these are no unseen test.

## Data and terms
- Photographs of faces, Apache-2.0, tightly cropped and grey.
- The teacher: MTCNN's published weights, from the package `mtcnn` (MIT).

## Measured quality
Against the teacher, on persons that it did not learn from; found means an intersection over union of at least .5:

{markdown(rows)}

The pictures that were put together, with black around many a face and heads turned by up to 50 degrees:

{sizes}

dlib's nine group photos and a picture of dogs, with known boxes (found: .35), on one core
(`benchmarks/detection.py`; the last two columns are milliseconds):

{others}

## Limits
- Its photos show no bodies, rooms or crowds, and few faces in profile or half hidden. Faces under 16 px of the shrunken
  picture are often missed. Where no face may be missed, such as for `--hide`, look at what it hid.
- AUs differ a little by detector, because crops begin elsewhere: by .05 (of 5) on average between `fast` and `mtcnn`
  (360 faces of photos), which changes the regression's answer on one face of thirteen (`haar`: .05, one of fifteen).
- It errs where its teacher errs, for whomever its teacher errs: that differs between groups of people, unmeasured here.
- Faces turned by more than about 50 degrees are not looked for.
- Not for judging or identifying a person.
"""


def main() -> None:
    cards = (
        ("embedded", embedded_card),
        ("logit-embedded", logit_card),
        ("cnn-fer2013", cnn_card),
        ("detector", detector_card),
    )
    for name, card in cards:
        text = card(MODELS / name)
        (MODELS / name / "CARD.md").write_text(text, encoding="utf-8")
        print(f"models/{name}/CARD.md")


if __name__ == "__main__":
    main()
