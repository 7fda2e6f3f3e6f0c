"""Compare regressions, boosting and a network on a table of OpenFace stills, and what duplicates are worth.

    python tools/openface_stills.py DATA/au_tables/openface_stills_6emotions.csv [--out scores.csv]

The table has 17 AU intensities and an emotion a row; many adjacent rows are frames of one person, which
a random split puts on both sides. Rows are split at random, in blocks of 40 adjacent rows, and in blocks
that are joined where faces in them are near duplicates. The regression of pairs is a sum of functions of
single AUs and of two AUs; its ridge strength is chosen anew inside each training part, in groups where
the split has groups. Its knots, and how much more its pairs are penalised, were chosen on this table, by
accuracy in five assignments of blocks to folds; of those shown here, the one in file order was among
them, the drawn ones were not.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from analysis.duplicates import near_duplicates
from analysis.logit import MultinomialLogit
from analysis.people import percentile_interval, person_draws
from analysis.splits import Split, blocked_folds, grouped_folds, holdout, merged_groups, row_blocks

BLOCK, DRAWS, DRAWN = 40, 2000, (20, 21, 22)
ALPHAS = (3.0, 10.0, 30.0)


def plain(X: np.ndarray, y: np.ndarray, groups: np.ndarray | None) -> Any:
    """Fit a multinomial logit, each AU as it is."""
    return MultinomialLogit().fit(X, y)


def hinges(X: np.ndarray, y: np.ndarray, groups: np.ndarray | None) -> Any:
    """Fit a sum of one function per AU."""
    return MultinomialLogit(terms="hinges", alpha=3.0).fit(X, y)


def pairs(X: np.ndarray, y: np.ndarray, groups: np.ndarray | None) -> Any:
    """Fit a sum over AUs and pairs, its ridge strength chosen by accuracy in three inner folds."""
    from sklearn.model_selection import GridSearchCV

    model = MultinomialLogit(terms="pairs", knots=(0.3, 0.5, 0.65, 0.85), tol=1e-5)
    inner = grouped_folds(y, groups, folds=3)
    return GridSearchCV(model, {"alpha": ALPHAS}, cv=inner).fit(X, y)


def boosting(X: np.ndarray, y: np.ndarray, groups: np.ndarray | None) -> Any:
    """Fit scikit-learn's histogram gradient boosting as it comes."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(random_state=0).fit(X, y)


def network(X: np.ndarray, y: np.ndarray, groups: np.ndarray | None) -> Any:
    """Fit a network of 91,056 parameters (17-300-200-100-50-6, no scaling), stopped early."""
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier((300, 200, 100, 50), early_stopping=True, random_state=0).fit(X, y)


MODELS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray | None], Any]] = {
    "plain logit": plain,
    "logit, hinges": hinges,
    "logit, hinges and pairs": pairs,
    "gradient boosting": boosting,
    "network": network,
}
REFERENCES = ("gradient boosting", "network")


def protocols(X: np.ndarray, y: np.ndarray, seeds: int) -> dict[str, tuple[list[Split], np.ndarray | None]]:
    """List ways of splitting, each with the groups that it keeps together."""
    from sklearn.model_selection import GroupKFold

    blocks = row_blocks(len(y), BLOCK)
    joined = merged_groups(blocks, near_duplicates(X))
    return {
        f"random 75/25, {seeds} seeds": (holdout(y, repeats=seeds), None),
        "random 5-fold": (grouped_folds(y), None),
        f"blocks of {BLOCK}, file order": (list(GroupKFold(5).split(X, y, blocks)), blocks),
        f"blocks of {BLOCK}, drawn {len(DRAWN)} times": (
            [split for seed in DRAWN for split in blocked_folds(y, BLOCK, seed=seed)],
            blocks,
        ),
        "blocks and near duplicates": (grouped_folds(y, joined, seed=DRAWN[0]), joined),
    }


def held_out(
    name: str, X: np.ndarray, y: np.ndarray, splits: list[Split], groups: np.ndarray | None
) -> list[np.ndarray]:
    """Tell for each split which held-out rows a model gets right."""
    rights = []
    for train, test in tqdm(splits, desc=name, leave=False, file=sys.stderr, disable=None):
        model = MODELS[name](X[train], y[train], None if groups is None else groups[train])
        rights.append(model.predict(X[test]) == y[test])
    return rights


def scores(
    splits: list[Split], groups: np.ndarray | None, right: dict[str, list[np.ndarray]], n: int
) -> pd.DataFrame:
    """Compute accuracies and their distances to `REFERENCES`, with 95 % intervals.

    Folds hold out each row equally often: a bootstrap over groups, or over rows where the split has none.
    Repeated splits: a bootstrap over the splits.
    """
    tested = np.concatenate([test for _, test in splits])
    times = np.bincount(tested, minlength=n)
    folds = bool((times == times[0]).all())
    values = {}
    for name, parts in right.items():
        if folds:
            values[name] = np.bincount(tested, np.concatenate(parts), minlength=n) / times
        else:
            values[name] = np.array([part.mean() for part in parts])
    size = n if folds else len(splits)
    weights = np.array(list(person_draws(groups if folds else None, size, DRAWS, seed=0)))
    rows = []
    for name, value in values.items():
        against = {"accuracy": value} | {f"above {other}": value - values[other] for other in REFERENCES}
        for what, numbers in against.items():
            low, high = percentile_interval(weights @ numbers / weights.sum(axis=1))
            rows.append((name, what, numbers.mean(), float(low), float(high)))
    return pd.DataFrame(rows, columns=["model", "what", "value", "low", "high"])


def readable(table: pd.DataFrame) -> str:
    """Lay out scores, a row for each model, in per cent with intervals."""
    percent = 100 * table[["value", "low", "high"]]
    cells = [f"{value:.1f} [{low:.1f}, {high:.1f}]" for value, low, high in percent.to_numpy()]
    wide = table.assign(cell=cells).pivot(index="model", columns="what", values="cell")
    return wide.loc[list(MODELS), ["accuracy", *(f"above {other}" for other in REFERENCES)]].to_string()


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("table", type=Path, help="CSV of AU columns and 'emotion'")
    parser.add_argument("--seeds", type=int, default=20, help="random 75/25 splits (default 20)")
    parser.add_argument("--out", type=Path, help="write the table as CSV as well")
    arguments = parser.parse_args()
    data = pd.read_csv(arguments.table, skipinitialspace=True)
    y, X = data["emotion"].to_numpy(), data.filter(regex=r"^AU\d+_r$").to_numpy(float)
    copies = len(data) - len(np.unique(X, axis=0))
    print(f"{len(data)} rows, {copies} exact copies of another", file=sys.stderr)
    tables = {}
    for protocol, (splits, groups) in protocols(X, y, arguments.seeds).items():
        right = {name: held_out(name, X, y, splits, groups) for name in MODELS}
        tables[protocol] = scores(splits, groups, right, len(y))
        print(f"\n{protocol}, per cent\n{readable(tables[protocol])}", flush=True)
    everything = pd.concat(tables, names=["split"]).reset_index(level=0)
    accuracy = everything[everything["what"] == "accuracy"]
    wide = accuracy.pivot(index="model", columns="split", values="value").loc[list(MODELS)]
    honest = wide[[name for name in tables if name.startswith("blocks")]]
    cost = -100 * honest.sub(wide["random 5-fold"], axis=0)
    print(f"\nhow many points lower than in random 5-fold\n{cost.to_string(float_format='{:.1f}'.format)}")
    if arguments.out:
        everything.to_csv(arguments.out, index=False)


if __name__ == "__main__":
    main()
