"""A trained network as an ONNX file: exported once, when a model is saved, so that predicting needs no torch.

The file holds the graph alone. Its weights are those of ``weights.safetensors`` beside it, found by their
places there (ONNX's external data), so that they are kept once and cannot differ.
"""

from __future__ import annotations

import hashlib
import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from analysis import filenames
from feat_pipeline.errors import require

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import nn

NETWORK_FILE, WEIGHTS_FILE = filenames.NETWORK, filenames.WEIGHTS
_OPSET = 17


def exported(make_net: Callable[[], nn.Module], size: int) -> bytes:
    """Export a network with its weights.

    Parameters
    ----------
    make_net : callable
        Makes it, in evaluation mode: no dropout, norms by their running means.
    size : int
        Side of the faces, px.

    Returns
    -------
    bytes
        An ONNX model: ``crops``, float32 0-255, shape (n, 1, size, size), to ``logits``, shape (n, K), of any
        n. Weights keep the names that torch gives them.

    Raises
    ------
    UnavailableError
        torch is not installed.
    """
    require("torch", extra="train", what=f"a model whose folder holds no {NETWORK_FILE} that fits")
    import torch

    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sizes that are traced as constants, and of the exporter's age
        torch.onnx.export(
            make_net(), (torch.zeros(2, 1, size, size),), buffer, dynamo=False, opset_version=_OPSET,
            input_names=["crops"], output_names=["logits"],
            dynamic_axes={"crops": {0: "n"}, "logits": {0: "n"}},
            # norms stay apart from convolutions, whose weights are then those that are saved
            training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
        )  # fmt: skip
    return buffer.getvalue()


def graph_of(network: bytes, packed: bytes) -> bytes:
    """Leave the weights out of an exported network: they are read from ``weights.safetensors`` beside it.

    Parameters
    ----------
    network : bytes
        What `exported` returns.
    packed : bytes
        That file, which holds the weights by their names, float32 or float16.

    Returns
    -------
    bytes
        An ONNX model that is opened by its path, so that the weights are found.
    """
    import onnx
    from onnx import TensorProto, helper
    from onnx.external_data_helper import set_external_data

    model: ModelProto = onnx.load_from_string(network)
    start = 8 + int.from_bytes(packed[:8], "little")
    places = json.loads(packed[8:start])
    casts = []
    for weight in model.graph.initializer:
        if weight.name not in places:
            continue
        name, place = weight.name, places[weight.name]
        first, end = place["data_offsets"]
        halved = place["dtype"] == "F16"
        if halved:
            casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
        set_external_data(weight, WEIGHTS_FILE, start + first, end - first)
        weight.ClearField("raw_data")
        weight.name = f"{name}.half" if halved else name
        weight.data_type = TensorProto.FLOAT16 if halved else TensorProto.FLOAT
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model.SerializeToString(deterministic=True)


def read_graph(folder: Path, digest: str | None) -> bytes | None:
    """Read the graph that belongs to a model.

    Parameters
    ----------
    folder : Path
    digest : str, optional
        What ``model.json`` states of the graph; models of before it was kept state none.

    Returns
    -------
    bytes or None
        None where the folder holds none of this model.

    Raises
    ------
    ValueError
        It is damaged or of another model.
    """
    file = folder / NETWORK_FILE
    if digest is None or not file.is_file():
        return None
    graph = file.read_bytes()
    if hashlib.sha256(graph).hexdigest() != digest:
        raise ValueError(f"{NETWORK_FILE} beside it is damaged or of another model")
    return graph
