"""Write the graph of a trained network, ``network.onnx``, into folders that were saved before it was kept.

    python tools/export_network.py models/cnn-fer2013

The weights stay as they are; ``model.json`` gets the graph's digest. The same folder gives the same files.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from feat_pipeline.models.cnn import CnnClassifier

FACES = 200


def export(folder: Path) -> float:
    """Save a model again as it was read; return the largest difference of its answers for random faces."""
    model = CnnClassifier.load(folder)
    faces = np.random.default_rng(0).integers(0, 256, (FACES, model.size_, model.size_)).astype(np.uint8)
    weights = (folder / "weights.safetensors").read_bytes()
    with tempfile.TemporaryDirectory() as temporary:
        made = CnnClassifier.load(model.save(temporary))
        apart = float(np.abs(made.predict_proba(faces) - model.predict_proba(faces)).max())
        if Path(temporary, "weights.safetensors").read_bytes() != weights:
            raise SystemExit(f"{folder}: its weights would change; train it again instead")
        for name in ("network.onnx", "model.json"):
            (folder / name).write_bytes(Path(temporary, name).read_bytes())
    return apart


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    for folder in parser.parse_args().folders:
        apart = export(folder)
        stated = json.loads((folder / "model.json").read_text())["network_onnx"]
        size = (folder / "network.onnx").stat().st_size
        print(f"{folder}: network.onnx, {size} bytes, sha256 {stated}; answers differ by {apart:.1e}")


if __name__ == "__main__":
    main()
