"""Seconds and peak memory of inference on simulated faces: 30,000 of them, 20 AUs, 7 emotions.

Run as `python benchmarks/inference.py`; prints one table. Each line is a process of its own that simulates,
fits and then starts its clock; memory is what the work adds to the peak before it. statsmodels' marginal
effects are run on fewer faces only: on 28,709 they took 25 s and 6.6 GB.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from analysis.inference import infer
from analysis.inference.marginal import average_effects
from analysis.logit import MultinomialLogit

AUS, CLASSES = 20, 7
WORK = (
    ("marginal effects with errors", 30_000),
    ("inference, rows independent", 30_000),
    ("inference, clustered by 1,000 people", 30_000),
    ("inference refused: separation, ridge, 20 draws", 30_000),
    ("marginal effects with errors", 3_000),
    ("statsmodels get_margeff", 3_000),
)


def faces(n: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Simulate AUs, emotions and 1,000 people."""
    rng = np.random.default_rng(5)
    X = np.clip(rng.gamma(0.8, 1.1, (n, AUS)), 0, 5)
    scores = X @ rng.normal(0, 0.4, (AUS, CLASSES)) + rng.gumbel(size=(n, CLASSES))
    names = [f"AU{number:02d}_r" for number in range(1, AUS + 1)]
    emotions = np.array([f"emotion{k}" for k in range(CLASSES)])
    return pd.DataFrame(X, columns=names), emotions[scores.argmax(axis=1)], np.arange(n) % 1000


def task(name: str, n: int) -> Callable[[], object]:
    """Prepare one line of the table."""
    X, y, people = faces(n)
    if "separation" in name:
        X["AU01_r"] = np.where(y == "emotion0", 0.0, X["AU01_r"].where(X["AU01_r"] > 3, 0.0))
    model = MultinomialLogit(alpha=0).fit(X, y)
    few = slice(0, 2000)
    infer(MultinomialLogit().fit(X[few], y[few]), X[few], y[few], draws=2)  # whatever it imports
    import statsmodels.api as sm

    if name.startswith("inference"):
        groups = people if "people" in name else None
        return lambda: infer(model, X, y, groups=groups, draws=20)
    if name.startswith("statsmodels"):
        fitted = sm.MNLogit(np.unique(y, return_inverse=True)[1], sm.add_constant(X.to_numpy())).fit(disp=0)
        return fitted.get_margeff
    parameters = np.column_stack([model.intercept_, model.coef_])

    def effects() -> None:
        _, gradient = average_effects(model.fitted_terms, X.to_numpy(), parameters, gradient=True)
        assert gradient is not None and model.covariance_ is not None
        flat = gradient.reshape(AUS * CLASSES, -1)
        np.sqrt(((flat @ model.covariance_) * flat).sum(axis=1))

    return effects


def measure(name: str, n: int) -> None:
    """Run one line here and print it as JSON."""
    work = task(name, n)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    line = {
        "work": name,
        "faces": n,
        "s": seconds,
        "added MB": (peak - before) / 1024,
        "peak MB": peak / 1024,
    }
    print(json.dumps(line))


def main() -> None:
    if len(sys.argv) > 1:
        measure(sys.argv[1], int(sys.argv[2]))
        return
    rows = []
    for name, n in WORK:
        call = [sys.executable, __file__, name, str(n)]
        answer = subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True)
        rows.append(json.loads(answer.stdout.splitlines()[-1]))
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:.2f}".format))


if __name__ == "__main__":
    main()
