"""Judge a generator of faces by numbers: how real, how varied, how true to its emotions, how much copied.

    python tools/judge_gan.py --fer2013 DATA/fer2013.csv.xz --work WORK --out OUT [--generator DIR]

As many made faces as PublicTest has, of the same emotions, are held against FER2013's Training part, beside
real faces in every respect:

- FID (all and by emotion) and KID in the space of what cnn-fer2013 pools before its last layer. Floors: a
  random part of Training of the same size against the rest of Training, and PublicTest against Training.
- Acceptance: 1,000 crops are laid on a mid-grey margin (`on_margin`) and given to the detector mtcnn:
  accepted is a face whose box overlaps the crop's place by an IoU of .4 or more. The landmark network
  embedded is given every crop as it is: accepted is a face whose 68 landmarks, measured in the crop and in
  its mirror image, agree to 8 % of the distance between the outer corners of the eyes on average.
- Agreement of the answers of cnn-fer2013 and logit-embedded with the emotion asked for.
- Memorising: distance to the nearest Training face, in pixels (light and contrast taken out, its mirror
  image counts too) and in features; beside it those of PublicTest, with and without near copies of
  Training faces.
- Mean AU intensities by emotion (backend embedded), made against real.

OUT takes ``judged.json``, ``judged.md``, ``aus.csv``, ``grid.png``, ``nearest.png`` and ``aus.png``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from fer2013_protocol import accuracy, near_copied

from analysis.autable import AUTable
from analysis.facs import EMOTIONS, plain_name
from analysis.files import atomic_path
from analysis.plots.theme import GREY, new_figure, style_of
from feat_pipeline.datasets.faces import LabelledFaces
from feat_pipeline.datasets.fer2013 import read_fer2013
from feat_pipeline.detect import make_detector
from feat_pipeline.extract.arrays import crop_table
from feat_pipeline.faces.align import MIRROR_68
from feat_pipeline.generator.model import SHIPPED, FaceGenerator, face_grid
from feat_pipeline.generator.quality import (
    frechet_distance,
    kernel_distance,
    nearest,
    network_features,
    pixel_vectors,
)
from feat_pipeline.models import load_model

SEED = 7
ENLARGED, MARGIN = 192, 96  # px of a crop on its margin, as a detector is given it
LEAST_OVERLAP, MOST_APART = 0.4, 0.08
DETECTED = 1000  # faces that the detector, the slowest, is given
EACH = 10  # made faces of an emotion in the grid


def distances(
    made: np.ndarray, real: np.ndarray, learned: np.ndarray, labels: tuple[np.ndarray, ...]
) -> dict:
    """FID and KID of made faces, and the two floors, all and by emotion; features in, numbers out."""
    rng = np.random.default_rng(SEED)
    order = rng.permutation(len(learned))
    part, rest = order[: len(made)], order[len(made) :]
    made_labels, real_labels, learned_labels = labels
    pairs = {
        "made against Training": (made, learned),
        "Training against itself": (learned[part], learned[rest]),
        "PublicTest against Training": (real, learned),
    }
    found = {name: _distance(*pair) for name, pair in pairs.items()}
    for i, name in enumerate(EMOTIONS):
        of = learned[learned_labels == i]
        count = min(int((real_labels == i).sum()), len(of) // 2)
        some = rng.permutation(len(of))
        found[name] = {
            "n": count,
            "made": _fid(made[made_labels == i][:count], of[some[count:]]),
            "floor": _fid(of[some[:count]], of[some[count:]]),
            "PublicTest": _fid(real[real_labels == i][:count], of[some[count:]]),
        }
    return found


def _distance(first: np.ndarray, second: np.ndarray) -> dict:
    mean, sd = kernel_distance(first, second, subsets=50, seed=SEED)
    return {"n": [len(first), len(second)], "fid": _fid(first, second),
            "kid": round(mean, 5), "kid_sd": round(sd, 5)}  # fmt: skip


def _fid(first: np.ndarray, second: np.ndarray) -> float:
    return round(frechet_distance(first, second), 3)


def on_margin(face: np.ndarray) -> np.ndarray:
    """A crop enlarged and laid on mid grey, as RGB."""
    large = cv2.resize(face, (ENLARGED, ENLARGED), interpolation=cv2.INTER_CUBIC)
    framed = cv2.copyMakeBorder(large, *(MARGIN,) * 4, cv2.BORDER_CONSTANT, value=128)
    return cv2.cvtColor(framed, cv2.COLOR_GRAY2RGB)


def found_by_detector(faces: np.ndarray) -> np.ndarray:
    """Which faces the detector finds where the crop lies, bool, shape (n,)."""
    detector = make_detector("mtcnn")
    place = np.array([MARGIN, MARGIN, MARGIN + ENLARGED, MARGIN + ENLARGED], float)
    return np.array(
        [
            any(_overlap(np.asarray(found.box_xyxy, float), place) >= LEAST_OVERLAP for found in boxes)
            for boxes in (detector.detect(on_margin(face)) for face in faces)
        ]
    )


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    inside = np.prod(np.maximum(high - low, 0))
    return float(inside / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - inside))


def apart_in_the_mirror(table: AUTable, mirrored: AUTable, side: int) -> np.ndarray:
    """How far landmarks of a face and of its mirror image disagree, as a share of the eyes' distance."""
    points, other = (
        np.stack([t.frame[[f"{axis}_{i}" for i in range(68)]].to_numpy(float) for axis in "xy"], axis=-1)
        for t in (table, mirrored)
    )
    back = other[:, MIRROR_68] * [-1, 1] + [side, 0]
    eyes = np.linalg.norm(points[:, 36] - points[:, 45], axis=1)
    return np.linalg.norm(points - back, axis=2).mean(1) / np.maximum(eyes, 1e-9)


def answers_of(model, faces, labels: np.ndarray) -> tuple[dict, np.ndarray]:
    """How often a model names the emotion asked for, all and by emotion, and which it names."""
    named = np.asarray(model.classes_)[model.predict_proba(faces).argmax(1)]
    right = named == np.array(EMOTIONS)[labels]
    each = {name: round(100 * float(right[labels == i].mean()), 1) for i, name in enumerate(EMOTIONS)}
    return {**accuracy(right), "by emotion": each}, named


def memorised(distance: np.ndarray) -> dict:
    """Quantiles of the distance to the nearest learned face."""
    shares = {"smallest": 0, "1 %": 0.01, "10 %": 0.1, "median": 0.5}
    return {"n": len(distance)} | {
        label: round(float(np.quantile(distance, share)), 4) for label, share in shares.items()
    }


def draw_nearest(made: np.ndarray, learned: np.ndarray, found: dict, path: Path) -> None:
    """The made faces that lie nearest to learned ones, each over its nearest learned face."""
    with new_figure((9.6, 3.7), 2, 1) as (figure, axes):
        for axis, (space, (distance, rows)) in zip(axes, found.items(), strict=True):
            some = np.argsort(distance)[:14]
            turned = [learned[row] if row < len(learned) else learned[row - len(learned)][:, ::-1]
                      for row in rows[some]]  # fmt: skip
            picture = face_grid(np.concatenate([made[some], np.stack(turned)]), len(some))
            axis.imshow(picture, cmap="gray", vmin=0, vmax=255)
            axis.set_title(f"Nearest in {space}: made (above), Training's nearest (below)", fontsize=9)
            centres = 2 + 24 + 50 * np.arange(len(some))
            axis.set_xticks(centres, [f"{distance[i]:.2f}" for i in some])
            axis.set_yticks([])
            axis.tick_params(length=0)
            for side in axis.spines.values():
                side.set_visible(False)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=150)


def au_profiles(tables: dict[str, AUTable], labels: dict[str, np.ndarray]) -> pd.DataFrame:
    """Mean intensity of each AU by emotion for made and real faces, with the standard error."""
    rows = []
    for i, emotion in enumerate(EMOTIONS):
        for column in tables["made"].au_columns:
            row = {"emotion": emotion, "au": column}
            for name, table in tables.items():
                values = table.aus[column].to_numpy()[labels[name] == i]
                values = values[np.isfinite(values)]
                row |= {name: values.mean(), f"{name}_se": values.std(ddof=1) / np.sqrt(len(values)),
                        f"{name}_sd": values.std(ddof=1)}  # fmt: skip
            row["difference"] = row["made"] - row["real"]
            row["difference_in_sd"] = row["difference"] / max(row["real_sd"], 1e-9)
            rows.append(row)
    return pd.DataFrame(rows).round(4)


def draw_aus(profiles: pd.DataFrame, path: Path) -> None:
    """Profiles by emotion: the AUs that differ most between emotions, made against real."""
    of_face = profiles[profiles["au"].str[2:4].astype(int) < 50]  # the head's turns tell no emotion
    wide = of_face.pivot(index="au", columns="emotion", values="real")[list(EMOTIONS)]
    shown = wide.std(axis=1).sort_values(ascending=False).index[:12]
    shown = [name for name in wide.index if name in set(shown)]
    shown.sort(key=lambda name: int(name[2:].split("_")[0]))
    drawn = profiles[profiles["au"].isin(shown)]
    most = 1.05 * max((drawn[name] + 1.96 * drawn[f"{name}_se"]).max() for name in ("real", "made"))
    with new_figure((9.6, 4.6), 1, len(EMOTIONS), sharey=True, sharex=True) as (figure, axes):
        for axis, emotion in zip(axes, EMOTIONS, strict=True):
            rows = profiles[profiles["emotion"] == emotion].set_index("au").loc[shown]
            places = np.arange(len(shown))
            for k, name in enumerate(("real", "made")):
                style, value, se = style_of(k), rows[name], rows[f"{name}_se"]
                axis.errorbar(value, places + 0.16 * (2 * k - 1), xerr=1.96 * se, fmt=style.marker, ms=4,
                              color=style.colour, lw=1, label=f"{name} faces")  # fmt: skip
            axis.hlines(places, rows["real"], rows["made"], color=GREY, lw=0.6)
            axis.set(title=emotion, yticks=places, ylim=(len(shown) - 0.5, -0.5), xlim=(0, most))
            axis.set_yticklabels([f"{name.split('_')[0]} {plain_name(name)}" for name in shown])
            axis.grid(axis="x")
        axes[3].set_xlabel("Mean intensity (0–5), 95 % interval")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=150)


def as_markdown(result: dict) -> str:
    """What was found, as Markdown tables."""
    spread = result["distances"]
    lines = ["| faces | n | FID | KID x 1000 (sd) |", "|---|---|---|---|"]
    for name in list(spread)[:3]:
        one = spread[name]
        lines.append(
            f"| {name} | {one['n'][0]:,} / {one['n'][1]:,} | {one['fid']:.2f} | "
            f"{1000 * one['kid']:.2f} ({1000 * one['kid_sd']:.2f}) |"
        )
    lines += [
        "",
        "| emotion | n | FID made | FID floor (Training split) | FID PublicTest |",
        "|---|---|---|---|---|",
    ]
    for name in EMOTIONS:
        one = spread[name]
        fids = " | ".join(f"{one[key]:.2f}" for key in ("made", "floor", "PublicTest"))
        lines.append(f"| {name} | {one['n']} | {fids} |")
    lines += ["", "| accepted by | made | real (PublicTest) |", "|---|---|---|"]
    for name, one in result["accepted"].items():
        cells = [
            f"{one[k]['accuracy']} ± {one[k]['plus_minus']} % (n {one[k]['n']:,})" for k in ("made", "real")
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines += ["", "| named as asked for | faces | all | " + " | ".join(EMOTIONS) + " |",
              "|---|---|---|" + "---|" * len(EMOTIONS)]  # fmt: skip
    for model, both in result["agreement"].items():
        for name, one in both.items():
            each = " | ".join(f"{one['by emotion'][emotion]:.1f}" for emotion in EMOTIONS)
            lines.append(f"| {model} | {name} | {one['accuracy']} ± {one['plus_minus']} % | {each} |")
    lines += [
        "",
        "| nearest Training face | faces | n | smallest | 1 % | 10 % | median |",
        "|---|---|---|---|---|---|---|",
    ]
    for space, told in result["nearest"].items():
        for name, one in told.items():
            cells = " | ".join(f"{one[key]:.3f}" for key in ("smallest", "1 %", "10 %", "median"))
            lines.append(f"| {space} | {name} | {one['n']:,} | {cells} |")
    aus = result["aus"]
    told = (
        f"Mean AU profiles by emotion, made against real: r = {aus['r']:.3f} over {aus['n']} pairs of "
        f"emotion and AU, mean absolute difference {aus['mean_absolute_difference']:.3f} (of 5); of each "
        f"emotion's departure from the mean face r = {aus['r_of_departures']:.3f}."
    )
    lines += ["", told, ""]
    return "\n".join(lines)


def agreement_of(profiles: pd.DataFrame) -> dict:
    """How far mean AU intensities of made and real faces agree over emotions and AUs."""
    both = {name: profiles.pivot(index="au", columns="emotion", values=name) for name in ("made", "real")}
    apart = {name: (table.sub(table.mean(axis=1), axis=0)).to_numpy().ravel() for name, table in both.items()}
    gap = np.abs(profiles["difference"])
    return {"n": len(profiles), "r": round(float(np.corrcoef(profiles["made"], profiles["real"])[0, 1]), 4),
            "r_of_departures": round(float(np.corrcoef(apart["made"], apart["real"])[0, 1]), 4),
            "mean_absolute_difference": round(float(gap.mean()), 4)}  # fmt: skip


def judge_faces(made: np.ndarray, real: LabelledFaces, learned: LabelledFaces, out: Path) -> dict:
    """Everything that the tool tells, for made faces with the labels of the real ones."""
    labels = real.labels
    cnn, logit = load_model("cnn-fer2013"), load_model("logit-embedded")
    looked_at = {"made": made, "real": real.images}
    looks = {"mirror": False, "bf16": True}
    features = {name: network_features(cnn, faces, **looks) for name, faces in looked_at.items()}
    of_learned = network_features(cnn, learned.images, **looks)
    result: dict = {"distances": distances(
        features["made"], features["real"], of_learned, (labels, labels, learned.labels)
    )}  # fmt: skip
    print(json.dumps(result["distances"]["made against Training"]), flush=True)
    tables = {name: crop_table(faces) for name, faces in looked_at.items()}
    mirrored = {name: crop_table(faces[:, :, ::-1]) for name, faces in looked_at.items()}
    side = made.shape[1]
    steady = {name: apart_in_the_mirror(tables[name], mirrored[name], side) for name in looked_at}
    some = np.random.default_rng(SEED).permutation(len(made))[:DETECTED]
    result["accepted"] = {
        "detector (mtcnn)": {
            name: accuracy(found_by_detector(faces[some])) for name, faces in looked_at.items()
        },
        "landmark network (embedded)": {name: accuracy(gap <= MOST_APART) for name, gap in steady.items()},
    }
    result["landmarks apart in the mirror, median"] = {
        name: round(float(np.nanmedian(gap)), 4) for name, gap in steady.items()
    }
    print(json.dumps(result["accepted"]), flush=True)
    result["agreement"] = {
        "cnn-fer2013": {name: answers_of(cnn, faces, labels)[0] for name, faces in looked_at.items()},
        "logit-embedded": {name: answers_of(logit, table, labels)[0] for name, table in tables.items()},
    }
    plain = ~near_copied(real, learned)
    both = np.concatenate([learned.images, learned.images[:, :, ::-1]])
    spaces = {
        "pixels": (pixel_vectors(made), pixel_vectors(real.images), pixel_vectors(both)),
        "features": (features["made"], features["real"], of_learned),
    }
    result["nearest"], pairs = {}, {}
    for space, (of_made, of_real, known) in spaces.items():
        pairs[space] = nearest(of_made, known)
        beside = nearest(of_real, known)[0]
        near = (pairs[space][0] < np.quantile(beside[plain], 0.01)).mean()
        result["nearest"][space] = {
            "made": memorised(pairs[space][0]) | {"nearer than 1 % of real ones": round(float(near), 4)},
            "PublicTest without near copies": memorised(beside[plain]),
            "PublicTest": memorised(beside),
        }
    draw_nearest(made, learned.images, pairs, out / "nearest.png")
    profiles = au_profiles(tables, {"made": labels, "real": labels})
    profiles.to_csv(out / "aus.csv", index=False)
    draw_aus(profiles, out / "aus.png")
    result["aus"] = agreement_of(profiles)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fer2013", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="keeps what was read of FER2013")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--generator", type=Path, default=Path(SHIPPED))
    parser.add_argument("--limit", type=int, help="take so many faces only, to try the script")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    faces = read_fer2013(args.fer2013, cache=args.work)
    learned, real = faces.part("Training"), faces.part("PublicTest")
    if args.limit:
        rng = np.random.default_rng(SEED)
        real = real.select(rng.permutation(len(real))[: args.limit])
        learned = learned.select(rng.permutation(len(learned))[: 5 * args.limit])
    generator = FaceGenerator.load(args.generator)
    made = generator.generate(real.emotions.tolist(), seed=SEED)
    shown = np.concatenate([generator.generate(name, EACH, seed=1) for name in EMOTIONS])
    grid = face_grid(shown, EACH)
    with atomic_path(args.out / "grid.png") as temporary:
        cv2.imwrite(str(temporary), grid)
    result = judge_faces(made, real, learned, args.out)
    (args.out / "judged.json").write_text(json.dumps(result, indent=1) + "\n")
    (args.out / "judged.md").write_text(as_markdown(result))
    print(as_markdown(result))


if __name__ == "__main__":
    main()
