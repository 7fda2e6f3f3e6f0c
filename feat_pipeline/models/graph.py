"""Trained networks as ONNX graphs, built in memory from their weights: predicting needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

from feat_pipeline.models.architectures import (
    NORM_EPSILON,
    RESIDUAL,
    Architecture,
    Conv,
    Dense,
    Layer,
    Norm,
    Pool,
    PRelu,
    Relu,
    published,
)
from feat_pipeline.weights.onnx_session import open_session

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto
    from onnxruntime import InferenceSession

_OPSET, _IR_VERSION = 17, 8
_NORM_EPSILON = 1e-5  # torch's


def prediction_session(
    architecture: str, network: dict[str, Any], weights: Mapping[str, np.ndarray], threads: int
) -> InferenceSession:
    """Return a session that runs `network_graph` on the CPU; 0 threads: one for each core given."""
    return open_session(network_graph(architecture, network, weights).SerializeToString(), threads)


def network_graph(
    architecture: str, network: dict[str, Any], weights: Mapping[str, np.ndarray]
) -> ModelProto:
    """Build the network that `feat_pipeline.models.nets.make_net` makes, for prediction.

    Parameters
    ----------
    architecture, network
        As for `make_net`.
    weights : mapping of str to ndarray of float32
        The network's state, by torch's names.

    Returns
    -------
    onnx.ModelProto
        ``crops``, float32 0-255, shape (n, 1, h, w), to ``logits``, shape (n, K).

    Raises
    ------
    KeyError
        A weight is missing.
    UsageError
        An unknown architecture.
    """
    if architecture == RESIDUAL:
        return _residual(weights, network["widths"], network["blocks"])
    return _layered(weights, published(architecture))


def _layered(weights: Mapping[str, np.ndarray], architecture: Architecture) -> ModelProto:
    graph = _Graph(weights)
    graph.standardise()
    for name, layer, _ in architecture.steps(len(weights["head.bias"])):
        if name == "dense.0":
            graph.add("Flatten", graph.last)
        graph.layer(name, layer)
    return graph.model()


def _residual(weights: Mapping[str, np.ndarray], widths: Sequence[int], blocks: Sequence[int]) -> ModelProto:
    """Build `feat_pipeline.models.nets.ResidualNet`; its norms are folded into their convolutions."""
    graph = _Graph(weights)
    graph.standardise()
    graph.conv("stem.0", "stem.1", relu=True)
    layer = 0
    for _, count in zip(widths, blocks, strict=True):
        graph.add("MaxPool", graph.last, kernel_shape=[2, 2], strides=[2, 2])
        for _ in range(count):
            layer += 1
            graph.block(f"body.{layer}")
        layer += 1
    graph.add("ReduceMean", graph.last, axes=[2, 3], keepdims=0)
    graph.dense("head")
    return graph.model()


@dataclass
class _Graph:
    """Chains nodes: each layer takes the output of the last."""

    weights: Mapping[str, np.ndarray]
    last: str = "crops"
    nodes: list[NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)

    def add(self, kind: str, *inputs: str, output: str = "", **attributes: object) -> str:
        self.last = output or f"{kind}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [self.last], **attributes))
        return self.last

    def constant(self, array: np.ndarray) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name))
        return name

    def standardise(self) -> None:
        """Take off each crop's mean and divide by its standard deviation + 1."""
        mean = self.add("ReduceMean", self.last, axes=[2, 3])
        away = self.add("Sub", "crops", mean)
        self.add("Mul", away, away)
        self.add("ReduceMean", self.last, axes=[2, 3])
        spread = self.add("Add", self.add("Sqrt", self.last), self.constant(np.ones(1)))
        self.add("Div", away, spread)

    def conv(self, name: str, norm: str, *, relu: bool = False) -> str:
        kernel = self.weights[f"{name}.weight"]
        scale = self.weights[f"{norm}.weight"] / np.sqrt(self.weights[f"{norm}.running_var"] + _NORM_EPSILON)
        shift = self.weights[f"{norm}.bias"] - self.weights[f"{norm}.running_mean"] * scale
        side = kernel.shape[-1]
        self.add(
            "Conv", self.last, self.constant(kernel * scale[:, None, None, None]), self.constant(shift),
            pads=[side // 2] * 4, kernel_shape=[side, side],
        )  # fmt: skip
        return self.add("Relu", self.last) if relu else self.last

    def block(self, name: str) -> None:
        inputs = self.last
        self.conv(f"{name}.first", f"{name}.first_norm", relu=True)
        main = self.conv(f"{name}.second", f"{name}.second_norm")
        if f"{name}.shortcut.0.weight" in self.weights:
            self.last = inputs
            inputs = self.conv(f"{name}.shortcut.0", f"{name}.shortcut.1")
        self.add("Relu", self.add("Add", main, inputs))

    def layer(self, name: str, layer: Layer) -> None:
        """Add a layer of `feat_pipeline.models.architectures`; dropout is nothing in prediction."""
        match layer:
            case Conv(_, side, padded):
                pads = [side // 2 if padded else 0] * 4
                self.add("Conv", self.last, *self.parts(name, "weight", "bias"), pads=pads)
            case Norm():
                parts = self.parts(name, "weight", "bias", "running_mean", "running_var")
                self.add("BatchNormalization", self.last, *parts, epsilon=NORM_EPSILON)
            case Relu():
                self.add("Relu", self.last)
            case PRelu():
                self.add("PRelu", self.last, *self.parts(name, "slope"))
            case Pool():
                self.add("MaxPool", self.last, kernel_shape=[2, 2], strides=[2, 2])
            case Dense():
                self.dense(name)

    def dense(self, name: str) -> None:
        output = "logits" if name == "head" else ""
        self.add("Gemm", self.last, *self.parts(name, "weight", "bias"), transB=1, output=output)

    def parts(self, name: str, *parts: str) -> list[str]:
        return [self.constant(self.weights[f"{name}.{part}"]) for part in parts]

    def model(self) -> ModelProto:
        described = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes,
            "network",
            [described("crops", TensorProto.FLOAT, ["n", 1, "height", "width"])],
            [described("logits", TensorProto.FLOAT, ["n", "classes"])],
            self.constants,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
        )
        checker.check_model(model)
        return model
