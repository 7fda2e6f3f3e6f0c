"""How much a surrogate's coefficients would change had other people been photographed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from analysis.aumatrix import AURows, aligned
from analysis.errors import FitError
from analysis.likelihood.fitted import fitted_design
from analysis.likelihood.maximum import maximise
from analysis.people import percentile_interval, person_draws

if TYPE_CHECKING:
    import pandas as pd

    from analysis.logit import MultinomialLogit

MOST_TERMS = 150
"""Above this number of terms a model is not refitted hundreds of times."""

_COLUMNS = ("emotion", "au", "term", "coef", "low", "high", "sign_consistency")


def stability(
    model: MultinomialLogit,
    X: AURows,
    probabilities: np.ndarray,
    *,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    draws: int = 200,
    seed: int = 0,
) -> tuple[pd.DataFrame, float]:
    """Refit a regression of soft labels to resampled persons.

    Parameters
    ----------
    model : MultinomialLogit
        Fitted by `fit_soft` to these rows; its terms and its ridge strength are kept.
    X : DataFrame or (n, p) array
        AUs.
    probabilities : (n, K) float64 ndarray
        What it was fitted to, in the order of its classes.
    groups : (n,) array-like, optional
        The person on each face; else single faces are resampled.
    level, draws, seed
        Of the bootstrap. A draw without any share of some class is left out.

    Returns
    -------
    table : DataFrame
        `emotion`, `au`, `term`, `coef` (class-centred), `low`, `high`: percentiles over the draws;
        `sign_consistency`: the share of draws in which the coefficient has the estimate's sign.
    correlation : float
        Mean over the draws of Spearman's correlation between the draw's coefficients and the
        estimate's, both per standard deviation of their term.

        Without rows, and NaN, for more than `MOST_TERMS` terms: the model's notes say so.

    Raises
    ------
    FitError
        Where no draw holds every class.
    """
    import pandas as pd
    from scipy.stats import rankdata

    if model.coef_.shape[1] > MOST_TERMS:
        terms = model.coef_.shape[1]
        model.notes_.append(f"stability was not measured: {terms} terms are more than {MOST_TERMS}")
        return pd.DataFrame(columns=[*_COLUMNS]), float("nan")
    values = aligned(X, model)
    design = fitted_design(model, values)
    Z, fits = design(values), []
    for weights in person_draws(groups, len(Z), draws, seed):
        rows = weights > 0
        if probabilities[rows].any(axis=0).all():
            found = maximise(Z[rows], probabilities[rows], weights[rows], model.alpha_, tol=1e-5)
            fits.append(design.to_terms(found.parameters)[:, 1:])
    if not fits:
        raise FitError(f"stability: none of {draws} draws of persons holds every class; draw more")
    drawn = np.stack(fits)
    estimate, sd = model.coef_, model.terms_of(values).std(axis=0)
    ranks = rankdata((drawn * sd).reshape(len(drawn), -1), axis=1)
    correlation = np.corrcoef(rankdata(estimate * sd), ranks)[0, 1:].mean()
    low, high = percentile_interval(drawn, level)
    same = (np.sign(drawn) == np.sign(estimate)).mean(axis=0)
    K, T = estimate.shape
    columns = {
        "emotion": np.repeat(model.classes_, T),
        "au": np.tile(model.feature_names_in_[model.term_feature_], K),
        "term": np.tile(model.term_names_, K),
    }
    numbers = {"coef": estimate, "low": low, "high": high, "sign_consistency": same}
    table = pd.DataFrame(columns | {name: each.ravel() for name, each in numbers.items()})
    return table, float(correlation)
