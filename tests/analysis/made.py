"""Results made by hand in the formats of `analysis.inference`, `compare` and `surrogate`."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from analysis.facs import AUS, BACKEND_AUS, EMOTIONS

LONG = ["contemptuous disbelief", "joyful anticipation", "neutral"]
MODELS = ["logit-embedded", "cnn", "an ensemble of five networks", "texture", "svm", "logit (soft labels)"]


def columns(count=17, scale="r"):
    numbers = [*BACKEND_AUS["openface"][:17], *(n for n in AUS if n not in BACKEND_AUS["openface"])]
    return [f"AU{number:02d}_{scale}" for number in sorted(numbers[:count])]


def result(facts, tables):
    return SimpleNamespace(facts=facts, tables=tables)


def _intervals(names, emotions, rng, size, *, z=True):
    rows = pd.DataFrame(
        [(e, au, au) for e in emotions for au in names], columns=["emotion", "au", "term"]
    ).assign(coef=rng.normal(0, size, len(emotions) * len(names)))
    rows["se"] = rng.uniform(0.1, 0.5, len(rows)) * size
    if z:
        rows["z"] = rows["coef"] / rows["se"]
        rows["p"] = 2 ** -np.abs(rows["z"] * 1.5)
        rows["p_holm"] = np.minimum(1, rows["p"] * len(rows))
        rows["p_bh"] = np.minimum(1, rows["p"] * 2)
    rows["low"], rows["high"] = rows["coef"] - 1.96 * rows["se"], rows["coef"] + 1.96 * rows["se"]
    return rows


def inference(count=17, emotions=EMOTIONS, valid=True, scale="r", seed=0):
    """An `Inference` of `count` AUs; where it is not valid, the result of a ridge without p-values."""
    rng = np.random.default_rng(seed)
    names = columns(count, scale)
    reference = "neutral" if "neutral" in emotions else emotions[0]
    others = [name for name in emotions if name != reference]
    coefficients = _intervals(names, emotions, rng, 0.6, z=valid)
    odds = _intervals(names, others, rng, 0.8, z=valid)
    odds.insert(1, "versus", reference)
    for suffix, factor in (("", 1.0), ("_sd", 0.7)):
        odds[f"odds_ratio{suffix}"] = np.exp(factor * odds["coef"])
        odds[f"odds_ratio{suffix}_low"] = np.exp(factor * odds["low"])
        odds[f"odds_ratio{suffix}_high"] = np.exp(factor * odds["high"])
    effects = _intervals(names, emotions, rng, 0.05, z=valid).rename(columns={"coef": "effect"})
    effects = effects.drop(columns=["term", *(c for c in ("p_holm", "p_bh") if valid)])
    r = np.clip(rng.normal(0, 0.3, (len(names), len(names))), -0.95, 0.95)
    r = np.tril(r, -1) + np.tril(r, -1).T + np.eye(len(names))
    vif = 1 / (1 - np.abs(r - np.eye(len(names))).max(axis=1) ** 2)
    collinearity = pd.DataFrame({"au": names, "mean": rng.uniform(0, 2, len(names)), "sd": 0.8, "vif": vif})
    collinearity["partner"] = [names[j] for j in np.abs(r - np.eye(len(names))).argmax(axis=1)]
    collinearity["r"] = [r[i, names.index(p)] for i, p in enumerate(collinearity["partner"])]
    checks = pd.DataFrame(
        [
            ("optimiser converged", 3e-9, 1e-6, True, "the largest gradient is small enough"),
            ("separation", 0.0, 0.0, valid, "no combination of AUs tells an emotion apart without error"),
            ("rank", float(count), float(count), True, "no AU is a combination of the others"),
            ("condition number", 214.5, 1e8, True, "the numbers are not blown up by rounding"),
        ],
        columns=["check", "value", "limit", "passed", "meaning"],
    )
    tables = {
        "coefficients": coefficients,
        "log_odds": odds,
        "marginal_effects": effects,
        "collinearity": collinearity,
        "correlations": pd.DataFrame(r, columns=names).assign(au=names)[["au", *names]],
        "checks": checks,
    }
    facts = {
        "valid": valid,
        "method": "maximum likelihood" if valid else "ridge, bootstrap over people",
        "why": [] if valid else ["AU12_r separates happy from the rest <completely>"],
        "errors": "cluster",
        "n": 4473,
        "n_groups": 120,
        "classes": list(emotions),
        "reference": reference,
        "level": 0.95,
        "alpha": 0.0 if valid else 1.0,
        "terms": "linear",
        "log_likelihood": -3301.25,
        "null_log_likelihood": -7901.5,
        "mcfadden": 0.582,
        "mcfadden_adjusted": 0.57,
        "cox_snell": 0.79,
        "nagelkerke": 0.82,
        "aic": 6782.5,
        "bic": 7360.1,
        "converged": True,
        "condition": 214.5,
        "draws": 200,
        "seed": 0,
        "notes": ["left out AUs that never vary: AU28_r"],
    }
    if valid:
        facts |= {"lr_statistic": 9200.5, "lr_df": 90, "lr_p": 0.0}
        joint = pd.DataFrame({"au": names, "statistic": rng.uniform(5, 400, len(names)), "df": len(others)})
        joint["p"] = 10.0 ** -rng.uniform(0, 12, len(names))
        joint["p_holm"], joint["p_bh"] = np.minimum(1, joint["p"] * len(names)), joint["p"]
        tables["joint"] = joint
    return result(facts, tables)


def comparison(models=MODELS[:2], emotions=EMOTIONS, seed=0, pictures=False):
    """A `Comparison` of models on 600 faces of 80 people."""
    rng = np.random.default_rng(seed)
    n = 600
    actual = rng.integers(len(emotions), size=n)
    p = {}
    for place, model in enumerate(models):
        scores = rng.normal(0, 1, (n, len(emotions)))
        scores[np.arange(n), actual] += 2.5 - 0.3 * place
        p[model] = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    tables = {
        "scores": _scores(models, rng),
        "per_class": pd.DataFrame(columns=[]),
        "confusion": _confusion(p, actual, emotions),
        "calibration": _calibration(p, actual),
        "roc": _roc(p, actual, emotions),
        "disagreements": _disagreements(p, actual, emotions, pictures),
    }
    tables["per_class"] = _per_class(tables["confusion"], rng)
    if len(models) > 1:
        pairs = [(a, b) for i, a in enumerate(models) for b in models[i + 1 :]]
        tables["pairs"] = pd.DataFrame(pairs, columns=["model_a", "model_b"]).assign(
            difference=0.051, low=0.02, high=0.08, only_a_right=70, only_b_right=39, p=0.004, p_holm=0.012
        )
    facts = {"models": list(models), "classes": list(emotions), "n": n, "n_groups": 80, "grouped": True}
    facts |= {"level": 0.95, "draws": 1000, "seed": 0, "notes": ["12 faces left out: not in cnn.csv"]}
    return result(facts, tables)


def _scores(models, rng):
    rows = []
    for model in models:
        for metric, value in zip(
            ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "brier", "ece"),
            (0.72, 0.68, 0.67, 0.88, 0.41, 0.05),
            strict=True,
        ):
            value = value * rng.uniform(0.85, 1.1)
            rows.append((model, metric, value, value * 0.93, value * 1.06))
    return pd.DataFrame(rows, columns=["model", "metric", "value", "low", "high"])


def _confusion(p, actual, emotions):
    rows = []
    for model, chances in p.items():
        for i, name in enumerate(emotions):
            said = chances[actual == i].argmax(axis=1)
            for j, other in enumerate(emotions):
                count = int((said == j).sum())
                rows.append((model, name, other, count, count / max(1, len(said))))
    return pd.DataFrame(rows, columns=["model", "actual", "predicted", "n", "share"])


def _per_class(confusion, rng):
    own = confusion[confusion["actual"] == confusion["predicted"]]
    whole = confusion.groupby(["model", "actual"], sort=False)["n"].sum().reset_index()
    table = whole.rename(columns={"actual": "emotion"}).assign(recall=own["share"].to_numpy())
    table["recall_low"] = np.maximum(0, table["recall"] - 0.09)
    table["recall_high"] = np.minimum(1, table["recall"] + 0.08)
    return table.assign(precision=0.66, f1=0.68, auc=rng.uniform(0.8, 0.99, len(table)))


def _calibration(p, actual):
    rows = []
    for model, chances in p.items():
        top, right = chances.max(axis=1), chances.argmax(axis=1) == actual
        for number, edge in enumerate(np.arange(0, 1, 0.1)):
            held = (top >= edge) & (top < edge + 0.1)
            if held.any():
                mean = right[held].mean()
                rows.append((model, number, top[held].mean(), mean, mean - 0.08, mean + 0.07, held.sum()))
    table = pd.DataFrame(rows, columns=["model", "bin", "predicted", "observed", "low", "high", "n"])
    return table.assign(low=table["low"].clip(0, 1), high=table["high"].clip(0, 1))


def _roc(p, actual, emotions):
    rows = []
    for model, chances in p.items():
        for k, name in enumerate(emotions):
            order = np.argsort(-chances[:, k])
            hit = (actual == k)[order]
            tpr, fpr = np.cumsum(hit) / max(1, hit.sum()), np.cumsum(~hit) / max(1, (~hit).sum())
            rows += [(model, name, a, b) for a, b in zip(np.r_[0, fpr], np.r_[0, tpr], strict=True)]
    return pd.DataFrame(rows, columns=["model", "emotion", "fpr", "tpr"])


def _disagreements(p, actual, emotions, pictures):
    names = {model: np.asarray(emotions, dtype=object)[c.argmax(axis=1)] for model, c in p.items()}
    table = pd.DataFrame({"input": [f"photos/<b>{i:04d}</b>.jpg" for i in range(len(actual))], "frame": 0})
    table = table.assign(face=0, label=np.asarray(emotions, dtype=object)[actual])
    if pictures:
        table["picture"] = [f"faces/{i:06d}.jpg" for i in range(len(actual))]
    for model in p:
        table[model], table[f"confidence_{model}"] = names[model], p[model].max(axis=1)
    split = table[list(p)].nunique(axis=1) > 1
    return table[split].head(40).reset_index(drop=True)


def surrogate(count=17, emotions=EMOTIONS, usable=True, seed=0):
    """A `Surrogate` of a CNN."""
    rng = np.random.default_rng(seed)
    who = ["surrogate", "majority", "logit on true labels", "flexible AU model"]
    values = {"agreement": (0.67, 0.25, 0.66, 0.71), "kappa": (0.6, 0.0, 0.58, 0.64)}
    values |= {"kl_r2": (0.55, 0.0, 0.31, 0.62), "logit_r2": (0.58, -0.02, 0.06, 0.66)}
    rows = [
        (w, m, v, v - 0.03, v + 0.03) for m, found in values.items() for w, v in zip(who, found, strict=True)
    ]
    stability = _intervals(columns(count), emotions, rng, 0.6, z=False).drop(columns="se")
    stability["sign_consistency"] = np.where(stability["low"] * stability["high"] > 0, 0.99, 0.7)
    per_class = pd.DataFrame(
        {"emotion": list(emotions), "n": 80, "agreement": 0.7, "kappa": 0.6, "r2": 0.5, "accounted": True}
    )
    per_class.loc[1, ["agreement", "r2", "accounted"]] = [0.2, 0.04, False]
    faces = pd.DataFrame({"input": [f"{i}.jpg" for i in range(60)], "frame": 0, "face": 0})
    faces["answer"], faces["surrogate"] = emotions[0], emotions[1]
    faces["kl"], faces["distance"] = rng.gamma(1, 0.2, 60), rng.gamma(2, 0.5, 60)
    faces["held_out"] = np.arange(60) % 2 == 0
    tables = {
        "fidelity": pd.DataFrame(rows, columns=["who", "metric", "value", "low", "high"]),
        "per_class": per_class,
        "stability": stability,
        "faces": faces,
    }
    verdict = "use it: it answers as the CNN does on most held-out faces" if usable else "do not use it"
    facts = {"explains": "cnn <7>", "classes": list(emotions), "n_train": 3000, "n_test": 900, "n_groups": 80}
    facts |= {
        "usable": usable,
        "verdict": verdict,
        "minimum": {"logit_r2": 0.5, "kappa": 0.4},
        "draws": 200,
        "seed": 0,
        "level": 0.95,
    }
    facts |= {"rank_correlation": 0.96, "grouped": True, "notes": []}
    return result(facts, tables)
