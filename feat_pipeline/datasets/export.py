"""FER2013 in the forms that others work with: a picture a face, a CSV a part, one ``.npz``."""

from __future__ import annotations

import contextlib
import csv
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from feat_pipeline.datasets.faces import LabelledFaces
from feat_pipeline.datasets.fer2013 import COLUMNS, PARTS
from feat_pipeline.datasets.npz import save_faces
from feat_pipeline.errors import OutputError, UsageError
from feat_pipeline.files import named_errors
from feat_pipeline.progress import progress


def write_faces(
    faces: LabelledFaces, form: str, out: str | os.PathLike[str], *, overwrite: bool = False
) -> Path:
    """Write FER2013 in another form; all of it stands there in the end, or nothing.

    Parameters
    ----------
    faces : LabelledFaces
        As `feat_pipeline.datasets.fer2013.read_fer2013` reads them.
    form : {'folder', 'csv-splits', 'npz'}
        'folder': ``out/Training/angry/00000.png``, named by the row in Kaggle's file; 'csv-splits':
        ``out/Training.csv`` and so on, with Kaggle's columns; 'npz': the file ``out``
        (`feat_pipeline.datasets.npz`).
    out : path
    overwrite : bool
        Whether what an earlier run wrote may be replaced. Other files in the folder are left alone.

    Returns
    -------
    Path
        ``out``.

    Raises
    ------
    UsageError
        An unknown form.
    OutputError
        ``out`` cannot be written, holds earlier results, or a part's folder holds other files too.
    """
    if form not in FORMS:
        raise UsageError(f"form: expected one of {', '.join(FORMS)}, got {form!r}")
    out = Path(out)
    if form == "npz":
        if out.is_dir():
            raise OutputError(f"{out}: is a folder, expected a file such as {out / 'fer2013.npz'}")
        _refuse_earlier(out, [out] if out.exists() else [], overwrite)
        return save_faces(faces, out)
    names = PARTS if form == "folder" else [f"{part}.csv" for part in PARTS]
    earlier = [out / name for name in names if (out / name).exists()]
    _refuse_earlier(out, earlier, overwrite)
    for path in earlier:
        _refuse_foreign(path)
    with named_errors(out), _staged(out, earlier) as folder:
        _WRITERS[form](faces, folder)
    return out


def _write_pictures(faces: LabelledFaces, folder: Path) -> None:
    from PIL import Image

    for part, emotion in sorted(set(zip(faces.usage.tolist(), faces.emotions.tolist(), strict=True))):
        (folder / part / emotion).mkdir(parents=True)
    places = zip(faces.images, faces.usage, faces.emotions, faces.rows, strict=True)
    for image, part, emotion, row in progress(places, total=len(faces), unit="picture"):
        Image.fromarray(image).save(folder / part / emotion / f"{row:05d}.png")


def _write_tables(faces: LabelledFaces, folder: Path) -> None:
    for part in np.unique(faces.usage).tolist():
        chosen = faces.part(part)
        with (folder / f"{part}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for image, label in zip(chosen.images, chosen.labels, strict=True):
                writer.writerow([label, " ".join(map(str, image.ravel().tolist())), part])


_WRITERS: dict[str, Callable[[LabelledFaces, Path], None]] = {
    "folder": _write_pictures,
    "csv-splits": _write_tables,
}
FORMS = (*_WRITERS, "npz")


@contextlib.contextmanager
def _staged(out: Path, earlier: list[Path]) -> Iterator[Path]:
    """Hand out a folder on the same disk; what is in it moves to `out` when the block ends well."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", suffix=".tmp", dir=out) as temporary:
        fresh, old = Path(temporary, "fresh"), Path(temporary, "old")
        fresh.mkdir()
        old.mkdir()
        yield fresh
        for path in earlier:
            path.rename(old / path.name)
        for path in sorted(fresh.iterdir()):
            path.rename(out / path.name)


def _refuse_earlier(out: Path, earlier: list[Path], overwrite: bool) -> None:
    if earlier and not overwrite:
        raise OutputError(
            f"{out}: already holds {', '.join(path.name for path in earlier)}; add --overwrite to replace "
            f"them, or name another place"
        )


def _refuse_foreign(path: Path) -> None:
    """Refuse a part's folder that holds other files: it is replaced as a whole."""
    for file in path.rglob("*"):
        if file.is_file() and not (file.suffix == ".png" and file.stem.isdigit()):
            raise OutputError(f"{file}: was not written by this command; move it, or name another folder")
