"""Networks for face crops that others have published, each as a list of layers.

The torch network that is trained follows the list (`feat_pipeline.models.nets.LayeredNet`), and the ONNX
graph that predicts is exported from it. All end in layers that hold weights for every place of the face, so
that each takes faces of one size only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from feat_pipeline.errors import UsageError

RESIDUAL = "residual"
#: Keras's, in which these networks were made.
NORM_EPSILON = 1e-3


@dataclass(frozen=True)
class Conv:
    """Square filters with a bias; padded with zeros to keep the size, or not at all."""

    filters: int
    side: int
    padded: bool = True


@dataclass(frozen=True)
class Norm:
    """Batch normalisation."""


@dataclass(frozen=True)
class Relu:
    """Rectifier."""


@dataclass(frozen=True)
class PRelu:
    """Rectifier with a learned slope below 0 for each channel and place."""


@dataclass(frozen=True)
class Pool:
    """The largest of each 2x2 px; a last odd row or column is left out."""


@dataclass(frozen=True)
class Dropout:
    """Drops a share in training."""

    share: float


@dataclass(frozen=True)
class Dense:
    """Fully connected, with a bias."""

    units: int


Layer = Conv | Norm | Relu | PRelu | Pool | Dropout | Dense


@dataclass(frozen=True)
class Architecture:
    """A network: layers over the face, flattened, layers over the numbers, and a last dense one.

    Attributes
    ----------
    body, dense : tuple of Layer
    classes : int
        Of the network as it was published; others can be asked for.
    size : int
        Side of the faces, px.
    """

    body: tuple[Layer, ...]
    dense: tuple[Layer, ...]
    classes: int = 7
    size: int = 48

    def steps(self, classes: int) -> Iterator[tuple[str, Layer, tuple[int, ...]]]:
        """Yield each layer with its name (as torch counts it) and the shape of one face's input to it."""
        shape: tuple[int, ...] = (1, self.size, self.size)
        for i, layer in enumerate(self.body):
            yield f"body.{i}", layer, shape
            shape = _after(layer, shape)
        shape = (prod(shape),)
        for i, layer in enumerate(self.dense):
            yield f"dense.{i}", layer, shape
            shape = _after(layer, shape)
        yield "head", Dense(classes), shape

    def parameters(self, classes: int | None = None) -> int:
        """Count the parameters as Keras does, with the running means and variances of the norms."""
        return sum(_count(layer, shape) for _, layer, shape in self.steps(classes or self.classes))

    def check_size(self, size: int) -> None:
        """Raise `UsageError` for faces of another size."""
        if size != self.size:
            raise UsageError(
                f"size: expected {self.size} px, the one size that this architecture takes, got {size}; "
                f"set the recipe's sizes to ((0, {self.size}),) or take the architecture '{RESIDUAL}'"
            )


def _after(layer: Layer, shape: tuple[int, ...]) -> tuple[int, ...]:
    match layer:
        case Conv(filters, side, padded):
            lost = 0 if padded else side - 1
            return (filters, shape[1] - lost, shape[2] - lost)
        case Pool():
            return (shape[0], shape[1] // 2, shape[2] // 2)
        case Dense(units):
            return (units,)
    return shape


def _count(layer: Layer, shape: tuple[int, ...]) -> int:
    match layer:
        case Conv(filters, side):
            return filters * (shape[0] * side * side + 1)
        case Norm():
            return 4 * shape[0]
        case PRelu():
            return prod(shape)
        case Dense(units):
            return units * (shape[0] + 1)
    return 0


def _dense(*units: int, dropout: float = 0.0) -> tuple[Layer, ...]:
    drops = (Dropout(dropout),) if dropout else ()
    return tuple(layer for count in units for layer in (Dense(count), Relu(), *drops))


def _patr8609() -> Architecture:
    def block(filters: int) -> tuple[Layer, ...]:
        return (Conv(filters, 3), Relu(), Norm(), Pool(), Dropout(0.4))

    body = (Conv(64, 3, padded=False), Relu(), *block(64), *block(128), *block(256), *block(256))
    return Architecture(body, _dense(512, 256, dropout=0.4), classes=4)


def _happy_ryan() -> Architecture:
    def block(filters: int, padded: bool = True) -> tuple[Layer, ...]:
        return (Conv(filters, 3, padded), Norm(), Relu(), Conv(filters, 3), Norm(), Relu(), Pool())

    dense = tuple(layer for units in (512, 256, 128) for layer in (Dense(units), Norm(), Relu()))
    return Architecture((*block(256, padded=False), *block(128), *block(64)), dense)


def _luanshiyinyang() -> Architecture:
    block = (Conv(64, 3), PRelu(), Conv(64, 5), PRelu(), Pool())
    return Architecture((Conv(32, 1), Relu(), *block, *block), _dense(2048, 1024, dropout=0.5), classes=8)


def _gong_muxiang() -> Architecture:
    blocks = tuple(
        layer for filters in (64, 128, 256, 512, 1024) for layer in (Conv(filters, 3), Relu(), Pool())
    )
    return Architecture(blocks, _dense(1024, 128, 64, 32, 16))


def _face_emotion_classifier() -> Architecture:
    body = (Conv(32, 1), Relu(), Conv(32, 5), Relu(), Pool(), Conv(32, 3), Relu(), Pool())
    return Architecture((*body, Conv(64, 5), Relu(), Pool()), _dense(2048, 1024, dropout=0.5))


#: The published networks by name. Each is as its authors made it but for what is fed in: here, as for our own
#: network, every face less its mean and divided by its spread, in place of grey values / 255 or of statistics
#: over all faces.
#:
#: patr8609
#:     github.com/patr8609/facial-emotion-recognition, four classes, 1,656,644 parameters. The first
#:     convolution is not padded (48 px become 46), the others are; the rectifier comes before the norm.
#: happy-ryan
#:     github.com/Happy-ryan/Face-Emotion-Recognition, after the Kaggle notebook of lxyuan0420; 2,137,991
#:     parameters. Here too only the first convolution is not padded; the norm comes before the rectifier.
#: luanshiyinyang
#:     github.com/luanshiyinyang/FacialExpressionRecognition, CNN3, after Kuo et al. (CVPR workshops 2018).
#:     21,611,848 parameters for its eight outputs, of which FER2013 never shows one (contempt). The slopes
#:     are learned for every place: 368,640 of them, without which its '21.6 M' would be 21.2.
#: gong-muxiang
#:     龔慕祥's slides (the name in pinyin), which state 3x3 filters, 2x2 pooling, 48x48x1 -> 1x1x1024, dense
#:     layers of 1024, 128, 64, 32 and 16, and seven outputs. Five halvings lead from 48 px to 1; that each
#:     follows one padded convolution, and that filters double from 64 on, is our reading: 7,461,223.
#: face-emotion-classifier
#:     zhzh.xyz/2018/12/13/emotionclassify, 6,912,199 parameters, every convolution padded; also CNN2 of
#:     luanshiyinyang. Dropout follows both hidden layers.
ARCHITECTURES: dict[str, Architecture] = {
    "patr8609": _patr8609(),
    "happy-ryan": _happy_ryan(),
    "luanshiyinyang": _luanshiyinyang(),
    "gong-muxiang": _gong_muxiang(),
    "face-emotion-classifier": _face_emotion_classifier(),
}


def published(name: str) -> Architecture:
    """Return a published architecture; `UsageError` for an unknown name."""
    if name not in ARCHITECTURES:
        raise UsageError(
            f"architecture: expected one of {', '.join((RESIDUAL, *ARCHITECTURES))}, got {name!r}"
        )
    return ARCHITECTURES[name]
