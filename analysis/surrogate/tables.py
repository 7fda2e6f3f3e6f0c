"""What a surrogate is measured on and against: the faces, its references, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from analysis.aumatrix import AURows, checked_labels, is_measured, named_matrix
from analysis.compare.metrics import interval
from analysis.compare.probabilities import Predictions, read_predictions
from analysis.errors import FitError
from analysis.likelihood.maximum import softmax
from analysis.logit import MultinomialLogit
from analysis.people import person_codes, person_draws
from analysis.prediction_columns import FACE
from analysis.splits import holdout
from analysis.surrogate.fidelity import FIDELITY, centred_logits, divergences, fidelity
from analysis.text import merged_labels

if TYPE_CHECKING:
    import pandas as pd

HELD_OUT = 0.25
SURROGATE, MAJORITY = "surrogate", "majority"
TRUE_LABELS, CEILING = "logit on true labels", "flexible AU model"


@dataclass(frozen=True)
class Faces:
    """Faces with every AU, what a classifier answered for them, and perhaps who they are.

    Attributes
    ----------
    aus : DataFrame
        (n, p) AU values.
    given : Predictions
        The classifier's answers.
    names : DataFrame
        Columns `input`, `frame`, `face`.
    persons : (n,) intp ndarray, or None
    y : (n,) ndarray of str, or None
        True labels.
    backend : str
        What measured the AUs.
    total : int
        Number of faces that were given, those with an AU missing too.
    notes : list of str
        What was left out.
    """

    aus: pd.DataFrame
    given: Predictions
    names: pd.DataFrame
    persons: np.ndarray | None
    y: np.ndarray | None
    backend: str
    total: int
    notes: list[str] = field(default_factory=list)

    @property
    def people(self) -> int:
        """Number of persons; of faces, where nothing says who they are."""
        return len(self.aus) if self.persons is None else len(np.unique(self.persons))

    def rows(self, rows: np.ndarray) -> Faces:
        """Keep some faces, by their numbers."""
        return replace(
            self,
            aus=self.aus.iloc[rows],
            given=self.given.rows(rows),
            names=self.names.iloc[rows],
            persons=None if self.persons is None else self.persons[rows],
            y=None if self.y is None else self.y[rows],
        )

    def split(self, test: float | np.ndarray | None, seed: int) -> tuple[Faces, Faces]:
        """Split into faces to train on and faces held out; see `analysis.surrogate.fit_surrogate`."""
        n = len(self.aus)
        if test is None or np.ndim(test) == 0:
            share = HELD_OUT if test is None else float(test)
            ((train, held_out),) = holdout(np.zeros(n), self.persons, test=share, seed=seed)
        else:
            mask = np.asarray(test)
            if mask.shape != (self.total,) or mask.dtype != bool:
                got = f"{mask.dtype} of shape {mask.shape}"
                raise FitError(f"test: expected a share, or {self.total} booleans, got {got}")
            mask = mask[self.names.index]
            train, held_out = np.flatnonzero(~mask), np.flatnonzero(mask)
        if self.persons is not None:
            both = np.intersect1d(self.persons[train], self.persons[held_out])
            if len(both):
                raise FitError(f"test: {len(both)} persons are on both sides; hold whole persons out")
        if min(len(train), len(held_out)) < 2:
            raise FitError(
                f"test: {len(train)} faces to train on and {len(held_out)} held out; expected more"
            )
        return self.rows(train), self.rows(held_out)


def read_faces(
    X: AURows,
    probabilities: Predictions | pd.DataFrame,
    name: str,
    groups: ArrayLike | None,
    y: ArrayLike | None,
) -> Faces:
    """Check and gather what `analysis.surrogate.fit_surrogate` was given; see there."""
    import pandas as pd

    matrix = named_matrix(X)
    n = len(matrix.values)
    given = read_predictions(probabilities, name)
    if len(given.probabilities) != n:
        raise FitError(f"{name}: expected {n} rows, one for each face, got {len(given.probabilities)}")
    frame = X.frame if is_measured(X) else X if isinstance(X, pd.DataFrame) else pd.DataFrame()
    own = {column: frame[column].to_numpy() for column in FACE if column in frame}
    labels = None
    if y is not None:
        labels = merged_labels(checked_labels(y, n).tolist(), given.classes.tolist())[0]
    faces = Faces(
        pd.DataFrame(matrix.values, columns=matrix.names),
        given,
        pd.DataFrame({"input": np.arange(n), "frame": 0, "face": 0} | own),
        None if groups is None else person_codes(groups, n),
        labels,
        matrix.backend,
        n,
    )
    missing = np.isnan(matrix.values)
    complete = ~missing[:, ~missing.all(axis=0)].any(axis=1)
    if complete.all():
        return faces
    note = f"{(~complete).sum()} of {n} faces have an AU without a value: left out"
    return replace(faces.rows(np.flatnonzero(complete)), notes=[note])


def measure_references(
    model: MultinomialLogit, train: Faces, held_out: Faces, *, level: float, draws: int, seed: int
) -> pd.DataFrame:
    """Measure the fidelity of the surrogate and of its references on held-out faces.

    Returns
    -------
    DataFrame
        `who`, `metric`, `value`, `low`, `high`.
    """
    import pandas as pd

    p, mean = held_out.given.probabilities, train.given.probabilities.mean(axis=0)
    answers = {SURROGATE: model.predict_proba(held_out.aus), MAJORITY: np.tile(mean, (len(p), 1))}
    if train.y is not None:
        answers[TRUE_LABELS] = _true_labels(model, train, train.y, held_out)
    answers[CEILING] = _ceiling(train, held_out)
    rows = []
    for who, q in answers.items():
        once = fidelity(p, q, mean, [np.ones(len(p))])
        drawn = fidelity(p, q, mean, person_draws(held_out.persons, len(p), draws, seed))
        for metric in FIDELITY:
            low, high = interval(getattr(drawn, metric), level)
            rows.append((who, metric, float(getattr(once, metric)[0]), float(low), float(high)))
    return pd.DataFrame(rows, columns=["who", "metric", "value", "low", "high"])


def _true_labels(model: MultinomialLogit, train: Faces, y: np.ndarray, held_out: Faces) -> np.ndarray:
    """Fit the same regression to the true labels; columns in the order of the classifier's classes."""
    other = MultinomialLogit(alpha=model.alpha_, terms=model.terms).fit(train.aus, y)
    found = other.predict_proba(held_out.aus)
    columns = {str(name): found[:, k] for k, name in enumerate(other.classes_)}
    nothing = np.zeros(len(found))
    q = np.column_stack([columns.get(name, nothing) for name in held_out.given.classes])
    return np.asarray(q / np.maximum(q.sum(axis=1, keepdims=True), 1e-12))


def _ceiling(train: Faces, held_out: Faces) -> np.ndarray:
    """Boost the centred logits, one class after another."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    logits = centred_logits(train.given.probabilities)
    boosted = [
        HistGradientBoostingRegressor(max_iter=150, learning_rate=0.06, early_stopping=False, random_state=0)
        .fit(train.aus.to_numpy(), column)
        .predict(held_out.aus.to_numpy())
        for column in logits.T
    ]
    return softmax(np.column_stack(boosted))


def per_class(
    model: MultinomialLogit, train: Faces, held_out: Faces, minimum: Mapping[str, float]
) -> pd.DataFrame:
    """Measure each emotion on held-out faces.

    Returns
    -------
    DataFrame
        `emotion`; `n`, faces that the classifier calls so; `agreement`, `kappa`, `r2`; `accounted`:
        whether R^2 of its centred logit and kappa reach the minimum (kappa is passed over where
        neither ever gives this answer).
    """
    import pandas as pd

    p, mean = held_out.given.probabilities, train.given.probabilities.mean(axis=0)
    found = fidelity(p, model.predict_proba(held_out.aus), mean, [np.ones(len(p))])
    r2, kappa = found.class_r2[0], found.class_kappa[0]
    enough = (r2 >= minimum.get("logit_r2", -np.inf)) & ~(kappa < minimum.get("kappa", -np.inf))
    counts = np.bincount(p.argmax(axis=1), minlength=p.shape[1])
    columns = {"emotion": held_out.given.classes, "n": counts, "agreement": found.class_agreement[0]}
    return pd.DataFrame(columns | {"kappa": kappa, "r2": r2, "accounted": enough})


def answered_faces(model: MultinomialLogit, faces: Faces, held_out: Faces) -> pd.DataFrame:
    """List both answers for each face, and how far apart they are; see `Surrogate.tables`."""
    p, q = faces.given.probabilities, model.predict_proba(faces.aus)
    return faces.names.assign(
        answer=faces.given.answers,
        surrogate=model.classes_[q.argmax(axis=1)],
        kl=divergences(p, q),
        distance=np.abs(p - q).sum(axis=1) / 2,
        held_out=np.isin(faces.names.index, held_out.names.index),
    ).reset_index(drop=True)


def judge(measured: pd.DataFrame, by_emotion: pd.DataFrame, minimum: Mapping[str, float]) -> tuple[bool, str]:
    """Say whether the surrogate may be used, and why not.

    Parameters
    ----------
    measured : DataFrame
        As `measure_references` returns it.
    by_emotion : DataFrame
        As `per_class` returns it.
    minimum : mapping of str to float
        By measure; the lower end of the interval has to reach it (the value, where there is none).

    Returns
    -------
    usable : bool
    verdict : str
        In plain words.
    """
    table = measured.set_index(["who", "metric"])
    own = table.loc[SURROGATE]
    lower = own["low"].fillna(own["value"])
    short = [metric for metric in minimum if not lower[metric] >= minimum[metric]]
    numbers = ", ".join(f"{_WORDS[m]} {_range(own.loc[m])}" for m in (*minimum,))
    if not short:
        verdict = f"Usable: {numbers}, on held-out faces."
        lost = [f"{row.emotion} ({row.n} faces)" for row in by_emotion.itertuples() if not row.accounted]
        if lost:
            verdict += f" The AUs do not account for {', '.join(lost)}."
    else:
        wanted = " and ".join(f"{_WORDS[m]} of at least {minimum[m]:g}" for m in short)
        verdict = f"Do not use it: {numbers}, on held-out faces; {wanted} was asked for. "
        best = table.loc[CEILING, "value"]
        if all(best[m] >= minimum[m] for m in short):
            verdict += "A more flexible model of the same AUs reaches it: try terms with bends or pairs."
        else:
            verdict += "No model of these AUs does better by much: the classifier sees what they do not show."
    if TRUE_LABELS in measured["who"].to_numpy():
        verdict += _own_or_common(table)
    return not short, verdict


_WORDS = {
    "logit_r2": "R² of the centred logits",
    "kappa": "kappa",
    "kl_r2": "KL-R²",
    "agreement": "agreement",
}


def _range(row: pd.Series) -> str:
    around = "" if np.isnan(row["low"]) else f" ({row['low']:.2f} to {row['high']:.2f})"
    return f"{row['value']:.2f}{around}"


def _own_or_common(table: pd.DataFrame) -> str:
    own, common = (table.loc[(who, "logit_r2"), "value"] for who in (SURROGATE, TRUE_LABELS))
    if own > common:
        return ""
    return (
        " A regression that never saw the classifier is as faithful: these reasons are those of the "
        "emotions, not of this classifier."
    )
