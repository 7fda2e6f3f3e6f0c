"""How often 95 % intervals of coefficients and marginal effects hold the truth, in simulated faces.

Run as `python benchmarks/interval_coverage.py [REPEATS]` (default 1000, some minutes); prints one table.
In the clustered faces each person's AUs go together and so do the emotions, through a Gaussian copula,
so that the logit still holds for every single face.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
from scipy.stats import norm

from analysis.inference.diagnostics import diagnose
from analysis.inference.marginal import average_effects
from analysis.inference.sample import sample_of
from analysis.inference.standard_errors import likelihood
from analysis.logit import MultinomialLogit

NAMES = ["AU01_r", "AU06_r", "AU12_r"]
EMOTIONS = np.array(["angry", "happy", "neutral", "sad"])
SLOPES = np.array([[0.5, -0.4, -0.3], [-0.3, 0.6, 0.5], [0.0, 0.1, -0.2], [-0.2, -0.3, 0.0]])
INTERCEPTS = np.array([-0.1, 0.2, 0.3, -0.4])


def faces(
    rng: np.random.Generator, people: int, each: int, tie: float
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Simulate AUs, emotions and people; `tie` is the correlation within a person, 0 for none."""
    person = np.repeat(np.arange(people), each)
    shared = np.sqrt(tie) * rng.normal(size=(people, len(NAMES) + 1))[person]
    normal = shared + np.sqrt(1 - tie) * rng.normal(size=(len(person), len(NAMES) + 1))
    X = np.clip(np.exp(0.7 * normal[:, :-1]) - 0.3, 0, 5)
    scores = np.exp(INTERCEPTS + X @ SLOPES.T)
    limits = np.cumsum(scores / scores.sum(axis=1, keepdims=True), axis=1)
    drawn = (norm.cdf(normal[:, -1])[:, None] > limits[:, :-1]).sum(axis=1)
    return pd.DataFrame(X, columns=NAMES), EMOTIONS[drawn], person


def coverage(
    repeats: int, people: int, each: int, tie: float, errors: str, seed: int = 0
) -> dict[str, float]:
    """Count how often the intervals of one design hold the truth."""
    rng = np.random.default_rng(seed)
    true = np.column_stack([INTERCEPTS, SLOPES])
    held: dict[str, list[float]] = {"coefficients": [], "log odds": [], "marginal effects": []}
    refused = 0
    for _ in range(repeats):
        X, y, person = faces(rng, people, each, tie)
        model = MultinomialLogit(alpha=0).fit(X, y)
        sample = sample_of(model, X, y, person)
        parameters = np.column_stack([model.intercept_, model.coef_])
        if diagnose(sample, sample.design.from_terms(parameters), 0.0, errors == "cluster").why:
            refused += 1
            continue
        found = likelihood(sample, parameters, errors, 0.95, switches=False)
        effects = average_effects(sample.design.terms, sample.values, true)[0]
        for name, intervals, truth in (
            ("coefficients", found.coefficients(), true - true.mean(axis=0)),
            ("log odds", found.log_odds(2), true - true[2]),
            ("marginal effects", found.effects(), effects),
        ):
            inside = (intervals["low"] <= truth) & (truth <= intervals["high"])
            held[name].append(float(inside[~np.isnan(intervals["low"])].mean()))
    return {name: float(np.mean(shares)) for name, shares in held.items()} | {"refused": refused / repeats}


DESIGNS = (
    ("500 people, one face each, errors of the model", 500, 1, 0.0, "model"),
    ("500 people, one face each, robust errors", 500, 1, 0.0, "robust"),
    ("60 people, ten faces each, clustered errors", 60, 10, 0.4, "cluster"),
    ("120 people, ten faces each, clustered errors", 120, 10, 0.4, "cluster"),
    ("60 people, ten faces each, errors of the model (wrong)", 60, 10, 0.4, "model"),
)


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    rows = [{"design": name} | coverage(repeats, *design) for name, *design in DESIGNS]
    print(f"share of 95 % intervals that hold the truth, {repeats} data sets for each design")
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:.3f}".format))


if __name__ == "__main__":
    main()
