"""Inference for MultinomialLogit: errors, tests, odds ratios and marginal effects, where they hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from analysis.aumatrix import AURows
from analysis.errors import AnalysisError, FitError
from analysis.files import JsonObject
from analysis.inference.diagnostics import Diagnosis, collinearity, diagnose
from analysis.inference.sample import Sample, sample_of
from analysis.inference.standard_errors import (
    Columns,
    Likelihood,
    Resampled,
    jackknifed,
    likelihood,
    resampled,
)
from analysis.likelihood.fitted import FittedLogit
from analysis.likelihood.information import MOST_FREE_PARAMETERS

if TYPE_CHECKING:
    import pandas as pd

ERRORS = ("auto", "model", "robust", "cluster")


@dataclass(frozen=True)
class Inference:
    """What a fit tells of the population its faces come from.

    Attributes
    ----------
    facts : dict
        `valid`, `method`, `why` (one line per reason, where not valid), `errors`, `n`, `n_groups`,
        `classes`, `reference`, `level`, `alpha`, `terms`, `separation`, `effects` ('slope' per unit, or
        'from 0 to 1'), `joint_test`, `log_likelihood`, `null_log_likelihood`, `mcfadden`, `cox_snell`,
        `nagelkerke`, `converged`, `condition`, `draws`, `seed`, `notes`. Where valid also
        `mcfadden_adjusted`, `aic`, `bic`, and with `errors` 'model' `lr_statistic`, `lr_df`, `lr_p`.
    tables : dict of str to DataFrame
        `coefficients` (class-centred: how an emotion differs from the mean of all), `log_odds` (against
        `reference`, with odds ratios per unit and per SD), `intercepts`, `marginal_effects`, `joint`,
        `collinearity`, `correlations`, `checks`, `separation`. Where not valid there is no `joint`, and
        nowhere a column `z`, `p`, `p_holm` or `p_bh`.
    """

    facts: JsonObject
    tables: dict[str, pd.DataFrame] = field(repr=False)

    @property
    def valid(self) -> bool:
        """Whether errors and tests are those of maximum likelihood."""
        return bool(self.facts["valid"])

    @property
    def coefficients(self) -> pd.DataFrame:
        """Class-centred coefficients: `emotion, au, term, coef, se, [z, p, p_holm, p_bh,] low, high`."""
        return self.tables["coefficients"]

    @property
    def log_odds(self) -> pd.DataFrame:
        """Against the reference, with `versus`, `odds_ratio`, `odds_ratio_sd` and their intervals."""
        return self.tables["log_odds"]

    @property
    def marginal_effects(self) -> pd.DataFrame:
        """Mean change of P(emotion): `emotion, au, effect, se, [z, p,] low, high`."""
        return self.tables["marginal_effects"]

    @property
    def checks(self) -> pd.DataFrame:
        """What was checked: `check, value, limit, passed, decides, meaning`."""
        return self.tables["checks"]

    def save(self, folder: str | Path) -> Path:
        """Write `inference.json`, atomically; OSError where that cannot be."""
        from analysis.results import save_result

        return save_result(folder, "inference", self.facts, self.tables)

    @classmethod
    def load(cls, folder: str | Path) -> Inference:
        """Read what `save` wrote; AnalysisError where there is none."""
        from analysis.results import load_result

        return cls(*load_result(folder, "inference"))


def infer(
    model: FittedLogit,
    X: AURows,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    reference: str | int | None = None,
    errors: str = "auto",
    level: float = 0.95,
    draws: int | None = None,
    seed: int = 0,
) -> Inference:
    """Infer from a fitted model, by maximum likelihood where that is valid, else by a ridge's bootstrap.

    Parameters
    ----------
    model : FittedLogit, such as a MultinomialLogit
        Fitted to these rows without weights. Inference needs `alpha=0`.
    X, y
        As for `MultinomialLogit.fit`.
    groups : (n,) array-like, optional
        Who each row shows. Without it rows count as independent.
    reference : label, optional
        Class that odds are against; default 'neutral', or the first where there is none.
    errors : {'auto', 'model', 'robust', 'cluster'}
        From the information, HC0, or clustered by `groups`; 'auto' clusters where there are groups.
    level : float
        Of the intervals.
    draws : int, optional
        Of the bootstrap, where maximum likelihood is not valid; default 200, or 50 with more than
        `analysis.likelihood.information.MOST_FREE_PARAMETERS`, whose every fit takes seconds.
    seed : int
        Of the bootstrap.

    Returns
    -------
    Inference

    Raises
    ------
    AnalysisError
        For rows that the model was not fitted on, an unknown reference, or bad parameters.

    Notes
    -----
    `diagnose` decides. Where it says no, an unpenalised model is fitted again as a ridge whose strength
    cross-validation chooses; a penalised model keeps its own. People are drawn with replacement `draws`
    times and intervals are percentiles. They tell how the ridge's answer varies between samples of
    people; they hold no claim on the true coefficients, so there is no test and no p-value.

    Holm and Benjamini-Hochberg take all coefficients of all emotions (of all AUs in `joint`) as one family.
    `joint` is the likelihood ratio to a fit without the AU, for errors of the model; else Wald's test with
    the chosen covariance; clustered, of the F form of Korn & Graubard (1990, Am Stat 44:270), and NaN
    where there are no more people than coefficients.
    Marginal effects are those of the faces at hand: their errors are of the coefficients only, as in
    statsmodels. For AUs of scale 'c' they are the change from absent to present.
    """
    chosen = _checked_errors(errors, groups)
    if not 0 < level < 1:
        raise AnalysisError(f"level: expected a number between 0 and 1, got {level}")
    sample = sample_of(model, X, y, groups)
    place = _place(reference, sample.classes)
    diagnosis = diagnose(sample, sample.design.from_terms(_own(model)), model.alpha_, chosen == "cluster")
    switches = _presence(model, sample)
    why = list(diagnosis.why)
    found: Likelihood | Resampled | None = None
    if not why:
        try:
            found = likelihood(sample, _own(model), chosen, level, switches)
        except FitError as error:
            why.append(str(error))
    notes: list[str] = []
    if found is None:
        model, sample, notes = _penalised(model, sample, X, y, groups)
        draws = draws or (200 if _own(model).size <= MOST_FREE_PARAMETERS else 50)
        found = resampled(sample, _own(model), model.alpha_, level, switches, draws, seed)
    facts = _method(found, chosen, groups) | {"why": why, "reference": sample.classes[place].item()}
    facts |= {"n": len(sample.codes), "n_groups": sample.head_count, "classes": sample.classes.tolist()}
    facts |= {"level": level, "alpha": model.alpha_, "terms": model.terms, "seed": seed}
    facts |= {"effects": "from 0 to 1" if switches else "slope", "converged": bool(model.converged_)}
    facts |= {"separation": diagnosis.kind, "condition": diagnosis.condition}
    facts |= _fit_statistics(sample, model.log_likelihood_, found)
    facts["notes"] = [*model.notes_, *notes, *_notes(found, groups, draws)]
    return Inference(facts, _tables(found, sample, place, diagnosis))


_PENALISED = (
    "the coefficients are penalised: their intervals tell how they vary between samples, not how far they "
    "are from the truth; there are no p-values"
)
_JOINT_TESTS = {"model": "likelihood ratio", "robust": "Wald, chi-squared", "cluster": "Wald, F"}
_INDEPENDENT = "rows count as independent; name who each row shows (groups) where people occur in several"


def _checked_errors(errors: str, groups: ArrayLike | None) -> str:
    if errors not in ERRORS:
        raise AnalysisError(f"errors: expected one of {', '.join(ERRORS)}, got {errors!r}")
    if errors == "cluster" and groups is None:
        raise AnalysisError("errors: 'cluster' needs groups that say who each row shows")
    if errors != "auto":
        return errors
    return "model" if groups is None else "cluster"


def _place(reference: str | int | None, classes: np.ndarray) -> int:
    names = [str(name) for name in classes]
    if reference is None:
        return names.index("neutral") if "neutral" in names else 0
    if str(reference) not in names:
        raise AnalysisError(f"reference: expected one of {', '.join(names)}, got {reference!s}")
    return names.index(str(reference))


def _presence(model: FittedLogit, sample: Sample) -> bool:
    return model.scale_ == "c" and bool(np.isin(sample.values, (0.0, 1.0)).all())


def _penalised(
    model: FittedLogit, sample: Sample, X: AURows, y: ArrayLike, groups: ArrayLike | None
) -> tuple[FittedLogit, Sample, list[str]]:
    if model.alpha_ > 0:
        return model, sample, []
    from sklearn.base import clone

    notes = []
    ridge: FittedLogit = clone(model)
    try:
        ridge.set_params(alpha="cv").fit(X, y, groups=groups)
    except FitError as error:
        ridge.set_params(alpha=1.0).fit(X, y)
        notes.append(f"ridge strength 1, since it could not be chosen ({error})")
    return ridge, sample_of(ridge, X, y, groups), notes


def _own(model: FittedLogit) -> np.ndarray:
    return np.column_stack([model.intercept_, model.coef_])


def _method(found: Likelihood | Resampled, errors: str, groups: ArrayLike | None) -> JsonObject:
    if isinstance(found, Likelihood):
        return {"valid": True, "method": "maximum likelihood", "errors": errors, "draws": 0}
    method = f"ridge, bootstrap over {'rows' if groups is None else 'people'}"
    return {"valid": False, "method": method, "errors": "bootstrap", "draws": len(found.draws)}


def _fit_statistics(sample: Sample, log_likelihood: float, found: Likelihood | Resampled) -> JsonObject:
    n, K, T = len(sample.codes), len(sample.classes), len(sample.design.terms.names)
    null = sample.null_log_likelihood
    cox_snell = -np.expm1(2 * (null - log_likelihood) / n)
    facts: JsonObject = {"log_likelihood": log_likelihood, "null_log_likelihood": null}
    facts |= {"mcfadden": 1 - log_likelihood / null, "cox_snell": float(cox_snell)}
    facts["nagelkerke"] = float(cox_snell / -np.expm1(2 * null / n))
    if not isinstance(found, Likelihood):
        return facts
    free = (K - 1) * (T + 1)
    facts |= {"mcfadden_adjusted": 1 - (log_likelihood - free) / null}
    facts |= {"aic": 2 * (free - log_likelihood), "bic": free * float(np.log(n)) - 2 * log_likelihood}
    facts["joint_test"] = _JOINT_TESTS[found.errors]
    if found.errors == "model":
        from scipy import stats

        statistic, df = 2 * (log_likelihood - null), (K - 1) * T
        facts |= {"lr_statistic": statistic, "lr_df": df, "lr_p": float(stats.chi2.sf(statistic, df))}
    return facts


def _notes(found: Likelihood | Resampled, groups: ArrayLike | None, draws: int | None) -> list[str]:
    notes = [] if groups is not None else [_INDEPENDENT]
    if isinstance(found, Resampled):
        notes.append(_PENALISED)
        if draws and len(found.draws) < draws:
            notes.append(f"{draws - len(found.draws)} of {draws} draws had no row of some class: left out")
    elif found.people is not None:
        kind = "jackknife, CR3" if jackknifed(found.sample) else "sandwich, CR1: too small for few people"
        notes.append(
            f"errors are clustered by {found.people} people ({kind}); tests and intervals use t and F "
            f"with {found.people - 1} degrees of freedom"
        )
    return notes


def _tables(
    found: Likelihood | Resampled, sample: Sample, place: int, diagnosis: Diagnosis
) -> dict[str, pd.DataFrame]:
    coefficients, odds = found.coefficients(), found.log_odds(place)
    tables = {
        "coefficients": _adjusted(_by_term(sample, coefficients)),
        "log_odds": _log_odds(sample, odds, place),
        "intercepts": _frame(sample.classes, {}, {k: v[:, 0] for k, v in coefficients.items()}, "coef"),
        "marginal_effects": _effects(sample, found.effects()),
    }
    if isinstance(found, Likelihood):
        tables["joint"] = _joint(found, sample)
    tables["collinearity"], tables["correlations"] = collinearity(sample)
    return tables | {"checks": diagnosis.checks, "separation": diagnosis.separation}


def _frame(emotions: np.ndarray, labels: dict[str, np.ndarray], columns: Columns, value: str) -> pd.DataFrame:
    import pandas as pd

    order = [name for name in ("value", "se", "z", "p", "low", "high") if name in columns]
    numbers = {value if name == "value" else name: columns[name].ravel() for name in order}
    return pd.DataFrame({"emotion": emotions} | labels | numbers)


def _by_term(sample: Sample, columns: Columns) -> pd.DataFrame:
    terms, K = sample.design.terms, len(sample.classes)
    aus = np.array(sample.names, dtype=object)[terms.feature]
    labels = {"au": np.tile(aus, K), "term": np.tile(np.array(terms.names, dtype=object), K)}
    emotions = np.repeat(sample.classes, len(aus))
    return _frame(emotions, labels, {name: v[:, 1:] for name, v in columns.items()}, "coef")


def _log_odds(sample: Sample, columns: Columns, place: int) -> pd.DataFrame:
    kept = np.repeat(np.arange(len(sample.classes)) != place, len(sample.design.terms.names))
    table = _by_term(sample, columns)[kept].reset_index(drop=True)
    table.insert(1, "versus", sample.classes[place])
    table = _adjusted(table)
    sd = np.tile(sample.design.terms(sample.values).std(axis=0, ddof=1), len(sample.classes) - 1)
    with np.errstate(over="ignore"):
        for suffix, factor in (("", 1.0), ("_sd", sd)):
            for name, end in (("coef", ""), ("low", "_low"), ("high", "_high")):
                table[f"odds_ratio{suffix}{end}"] = np.exp(table[name] * factor)
    return table


def _effects(sample: Sample, columns: Columns) -> pd.DataFrame:
    emotions = np.repeat(sample.classes, len(sample.names))
    labels = {"au": np.tile(np.array(sample.names, dtype=object), len(sample.classes))}
    return _frame(emotions, labels, {name: v.T for name, v in columns.items()}, "effect")


def _joint(found: Likelihood, sample: Sample) -> pd.DataFrame:
    import pandas as pd

    rows = [(name, *found.joint(j)) for j, name in enumerate(sample.names)]
    return _adjusted(pd.DataFrame(rows, columns=["au", "statistic", "df", "p"]))


def _adjusted(table: pd.DataFrame) -> pd.DataFrame:
    """Add Holm's and Benjamini and Hochberg's p-values after p, over the rows that have one."""
    if "p" not in table:
        return table
    from statsmodels.stats.multitest import multipletests

    tested = table["p"].notna().to_numpy()
    for method, name in (("fdr_bh", "p_bh"), ("holm", "p_holm")):
        adjusted = np.full(len(table), np.nan)
        if tested.any():
            adjusted[tested] = multipletests(table["p"][tested], method=method)[1]
        table.insert(list(table.columns).index("p") + 1, name, adjusted)
    return table
