"""The three networks of MTCNN as ONNX graphs, built in memory from the weights of the PyPI package `mtcnn`.

Zhang et al. 2016, 'Joint face detection and alignment using multitask cascaded convolutional networks',
doi:10.1109/LSP.2016.2603342. The layers are those of the package; only its weight files are read, so neither
its code nor TensorFlow is imported.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from feat_pipeline.errors import UnavailableError

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

MEND = "python -m pip install mtcnn"
PATCH_PX = {"rnet": 24, "onet": 48}
_OPSET, _IR_VERSION = 17, 8


def read_weights(net: str) -> list[np.ndarray]:
    """Read the weight arrays of one network from the installed package `mtcnn`.

    Parameters
    ----------
    net : {"pnet", "rnet", "onet"}
        The network.

    Returns
    -------
    list of ndarray of float32
        Per layer kernel (height, width, in, out) or (in, out), bias (out,) and, except heads, PReLU slopes.

    Raises
    ------
    UnavailableError
        The package or its file is missing.
    """
    import joblib

    spec = importlib.util.find_spec("mtcnn")
    if spec is None or spec.origin is None:
        raise UnavailableError(f"detector mtcnn: the package mtcnn with its weights is missing; run: {MEND}")
    path = Path(spec.origin).parent / "assets" / "weights" / f"{net}.lz4"
    if not path.is_file():
        raise UnavailableError(f"detector mtcnn: {path} is missing; run: {MEND} --force-reinstall")
    return joblib.load(path)


@dataclass
class _Graph:
    """Chains nodes: each layer takes the output of the last and the next arrays of the weights."""

    weights: list[np.ndarray]
    last: str
    nodes: list[NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)

    def add(self, kind: str, *inputs: str, output: str = "", **attributes: object) -> str:
        self.last = output or f"{kind}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [self.last], **attributes))
        return self.last

    def constant(self, array: np.ndarray) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def conv(self) -> None:
        kernel = self.constant(self.weights.pop(0).transpose(3, 2, 0, 1))
        self.add("Conv", self.last, kernel, self.constant(self.weights.pop(0)))

    def prelu(self) -> None:
        slopes = self.weights.pop(0)
        shape = (-1, 1, 1) if slopes.ndim == 3 else (-1,)
        values = self.last
        # onnxruntime's own PRelu would take half of P-Net's time.
        self.add("Min", values, self.constant(np.zeros(1, np.float32)))
        below = self.add("Mul", self.last, self.constant(slopes.reshape(shape)))
        self.add("Relu", values)
        self.add("Add", self.last, below)

    def pool(self, size: int, pad_end: int = 0) -> None:
        pads = [0, 0, pad_end, pad_end]
        self.add("MaxPool", self.last, kernel_shape=[size, size], strides=[2, 2], pads=pads)

    def dense(self) -> None:
        kernel = self.constant(self.weights.pop(0))
        self.add("Gemm", self.last, kernel, self.constant(self.weights.pop(0)))

    def head(self, trunk: str, output: str) -> None:
        self.last = trunk
        if self.weights[0].ndim == 4:
            self.conv()
        else:
            self.dense()
        # A sigmoid of the difference would be faster, but orders scores next to 1 otherwise than the package.
        kind, attributes = ("Softmax", {"axis": 1}) if output == "scores" else ("Identity", {})
        self.add(kind, self.last, output=output, **attributes)

    def flatten(self) -> None:
        # The weights expect columns before rows, channels last.
        self.add("Transpose", self.last, perm=[0, 3, 2, 1])
        self.add("Flatten", self.last)

    def model(self, inputs: dict[str, list], outputs: list[str]) -> ModelProto:
        def described(name: str, shape: list | None) -> object:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

        graph = helper.make_graph(
            self.nodes,
            "mtcnn",
            [described(name, shape) for name, shape in inputs.items()],
            [described(name, None) for name in outputs],
            self.constants,
        )
        return helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
        )


def build_pnet() -> ModelProto:
    """Build P-Net: `picture` (1, h, w, 3) -> `offsets` (1, 4, h', w'), `scores` (1, 2, h', w').

    Pixels are RGB, (value - 127.5) / 128.

    Raises
    ------
    UnavailableError
        As `read_weights`.
    """
    graph = _Graph(read_weights("pnet"), "picture")
    graph.add("Transpose", "picture", perm=[0, 3, 1, 2])
    graph.conv()
    graph.prelu()
    graph.add("MaxPool", graph.last, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    for _ in range(2):
        graph.conv()
        graph.prelu()
    trunk = graph.last
    outputs = ["offsets", "scores"]
    for output in outputs:
        graph.head(trunk, output)
    return graph.model({"picture": [1, "height", "width", 3]}, outputs)


def build_rnet() -> ModelProto:
    """Build R-Net: patches of `PATCH_PX` (see `_patches`) -> `offsets` (n, 4), `scores` (n, 2).

    Raises
    ------
    UnavailableError
        As `read_weights`.
    """
    graph = _Graph(read_weights("rnet"), "")
    inputs = _patches(graph, PATCH_PX["rnet"])
    for pool in ((3, 1), (3, 0), None):
        graph.conv()
        graph.prelu()
        if pool:
            graph.pool(*pool)
    return _heads(graph, inputs, ["offsets", "scores"])


def build_onet() -> ModelProto:
    """Build O-Net: patches of `PATCH_PX` -> `offsets` (n, 4), `points` (n, 10), `scores` (n, 2).

    Raises
    ------
    UnavailableError
        As `read_weights`.
    """
    graph = _Graph(read_weights("onet"), "")
    inputs = _patches(graph, PATCH_PX["onet"])
    for pool in ((3, 1), (3, 0), (2, 0), None):
        graph.conv()
        graph.prelu()
        if pool:
            graph.pool(*pool)
    return _heads(graph, inputs, ["offsets", "points", "scores"])


def _patches(graph: _Graph, size: int) -> dict[str, list]:
    """Cut square patches out of `picture` (1, 3, h, w) by bilinear sampling.

    `rois` (n, 4) are the outer edges of the patches; `inside_x` and `inside_y` (n, size) are 1 where a sample
    lies in the picture, else 0: outside of it the patch is 0.
    """
    graph.add("Shape", "rois", start=0, end=1)
    zeros = graph.add("ConstantOfShape", graph.last, value=numpy_helper.from_array(np.zeros(1, np.int64)))
    graph.add(
        "RoiAlign",
        "picture",
        "rois",
        zeros,
        output_height=size,
        output_width=size,
        sampling_ratio=1,
        coordinate_transformation_mode="half_pixel",
    )
    sampled = graph.last
    rows = graph.add("Unsqueeze", "inside_y", graph.constant(np.array([1, 3])))
    columns = graph.add("Unsqueeze", "inside_x", graph.constant(np.array([1, 2])))
    graph.add("Mul", sampled, rows)
    graph.add("Mul", graph.last, columns)
    return {
        "picture": [1, 3, "height", "width"],
        "rois": ["n", 4],
        "inside_y": ["n", size],
        "inside_x": ["n", size],
    }


def _heads(graph: _Graph, inputs: dict[str, list], outputs: list[str]) -> ModelProto:
    graph.flatten()
    graph.dense()
    graph.prelu()
    trunk = graph.last
    for output in outputs:
        graph.head(trunk, output)
    return graph.model(inputs, outputs)
