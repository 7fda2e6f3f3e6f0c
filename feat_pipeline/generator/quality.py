"""How near made faces come to real ones, and whether they are copies: distances between sets of features.

FID: Heusel et al. (2017), *GANs trained by a two time-scale update rule converge to a local Nash
equilibrium*. KID: Bińkowski et al. (2018), *Demystifying MMD GANs*. Both were defined on Inception's
features; here they are taken in whatever features the caller gives, so the numbers compare with each other
and with a floor between real faces, not with published ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from feat_pipeline.errors import InputError, UsageError

if TYPE_CHECKING:
    from feat_pipeline.models.cnn import CnnClassifier

_BLOCK = 256  # queries that are compared with all known vectors at a time


def network_features(
    model: CnnClassifier, faces: np.ndarray, *, mirror: bool = True, bf16: bool = False
) -> np.ndarray:
    """Return what a residual network pools before its last layer.

    Parameters
    ----------
    model : CnnClassifier
        Of architecture 'residual'.
    faces : ndarray of uint8, shape (n, h, w)
    mirror : bool
        Give the mean over each face and its mirror image.
    bf16 : bool
        Matrix products in bfloat16: faster, and good enough to follow a training.

    Returns
    -------
    ndarray of float64, shape (n, channels)

    Raises
    ------
    UsageError
        A network of another architecture.
    """
    import torch

    from feat_pipeline.models.base import as_seen
    from feat_pipeline.models.nets import ResidualNet, standardised
    from feat_pipeline.training.batches import by_batch

    net = model.to_torch()
    if not isinstance(net, ResidualNet):
        raise UsageError(f"model: expected a network of architecture 'residual', got {model.architecture_!r}")
    net = net.to(memory_format=torch.channels_last)
    if not len(faces):
        return np.zeros((0, net.head.in_features))

    def pooled(crops: torch.Tensor) -> torch.Tensor:
        return net.body(net.stem(standardised(crops))).float().mean((2, 3))

    cpu = torch.device("cpu")
    images = as_seen(faces, model.size_)
    found = by_batch(pooled, images, size=model.size_, device=cpu, mirror=mirror, bf16=bf16, batch=128)
    return found.astype(np.float64)


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Return the squared Fréchet distance between the normal distributions fitted to two sets (FID).

    Parameters
    ----------
    first, second : ndarray of float, shape (n, d) and (m, d)
        It is biased upwards by the smaller set: compare only values of the same n and m.

    Returns
    -------
    float
        ``|m1 - m2|² + tr(S1 + S2 - 2 (S1 S2)^½)``.

    Raises
    ------
    InputError
        Fewer than two rows, other widths, or a value that is no number.
    """
    first, second = _checked(first, second)
    means = first.mean(0) - second.mean(0)
    one, two = (np.atleast_2d(np.cov(part, rowvar=False)) for part in (first, second))
    values, vectors = np.linalg.eigh(one)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    shared = np.linalg.eigvalsh(root @ two @ root).clip(0)  # those of S1 S2, and never complex
    return float(max(0.0, means @ means + np.trace(one) + np.trace(two) - 2 * np.sqrt(shared).sum()))


def kernel_distance(
    first: np.ndarray, second: np.ndarray, *, subsets: int = 100, size: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Return the squared maximum mean discrepancy with the kernel (x·y / d + 1)³ (KID).

    Parameters
    ----------
    first, second : ndarray of float, shape (n, d) and (m, d)
    subsets, size : int
        Random subsets of each set, without replacement, and their size (at most the smaller set's).
    seed : int
        Draws them.

    Returns
    -------
    mean, sd : float
        Over the subsets; unbiased, so that two draws of one distribution give about 0, perhaps below.

    Raises
    ------
    InputError
        See `frechet_distance`.
    """
    first, second = _checked(first, second)
    size = min(size, len(first), len(second))
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(subsets):
        x = first[rng.choice(len(first), size, replace=False)]
        y = second[rng.choice(len(second), size, replace=False)]
        within = sum(_off_diagonal(_kernel(part, part)) for part in (x, y))
        found.append(within - 2 * _kernel(x, y).mean())
    return float(np.mean(found)), float(np.std(found, ddof=1)) if subsets > 1 else 0.0


def nearest(queries: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest known vector of each query.

    Parameters
    ----------
    queries, known : ndarray of float, shape (n, d) and (m, d)

    Returns
    -------
    distance : ndarray of float64, shape (n,)
        Euclidean.
    row : ndarray of int64, shape (n,)
        In ``known``.
    """
    queries, known = _checked(queries, known, least=1)
    single = known.astype(np.float32)  # good enough to tell which is nearest, and twice as fast
    squares = (single**2).sum(1)
    rows = np.concatenate(
        [
            (squares - 2 * queries[start : start + _BLOCK].astype(np.float32) @ single.T).argmin(1)
            for start in range(0, len(queries), _BLOCK)
        ]
    )
    return np.linalg.norm(queries - known[rows], axis=1), rows


def pixel_vectors(faces: np.ndarray) -> np.ndarray:
    """Return faces as vectors of mean 0 and length 1, shape (n, h·w): light and contrast do not count."""
    vectors = faces.reshape(len(faces), -1).astype(np.float64)
    vectors -= vectors.mean(1, keepdims=True)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x @ y.T / x.shape[1] + 1) ** 3


def _off_diagonal(matrix: np.ndarray) -> float:
    n = len(matrix)
    return float((matrix.sum() - np.trace(matrix)) / (n * (n - 1)))


def _checked(first: np.ndarray, second: np.ndarray, least: int = 2) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise InputError(
            f"features: expected two tables of the same width, got shapes {first.shape} and {second.shape}"
        )
    if min(len(first), len(second)) < least:
        raise InputError(f"features: expected {least} or more rows, got {len(first)} and {len(second)}")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise InputError("features: hold a value that is no finite number")
    return first, second
