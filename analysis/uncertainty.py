"""Two ways to errors and intervals: the likelihood's curvature, and fits to resampled people."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from analysis.errors import FitError
from analysis.marginal import average_effects
from analysis.people import percentile_interval, person_draws
from analysis.ridge import maximise
from analysis.sample import Sample

Columns = dict[str, np.ndarray]
"""`value`, `se`, `low`, `high`, and `z`, `p` where the likelihood gives them: arrays of one shape."""


class Likelihood(NamedTuple):
    """Maximum likelihood estimates of the class-centred parameters.

    Attributes
    ----------
    sample : Sample
    parameters : (K, T + 1) float64 ndarray
        Of the terms, a row per class, the intercept first.
    covariance : (K * (T + 1), K * (T + 1)) float64 ndarray
        Class-major.
    log_likelihood : float
    people : int, or None
        Clusters; then tests use t and F with one degree of freedom fewer. Else normal and chi-squared.
    level : float
        Of the intervals.
    switches : bool
        As for `analysis.marginal.average_effects`.
    """

    sample: Sample
    parameters: np.ndarray
    covariance: np.ndarray
    log_likelihood: float
    people: int | None
    level: float
    switches: bool

    def coefficients(self) -> Columns:
        """Test each parameter against zero, the mean of the classes: (K, T + 1)."""
        return self._tested(self.parameters, np.diag(self.covariance).reshape(self.parameters.shape))

    def log_odds(self, reference: int) -> Columns:
        """Test the difference of each class from one: (K, T + 1); zero and NaN for that class itself."""
        K, width = self.parameters.shape
        blocks = np.einsum("aibi->abi", self.covariance.reshape(K, width, K, width))
        own = np.einsum("aai->ai", blocks)
        variance = own + own[reference] - 2 * blocks[:, reference]
        variance[reference] = np.nan
        return self._tested(self.parameters - self.parameters[reference], variance)

    def effects(self) -> Columns:
        """Test the average marginal effects (p, K), by the delta method, for the faces at hand."""
        effects, gradient = average_effects(
            self.sample.design.terms,
            self.sample.values,
            self.parameters,
            switches=self.switches,
            gradient=True,
        )
        assert gradient is not None
        flat = gradient.reshape(effects.size, -1)
        return self._tested(effects, ((flat @ self.covariance) * flat).sum(axis=1).reshape(effects.shape))

    def joint(self, j: int) -> tuple[float, int, float]:
        """Test all coefficients of the terms in which AU j stands: Wald statistic, df, p."""
        from scipy import stats

        terms = self.sample.design.terms
        K, width = self.parameters.shape
        moved = 1 + np.flatnonzero((terms.feature == j) | (terms.second_feature == j))
        at = (np.arange(K - 1)[:, None] * width + moved).ravel()
        errors = np.sqrt(np.diag(self.covariance)[at])
        z = self.parameters.ravel()[at] / errors
        correlation = self.covariance[np.ix_(at, at)] / np.outer(errors, errors)
        df = len(at)
        if self.people is None:
            wald = float(z @ np.linalg.solve(correlation, z))
            return wald, df, float(stats.chi2.sf(wald, df))
        if df >= self.people:
            return float("nan"), df, float("nan")
        wald = float(z @ np.linalg.solve(correlation, z))
        scaled = (self.people - df) / (df * (self.people - 1)) * wald
        return wald, df, float(stats.f.sf(scaled, df, self.people - df))

    def _tested(self, value: np.ndarray, variance: np.ndarray) -> Columns:
        from scipy import stats

        law: Any = stats.norm if self.people is None else stats.t(self.people - 1)
        se = np.sqrt(variance)
        z = value / se
        reach = law.ppf((1 + self.level) / 2) * se
        p = 2 * law.sf(np.abs(z))
        return {"value": value, "se": se, "z": z, "p": p, "low": value - reach, "high": value + reach}


def likelihood(
    sample: Sample, parameters: np.ndarray, errors: str, level: float, switches: bool
) -> Likelihood:
    """Maximise the likelihood by statsmodels, from where a fit already arrived.

    Parameters
    ----------
    sample : Sample
    parameters : (K, T + 1) float64 ndarray
        Of the terms, unpenalised.
    errors : {'model', 'robust', 'cluster'}
        From the information; HC0; clustered by the sample's people, times
        G / (G - 1) * (n - 1) / (n - free parameters), statsmodels' small-sample factor.
    level : float
        Of the intervals.
    switches : bool
        As for `analysis.marginal.average_effects`.

    Returns
    -------
    Likelihood

    Raises
    ------
    FitError
        Where Newton's method does not converge.
    """
    from statsmodels.discrete.discrete_model import MNLogit

    K, width = parameters.shape
    start = sample.standardise(parameters)
    options: dict[str, Any] = {"cov_type": "HC0"} if errors == "robust" else {}
    if errors == "cluster":
        options = {"cov_type": "cluster", "cov_kwds": {"groups": sample.people}}
    ones = np.column_stack([np.ones(len(sample.values)), sample.design(sample.values)])
    fitted = MNLogit(sample.codes, ones).fit(
        start_params=(start[1:] - start[0]).ravel(),
        method="newton",
        tol=1e-10,
        disp=0,
        warn_convergence=False,
        **options,
    )
    if not fitted.mle_retvals["converged"]:
        raise FitError("Newton's method did not converge")
    centre = np.vstack([np.zeros(K - 1), np.eye(K - 1)]) - 1.0 / K
    estimate = sample.unstandardise(centre @ np.asarray(fitted.params).T)
    to_terms = sample.unstandardise(np.eye(width)[:, None, :])[:, 0].T
    lift = np.kron(centre, to_terms)
    covariance = lift @ np.asarray(fitted.cov_params()) @ lift.T
    people = int(sample.people.max()) + 1 if errors == "cluster" and sample.people is not None else None
    return Likelihood(
        sample, estimate, (covariance + covariance.T) / 2, float(fitted.llf), people, level, switches
    )


class Resampled(NamedTuple):
    """Ridge estimates, and the same of resampled people.

    Attributes
    ----------
    parameters : (K, T + 1) float64 ndarray
        Of all rows.
    draws : (D, K, T + 1) float64 ndarray
        Of each resample.
    average : (p, K) float64 ndarray
        Marginal effects of all rows.
    average_draws : (D, p, K) float64 ndarray
    level : float
        Of the percentile intervals.
    """

    parameters: np.ndarray
    draws: np.ndarray
    average: np.ndarray
    average_draws: np.ndarray
    level: float

    def coefficients(self) -> Columns:
        """Describe each class-centred parameter: (K, T + 1)."""
        return self._described(self.parameters, self.draws)

    def log_odds(self, reference: int) -> Columns:
        """Describe the difference of each class from one: (K, T + 1)."""
        difference = self.parameters - self.parameters[reference]
        return self._described(difference, self.draws - self.draws[:, reference, None])

    def effects(self) -> Columns:
        """Describe the average marginal effects (p, K)."""
        return self._described(self.average, self.average_draws)

    def _described(self, value: np.ndarray, draws: np.ndarray) -> Columns:
        low, high = percentile_interval(draws, self.level)
        return {"value": value, "se": draws.std(axis=0, ddof=1), "low": low, "high": high}


def resampled(
    sample: Sample,
    parameters: np.ndarray,
    alpha: float,
    level: float,
    switches: bool,
    draws: int,
    seed: int,
) -> Resampled:
    """Fit the ridge anew to resampled people, or rows where the sample names no people.

    Parameters
    ----------
    sample : Sample
    parameters : (K, T + 1) float64 ndarray
        Of the terms, fitted to all rows with `alpha`.
    alpha : float
        Ridge strength, the same in each draw, as are the terms and their scales.
    level, switches
        As for `likelihood`.
    draws, seed : int
        As for `analysis.people.person_draws`. Draws without any row of a class are left out.

    Returns
    -------
    Resampled

    Raises
    ------
    FitError
        Where fewer than two draws hold all classes.
    """
    Z, targets, terms = sample.design(sample.values), sample.targets, sample.design.terms
    fits, effects = [], []
    for weights in person_draws(sample.people, len(Z), draws, seed):
        rows = weights > 0
        if not targets[rows].any(axis=0).all():
            continue
        estimate = maximise(Z[rows], targets[rows], weights[rows], alpha, tol=1e-6)
        fits.append(sample.unstandardise(estimate.parameters))
        changes = average_effects(
            terms, sample.values[rows], fits[-1], weights=weights[rows], switches=switches
        )
        effects.append(changes[0])
    if len(fits) < 2:
        raise FitError(
            f"bootstrap: {len(fits)} of {draws} draws hold all classes; draw more, or merge classes"
        )
    average = average_effects(terms, sample.values, parameters, switches=switches)[0]
    return Resampled(parameters, np.array(fits), average, np.array(effects), level)
