"""ONNX Runtime on the processor: the one way in which trained networks are run here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


def open_session(network: bytes | str | Path, threads: int = 1) -> InferenceSession:
    """Load a network.

    Parameters
    ----------
    network : bytes or path
        An ONNX model, or its file.
    threads : int
        Threads of one call; 0 takes one for each core that the process may use.

    Returns
    -------
    InferenceSession

    Raises
    ------
    Exception
        ONNX Runtime's own, of many kinds, where the network cannot be read.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # left to itself, ONNX Runtime also takes cores that the process was told to keep off
    options.intra_op_num_threads = threads or _cores()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    source = network if isinstance(network, bytes) else os.fspath(network)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def _cores() -> int:
    given = getattr(os, "sched_getaffinity", None)  # Linux alone knows which cores a process may use
    return len(given(0)) if given else os.cpu_count() or 1
