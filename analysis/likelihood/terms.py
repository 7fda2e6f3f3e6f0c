"""The terms of the regression: what AUs, and pairs of them, are turned into before they meet coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

KINDS = ("linear", "hinges", "pairs")
"""What `terms` may be."""

KNOT_QUANTILES = (0.5, 0.85)
"""Where hinges bend: AU intensities sit near zero, so that most of their shape lies above the median."""

Function = tuple[int, float, str]
"""Of one AU: its number, the knot (NaN for the AU itself), the name."""

Functions = list[Function]


@dataclass(frozen=True)
class Terms:
    """Basis functions, each of one AU or of two, so that a model of them stays a sum over AUs and pairs.

    A function of one AU is the AU itself or its part above a knot, max(0, AU - knot). A term is one such
    function, or the product of two of different AUs; so it is piecewise linear in each AU alone.

    Attributes
    ----------
    feature : (T,) intp ndarray
        The AU of each term, as its position among the features; of a pair the first.
    knot : (T,) float64 ndarray
        NaN for the AU itself, else where its hinge begins.
    second_feature : (T,) intp ndarray
        The pair's other AU; -1 for terms of one AU.
    second_knot : (T,) float64 ndarray
        The knot of the other AU; NaN for the AU itself, and for terms of one AU.
    names : list of str
        'AU12_r', 'AU12_r>1.25' for the part above a knot, 'AU06_r*AU12_r>1.25' for a pair.
    """

    feature: np.ndarray
    knot: np.ndarray
    second_feature: np.ndarray
    second_knot: np.ndarray
    names: list[str]

    @property
    def paired(self) -> np.ndarray:
        """Which terms are of two AUs: (T,) bool."""
        return self.second_feature >= 0

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Evaluate the terms.

        Parameters
        ----------
        X : (n, p) float64 ndarray
            AU values.

        Returns
        -------
        (n, T) float64 ndarray
        """
        columns = _functions(X, self.feature, self.knot)
        pairs = self.paired
        if pairs.any():
            columns[:, pairs] *= _functions(X, self.second_feature[pairs], self.second_knot[pairs])
        return columns

    def parts(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Evaluate the two factors of the paired terms only.

        Parameters
        ----------
        X : (n, p) float64 ndarray
            AU values.

        Returns
        -------
        first, second : (n, P) float64 ndarray
            For the P terms of `paired`, in their order.
        """
        pairs = self.paired
        first = _functions(X, self.feature[pairs], self.knot[pairs])
        return first, _functions(X, self.second_feature[pairs], self.second_knot[pairs])

    def part_means(self, X: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """Average the two factors of each term over rows.

        Parameters
        ----------
        X : (n, p) float64 ndarray
            AU values.
        shares : (S, n) float64 ndarray
            What each row counts in each of S means; rows sum to 1.

        Returns
        -------
        (S, 2, T) float64 ndarray
            NaN for terms of one AU.
        """
        means = np.full((len(shares), 2, len(self.names)), np.nan)
        for i, part in enumerate(self.parts(X)):
            means[:, i, self.paired] = shares @ part
        return means

    def keep(self, mask: np.ndarray) -> Terms:
        """Keep the terms of a (T,) bool mask."""
        names = [name for name, kept in zip(self.names, mask, strict=True) if kept]
        arrays = (self.feature, self.knot, self.second_feature, self.second_knot)
        feature, knot, second, second_knot = (array[mask] for array in arrays)
        return Terms(feature, knot, second, second_knot, names)


def single_functions(X: np.ndarray, names: Sequence[str], quantiles: Sequence[float]) -> Functions:
    """List the functions of one AU that some training rows allow.

    Parameters
    ----------
    X : (n, p) float64 ndarray
        AU values; no column constant.
    names : sequence of str
        The p AU columns.
    quantiles : sequence of float
        Of each AU, where hinges begin; none for the AU itself only.

    Returns
    -------
    list of (feature, knot, name)
        Ordered by AU, within an AU by knot. A knot at the AU's smallest or largest value is left out.
    """
    found: Functions = []
    for j, name in enumerate(names):
        low, high = X[:, j].min(), X[:, j].max()
        bends = np.unique(np.quantile(X[:, j], quantiles)).tolist() if len(quantiles) else []
        found.append((j, np.nan, name))
        found += [(j, bend, f"{name}>{bend:.4g}") for bend in bends if low < bend < high]
    return found


def make_terms(singles: Functions, products: Sequence[tuple[Function, Function]] = ()) -> Terms:
    """Assemble terms.

    Parameters
    ----------
    singles : list of (feature, knot, name)
        Functions that stand alone.
    products : sequence of (function, function)
        Those that are multiplied.

    Returns
    -------
    Terms
        The single ones first.
    """
    first = [*singles, *(a for a, _ in products)]
    second = [(-1, np.nan, "")] * len(singles) + [b for _, b in products]
    return Terms(
        np.array([f[0] for f in first], dtype=np.intp),
        np.array([f[1] for f in first], dtype=float),
        np.array([f[0] for f in second], dtype=np.intp),
        np.array([f[1] for f in second], dtype=float),
        [a[2] + (f"*{b[2]}" if b[0] >= 0 else "") for a, b in zip(first, second, strict=True)],
    )


def independent(Z: np.ndarray, tolerance: float = 1e-7) -> np.ndarray:
    """Find columns that are no linear combination of the columns before them.

    Parameters
    ----------
    Z : (n, T) float64 ndarray
        Standardised columns.
    tolerance : float
        The smallest share of a column that the earlier ones may leave unexplained.

    Returns
    -------
    (T,) bool ndarray
    """
    from scipy.linalg import qr

    centred = Z - Z.mean(axis=0)
    upper = qr(centred, mode="r", check_finite=False)[0]
    left_over = np.zeros(Z.shape[1])
    left_over[: min(upper.shape)] = np.abs(np.diagonal(upper))
    return np.asarray(left_over > tolerance * np.sqrt(len(Z)))


def _functions(X: np.ndarray, feature: np.ndarray, knot: np.ndarray) -> np.ndarray:
    bent = ~np.isnan(knot)
    columns = X[:, feature]
    columns -= np.where(bent, knot, 0.0)
    return np.asarray(np.maximum(columns, np.where(bent, 0.0, -np.inf), out=columns))
