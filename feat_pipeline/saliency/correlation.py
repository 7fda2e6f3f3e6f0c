"""Whether a network looks where the regression's Action Units lie: rank correlations with their nulls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.facs import region
from analysis.people import percentile_interval, person_draws
from analysis.results import load_result, save_result
from feat_pipeline.errors import InputError, UsageError
from feat_pipeline.saliency.attribution import attribute
from feat_pipeline.saliency.regions import BACKGROUND, by_region

if TYPE_CHECKING:
    import pandas as pd

    from analysis.autable import AUTable
    from analysis.explain.contributions import Baseline
    from analysis.logit import MultinomialLogit
    from feat_pipeline.models.protocol import NetworkModel

KIND = "agreement"
FEWEST_REGIONS = 3
#: The attributions of a network with shuffled weights may not correlate more than this with its own.
RANDOM_LIMIT = 0.5


@dataclass(frozen=True)
class RegionCorrelation:
    """How far a network's regions agree with the contributions of a regression.

    Attributes
    ----------
    facts : dict
        ``regions``, ``n`` (faces compared), ``left_out``, ``draws``, ``seed``, ``level``, and ``correlation``
        with ``low`` and ``high``: the mean over faces of the rank correlation of their regions.
    tables : dict of str to DataFrame
        ``faces`` [face, target, correlation]; ``regions`` [region, correlation, p]: over the faces, for one
        region; ``nulls`` [null, correlation, null_mean, low, high, p].
    """

    facts: dict[str, Any]
    tables: dict[str, pd.DataFrame]

    def summary(self) -> str:
        """Say the agreement in one line."""
        facts = self.facts
        if facts["correlation"] is None:
            return "agreement: not known"
        p = self.tables["nulls"].set_index("null")["p"]
        return (
            f"mean rank correlation {facts['correlation']:.2f} [{facts['low']:.2f}, {facts['high']:.2f}] "
            f"over {facts['n']} faces; p {p['regions shuffled']:.2g} against regions in random order, "
            f"{p['faces shuffled within emotion']:.2g} against other faces of the same emotion"
        )

    def save(self, folder: str | Path) -> Path:
        """Write ``agreement.json`` into a folder; OSError where it cannot be written."""
        return save_result(folder, KIND, self.facts, self.tables)

    @classmethod
    def load(cls, folder: str | Path) -> RegionCorrelation:
        """Read what `save` wrote; AnalysisError where there is no such result."""
        return cls(*load_result(folder, KIND))


def logit_regions(
    model: MultinomialLogit,
    X: AUTable | pd.DataFrame | np.ndarray,
    targets: Sequence[str],
    baseline: Baseline = "population",
) -> pd.DataFrame:
    """Sum the contributions of Action Units over their regions.

    Parameters
    ----------
    model : MultinomialLogit
        A regression on AUs, or the surrogate of a network.
    X : AUTable, DataFrame or (n, p) array
        As for `analysis.explain.contributions.contributions`.
    targets : sequence of str, length n
        The emotion to explain, face by face: that of the network's attributions.
    baseline
        As for `contributions`.

    Returns
    -------
    DataFrame
        ``face`` (number from 0), ``target``, ``region``, ``contribution`` to the target's centred logit. A
        face with an AU that has no value has no rows.

    Raises
    ------
    ModelError
        AUs that do not fit the model, or an emotion that it does not know.
    """
    import pandas as pd

    from analysis.explain.contributions import contributions, indicator
    from analysis.explain.given import class_number

    names = np.asarray(targets).astype(str)
    number = {name: class_number(model, name, "target") for name in np.unique(names).tolist()}
    of_target = np.array([number[name] for name in names.tolist()], np.intp)
    per_au = contributions(model, X, baseline)[np.arange(len(names)), :, of_target]
    of_au = [region(str(au)) for au in model.feature_names_in_]
    regions = list(dict.fromkeys(of_au))
    sums = per_au @ indicator(np.array([regions.index(name) for name in of_au]), len(regions))
    faces = np.flatnonzero(np.isfinite(sums).all(axis=1))
    return pd.DataFrame(
        {
            "face": np.repeat(faces, len(regions)),
            "target": np.repeat(names[faces], len(regions)),
            "region": np.tile(regions, len(faces)),
            "contribution": sums[faces].ravel(),
        }
    )


def region_correlation(
    network: pd.DataFrame,
    regression: pd.DataFrame,
    *,
    groups: Any = None,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> RegionCorrelation:
    """Hold a network's attributions by region against a regression's contributions.

    Parameters
    ----------
    network : DataFrame
        As `by_region` makes it; its ``share`` is ranked.
    regression : DataFrame
        As `logit_regions` makes it, for the same targets.
    groups : array-like, optional
        The person on each face, by the face's number, for the interval.
    draws : int
        Of every null and of the bootstrap.
    level : float
        Of the interval and of the nulls' range.
    seed : int

    Returns
    -------
    RegionCorrelation
        Over the regions that both sides have; the background has no AUs. Faces on which one side has no
        ranks (no AU measured, all regions equal) are left out and counted.

    Raises
    ------
    InputError
        Other targets, fewer than three regions in common, or fewer than two faces.
    UsageError
        Fewer than one draw.

    Notes
    -----
    Spearman's correlation, one-sided p = (1 + draws at least as high) / (1 + draws). Null 'regions shuffled'
    puts the regression's regions of each face in random order: agreement in general. 'faces shuffled' gives
    each face the contributions of another, 'faces shuffled within emotion' those of another with the same
    target: what a face's own pixels and AUs add to what any face of that emotion would agree in. Shuffling
    takes faces as exchangeable, which several faces of a person are not quite. The p of single regions are
    of the null within emotion and not corrected for their number.
    """
    import pandas as pd

    if draws < 1:
        raise UsageError(f"draws: expected 1 or more, got {draws}")
    shares, contributions, targets, faces, regions = _paired(network, regression)
    total = network["face"].nunique()
    share_ranks, au_ranks = _ranks(shares), _ranks(contributions)
    own = (share_ranks * au_ranks).sum(1)
    rng = np.random.default_rng(seed)
    codes = np.unique(targets, return_inverse=True)[1]
    everyone = np.zeros(len(codes), np.intp)
    nulls = {
        "regions shuffled": [_mean(share_ranks, rng.permuted(au_ranks, axis=1)) for _ in range(draws)],
        "faces shuffled": [_mean(share_ranks, au_ranks[_within(everyone, rng)]) for _ in range(draws)],
        "faces shuffled within emotion": [
            _mean(share_ranks, au_ranks[_within(codes, rng)]) for _ in range(draws)
        ],
    }
    value = float(own.mean())
    people = None if groups is None else np.asarray(groups)[faces]
    resampled = [weights @ own / weights.sum() for weights in person_draws(people, len(own), draws, seed)]
    low, high = percentile_interval(np.array(resampled), level)
    facts = {
        "regions": regions, "n": len(own), "left_out": total - len(own), "correlation": value,
        "low": float(low), "high": float(high), "level": level, "draws": draws, "seed": seed,
        "grouped": groups is not None,
    }  # fmt: skip
    tables = {
        "faces": pd.DataFrame({"face": faces, "target": targets, "correlation": own}),
        "regions": _over_faces(shares, contributions, codes, regions, draws, rng),
        "nulls": pd.DataFrame([_null(name, value, np.array(null), level) for name, null in nulls.items()]),
    }
    return RegionCorrelation(facts, tables)


def randomisation_check(
    model: NetworkModel,
    crops: np.ndarray,
    targets: Sequence[str] | None,
    masks: np.ndarray,
    *,
    seed: int = 0,
    **options: Any,
) -> pd.DataFrame:
    """Check that attributions speak of what the network learned, and not of the picture alone.

    Parameters
    ----------
    model : NetworkModel
    crops, targets
        As for `attribute`; without targets the answers of the network as it was trained.
    masks : ndarray of bool, shape (n, R, H, W)
        As `region_masks` makes them.
    seed : int
        Of the shuffling.
    **options
        Further ones of `attribute`.

    Returns
    -------
    DataFrame
        A row for each part of the network, from the last on, up to which weights were shuffled within each
        layer: ``shuffled``, ``pixels`` and ``regions`` (mean over the faces of the rank correlation with the
        trained network's attributions), ``passed`` (on the last row, where all weights are shuffled:
        ``pixels`` below .5). Seven regions of one shuffled network scatter; they do not decide.

    Notes
    -----
    The cascading randomisation of Adebayo et al. (2018), arXiv:1810.03292. Norms keep their parameters.
    """
    import pandas as pd

    options = {"masks": masks, "seed": seed, **options}
    trained = attribute(model, crops, targets, **options)
    import torch

    expected = _flat(trained, masks)
    net = model.to_torch()
    rng = np.random.default_rng(seed)
    rows: list[tuple[Any, ...]] = []
    for part, module in [*net.named_children()][::-1]:
        weights = [value for value in module.parameters() if value.ndim > 1]
        if not weights:
            continue
        for value in weights:
            order = torch.from_numpy(rng.permutation(value.numel()))
            value.data = value.data.flatten()[order].reshape(value.shape)
        found = _flat(attribute(model, crops, trained.targets, net=net, **options), masks)
        close = [float(np.mean([_correlation(a, b) for a, b in zip(*pair, strict=True)])) for pair in
                 zip(expected, found, strict=True)]  # fmt: skip
        rows.append((part, *close))
    table = pd.DataFrame(rows, columns=["shuffled", "pixels", "regions"])
    table["passed"] = [None] * (len(rows) - 1) + [rows[-1][1] < RANDOM_LIMIT]
    return table


def _flat(attribution: Any, masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n = len(attribution.values)
    return attribution.values.reshape(n, -1), by_region(attribution, masks)["share"].to_numpy().reshape(n, -1)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Rank correlation; 0 where one side is constant."""
    ranks = _ranks(np.stack([a, b]))
    return float(np.nan_to_num(ranks[0] @ ranks[1]))


def _paired(network: pd.DataFrame, regression: pd.DataFrame) -> tuple[Any, Any, Any, Any, list[str]]:
    """Lay both sides out as (n, R) over common faces and regions, in the network's order of regions."""
    wide = network.pivot(index="face", columns="region", values="share")
    other = regression.pivot(index="face", columns="region", values="contribution")
    in_order = [name for name in dict.fromkeys(network["region"]) if name != BACKGROUND]
    regions = [str(name) for name in in_order if name in other.columns]
    if len(regions) < FEWEST_REGIONS:
        raise InputError(f"regions: expected three or more that both sides have, got {regions}")
    faces = wide.index.intersection(other.index)
    targets = network.drop_duplicates("face").set_index("face")["target"].loc[faces]
    others = regression.drop_duplicates("face").set_index("face")["target"].loc[faces]
    if (targets != others).any():
        face = (targets != others).idxmax()
        raise InputError(
            f"targets: both sides must explain the same emotion, got {targets[face]} and {others[face]} "
            f"for face {face}"
        )
    a, b = wide.loc[faces, regions].to_numpy(float), other.loc[faces, regions].to_numpy(float)
    kept = np.isfinite(a).all(1) & np.isfinite(b).all(1) & (np.ptp(a, axis=1) > 0) & (np.ptp(b, axis=1) > 0)
    if kept.sum() < 2:
        raise InputError(f"faces: expected two or more that both sides can rank, got {kept.sum()}")
    return a[kept], b[kept], targets.to_numpy(str)[kept], faces.to_numpy()[kept], regions


def _ranks(values: np.ndarray) -> np.ndarray:
    """Rank each row, centred and of unit length, so that products of rows are Spearman's correlations."""
    from scipy.stats import rankdata

    ranks = rankdata(values, axis=1)
    ranks -= ranks.mean(1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return ranks / np.linalg.norm(ranks, axis=1, keepdims=True)


def _mean(a: np.ndarray, b: np.ndarray) -> float:
    return float((a * b).sum() / len(a))


def _within(codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shuffle the rows of each code among themselves: whose contributions each face gets."""
    order = np.argsort(codes, kind="stable")
    shuffled = np.lexsort((rng.random(len(codes)), codes))
    taken = np.empty(len(codes), np.intp)
    taken[order] = shuffled
    return taken


def _over_faces(
    shares: np.ndarray,
    contributions: np.ndarray,
    codes: np.ndarray,
    regions: list[str],
    draws: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    import pandas as pd

    a, b = np.nan_to_num(_ranks(shares.T)), np.nan_to_num(_ranks(contributions.T))
    own = (a * b).sum(1)
    higher = np.zeros(len(regions))
    for _ in range(draws):
        higher += (a * b[:, _within(codes, rng)]).sum(1) >= own - 1e-12
    return pd.DataFrame({"region": regions, "correlation": own, "p": (1 + higher) / (1 + draws)})


def _null(name: str, value: float, null: np.ndarray, level: float) -> dict[str, Any]:
    low, high = np.quantile(null, [(1 - level) / 2, (1 + level) / 2])
    p = (1 + (null >= value - 1e-12).sum()) / (1 + len(null))
    return {
        "null": name, "correlation": value, "null_mean": float(null.mean()), "low": float(low),
        "high": float(high), "p": float(p),
    }  # fmt: skip
