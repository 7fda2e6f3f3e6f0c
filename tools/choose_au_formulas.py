"""Decide how each AU follows from what the embedded network sees, and put it on OpenFace's 0-5 scale.

    python tools/choose_au_formulas.py --network models/embedded --ckplus DATA/ckplus_dev \
        --codes DATA/au_tables/ckplus_facs_codes.csv --openface DATA/au_tables/openface_stills_6emotions.csv \
        --fer2013 DATA/fer2013/fer2013.csv.xz

Each AU is a weighted sum of the evidence in `CANDIDATES`: of its own region of the face, with the sign that
anatomy gives it. The weights are those of a logistic regression on human FACS codes, drawn towards the plain
mapping by a ridge, never against their sign. AUC is that of faces of subjects left out of the fit.
Emotion labels are not read: not FER2013's, not OpenFace's table's, and CK+ folders only name its files.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from embedded_data import BLENDSHAPES
from scipy.optimize import minimize
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from feat_pipeline.detect import make_detector
from feat_pipeline.extract.backends.embedded import EmbeddedExtractor

#: AU: evidence with its sign. A star marks the plain mapping, towards which the ridge draws.
CANDIDATES = {
    1: "*+browInnerUp +g_inner_brow_height +g_brow_tilt -browDown +t_forehead_down",
    2: "*+browOuterUp *+g_outer_brow_height +t_forehead_down -browDown",
    4: "*+browDown *-g_inner_brow_height *-g_brow_gap -g_middle_brow_height +t_glabella_across"
        " -browOuterUp",
    5: "*+eyeWide *+g_upper_lid_height +g_eye_aperture -eyeSquint -eyeBlink",
    6: "*+cheekSquint *+g_lower_lid_height +eyeSquint +t_crows_feet_down +t_under_eye_down",
    7: "*+eyeSquint *-g_eye_aperture +g_lower_lid_height -eyeWide +t_under_eye_down"
        " -g_upper_lid_height",
    9: "*-g_nose_wing_to_eye +t_nose_root_down +t_nose_root_across +browDown +eyeSquint"
        " +t_cheek_fold_across -g_inner_brow_height +cheekSquint",
    10: "*+mouthUpperUp *-mouthSmile -g_nose_to_upper_lip +t_cheek_fold_across -jawOpen",
    12: "*+mouthSmile +mouthSmile_max +g_corner_height +g_mouth_width -mouthFrown -g_corner_to_nose",
    14: "*+mouthDimple *+mouthDimple_uneven +mouthSmile_uneven +mouthPress +t_lip_corner_across"
        " +mouthDimple_max -mouthSmile",
    15: "*+mouthFrown *-g_corner_height +mouthFrown_max -mouthSmile +mouthShrugLower",
    16: "*+mouthLowerDown -g_chin_to_lip +jawOpen +g_lip_gap -mouthUpperUp",
    17: "*+mouthShrugLower *+mouthShrugUpper -g_chin_to_lip -g_lower_lip +t_chin_down +t_chin_across"
        " -g_lip_gap -g_nose_to_upper_lip",
    18: "*+mouthPucker",
    20: "*+mouthStretch +mouthStretch_max +g_mouth_width -mouthPucker -g_corner_height"
        " +mouthLowerDown",
    22: "*+mouthFunnel",
    23: "*-g_upper_lip *-g_lower_lip *+mouthRollLower +mouthRollUpper +mouthPress -g_mouth_width"
        " -g_lip_gap",
    24: "*+mouthPress *-g_lip_gap +mouthRollLower +mouthRollUpper -g_upper_lip -g_lower_lip",
    25: "*+g_lip_gap *+jawOpen +mouthLowerDown +mouthUpperUp -mouthPress -mouthClose",
    26: "*+jawOpen *-jawOpen_wide +g_chin_to_nose",
    27: "*+jawOpen +jawOpen_wide +g_lip_gap +g_chin_to_nose -g_mouth_width +mouthFunnel",
    28: "*+mouthRollLower *+mouthRollUpper",
    29: "*+jawForward",
    34: "*+cheekPuff",
    43: "*+eyeBlink *-g_eye_aperture",
    61: "*+eyesLeft",
    62: "*+eyesRight",
    63: "*+eyeLookUp",
    64: "*+eyeLookDown",
}  # fmt: skip
#: The head's position needs no fit: its descriptor is 5 at 30 degrees.
HEAD = {51: "turn_left", 52: "turn_right", 53: "up", 54: "down", 55: "tilt_left", 56: "tilt_right"}
#: Whose OpenFace quantiles an AU takes; 0 is the mean of all 17. Actions that OpenFace lacks and faces rarely
#: show take those of its rarest; AU23 itself, which OpenFace calls 0 on three faces of four, the mean.
ANCHOR = {23: 0, 43: 45} | dict.fromkeys((18, 22, 28, 29, 34), 23)
LOW, FEWEST_CODED, FEWEST_JUDGED, FEWEST_FITTED = 0.75, 3, 5, 10
SMALL_SHARE = 0.04  # of the weights; smaller ones are dropped
QUANTILES = np.array([0, 0.01, 0.03, *np.arange(0.05, 0.96, 0.05), 0.97, 0.99, 0.995, 1])
FLOOR = 0.5  # what OpenFace calls 0 keeps its order below this


def parse(spec: str) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names, signs and prior weights of an entry of `CANDIDATES`."""
    words = spec.split()
    names = [word.lstrip("*+-") for word in words]
    signs = np.array([-1.0 if word.lstrip("*")[0] == "-" else 1.0 for word in words])
    starred = np.array([word[0] == "*" for word in words])
    return names, signs, starred / starred.sum()


def fit(x: np.ndarray, y: np.ndarray, weight: np.ndarray, prior: np.ndarray, ridge: float) -> np.ndarray:
    """Weights >= 0 of a logistic regression on signed evidence, drawn towards the prior direction."""

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        intercept, w = theta[0], theta[1:]
        z = intercept + x @ w
        p = 1 / (1 + np.exp(-z))
        value = (weight * (np.logaddexp(0, z) - y * z)).sum() + ridge * ((w - prior) ** 2).sum()
        slope = weight * (p - y)
        return value, np.concatenate([[slope.sum()], x.T @ slope + 2 * ridge * (w - prior)])

    start = np.concatenate([[0.0], prior])
    bounds = [(None, None)] + [(0.0, None)] * len(prior)
    return minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x[1:]


def choose(x, y, weight, prior, ridge):
    """Fit, drop what hardly counts, fit again; without enough coded faces the plain mapping stays."""
    if (weight * y).sum() < FEWEST_FITTED * 0.9:  # a tenth of the subjects is left out
        return prior
    w = fit(x, y, weight, prior, ridge)
    keep = w > SMALL_SHARE * w.sum()
    w = np.zeros_like(w)
    w[keep] = fit(x[:, keep], y, weight, prior[keep], ridge)
    return w


def cross_validated(x, y, peak, weight, subject, prior, ridge, seeds=range(5)) -> float:
    """AUC of the peak frames, scored by weights that never saw their subject; mean of several partitions."""
    aucs = []
    for seed in seeds:
        score = np.zeros(len(y))
        for train, test in GroupKFold(10, shuffle=True, random_state=seed).split(x, y, subject):
            w = choose(x[train], y[train], weight[train], prior, ridge)
            score[test] = x[test] @ w / max(np.abs(w).sum(), 1e-9)
        aucs.append(roc_auc_score(y[peak], score[peak]))
    return float(np.mean(aucs))


def bootstrap_interval(y, score, subject, seed=0, draws=1000) -> list[float]:
    """95 % interval of the AUC over subjects."""
    rng = np.random.default_rng(seed)
    persons = np.unique(subject)
    rows = {p: np.flatnonzero(subject == p) for p in persons}
    aucs = []
    for _ in range(draws):
        take = np.concatenate([rows[p] for p in rng.choice(persons, len(persons))])
        if 0 < y[take].sum() < len(take):
            aucs.append(roc_auc_score(y[take], score[take]))
    return [round(float(v), 3) for v in np.percentile(aucs, [2.5, 97.5])]


def crops_evidence(extractor: EmbeddedExtractor, crops: list[np.ndarray]) -> pd.DataFrame:
    """Evidence of grey face crops, as `--detector none` gives it."""
    whole = make_detector("none")
    parts = []
    for start in range(0, len(crops), 512):
        frames = [np.repeat(crop[..., None], 3, axis=2) for crop in crops[start : start + 512]]
        parts.append(pd.DataFrame(extractor.evidence(frames, [whole.detect(frame) for frame in frames])))
    return pd.concat(parts, ignore_index=True)


def read_ckplus(folder: Path, codes: Path, extractor: EmbeddedExtractor) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Evidence and FACS codes of every crop; ``peak`` marks the frame that the codes describe."""
    paths = sorted(folder.rglob("*.png"), key=lambda p: p.name)
    parts = [re.fullmatch(r"(S\d+)_(\d+)_(\d+)", path.stem).groups() for path in paths]
    table = pd.DataFrame(parts, columns=["subject", "session", "frame"])
    table["sequence"] = table.subject + "_" + table.session
    table["peak"] = table.frame == table.groupby("sequence").frame.transform("max")
    coded = pd.read_csv(codes)
    coded = coded[["sequence", *coded.filter(regex=r"^AU\d+$").columns]]
    table = table.merge(coded, on="sequence", how="left", validate="many_to_one")
    evidence = crops_evidence(extractor, [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths])
    known = table.AU1.notna().to_numpy()
    return evidence[known].reset_index(drop=True), table[known].reset_index(drop=True)


def judged(auc: float | None, interval: list[float] | None, coded: int) -> str:
    """Validity in a word: low also where the interval leaves room for it."""
    if auc is None:
        return "unknown"
    if auc < LOW or interval[0] < LOW - 0.1:
        return "low"
    return "good" if coded >= FEWEST_JUDGED else "unknown"


def calibration(score: np.ndarray, curve: np.ndarray) -> tuple[list[float], list[float]]:
    """Knots that give the population's scores the quantiles of OpenFace's intensities."""
    floor = FLOOR * np.minimum(1, QUANTILES / max(QUANTILES[curve <= 0].max(initial=0), 0.05))
    scores = np.quantile(score, QUANTILES)
    scores = np.maximum.accumulate(scores + 1e-6 * np.arange(len(scores)))
    return [round(float(v), 5) for v in scores], [round(float(v), 4) for v in np.maximum(curve, floor)]


def openface_curves(path: Path) -> dict[int, np.ndarray]:
    """Quantiles of OpenFace's intensities per AU, and of all its AUs together under 0."""
    table = pd.read_csv(path, usecols=lambda name: name.strip().endswith("_r"))
    curves = {int(name.strip()[2:4]): table[name].quantile(QUANTILES).to_numpy() for name in table}
    curves[0] = np.mean(list(curves.values()), axis=0)
    return curves


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("--network", "--ckplus", "--codes", "--openface", "--fer2013"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--population", type=int, default=6000, help="FER2013 Training faces for the scale")
    parser.add_argument("--ridge", type=float, default=2.0)
    args = parser.parse_args()
    target = args.network / "embedded.json"
    empty = {"format": "feat-pipeline embedded", "version": "1", "blendshapes": BLENDSHAPES, "aus": {}}
    if not target.exists():
        target.write_text(json.dumps(empty))
    extractor = EmbeddedExtractor(args.network)

    fer = pd.read_csv(args.fer2013, usecols=["pixels", "Usage"])
    texts = fer.pixels[fer.Usage == "Training"].sample(args.population, random_state=0)
    population = crops_evidence(extractor, [np.array(t.split(), np.uint8).reshape(48, 48) for t in texts])
    evidence, codes = read_ckplus(args.ckplus, args.codes, extractor)
    mean, sd = population.mean(), population.std().clip(lower=1e-9)
    subject, peak = codes.subject.to_numpy(), codes.peak.to_numpy()
    weight = 1 / codes.groupby("sequence").frame.transform("size").to_numpy()

    curves, formulas, rows = openface_curves(args.openface), {}, []
    for number, spec in CANDIDATES.items():
        names, signs, prior = parse(spec)
        signed = signs * (evidence[names] - mean[names]) / sd[names]
        x, y = (
            signed.clip(-4, 4).to_numpy(),
            codes.get(f"AU{number}", pd.Series(np.nan, codes.index)).to_numpy(),
        )
        coded = int(np.nansum(y[peak]))
        row = {"au": number, "coded": coded}
        w = prior
        if coded >= FEWEST_CODED:
            w = choose(x, y, weight, prior, args.ridge)
            plain = x @ prior
            row["auc_plain"] = round(roc_auc_score(y[peak], plain[peak]), 3)
            row["auc"] = round(cross_validated(x, y, peak, weight, subject, prior, args.ridge), 3)
            row["auc_interval"] = bootstrap_interval(y[peak], (x @ w)[peak], subject[peak])
        w = w / w.sum()
        used = [i for i in range(len(names)) if w[i] > 0]
        terms = {
            names[i]: [float(mean[names[i]]), float(sd[names[i]]), round(float(w[i] * signs[i]), 4)]
            for i in used
        }
        of_population = sum(c * (population[n] - m) / s for n, (m, s, c) in terms.items())
        scores, intensities = calibration(
            of_population.to_numpy(), curves.get(ANCHOR.get(number, number), curves[0])
        )
        auc = row.get("auc")
        validity = judged(auc, row.get("auc_interval"), coded)
        formulas[f"AU{number:02d}_r"] = {"terms": terms, "scores": scores, "intensities": intensities,
                                         "auc": auc, "coded": coded, "validity": validity}  # fmt: skip
        rows.append(
            row | {"validity": validity, "formula": " ".join(f"{c[2]:+.2f} {n}" for n, c in terms.items())}
        )
    for number, name in HEAD.items():
        angle = {"terms": {f"h_{name}": [0.0, 1.0, 1.0]}, "scores": [0, 30], "intensities": [0, 5]}
        formulas[f"AU{number}_r"] = angle | {"auc": None, "coded": 0, "validity": "unknown"}
        rows.append({"au": number, "coded": 0, "validity": "unknown", "formula": f"h_{name} / 6 degrees"})
    formulas = dict(sorted(formulas.items()))
    table = pd.DataFrame(rows)
    print(table.to_string())
    nineteen = table[table.au.isin([1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 16, 17, 20, 23, 24, 25, 26, 27])]
    print(
        "mean AUC", nineteen.auc.mean(), "plain", nineteen.auc_plain.mean(), "AUs", nineteen.auc.notna().sum()
    )
    made = json.dumps(formulas).encode() + (args.network / "network.onnx").read_bytes()
    shipped = empty | {"version": f"1.{hashlib.sha256(made).hexdigest()[:8]}", "aus": formulas}
    target.with_suffix(".tmp").write_text(json.dumps(shipped, indent=1))
    target.with_suffix(".tmp").replace(target)
    table.to_csv(args.network / "validity.csv", index=False)


if __name__ == "__main__":
    main()
