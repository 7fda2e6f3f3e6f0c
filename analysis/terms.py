"""The terms of the regression: what each AU is turned into before it meets its coefficients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

KNOT_QUANTILES = (0.5, 0.85)
"""Where hinges bend: AU intensities sit near zero, so that most of their shape lies above the median."""


@dataclass(frozen=True)
class Terms:
    """Basis functions, each of one AU only, so that a model of them stays a sum over AUs.

    Attributes
    ----------
    feature : (T,) intp ndarray
        The AU of each term, as its position among the features.
    knot : (T,) float64 ndarray
        NaN for the AU itself, else the term is max(0, AU - knot).
    names : list of str
        'AU12_r', or 'AU12_r>1.25' for the part above a knot.
    """

    feature: np.ndarray
    knot: np.ndarray
    names: list[str]

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
        columns = X[:, self.feature]
        bent = ~np.isnan(self.knot)
        columns[:, bent] = np.maximum(columns[:, bent] - self.knot[bent], 0.0)
        return columns

    def keep(self, mask: np.ndarray) -> Terms:
        """Keep the terms of a (T,) bool mask."""
        names = [name for name, kept in zip(self.names, mask, strict=True) if kept]
        return Terms(self.feature[mask], self.knot[mask], names)


def make_terms(X: np.ndarray, names: list[str], kind: str) -> Terms:
    """Choose the terms of some training rows.

    Parameters
    ----------
    X : (n, p) float64 ndarray
        AU values; no column constant.
    names : list of str
        The p AU columns.
    kind : {'linear', 'hinges'}
        Each AU as it is, or also its parts above the training quantiles `KNOT_QUANTILES`.

    Returns
    -------
    Terms
        Ordered by AU, within an AU by knot. A knot at the AU's smallest or largest value is left out.
    """
    feature, knots, labels = [], [], []
    for j, name in enumerate(names):
        quantiles = np.quantile(X[:, j], KNOT_QUANTILES) if kind == "hinges" else np.empty(0)
        low, high = X[:, j].min(), X[:, j].max()
        bends = [bend for bend in np.unique(quantiles).tolist() if low < bend < high]
        feature += [j] * (1 + len(bends))
        knots += [np.nan, *bends]
        labels += [name, *(f"{name}>{bend:.4g}" for bend in bends)]
    return Terms(np.array(feature, dtype=np.intp), np.array(knots, dtype=float), labels)


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
    return left_over > tolerance * np.sqrt(len(Z))
