"""Faces of nobody, written as files."""

from __future__ import annotations

from pathlib import Path

from analysis import filenames
from feat_pipeline.declared import takes
from feat_pipeline.errors import UsageError
from feat_pipeline.generator.model import FaceGenerator, face_grid, packed_png
from feat_pipeline.options.generate import GenerateOptions
from feat_pipeline.output.folder import OutputFolder
from feat_pipeline.output.runlog import RunLog

GRID = "grid.png"
OUTPUTS = ("faces/*.png", GRID, "faces.csv", filenames.RUN)


@takes(GenerateOptions)
def write_generated(
    emotion: str,
    *,
    out: str | Path,
    overwrite: bool = False,
    **options: object,
) -> list[str]:
    """Write made faces as PNG, one each, with a grid of all and a list.

    Parameters
    ----------
    emotion : str
        See `FaceGenerator.generate`.
    out : path
        Folder that takes ``faces/000000_happy.png`` and so on, ``grid.png``, ``faces.csv`` (``file, emotion,
        generator, seed``) and ``run.json``. Every PNG says in its text chunks that it was made.
    overwrite : bool
        Whether results of an earlier run in ``out`` may be replaced.
    **options : object
        Those of `GenerateOptions`, by name.

    Returns
    -------
    list of str
        Names of the files, below ``out``.

    Raises
    ------
    InputError, UsageError, OutputError
        No such generator or emotion; a folder that cannot be written or holds results.
    """
    chosen = GenerateOptions.of(options)
    n, seed, model = chosen.n, chosen.seed, Path(chosen.model)
    log = RunLog("generate", {"emotion": emotion, **chosen.parameters()})
    if n < 1:
        raise UsageError(f"n: expected 1 or more faces, got {n}")
    generator = FaceGenerator.load(model)
    faces = generator.generate(emotion, n, seed=seed)
    folder = OutputFolder(out, OUTPUTS, overwrite=overwrite)
    folder.clear()
    origin = f"made by feat-pipeline's generator {model.name}, emotion {emotion}, seed {seed}; no person"
    names = [f"faces/{i:06d}_{emotion}.png" for i in range(n)]
    with folder.all_or_nothing():
        for name, face in zip(names, faces, strict=True):
            folder.write(name, packed_png(face, origin))
        folder.write(GRID, packed_png(face_grid(faces, columns_of(n)), origin))
        lines = [f"{name},{emotion},{model.name},{seed}" for name in names]
        folder.write("faces.csv", "\n".join(["file,emotion,generator,seed", *lines]) + "\n")
        folder.write_json(filenames.RUN, log.record() | {"made": n})
    return [*names, *OUTPUTS[1:]]


def columns_of(n: int) -> int:
    """Faces in a row of a grid of n: a square, at most 16 wide."""
    return min(16, max(1, round(n**0.5)))
