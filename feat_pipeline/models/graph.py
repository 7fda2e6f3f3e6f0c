"""Trained networks as ONNX graphs, built in memory from their weights: predicting needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_OPSET, _IR_VERSION = 17, 8
_NORM_EPSILON = 1e-5  # torch's


def residual_graph(
    weights: Mapping[str, np.ndarray], widths: Sequence[int], blocks: Sequence[int]
) -> ModelProto:
    """Build `feat_pipeline.models.nets.ResidualNet` for prediction.

    Parameters
    ----------
    weights : mapping of str to ndarray of float32
        The network's state, by torch's names. Norms are folded into their convolutions.
    widths, blocks : sequences of int
        As the network was made with.

    Returns
    -------
    onnx.ModelProto
        ``crops``, float32 0-255, shape (n, 1, h, w), to ``logits``, shape (n, K).

    Raises
    ------
    KeyError
        A weight is missing.
    """
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
    graph.head()
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

    def head(self) -> None:
        self.add("ReduceMean", self.last, axes=[2, 3], keepdims=0)
        weight, bias = (self.constant(self.weights[f"head.{part}"]) for part in ("weight", "bias"))
        self.add("Gemm", self.last, weight, bias, transB=1, output="logits")

    def model(self) -> ModelProto:
        described = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes,
            "residual",
            [described("crops", TensorProto.FLOAT, ["n", 1, "height", "width"])],
            [described("logits", TensorProto.FLOAT, ["n", "classes"])],
            self.constants,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
        )
        checker.check_model(model)
        return model
