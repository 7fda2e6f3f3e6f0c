"""Features of texture and a support vector machine: how faces were read before networks learned to.

Local binary patterns (Ojala et al., 2002; for expressions Shan et al., 2009), histograms of oriented
gradients (Dalal & Triggs, 2005) and Gabor magnitudes (Lyons et al., 1998).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from analysis.likelihood.maximum import softmax
from feat_pipeline.errors import UsageError, require
from feat_pipeline.models.base import (
    as_seen,
    check_answer,
    check_fitted,
    learned_and_judged,
    read_model,
    write_model,
)

FORMAT, VERSION = "texture", 1
SIDE = 48
KERNELS = ("rbf", "linear")
_CELL = 8
_PATTERNS = 59
_GRADIENT_CELL, _GRADIENT_ANGLES = 6, 8
_WAVELENGTHS, _WAVE_ANGLES = (4.0, 8.0), 8
_COMPONENT_ROWS = 8000
_ROWS_AT_ONCE = 500


class TextureClassifier:
    """LBP, HOG and Gabor features of grey crops, their principal components, and a support vector machine.

    Parameters
    ----------
    kernel : {'rbf', 'linear'}
        'rbf': scikit-learn's SVC, one machine for each pair of emotions; 'linear': LinearSVC, one for each
        emotion, which takes a fraction of the time.
    C : float
        Cost of an error.
    gamma : float
        Width of the kernel, in units of 1 / the components' total variance.
    components : int
        Principal components that are kept.
    most : int
        Faces that the machine learns from; of more a random choice.
    held_out : float
        Share of the faces that probabilities are calibrated on where `fit` is given no validation faces.
    seed : int

    Attributes
    ----------
    classes_ : ndarray of str, shape (K,)
    n_ : int
        Faces that the machine learned from.
    gamma_ : float
        Width of the kernel; 0 for 'linear'.
    arrays_ : dict of str to ndarray
        All that predicting needs.

    Notes
    -----
    Probabilities are a multinomial logistic regression on the machines' decision values of faces that they
    did not learn from: Platt's calibration for several classes at once.
    """

    consumes = "pixels"
    explains = False
    settings: ClassVar[tuple[str, ...]] = ("kernel", "C", "gamma", "components", "most", "held_out", "seed")
    fit_options: ClassVar[tuple[str, ...]] = ("validation",)

    def __init__(
        self,
        *,
        kernel: str = "rbf",
        C: float = 2.0,
        gamma: float = 1.0,
        components: int = 200,
        most: int = 30_000,
        held_out: float = 0.1,
        seed: int = 0,
    ) -> None:
        self.kernel = kernel
        self.C = C
        self.gamma = gamma
        self.components = components
        self.most = most
        self.held_out = held_out
        self.seed = seed

    def fit(
        self,
        X: np.ndarray,
        y: Sequence[str],
        *,
        validation: tuple[np.ndarray, Sequence[str]] | None = None,
    ) -> TextureClassifier:
        """Fit components, machine and calibration.

        Parameters
        ----------
        X : ndarray of uint8, shape (n, h, w) or (n, h, w, 3)
            Faces, as for `predict_proba`.
        y : sequence of str, shape (n,)
            Their emotions.
        validation : (X, y), optional
            Faces to calibrate on; by default a random share `held_out` of every class.

        Returns
        -------
        TextureClassifier
            Itself.

        Raises
        ------
        InputError, UsageError
            Faces and emotions that do not fit, fewer than two classes, or an unknown kernel.
        UnavailableError
            scikit-image is not installed.
        """
        require("skimage", extra="train", what="model texture")
        if self.kernel not in KERNELS:
            raise UsageError(f"kernel: expected one of {', '.join(KERNELS)}, got {self.kernel!r}")
        classes, features, codes, others, answers = learned_and_judged(
            lambda faces: texture_features(as_seen(faces, SIDE)), (X, y), validation, self.held_out, self.seed
        )
        rows = np.random.default_rng(self.seed).permutation(len(codes))[: self.most]
        self.n_ = len(rows)
        self.arrays_ = self._projection(features[rows])
        self._learn(self._project(features[rows]), codes[rows])
        self._calibrate(self._decide(self._project(others)), answers, len(classes))
        self.classes_ = np.array(classes)
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the probabilities of the emotions.

        Parameters
        ----------
        X : ndarray of uint8, shape (n, h, w) or (n, h, w, 3)
            RGB crops as `Predictor` cuts them, or grey crops cut at the box; any size.

        Returns
        -------
        ndarray of float64, shape (n, K)
            Columns as `classes_`; rows sum to 1.

        Raises
        ------
        InputError
            X is no such array.
        UsageError
            The model is not fitted.
        """
        check_fitted(self)
        faces = as_seen(X, SIDE)
        answers = [np.zeros((0, len(self.classes_)))]
        for start in range(0, len(faces), _ROWS_AT_ONCE):
            seen = self._project(texture_features(faces[start : start + _ROWS_AT_ONCE]))
            arrays = self.arrays_
            answers.append(softmax(self._decide(seen) @ arrays["calibration"] + arrays["calibration_bias"]))
        return np.concatenate(answers)

    def save(self, path: str | Path) -> Path:
        """Write ``model.json`` and ``weights.safetensors`` into a folder, and return the first.

        Raises
        ------
        OutputError
            The folder cannot be written.
        """
        content = {
            "format": FORMAT,
            "version": VERSION,
            "classes": self.classes_.tolist(),
            "kernel": self.kernel,
            "gamma": self.gamma_,
            "n": self.n_,
        }
        return write_model(path, content, self.arrays_)

    @classmethod
    def load(cls, path: str | Path) -> TextureClassifier:
        """Read a model that `save` wrote, from its folder or its ``model.json``.

        Raises
        ------
        InputError
            A file is missing or damaged, or the two do not belong together.
        UnavailableError
            scikit-image is not installed.
        """
        require("skimage", extra="train", what="model texture")
        return read_model(path, FORMAT, VERSION, cls._made)

    @classmethod
    def _made(cls, content: dict[str, Any], arrays: dict[str, np.ndarray]) -> TextureClassifier:
        model = cls(kernel=content["kernel"])
        model.classes_ = np.array(content["classes"], dtype=str)
        model.gamma_, model.n_ = float(content["gamma"]), int(content["n"])
        model.arrays_ = arrays
        with np.errstate(all="ignore"):
            check_answer(model.predict_proba(np.zeros((1, SIDE, SIDE), np.uint8)), content["classes"])
        return model

    def _projection(self, features: np.ndarray) -> dict[str, np.ndarray]:
        """Principal components; each of the three kinds of features weighs alike."""
        from sklearn.decomposition import PCA

        mean = features.mean(axis=0)
        kinds = np.repeat(np.arange(3), _widths())
        variance = np.bincount(kinds, features.var(axis=0))
        weights = (1 / np.sqrt(np.maximum(variance, 1e-12)))[kinds].astype(np.float32)
        rows = (features[:_COMPONENT_ROWS] - mean) * weights
        count = min(self.components, len(rows) - 1)
        found = PCA(count, svd_solver="randomized", random_state=self.seed).fit(rows)
        return {"mean": mean, "components": found.components_.T * weights[:, None]}

    def _project(self, features: np.ndarray) -> np.ndarray:
        return (features - self.arrays_["mean"]) @ self.arrays_["components"]

    def _learn(self, seen: np.ndarray, codes: np.ndarray) -> None:
        from sklearn.svm import SVC, LinearSVC

        if self.kernel == "linear":
            self.gamma_ = 0.0
            machine = LinearSVC(C=self.C, dual=False, tol=1e-3).fit(seen, codes)
            weights = machine.coef_.T
        else:
            self.gamma_ = float(self.gamma / seen.var(axis=0).sum())
            machine = SVC(C=self.C, gamma=self.gamma_, cache_size=1000).fit(seen, codes)
            self.arrays_["points"] = machine.support_vectors_.astype(np.float32)
            weights = _pair_weights(machine.dual_coef_, machine.n_support_)
        self.arrays_["weights"] = weights.astype(np.float32)
        self.arrays_["bias"] = machine.intercept_

    def _decide(self, seen: np.ndarray) -> np.ndarray:
        """Return decision values, one for each emotion or each pair of them; one for two emotions."""
        points = self.arrays_.get("points")
        if points is not None:
            apart = (seen**2).sum(1)[:, None] + (points**2).sum(1) - 2 * seen @ points.T
            seen = np.exp(-self.gamma_ * apart)
        return seen @ self.arrays_["weights"] + self.arrays_["bias"]

    def _calibrate(self, decisions: np.ndarray, codes: np.ndarray, classes: int) -> None:
        from sklearn.linear_model import LogisticRegression

        found = np.unique(codes)
        if len(found) < classes:
            raise UsageError(
                f"validation: expected faces of all {classes} emotions, got {len(found)} of them"
            )
        fitted = LogisticRegression(max_iter=1000).fit(decisions, codes)
        weights, bias = fitted.coef_.T, fitted.intercept_
        if classes == 2:
            weights, bias = np.c_[np.zeros_like(weights), weights], np.r_[0.0, bias]
        self.arrays_ |= {"calibration": weights, "calibration_bias": bias}


def texture_features(faces: np.ndarray) -> np.ndarray:
    """Describe the texture of faces.

    Parameters
    ----------
    faces : ndarray of uint8, shape (n, 48, 48)
        Grey.

    Returns
    -------
    ndarray of float32, shape (n, 4268)
        Square roots of the shares of the 59 uniform patterns in cells of 8x8 px; gradients in 8 directions,
        cells of 6x6 px, blocks of 2x2 cells; mean magnitudes of Gabor waves of 4 and 8 px in 8 directions, in
        cells of 8x8 px.
    """
    rows = [np.concatenate([_patterns(face), _gradients(face), _waves(face)]) for face in faces]
    return np.array(rows, np.float32).reshape(len(rows), sum(_widths()))


def _widths() -> tuple[int, int, int]:
    cells, blocks = (SIDE // _CELL) ** 2, (SIDE // _GRADIENT_CELL - 1) ** 2
    return cells * _PATTERNS, blocks * 4 * _GRADIENT_ANGLES, cells * len(_WAVELENGTHS) * _WAVE_ANGLES


def _patterns(face: np.ndarray) -> np.ndarray:
    from skimage.feature import local_binary_pattern

    codes = local_binary_pattern(face, 8, 1, "nri_uniform").astype(int)
    cell = np.arange(SIDE) // _CELL
    places = (cell[:, None] * (SIDE // _CELL) + cell) * _PATTERNS + codes
    return np.sqrt(np.bincount(places.ravel(), minlength=_widths()[0]) / _CELL**2)


def _gradients(face: np.ndarray) -> np.ndarray:
    from skimage.feature import hog

    return hog(face, _GRADIENT_ANGLES, (_GRADIENT_CELL, _GRADIENT_CELL), (2, 2))


def _waves(face: np.ndarray) -> np.ndarray:
    import cv2

    standard = (face - face.mean(dtype=np.float32)) / (face.std(dtype=np.float32) + 1)
    cells = (SIDE // _CELL, SIDE // _CELL)
    return np.concatenate(
        [
            cv2.resize(
                np.hypot(cv2.filter2D(standard, -1, real), cv2.filter2D(standard, -1, imaginary)),
                cells,
                interpolation=cv2.INTER_AREA,
            ).ravel()
            for real, imaginary in _wave_kernels()
        ]
    )


@lru_cache
def _wave_kernels() -> list[tuple[np.ndarray, np.ndarray]]:
    from skimage.filters import gabor_kernel

    angles = np.pi * np.arange(_WAVE_ANGLES) / _WAVE_ANGLES
    kernels = [gabor_kernel(1 / length, angle) for length in _WAVELENGTHS for angle in angles]
    return [(kernel.real.astype(np.float32), kernel.imag.astype(np.float32)) for kernel in kernels]


def _pair_weights(dual: np.ndarray, support: np.ndarray) -> np.ndarray:
    """Lay libsvm's coefficients, shape (K - 1, m), out by pairs of classes, shape (m, K (K - 1) / 2)."""
    if len(support) == 2:
        return dual.T
    ends = np.cumsum([0, *support])
    pairs = [(i, j) for i in range(len(support)) for j in range(i + 1, len(support))]
    weights = np.zeros((dual.shape[1], len(pairs)))
    for column, (i, j) in enumerate(pairs):
        weights[ends[i] : ends[i + 1], column] = dual[j - 1, ends[i] : ends[i + 1]]
        weights[ends[j] : ends[j + 1], column] = dual[i, ends[j] : ends[j + 1]]
    return weights
