"""Several classifiers on the same faces: how good each is, and whether they really differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from analysis.aumatrix import checked_labels
from analysis.compare.metrics import BINS, METRICS, Totals, interval, observed, recall, scores, totals
from analysis.compare.paired import paired_tests
from analysis.compare.probabilities import Predictions, read_predictions
from analysis.errors import FitError
from analysis.files import JsonObject
from analysis.people import person_codes, person_draws
from analysis.prediction_columns import FACE, PICTURE
from analysis.results import load_result, save_result
from analysis.text import merged_labels

if TYPE_CHECKING:
    import pandas as pd

KIND = "comparison"
_ROC_POINTS = 200


@dataclass(frozen=True)
class Comparison:
    """How several classifiers did on the same faces.

    Attributes
    ----------
    facts : dict
        `models`, `classes`, `n`, `n_groups`, `grouped`, `level`, `draws`, `seed`, `notes`.
    tables : dict of str to DataFrame
        `scores` [model, metric, value, low, high]; see `analysis.compare.metrics.scores`.
        `per_class` [model, emotion, n, precision, recall, recall_low, recall_high, f1, auc].
        `confusion` [model, actual, predicted, n, share], `share` of the actual class.
        `calibration` [model, bin, predicted, observed, low, high, n]: in each bin of the answer's
        probability its mean and the share that is right; empty bins are left out.
        `roc` [model, emotion, fpr, tpr], each emotion against all others.
        `pairs` [model_a, model_b, difference, low, high, only_a_right, only_b_right, p, p_holm] and,
        where there are groups, [p_people, p_people_holm]: the difference in accuracy.
        `disagreements` [input, frame, face, label, picture, <model>, confidence_<model>, divergence]:
        the faces that the models answer differently, the strongest disagreement first.
        `prototypes`, where models were given: see `analysis.compare.prototypes.against_prototypes`.
    """

    facts: JsonObject
    tables: dict[str, pd.DataFrame]

    @property
    def scores(self) -> pd.DataFrame:
        """Scores of each model with their intervals."""
        return self.tables["scores"]

    @property
    def pairs(self) -> pd.DataFrame:
        """Each two models, their difference in accuracy and its tests."""
        return self.tables["pairs"]

    @property
    def disagreements(self) -> pd.DataFrame:
        """The faces that the models answer differently."""
        return self.tables["disagreements"]

    def save(self, folder: str | Path) -> Path:
        """Write `comparison.json` into a folder; OSError where it cannot be written."""
        return save_result(folder, KIND, self.facts, self.tables)

    @classmethod
    def load(cls, folder: str | Path) -> Comparison:
        """Read what `save` wrote; AnalysisError where there is no such result."""
        return cls(*load_result(folder, KIND))


def compare(
    predictions: Mapping[str, Predictions | pd.DataFrame],
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
    models: Mapping[str, Any] | None = None,
) -> Comparison:
    """Compare classifiers on the same labelled faces.

    Parameters
    ----------
    predictions : mapping of str to DataFrame or Predictions
        By the model's name, n rows each, in the same order; see `read_predictions`. The columns
        `input`, `frame`, `face` and `picture` name the faces where they are there.
    y : (n,) array-like of str
        Labels; aliases such as 'happiness' are made canonical.
    groups : (n,) array-like, optional
        The person on each face. Faces of one person are alike, so without them intervals are too
        narrow where persons come more than once.
    level : float
        Of the intervals.
    draws : int
        Bootstrap draws of persons, or of faces without `groups`; the same ones for every model, so
        that differences are paired.
    seed : int
        Of the draws.
    models : mapping of str to MultinomialLogit, optional
        Regressions whose coefficients are held against theory.

    Returns
    -------
    Comparison

    Raises
    ------
    FitError
        For predictions that are no probabilities or of other faces, a label that no model knows,
        other lengths, or fewer than two classes in common.

    Notes
    -----
    Where models know different classes, only the common ones count: faces of other classes are left
    out, and each model's probabilities are scaled to the common classes. `facts["notes"]` says so.

    An interval is NaN where the draws do not vary: a share of 0 or 1 has no bootstrap interval. That
    of `ece` is reflected about the value, since chance alone makes this error larger, in the faces
    and again in each draw; for a model that is calibrated all but perfectly it still lies too high.

    `p` is McNemar's exact test, which takes faces as independent. `p_people` turns the answers of
    whole persons round instead (exact, by enumeration); with one face of each person it is McNemar's.
    """
    given = {str(name): read_predictions(answers, str(name)) for name, answers in predictions.items()}
    if not given:
        raise FitError("predictions: expected at least one model, got none")
    n = len(next(iter(given.values())).probabilities)
    spellings = [name for one in given.values() for name in one.classes.tolist()]
    given = {name: one.spelled(spellings) for name, one in given.items()}
    labels = merged_labels(checked_labels(y, n).tolist(), spellings)[0]
    persons = None if groups is None else person_codes(groups, n)
    faces = _faces(predictions, n)
    common, kept, notes = _common(given, labels)
    answers = {name: one.rows(kept).only(common) for name, one in given.items()}
    labels, faces = labels[kept], faces[kept].reset_index(drop=True)
    persons = None if persons is None else persons[kept]
    codes = np.searchsorted(common, labels)
    once = {name: totals(one.probabilities, codes, [np.ones(len(codes))]) for name, one in answers.items()}
    drawn = {
        name: totals(one.probabilities, codes, person_draws(persons, len(codes), draws, seed))
        for name, one in answers.items()
    }
    facts = {
        **{"models": list(answers), "classes": common.tolist(), "n": len(codes)},
        "n_groups": len(codes) if persons is None else len(np.unique(persons)),
        **{"grouped": persons is not None, "level": level, "draws": draws, "seed": seed, "notes": notes},
    }
    tables = {
        "scores": _scores(once, drawn, level),
        "per_class": _per_class(answers, labels, drawn, level),
        "confusion": _confusion(once, common),
        "calibration": _calibration(once, drawn, level),
        "roc": _roc(answers, labels),
        "pairs": _pairs(answers, labels, persons, drawn, level),
        "disagreements": _disagreements(answers, labels, faces),
    }
    if models:
        tables["prototypes"] = _prototypes(models)
    return Comparison(facts, tables)


def _faces(predictions: Mapping[str, Any], n: int) -> pd.DataFrame:
    """Gather the columns that name the faces, and check that all models speak of the same ones."""
    import pandas as pd

    first: dict[str, tuple[str, np.ndarray]] = {}
    for name, answers in predictions.items():
        length = len(getattr(answers, "probabilities", answers))
        if length != n:
            raise FitError(f"predictions: {name} has {length} rows, {next(iter(predictions))} has {n}")
        for column in (*FACE, PICTURE):
            if column not in getattr(answers, "columns", ()):
                continue
            values = answers[column].to_numpy()
            other, expected = first.setdefault(column, (str(name), values))
            if column in FACE and (values.astype(str) != expected.astype(str)).any():
                raise FitError(
                    f"predictions: {other} and {name} have other faces ({column}); align their rows"
                )
    columns = {column: values for column, (_, values) in first.items()}
    return pd.DataFrame({"input": np.arange(n), "frame": 0, "face": 0} | columns)


def _common(given: Mapping[str, Predictions], labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Find the classes that all models know, and the faces labelled with one of them."""
    known = sorted({str(c) for one in given.values() for c in one.classes})
    unknown = sorted(set(labels.tolist()) - set(known))
    if unknown:
        raise FitError(
            f"labels: no model knows {', '.join(unknown)} ({np.isin(labels, unknown).sum()} faces); "
            f"they know {', '.join(known)}: leave those faces out, or write their labels so"
        )
    common = np.array([c for c in known if all(c in one.classes for one in given.values())])
    kept = np.isin(labels, common)
    if len(common) < 2 or not kept.any():
        raise FitError(
            f"predictions: the models share {len(common)} classes ({', '.join(common) or 'none'}), which "
            f"{kept.sum()} faces have; expected two or more classes and some faces"
        )
    notes = []
    if len(common) < len(known):
        missing = ", ".join(c for c in known if c not in common)
        notes.append(
            f"not every model knows {missing}: {(~kept).sum()} faces so labelled are left out, "
            "and all probabilities are scaled to the other classes"
        )
    return common, kept, notes


def _scores(once: Mapping[str, Totals], drawn: Mapping[str, Totals], level: float) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for name in once:
        values, spread = scores(once[name]), scores(drawn[name])
        for metric in METRICS:
            value = float(values[metric][0])
            low, high = (float(side) for side in interval(spread[metric], level))
            if metric == "ece":
                low, high = max(2 * value - high, 0.0), 2 * value - low
            rows.append((name, metric, value, low, high))
    return pd.DataFrame(rows, columns=["model", "metric", "value", "low", "high"])


def _per_class(
    answers: Mapping[str, Predictions], labels: np.ndarray, drawn: Mapping[str, Totals], level: float
) -> pd.DataFrame:
    import pandas as pd
    from sklearn.metrics import precision_recall_fscore_support, roc_auc_score

    tables = []
    for name, one in answers.items():
        precision, recalled, f1, n = precision_recall_fscore_support(
            labels, one.answers, labels=one.classes, zero_division=np.nan
        )
        low, high = interval(recall(drawn[name].confusion), level)
        auc = [
            roc_auc_score(labels == c, p) if 0 < (labels == c).sum() < len(labels) else np.nan
            for c, p in zip(one.classes, one.probabilities.T, strict=True)
        ]
        columns = {"model": name, "emotion": one.classes, "n": n, "precision": precision}
        columns |= {"recall": recalled, "recall_low": low, "recall_high": high, "f1": f1, "auc": auc}
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def _confusion(once: Mapping[str, Totals], classes: np.ndarray) -> pd.DataFrame:
    import pandas as pd

    tables = []
    for name, sums in once.items():
        counts = sums.confusion[0]
        actual = counts.sum(axis=1, keepdims=True)
        share = np.divide(counts, actual, out=np.full_like(counts, np.nan), where=actual > 0)
        columns = {"model": name, "actual": np.repeat(classes, len(classes))}
        columns |= {"predicted": np.tile(classes, len(classes)), "n": counts.ravel().astype(int)}
        tables.append(pd.DataFrame(columns | {"share": share.ravel()}))
    return pd.concat(tables, ignore_index=True)


def _calibration(once: Mapping[str, Totals], drawn: Mapping[str, Totals], level: float) -> pd.DataFrame:
    import pandas as pd

    tables = []
    for name, sums in once.items():
        n = sums.bin_weight[0]
        full = n > 0
        low, high = interval(observed(drawn[name]), level)
        columns = {"model": name, "bin": np.arange(1, BINS + 1)[full]}
        columns |= {"predicted": sums.bin_confidence[0, full] / n[full], "observed": observed(sums)[0, full]}
        columns |= {"low": low[full], "high": high[full], "n": n[full].astype(int)}
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def _roc(answers: Mapping[str, Predictions], labels: np.ndarray) -> pd.DataFrame:
    import pandas as pd
    from sklearn.metrics import roc_curve

    tables = []
    for name, one in answers.items():
        for k, emotion in enumerate(one.classes):
            if not 0 < (labels == emotion).sum() < len(labels):
                continue
            fpr, tpr, _ = roc_curve(labels == emotion, one.probabilities[:, k])
            way = fpr + tpr  # a few hundred points, evenly along the curve, draw it as well as all do
            few = np.unique(np.searchsorted(way, np.linspace(0, 2, _ROC_POINTS)).clip(0, len(way) - 1))
            columns = {"model": name, "emotion": emotion, "fpr": fpr[few], "tpr": tpr[few]}
            tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def _pairs(
    answers: Mapping[str, Predictions],
    labels: np.ndarray,
    persons: np.ndarray | None,
    drawn: Mapping[str, Totals],
    level: float,
) -> pd.DataFrame:
    right = {name: one.answers == labels for name, one in answers.items()}
    table = paired_tests(right, persons)
    accuracy = {name: scores(sums)["accuracy"] for name, sums in drawn.items()}
    both = zip(table["model_a"], table["model_b"], strict=True)
    sides = [interval(accuracy[a] - accuracy[b], level) for a, b in both]
    table.insert(3, "low", [float(low) for low, _ in sides])
    table.insert(4, "high", [float(high) for _, high in sides])
    return table


def _disagreements(
    answers: Mapping[str, Predictions], labels: np.ndarray, faces: pd.DataFrame
) -> pd.DataFrame:
    """List the faces whose answers differ, by the Jensen-Shannon divergence of the probabilities."""
    table = faces.assign(label=labels)
    for name, one in answers.items():
        table[name] = one.answers
        table[f"confidence_{name}"] = one.probabilities.max(axis=1)
    table["divergence"] = divergence(np.stack([one.probabilities for one in answers.values()]))
    said = np.stack([one.answers for one in answers.values()])
    differ = (said != said[0]).any(axis=0)
    return table[differ].sort_values("divergence", ascending=False, kind="stable", ignore_index=True)


def divergence(probabilities: np.ndarray) -> np.ndarray:
    """Measure how far M classifiers are apart on each face.

    Parameters
    ----------
    probabilities : (M, n, K) float64 ndarray

    Returns
    -------
    (n,) float64 ndarray
        The Jensen-Shannon divergence in nats, 0 to log M: the mean of each one's KL divergence from
        their mean (Lin 1991, IEEE Trans. Inf. Theory 37:145).
    """
    from scipy.special import rel_entr

    return np.asarray(rel_entr(probabilities, probabilities.mean(axis=0)).sum(axis=2).mean(axis=0))


def _prototypes(models: Mapping[str, Any]) -> pd.DataFrame:
    import pandas as pd

    from analysis.compare.prototypes import against_prototypes

    tables: Iterator[pd.DataFrame] = (
        against_prototypes(model).assign(model=name) for name, model in models.items()
    )
    table = pd.concat(tables, ignore_index=True)
    return table[["model", *table.columns.drop("model")]]
