"""FaceExplanation: what the Action Units of one face say of one emotion, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.errors import ModelError
from analysis.explain.certainty import critical
from analysis.explain.rationale import rationale
from analysis.facs import plain_name, region
from analysis.files import JsonObject
from analysis.results import plain

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.explain.counterfactual import Counterfactual
    from analysis.logit import MultinomialLogit


@dataclass(frozen=True, kw_only=True, eq=False)
class FaceExplanation:
    """What the Action Units of one face say of one emotion.

    Attributes
    ----------
    target, rival : str
        The emotion explained, and the one it is contrasted with.
    probabilities : dict of str to float
        Of every emotion.
    baseline : str
        'population', 'neutral', 'person' or 'custom': the face that this one is compared with.
    level : float
        Of every interval here. An interval holds what the sampling of the training faces leaves open,
        neither the measuring of the AUs nor whether the model is right. NaN where the model keeps no
        covariance; `notes` says so.
    logit, baseline_logit : float
        The target's centred logit at this face and at the baseline.
    logit_interval, log_odds_interval, probability_interval : (2,) float64 ndarray
        Of the centred logit, of log(p_target / p_rival), and of the target's probability.
    au_columns : tuple of str
        The p AU columns, in the model's order; the arrays below have this order too.
    values, baseline_values : (p,) float64 ndarray
        AU values of the face and of the baseline.
    contribution, se : (p,) float64 ndarray
        What each AU adds to the target's centred logit against the baseline, with its standard error.
    contrast, contrast_se : (p,) float64 ndarray
        What it adds to log(p_target / p_rival), likewise.
    regions_of_face : tuple of str
        The regions that the AUs lie in, for `region_contribution`, `region_se`, `region_contrast`.
    pair_columns, pair_parts : tuple of (str, str), (M, 2) float64 ndarray
        The pairs of AUs that the model knows, and what their joint terms give to the first and to the
        second AU; `contribution` holds it already.
    certainty : dict, or None
        `top_au`, the `share` of `draws` (of `seed`) from the coefficients' distribution in which it
        stays the AU that contributes most, for or against, and `others` that take its place. None
        where no draws were asked for, nothing contributes, or the model keeps no covariance.
    validity : dict of str to str
        AU column to what is known of its measurement: 'good', 'low', 'unknown'.
    notes : tuple of str
        What a reader has to know besides.
    model : MultinomialLogit, or None
        For `counterfactual`.
    """

    target: str
    rival: str
    probabilities: dict[str, float]
    baseline: str
    level: float
    logit: float
    baseline_logit: float
    logit_interval: np.ndarray
    log_odds_interval: np.ndarray
    probability_interval: np.ndarray
    au_columns: tuple[str, ...]
    values: np.ndarray
    baseline_values: np.ndarray
    contribution: np.ndarray
    se: np.ndarray
    contrast: np.ndarray
    contrast_se: np.ndarray
    regions_of_face: tuple[str, ...]
    region_contribution: np.ndarray
    region_se: np.ndarray
    region_contrast: np.ndarray
    pair_columns: tuple[tuple[str, str], ...] = ()
    pair_parts: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    certainty: JsonObject | None = None
    validity: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    model: MultinomialLogit | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        return f"FaceExplanation({self.rationale})"

    def _repr_html_(self) -> str:
        from analysis.notebook import explanation_html

        return explanation_html(self)

    @property
    def aus(self) -> dict[str, float]:
        """The face's AU values by column."""
        return dict(zip(self.au_columns, self.values.tolist(), strict=True))

    @property
    def low_validity(self) -> frozenset[str]:
        """AU columns whose measurement is known to be weak."""
        return frozenset(au for au, found in self.validity.items() if found == "low")

    @property
    def residual(self) -> float:
        """What the contributions leave unexplained of `logit - baseline_logit`: rounding only."""
        return self.logit - self.baseline_logit - float(self.contribution.sum())

    @property
    def interval(self) -> np.ndarray:
        """Intervals of the contributions: (p, 2) float64, low and high."""
        return _around(self.contribution, self.se, self.level)

    @property
    def contrast_interval(self) -> np.ndarray:
        """Intervals of the contrast: (p, 2) float64, low and high."""
        return _around(self.contrast, self.contrast_se, self.level)

    @cached_property
    def rationale(self) -> str:
        """The answer and its strongest reasons in one line of plain words."""
        close = bool(self.log_odds_interval[0] < 0 < self.log_odds_interval[1])
        return rationale(
            self.target,
            self.probabilities[self.target],
            self.au_columns,
            self.values,
            self.baseline_values,
            self.contribution,
            self.low_validity,
            interval=(float(self.probability_interval[0]), float(self.probability_interval[1])),
            rival=self.rival,
            rival_probability=self.probabilities[self.rival],
            close=close,
        )

    @property
    def table(self) -> pd.DataFrame:
        """One row per AU, sorted by the size of the contribution, the largest first.

        Columns `au, name, region, value, baseline, contribution, se, low, high, contrast, contrast_se,
        contrast_low, contrast_high, validity`.
        """
        import pandas as pd

        return pd.DataFrame(self._rows())

    @property
    def regions(self) -> pd.DataFrame:
        """What the AUs of each region of the face add together, the largest first.

        Columns `region, aus, contribution, se, low, high, contrast`. The error of a region is not the
        sum of its AUs' errors: where AUs travel together it is often smaller.
        """
        import pandas as pd

        return pd.DataFrame(self._region_rows())

    @property
    def pairs(self) -> pd.DataFrame:
        """What the joint terms of pairs of AUs add, the largest first.

        Columns `au_a, au_b, contribution, part_a, part_b`: the contribution of the joint terms, and how
        it is shared between the two AUs. Empty for a model without pairs.
        """
        import pandas as pd

        columns = ["au_a", "au_b", "contribution", "part_a", "part_b"]
        return pd.DataFrame(self._pair_rows(), columns=columns)

    def to_frame(self) -> pd.DataFrame:
        """Return `table`, with `target` and `rival` in front."""
        table = self.table
        table.insert(0, "target", self.target)
        table.insert(1, "rival", self.rival)
        return table

    def to_dict(self) -> JsonObject:
        """Lay the explanation out as JSON would hold it; AUs by the size of their contribution."""
        return {
            "target": self.target,
            "rival": self.rival,
            "probabilities": self.probabilities,
            "baseline": self.baseline,
            "logit": self.logit,
            "baseline_logit": self.baseline_logit,
            "residual": self.residual,
            "rationale": self.rationale,
            "aus": [_without_nan(row) for row in self._rows()],
            "level": self.level,
            "logit_interval": plain(self.logit_interval),
            "log_odds_interval": plain(self.log_odds_interval),
            "probability_interval": plain(self.probability_interval),
            "regions": [_without_nan(row) for row in self._region_rows()],
            "pairs": self._pair_rows(),
            "certainty": self.certainty,
            "notes": list(self.notes),
        }

    def counterfactual(self, to: str | None = None, **options: Any) -> Counterfactual:
        """Find the smallest changes of AUs that turn the answer into another.

        Parameters
        ----------
        to : str, optional
            The emotion to reach. Unless told otherwise the target where it is not the answer, else the
            rival.
        **options
            As for `analysis.explain.counterfactual.counterfactual`.

        Raises
        ------
        ModelError
            For an emotion that is the answer already or that the model does not know.
        """
        from analysis.explain.counterfactual import counterfactual

        if self.model is None:
            raise ModelError("model: this explanation carries none; explain the face again")
        answer = max(self.probabilities, key=self.probabilities.__getitem__)
        wanted = to or (self.rival if answer == self.target else self.target)
        return counterfactual(self.model, self.aus, to=wanted, **options)

    def plot(self, kind: str = "waterfall", **options: Any) -> Figure:
        """Draw the explanation.

        Parameters
        ----------
        kind : {'waterfall', 'contrast', 'counterfactual'}
            How the AUs add up, what sets the target apart from the rival, or what would change the answer.
        **options
            As for the function of that name in `analysis.plots`.

        Raises
        ------
        ModelError
            For another kind.
        """
        from analysis import plots

        if kind == "waterfall":
            return plots.waterfall(self, **options)
        if kind == "contrast":
            return plots.contrast(self, **options)
        if kind == "counterfactual":
            return plots.counterfactual(self.counterfactual(), **options)
        raise ModelError(f"kind: expected 'waterfall', 'contrast' or 'counterfactual', got {kind!r}")

    def _rows(self) -> list[JsonObject]:
        order = np.argsort(-np.abs(self.contribution), kind="stable")
        interval, contrast_interval = self.interval, self.contrast_interval
        numbers = np.column_stack(
            [
                *(self.values, self.baseline_values, self.contribution, self.se, interval),
                *(self.contrast, self.contrast_se, contrast_interval),
            ]
        )[order].tolist()
        keys = "value baseline contribution se low high contrast contrast_se contrast_low contrast_high"
        names = keys.split()
        return [
            {
                "au": au,
                "name": plain_name(au),
                "region": region(au),
                **dict(zip(names, row, strict=True)),
                "validity": self.validity.get(au),
            }
            for au, row in zip((self.au_columns[j] for j in order), numbers, strict=True)
        ]

    def _region_rows(self) -> list[JsonObject]:
        interval = _around(self.region_contribution, self.region_se, self.level)
        aus: dict[str, list[str]] = {}
        for au in self.au_columns:
            aus.setdefault(region(au), []).append(au)
        return [
            {
                "region": self.regions_of_face[i],
                "aus": aus[self.regions_of_face[i]],
                "contribution": float(self.region_contribution[i]),
                "se": float(self.region_se[i]),
                "low": float(interval[i, 0]),
                "high": float(interval[i, 1]),
                "contrast": float(self.region_contrast[i]),
            }
            for i in np.argsort(-np.abs(self.region_contribution), kind="stable")
        ]

    def _pair_rows(self) -> list[JsonObject]:
        return [
            {
                **{"au_a": self.pair_columns[m][0], "au_b": self.pair_columns[m][1]},
                "contribution": float(self.pair_parts[m].sum()),
                "part_a": float(self.pair_parts[m, 0]),
                "part_b": float(self.pair_parts[m, 1]),
            }
            for m in np.argsort(-np.abs(self.pair_parts.sum(axis=1)), kind="stable")
        ]


def _around(middle: np.ndarray, se: np.ndarray, level: float) -> np.ndarray:
    reach = critical(level) * se
    return np.column_stack([middle - reach, middle + reach])


def _without_nan(row: JsonObject) -> JsonObject:
    return {key: None if value != value else value for key, value in row.items()}
