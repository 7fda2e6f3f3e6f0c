"""Which pixels a model's answer rests on: attributions of its centred log-probability (captum)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from feat_pipeline.errors import InputError, UsageError, require
from feat_pipeline.models.base import as_seen
from feat_pipeline.models.protocol import EmotionModel, NetworkModel, hands_out_network
from feat_pipeline.saliency.explained import (
    last_map,
    model_answers,
    network_answers,
    views_at,
)

if TYPE_CHECKING:
    import torch
    from torch import nn

METHODS = ("integrated-gradients", "grad-cam", "occlusion", "shapley")
#: What they need is answers alone, so that they work for any model.
WITHOUT_GRADIENTS = ("occlusion", "shapley")
BASELINES = ("grey", "blurred")
FACES_AT_ONCE = 32
#: Blur of the baseline and side of the patch that occlusion hides, in sides of the crop.
BLUR, PATCH = 1 / 8, 1 / 6
#: Where the way from the baseline to the face is cut. The network standardises each crop, so that from a grey
#: baseline the first per cent of the way holds much of the change.
PIECES = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0)


@dataclass(frozen=True, eq=False)
class Attribution:
    """What each pixel adds to a model's answer.

    Attributes
    ----------
    method : str
        One of `METHODS`.
    targets : ndarray of str, shape (n,)
        The emotion explained, face by face.
    faces : ndarray of uint8, shape (n, H, W) or (n, H, W, 3)
        What was looked at: of a network the grey crops that it sees, else the crops as they came.
    values : ndarray of float64, shape (n, H, W)
        For (> 0) and against (< 0) the target, pixel by pixel.
    logit, baseline_logit : ndarray of float64, shape (n,)
        The target's centred log-probability, log p_k - mean_c log p_c, of the face and of its baseline:
        the quantity that the contributions of a multinomial regression add up to.
    """

    method: str
    targets: np.ndarray
    faces: np.ndarray
    values: np.ndarray
    logit: np.ndarray
    baseline_logit: np.ndarray

    @property
    def residual(self) -> np.ndarray:
        """What the pixels' sum leaves of `logit - baseline_logit`, shape (n,).

        NaN for Grad-CAM, whose values are in units of their own: only shares of them mean something.
        """
        if self.method == "grad-cam":
            return np.full(len(self.values), np.nan)
        return self.logit - self.baseline_logit - self.values.sum((1, 2))


def attribute(
    model: EmotionModel,
    crops: np.ndarray,
    targets: str | Sequence[str] | np.ndarray | None = None,
    *,
    method: str = "integrated-gradients",
    baseline: str | np.ndarray = "grey",
    masks: np.ndarray | None = None,
    steps: int = 64,
    samples: int = 25,
    seed: int = 0,
    net: nn.Module | None = None,
) -> Attribution:
    """Find what each pixel adds to a model's answers.

    Parameters
    ----------
    model : EmotionModel
        Fitted, of face crops. Of a `NetworkModel` the network and what it sees of each crop are explained;
        of others their answers to the whole crop.
    crops : ndarray of uint8, shape (n, h, w) or (n, h, w, 3)
        Faces, as for the model's `predict_proba`.
    targets : str or sequence of str, optional
        The emotion to explain, of all faces or of each; by default each face's answer.
    method : {'integrated-gradients', 'grad-cam', 'occlusion', 'shapley'}
        The first two need gradients.
    baseline : {'grey', 'blurred'} or ndarray of uint8, shape (h, w) or (n, h, w)
        What a pixel that is not there is replaced by: the face's mean, the same face out of focus (which
        keeps what can still be seen of it), or of a network another face, such as the mean of many or the
        person's neutral one. Grad-CAM needs none.
    masks : ndarray of bool, shape (n, R, H, W), optional
        Regions as `region_masks` makes them, for 'shapley' only: its players.
    steps : int
        Points of the integral. With 64 the sum misses the whole by .2 per cent (median of real faces).
    samples : int
        Orders of the regions that Shapley values are averaged over; their sum is exact for any number.
    seed : int
        Of these orders.
    net : torch Module, optional
        In place of the model's own, as `randomisation_check` does.

    Returns
    -------
    Attribution

    Raises
    ------
    InputError
        Crops, baseline or masks that do not fit.
    UsageError
        An unknown method, baseline or emotion, or a method that needs gradients for a model without.
    UnavailableError
        torch or captum is not installed.

    Notes
    -----
    Integrated gradients: Sundararajan, Taly & Yan (2017), arXiv:1703.01365. Grad-CAM, with its sign, of the
    network's last features: Selvaraju et al. (2017), arXiv:1610.02391. Occlusion: Zeiler & Fergus (2014),
    arXiv:1311.2901; each patch's effect is spread over its pixels. Shapley values of the regions by sampled
    orders (Castro, Gomez & Tejada 2009), each spread evenly over its region.
    """
    check_method(model, method)
    import torch

    wanted = _targets(model, crops, targets)
    network = model if hands_out_network(model) else None
    faces = np.asarray(crops) if network is None else as_seen(crops, network.size_)
    usual = _baseline(faces, baseline)
    answer: Any = model_answers(model) if network is None else network_answers(network, net)
    if method == "shapley":
        masks = _checked(masks, faces)
    values = np.zeros(faces.shape[:3])
    logits, usual_logits = np.zeros(len(faces)), np.zeros(len(faces))
    for start in range(0, len(faces), FACES_AT_ONCE):
        part = slice(start, start + FACES_AT_ONCE)
        x, b = _tensor(faces[part]), _tensor(usual[part])
        target = torch.from_numpy(wanted[part])
        if method == "integrated-gradients":
            found = _integrated(answer, x, b, target, steps)
        elif network is not None and method == "grad-cam":
            found = _grad_cam(network, net, x, target)
        elif method == "occlusion":
            found = _occlusion(answer, x, b, target)
        else:
            found = _shapley(answer, x, b, target, np.asarray(masks)[part], samples, seed)
        values[part] = found.detach().numpy()[:, 0]
        with torch.inference_mode():
            rows = torch.arange(len(x))
            logits[part] = answer(x)[rows, target].numpy()
            usual_logits[part] = answer(b)[rows, target].numpy()
    names = np.asarray(model.classes_).astype(str)
    return Attribution(method, names[wanted], faces, values, logits, usual_logits)


def check_method(model: EmotionModel, method: str) -> None:
    """Raise what `attribute` raises for a method: it is unknown, or cannot look into this model, or run here.

    Raises
    ------
    UsageError
        An unknown method, or one that needs gradients for a model without.
    UnavailableError
        torch or captum is not installed.
    """
    if method not in METHODS:
        raise UsageError(f"method: expected one of {', '.join(METHODS)}, got {method!r}")
    if method not in WITHOUT_GRADIENTS and not hands_out_network(model):
        raise UsageError(
            f"method: {method!r} needs a network's gradients, and this model has none; take "
            f"{' or '.join(map(repr, WITHOUT_GRADIENTS))}, which need only its answers"
        )
    require("torch", "captum", extra="train", what="saliency")


def _integrated(answer: Any, x: Any, b: Any, target: Any, steps: int) -> Any:
    """Piece by piece of the one straight way, shorter ones near the baseline: their integrals add up."""
    import torch
    from captum.attr import IntegratedGradients

    method, total = IntegratedGradients(answer), torch.zeros_like(x)
    for start, end in pairwise(PIECES):
        total += method.attribute(
            b + end * (x - b), b + start * (x - b), target=target,
            n_steps=max(1, round(steps / (len(PIECES) - 1))), internal_batch_size=8 * FACES_AT_ONCE,
        )  # fmt: skip
    return total


def _grad_cam(model: NetworkModel, net: nn.Module | None, x: Any, target: Any) -> Any:
    """Of each look apart, and brought back to the face: a layer passed twice has no single activation."""
    import torch
    from captum.attr import LayerAttribution, LayerGradCam

    answer: Any = network_answers(model, net, views="none")
    cam = LayerGradCam(answer, last_map(answer.net, x))
    looks, total = views_at(model, x), torch.zeros_like(x)
    for rows, columns in looks:
        coarse = cam.attribute(rows @ x @ columns.T, target=target)
        fine = LayerAttribution.interpolate(coarse, tuple(x.shape[2:]), interpolate_mode="bilinear")
        total += rows.T @ fine @ columns / len(looks)
    return total.detach()


def _occlusion(answer: Any, x: Any, b: Any, target: Any) -> Any:
    from captum.attr import Occlusion

    side = max(2, round(PATCH * x.shape[-1]))
    found = Occlusion(answer).attribute(
        x, (x.shape[1], side, side), strides=(x.shape[1], side // 2, side // 2), baselines=b, target=target,
        perturbations_per_eval=8,
    )  # fmt: skip
    return found / side**2


def _shapley(
    answer: Any, x: Any, b: Any, target: Any, masks: np.ndarray, samples: int, seed: int
) -> torch.Tensor:
    import torch
    from captum.attr import ShapleyValueSampling

    numbers = masks.argmax(1)
    players = np.unique(numbers, return_inverse=True)[1].reshape(numbers.shape)  # no region without pixels
    mask = torch.from_numpy(players[:, None].astype(np.int64))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        found = ShapleyValueSampling(answer).attribute(
            x,
            b,
            target=target,
            feature_mask=mask.expand(x.shape).contiguous(),
            n_samples=samples,
            perturbations_per_eval=1,
        )
    areas = np.take_along_axis(masks.sum((2, 3)), numbers.reshape(len(x), -1), 1)
    return found[:, :1] / torch.from_numpy(areas.reshape(players[:, None].shape))


def _tensor(faces: np.ndarray) -> torch.Tensor:
    import torch

    channels = faces[:, None] if faces.ndim == 3 else faces.transpose(0, 3, 1, 2)
    return torch.from_numpy(np.ascontiguousarray(channels, np.float32))


def _targets(model: EmotionModel, crops: np.ndarray, targets: Any) -> np.ndarray:
    if targets is None:
        return model.predict_proba(crops).argmax(1).astype(np.int64)
    classes = [str(name) for name in model.classes_]
    names = [targets] * len(crops) if isinstance(targets, str) else [str(name) for name in targets]
    if len(names) != len(crops):
        raise InputError(f"targets: expected an emotion for each of {len(crops)} faces, got {len(names)}")
    unknown = sorted(set(names) - set(classes))
    if unknown:
        raise UsageError(f"targets: the model knows {', '.join(classes)}, got {unknown[0]!r}")
    return np.array([classes.index(name) for name in names], np.int64)


def _baseline(faces: np.ndarray, baseline: str | np.ndarray) -> np.ndarray:
    """Return the baselines, float32, shaped as the faces."""
    import cv2

    size = faces.shape[1]
    if isinstance(baseline, str):
        if baseline not in BASELINES:
            raise UsageError(f"baseline: expected one of {', '.join(BASELINES)}, or faces; got {baseline!r}")
        if baseline == "grey":
            return np.broadcast_to(faces.mean((1, 2), keepdims=True), faces.shape).astype(np.float32)
        blurred = [
            cv2.GaussianBlur(face.astype(np.float32), (0, 0), BLUR * size, borderType=cv2.BORDER_REPLICATE)
            for face in faces
        ]
        return np.stack(blurred) if blurred else np.zeros(faces.shape, np.float32)
    given = np.asarray(baseline)
    if given.ndim == 2:
        given = np.broadcast_to(given, (len(faces), *given.shape))
    if given.ndim != 3 or len(given) != len(faces) or faces.ndim != 3:
        raise InputError(
            f"baseline: expected one grey face or {len(faces)} for grey crops of shape {faces.shape}, got an "
            f"array of shape {np.shape(baseline)}"
        )
    return as_seen(given, size).astype(np.float32)


def _checked(masks: np.ndarray | None, faces: np.ndarray) -> np.ndarray:
    if masks is None:
        raise UsageError("masks: 'shapley' needs regions; make them with region_masks")
    masks = np.asarray(masks, bool)
    if masks.ndim != 4 or (len(masks), *masks.shape[2:]) != faces.shape[:3] or (masks.sum(1) != 1).any():
        raise InputError(
            f"masks: expected shape ({len(faces)}, regions, {faces.shape[1]}, {faces.shape[2]}) with every "
            f"pixel in one region, got {masks.shape}; make them with region_masks"
        )
    return masks
