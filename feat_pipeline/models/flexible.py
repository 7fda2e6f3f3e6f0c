"""Flexible models of Action Units: how much the AUs say where no coefficient need be readable.

They stand beside `analysis.logit.MultinomialLogit` as its ceiling. Both are fitted by scikit-learn, kept as
plain arrays, and asked with numpy alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from analysis.aumatrix import aligned, checked_labels, named_matrix
from analysis.errors import FitError
from feat_pipeline.models.base import check_answer, read_model, write_model
from feat_pipeline.models.perceptron import fit_perceptron, perceptron_scores, shares_of

if TYPE_CHECKING:
    from sklearn.tree._tree import Tree

_ROWS_AT_ONCE = 500


class FlexibleAuModel:
    """What the two have in common: rows come in by AU name, arrays go out.

    Attributes
    ----------
    classes_ : ndarray of str, shape (K,)
        Sorted.
    feature_names_in_ : ndarray of str, shape (p,)
        AU columns.
    input_names_ : list of str
        The same, as `analysis.aumatrix.aligned` asks for them.
    backend_, scale_ : str
        What measured the AUs, and on which scale; 'unknown' and '' where the rows did not say.
    n_ : int
        Rows it was fitted on.
    notes_ : list of str
        What fitting dropped.
    arrays_ : dict of str to ndarray
        All that predicting needs.
    """

    consumes = "aus"
    explains = False
    format: ClassVar[str]
    version: ClassVar[int] = 1
    settings: ClassVar[tuple[str, ...]]
    fit_options: ClassVar[tuple[str, ...]] = ()

    def fit(self, X: Any, y: Any) -> Self:
        """Fit to labelled faces.

        Parameters
        ----------
        X : AUTable, DataFrame or (n, p) array
            AU values, as for `MultinomialLogit.fit`. Rows with NaN are dropped; `notes_` says so.
        y : (n,) array-like
            Emotions.

        Returns
        -------
        FlexibleAuModel
            Itself.

        Raises
        ------
        FitError
            For one single emotion, text or infinite AUs, lengths that differ.
        """
        matrix = named_matrix(X)
        labels = checked_labels(y, len(matrix.values)).astype(str)
        complete = ~np.isnan(matrix.values).any(axis=1)
        values, labels = matrix.values[complete], labels[complete]
        classes, codes = np.unique(labels, return_inverse=True)
        if len(classes) < 2:
            raise FitError(f"labels: expected at least two emotions, got {', '.join(classes) or 'none'}")
        dropped = int((~complete).sum())
        self.notes_ = [f"{dropped} rows with an AU without a value were left out"] if dropped else []
        self.n_ = len(values)
        self._describe(classes, matrix.names, matrix.backend, matrix.scale)
        self.arrays_ = self._learn(values, codes)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Compute the probability of each emotion.

        Parameters
        ----------
        X : AUTable, DataFrame or (n, p) array
            AUs by name in any order, or an array with the columns `input_names_`.

        Returns
        -------
        (n, K) float64 ndarray
            In the order of `classes_`. Rows sum to 1; NaN where an AU has no value.

        Raises
        ------
        ModelError
            For AUs missing, on another scale, of another backend, or text; for a model not fitted.
        """
        values = aligned(X, self)
        complete = ~np.isnan(values).any(axis=1)
        answers = np.full((len(values), len(self.classes_)), np.nan)
        answers[complete] = shares_of(self._scores(values[complete]))
        return answers

    def save(self, path: str | Path) -> Path:
        """Write ``model.json`` and ``weights.safetensors`` into a folder, and return the first.

        Raises
        ------
        OutputError
            The folder cannot be written.
        """
        content = {
            "format": self.format,
            "version": self.version,
            "classes": self.classes_.tolist(),
            "aus": self.input_names_,
            "backend": self.backend_,
            "scale": self.scale_,
            "n": self.n_,
            "notes": self.notes_,
        }
        return write_model(path, content, self.arrays_)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a model that `save` wrote, from its folder or its ``model.json``.

        Raises
        ------
        InputError
            A file is missing or damaged, or the two do not belong together.
        """
        return read_model(path, cls.format, cls.version, cls._made)

    @classmethod
    def _made(cls, content: dict[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        model, aus = cls(), content["aus"]
        texts = [*aus, content["backend"], content["scale"]]
        if (
            not isinstance(aus, list)
            or len(set(aus)) < len(aus)
            or not all(isinstance(t, str) for t in texts)
        ):
            raise ValueError("aus, backend or scale are no names")
        model._describe(np.array(content["classes"]), aus, content["backend"], content["scale"])
        model.n_, model.notes_ = content["n"], content["notes"]
        model.arrays_ = arrays
        model._check_arrays()
        with np.errstate(all="ignore"):
            check_answer(model._scores(np.zeros((1, len(aus)))), content["classes"])
        return model

    def _check_arrays(self) -> None:
        """Raise `ValueError` for arrays that predicting cannot follow."""

    def _describe(self, classes: np.ndarray, names: list[str], backend: str, scale: str) -> None:
        self.classes_ = classes
        self.feature_names_in_ = np.array(names, dtype=str)
        self.input_names_ = list(names)
        self.backend_, self.scale_ = backend, scale

    def _learn(self, values: np.ndarray, codes: np.ndarray) -> dict[str, np.ndarray]:
        raise NotImplementedError

    def _scores(self, values: np.ndarray) -> np.ndarray:
        """Return logits, shape (m, K), or (m, 1) for two classes."""
        raise NotImplementedError


class AuNetwork(FlexibleAuModel):
    """A multilayer perceptron on standardised AUs.

    Parameters
    ----------
    hidden : sequence of int
        Units of the hidden layers.
    alpha : float
        Weight decay.
    max_iter : int
        Passes over the rows.
    seed : int
    """

    format = "mlp-aus"
    settings: ClassVar[tuple[str, ...]] = ("hidden", "alpha", "max_iter", "seed")

    def __init__(
        self, *, hidden: Sequence[int] = (64, 32), alpha: float = 1.0, max_iter: int = 100, seed: int = 0
    ) -> None:
        self.hidden = hidden
        self.alpha = alpha
        self.max_iter = max_iter
        self.seed = seed

    def _learn(self, values: np.ndarray, codes: np.ndarray) -> dict[str, np.ndarray]:
        return fit_perceptron(
            values,
            codes,
            hidden_layer_sizes=tuple(self.hidden),
            alpha=self.alpha,
            max_iter=self.max_iter,
            random_state=self.seed,
        )

    def _check_arrays(self) -> None:
        for name in ("mean", "scale"):
            if self.arrays_[name].shape != (len(self.input_names_),):
                raise ValueError(
                    f"{name} has shape {self.arrays_[name].shape}, for {len(self.input_names_)} AUs"
                )

    def _scores(self, values: np.ndarray) -> np.ndarray:
        return perceptron_scores(self.arrays_, values)


class AuBoosting(FlexibleAuModel):
    """Gradient-boosted trees on AUs (scikit-learn's `GradientBoostingClassifier`).

    Parameters
    ----------
    max_iter : int
        Trees for each class.
    learning_rate : float
    max_leaf_nodes : int
        Leaves of a tree.
    min_samples_leaf : int
        Fewest rows in a leaf.
    subsample : float
        Share of the rows that each tree learns from; each split looks at the root of the AUs' number.
    seed : int

    Notes
    -----
    Stochastic gradient boosting (Friedman, 2002). The trees are kept as the arrays of nodes that scikit-learn
    publishes of a decision tree; histogram gradient boosting publishes none.
    """

    format, version = "gbm-aus", 2
    settings: ClassVar[tuple[str, ...]] = (
        *("max_iter", "learning_rate", "max_leaf_nodes", "min_samples_leaf", "subsample", "seed"),
    )

    def __init__(
        self,
        *,
        max_iter: int = 100,
        learning_rate: float = 0.1,
        max_leaf_nodes: int = 15,
        min_samples_leaf: int = 20,
        subsample: float = 0.5,
        seed: int = 0,
    ) -> None:
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.max_leaf_nodes = max_leaf_nodes
        self.min_samples_leaf = min_samples_leaf
        self.subsample = subsample
        self.seed = seed

    def _learn(self, values: np.ndarray, codes: np.ndarray) -> dict[str, np.ndarray]:
        from sklearn.ensemble import GradientBoostingClassifier

        boosted = GradientBoostingClassifier(
            n_estimators=self.max_iter,
            learning_rate=self.learning_rate,
            max_depth=None,
            max_leaf_nodes=self.max_leaf_nodes,
            min_samples_leaf=self.min_samples_leaf,
            subsample=self.subsample,
            max_features="sqrt",
            random_state=self.seed,
        ).fit(values, codes)
        shares = np.log(boosted.init_.class_prior_)
        baseline = shares[1:] - shares[0] if len(shares) == 2 else shares
        trees = [tree.tree_ for tree in boosted.estimators_.ravel()]
        return _node_arrays(trees, self.learning_rate) | {"baseline": baseline}

    def _check_arrays(self) -> None:
        arrays = self.arrays_
        nodes = len(arrays["value"])
        for name in ("feature", "threshold", "left", "right", "value"):
            if arrays[name].shape != (nodes,):
                raise ValueError(f"{name} has shape {arrays[name].shape}, expected {(nodes,)}")
        numbers = np.arange(nodes)
        left, right, leaf = arrays["left"], arrays["right"], arrays["left"] == numbers
        down = np.where(leaf, right == numbers, (left > numbers) & (right > numbers))  # so that each way ends
        for name, most in (
            ("root", nodes),
            ("left", nodes),
            ("right", nodes),
            ("feature", len(self.input_names_)),
        ):
            places = arrays[name]
            if places.dtype.kind != "i" or places.size == 0 or places.min() < 0 or places.max() >= most:
                raise ValueError(f"{name} leads beyond the {most} that there are")
        if not down.all():
            raise ValueError("its trees lead back to where they began")

    def _scores(self, values: np.ndarray) -> np.ndarray:
        parts = [
            self._scores_of(values[start : start + _ROWS_AT_ONCE])
            for start in range(0, len(values), _ROWS_AT_ONCE)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.arrays_["baseline"])))

    def _scores_of(self, values: np.ndarray) -> np.ndarray:
        arrays, values = self.arrays_, values.astype(np.float32)  # as scikit-learn's trees see them
        at = np.tile(arrays["root"], (len(values), 1))
        rows = np.arange(len(values))[:, None]
        while True:
            left = values[rows, arrays["feature"][at]] <= arrays["threshold"][at]
            below = np.where(left, arrays["left"][at], arrays["right"][at])
            if (below == at).all():
                break
            at = below
        baseline = arrays["baseline"]
        return arrays["value"][at].reshape(len(values), -1, len(baseline)).sum(axis=1) + baseline


def _node_arrays(trees: Sequence[Tree], rate: float) -> dict[str, np.ndarray]:
    """Lay the nodes of trees out one tree after the other; a leaf's children are itself."""
    starts = np.cumsum([0, *(tree.node_count for tree in trees)])
    first = np.repeat(starts[:-1], np.diff(starts))
    left, right, feature, threshold = (
        np.concatenate([getattr(tree, name) for tree in trees])
        for name in ("children_left", "children_right", "feature", "threshold")
    )
    leaf, numbers = left < 0, np.arange(starts[-1])
    return {
        "root": starts[:-1].astype(np.int32),
        "feature": np.where(leaf, 0, feature).astype(np.int32),
        "threshold": threshold.astype(np.float64),
        "left": np.where(leaf, numbers, first + left).astype(np.int32),
        "right": np.where(leaf, numbers, first + right).astype(np.int32),
        "value": rate * np.concatenate([tree.value[:, 0, 0] for tree in trees]),
    }
