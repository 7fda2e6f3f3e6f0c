"""Coefficients held against theory: which Action Units each emotion is said to have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis.errors import FitError
from analysis.facs import PROTOTYPES, canonical_emotion, parse_column
from analysis.facs import column as au_column
from analysis.logit import MultinomialLogit

if TYPE_CHECKING:
    import pandas as pd

    from analysis.results import Result

COLUMNS = ("emotion", "source", "au", "expected", "coef", "low", "high", "verdict")


def against_prototypes(fitted: MultinomialLogit | Result | pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Hold class-centred coefficients against the prototypes of `analysis.facs.PROTOTYPES`.

    Parameters
    ----------
    fitted : MultinomialLogit, Inference or DataFrame
        A regression; the result of `analysis.inference.infer`, which gives its own intervals; or a
        table with the columns `emotion`, `au`, `coef` and either `low` and `high` or `se`, one row
        for each emotion and AU.
    level : float
        Of the interval, where it is made of standard errors.

    Returns
    -------
    DataFrame
        `emotion`; `source`, see `analysis.facs.Prototype`; `au`, the column of an expected AU;
        `expected`, always '+': a larger logit than the emotions' mean; `coef`, `low`, `high`, per
        unit of the AU; `verdict`: 'agree' where the whole interval is above 0, 'disagree' where it
        is below, 'undecided' where it holds 0 or is not known, 'not measurable' where the AU is not
        in the regression. For a MultinomialLogit also `difference`: the AU's mean over the faces of
        the emotion less its mean over all faces.

    Raises
    ------
    FitError
        For a table without these columns, or with several terms of one AU.

    Notes
    -----
    A prototype says which AUs are seen with an emotion, a coefficient what an AU adds when all
    others are known: of two AUs that always come together, one may get all the weight. Where the
    verdict is 'disagree' and `difference` is positive, that is what happened.

    Of a model with hinges or pairs the coefficient is the mean slope between the AU's smallest and
    largest training value, all other AUs at their means.
    """
    import pandas as pd

    known = _slopes(fitted, level) if isinstance(fitted, MultinomialLogit) else _table(fitted, level)
    known = known.assign(emotion=[canonical_emotion(name) for name in known["emotion"]])
    aus = known["au"].unique()
    scale = next((parsed[1] for name in aus if (parsed := parse_column(name))), "r")
    expected = [
        (emotion, prototype.source, au_column(number, scale), "+")
        for emotion in known["emotion"].unique()
        for prototype in PROTOTYPES.get(emotion, ())
        for number in sorted(prototype.aus)
    ]
    table = pd.DataFrame(expected, columns=["emotion", "source", "au", "expected"])
    table = table.merge(known, on=["emotion", "au"], how="left")
    decided = [table["low"] > 0, table["high"] < 0, table["au"].isin(aus)]
    table["verdict"] = np.select(decided, ["agree", "disagree", "undecided"], "not measurable")
    return table[[*COLUMNS, *(["difference"] if "difference" in table else [])]]


def _table(fitted: Result | pd.DataFrame, level: float) -> pd.DataFrame:
    import pandas as pd

    table: pd.DataFrame = fitted if isinstance(fitted, pd.DataFrame) else fitted.tables["coefficients"]
    missing = [name for name in ("emotion", "au", "coef") if name not in table]
    if missing:
        raise FitError(f"coefficients: expected a table with emotion, au and coef; no {', '.join(missing)}")
    table = table[table["au"] != ""]
    if table.duplicated(["emotion", "au"]).any():
        raise FitError("coefficients: several terms of one AU; give the model itself instead of its table")
    if not {"low", "high"} <= set(table.columns):
        if "se" not in table.columns:
            raise FitError("coefficients: expected the columns low and high, or se; got neither")
        table = _with_interval(table, level)
    return table[["emotion", "au", "coef", "low", "high"]]


def _slopes(model: MultinomialLogit, level: float) -> pd.DataFrame:
    import pandas as pd

    K, width = len(model.classes_), model.coef_.shape[1] + 1
    step = _mean_steps(model)
    coef = step @ model.coef_.T
    se = np.full_like(coef, np.nan)
    if model.covariance_ is not None:
        for k in range(K):
            own = slice(k * width + 1, (k + 1) * width)
            variance = np.einsum("ps,st,pt->p", step, model.covariance_[own, own], step)
            se[:, k] = np.sqrt(np.maximum(variance, 0.0))
    columns = {"emotion": np.repeat(model.classes_, len(step)), "au": np.tile(model.feature_names_in_, K)}
    columns |= {"coef": coef.T.ravel(), "se": se.T.ravel()}
    columns["difference"] = (model.class_feature_mean_ - model.feature_mean_).ravel()
    return _with_interval(pd.DataFrame(columns), level)


def _mean_steps(model: MultinomialLogit) -> np.ndarray:
    """How much each term (T) changes for a unit of each AU (p), on average over the AU's range."""
    low, high = model.feature_range_
    p = len(low)
    lower, upper = np.tile(model.feature_mean_, (2, p, 1))
    lower[np.diag_indices(p)], upper[np.diag_indices(p)] = low, high
    return np.asarray((model.terms_of(upper) - model.terms_of(lower)) / (high - low)[:, None])


def _with_interval(table: pd.DataFrame, level: float) -> pd.DataFrame:
    from statistics import NormalDist

    reach = NormalDist().inv_cdf((1 + level) / 2) * table["se"]
    return table.assign(low=table["coef"] - reach, high=table["coef"] + reach)
