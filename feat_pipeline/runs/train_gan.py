"""Labelled faces in, a trained generator out: what ``feat-pipeline train gan`` does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from analysis import filenames
from analysis.folders import split_of
from feat_pipeline.datasets.faces import LabelledFaces
from feat_pipeline.datasets.read import read_faces
from feat_pipeline.declared import takes
from feat_pipeline.errors import InputError
from feat_pipeline.files import named_errors
from feat_pipeline.generator.adversarial import GanRecipe, train_networks
from feat_pipeline.generator.model import (
    DISCRIMINATOR,
    NETWORK,
    DiscriminatorSize,
    FaceGenerator,
    GeneratorSize,
    face_grid,
    make_faces,
    packed_png,
)
from feat_pipeline.generator.nets import Discriminator, Generator
from feat_pipeline.options.train import GanOptions
from feat_pipeline.output.runlog import RunLog
from feat_pipeline.runs.train_folder import going_on, same_data, training_folder
from feat_pipeline.training.batches import pick_device
from feat_pipeline.training.recipe import Examples

if TYPE_CHECKING:
    import pandas as pd

SAMPLES = "samples"
OUTPUTS = (
    filenames.MODEL, filenames.WEIGHTS, filenames.CURVES, filenames.CURVES_FIGURE, filenames.RUN
)  # fmt: skip
_COLUMNS = 10  # of the sample grid: a row an emotion


@takes(GanOptions)
def train_gan(
    data: str | Path,
    *,
    out: str | Path,
    recipe: GanRecipe | None = None,
    network: GeneratorSize | None = None,
    discriminator: DiscriminatorSize | None = None,
    overwrite: bool = False,
    judge: Callable[[Generator, int], dict[str, float]] | None = None,
    report: Callable[[dict[str, float]], None] | None = None,
    **options: object,
) -> FaceGenerator:
    """Train a generator on labelled faces and save it.

    Parameters
    ----------
    data : path
        See `feat_pipeline.datasets.read.read_faces`. Of data with parts only the part Training (or train) is
        looked at, of others all faces.
    out : path
        Folder that takes the generator, ``samples/epoch-001.png`` and so on (a row an emotion, the same noise
        every time), ``curves.csv``, ``curves.png``, ``checkpoint.pt`` and ``run.json``.
    recipe : GanRecipe, optional
    network, discriminator : dict, optional
        See `FaceGenerator` and `feat_pipeline.generator.nets.Discriminator`.
    overwrite : bool
        Whether results in ``out`` may be replaced.
    judge : callable, optional
        See `feat_pipeline.generator.adversarial.train_networks`.
    report : callable, optional
        Gets each epoch's row.
    **options : object
        Those of `GanOptions`, by name.

    Returns
    -------
    FaceGenerator

    Raises
    ------
    InputError, UsageError, OutputError, TrainingError
        Data that cannot be read, a folder that holds another training or cannot be written, a loss that is no
        number.
    """
    recipe = recipe or GanRecipe()
    chosen = GanOptions.of(options)
    resume, place = chosen.resume, pick_device(chosen.device)
    folder = training_folder(Path(out), OUTPUTS, resume, overwrite)
    parameters = {"device": chosen.device, "recipe": repr(recipe), **chosen.parameters()}
    log = RunLog("train", {"model": "gan", "data": str(data), **parameters})
    known = read_faces(data, classes=chosen.classes, size=chosen.size, detector=chosen.detector)
    faces = learned_part(known)
    generator = FaceGenerator(network=network or NETWORK, side=faces.images.shape[1])
    generator.classes_ = np.array(faces.classes, dtype=str)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        nets = _networks(generator, discriminator or DISCRIMINATOR)
    if not resume:
        folder.clear()
        for grid in (folder.path / SAMPLES).glob("epoch-*.png"):
            grid.unlink()
    same_data(folder, _fingerprint(faces), resume)

    def write_samples(averaged: Generator, row: dict[str, float]) -> None:
        folder.write(f"{SAMPLES}/epoch-{row['epoch']:03d}.png", _samples(averaged, len(faces.classes)))
        if report is not None:
            report(row)

    try:
        state, rows = train_networks(
            *nets, Examples(faces.images, faces.labels), recipe, work=folder.path, resume=resume,
            device=place, judge=judge, report=write_samples,
        )  # fmt: skip
        generator.weights_ = {name: value.numpy() for name, value in state.items()}
        with folder.all_or_nothing():
            generator.save(folder.path)
            draw_gan_curves(_frame(rows), folder.path / filenames.CURVES_FIGURE)
            counts = {name: int((faces.emotions == name).sum()) for name in faces.classes}
            learned = {"learned": len(faces), "by emotion": counts, "skipped": known.skipped}
            folder.write_json(filenames.RUN, log.record() | learned)
    except BaseException as error:
        if (note := going_on(folder)) is not None:
            error.add_note(note)
        raise
    return FaceGenerator.load(folder.path)


def learned_part(faces: LabelledFaces) -> LabelledFaces:
    """Return the faces that may be learned from: the part for it where there are parts, else all.

    Raises
    ------
    InputError
        The data have parts, and none to learn from; or a class has no face there.
    """
    parts = faces.usage.astype(str)
    in_parts = bool((parts != "").any())
    learned = np.array([split_of(part) == "train" or not in_parts for part in parts.tolist()], bool)
    if not learned.any():
        named = ", ".join(sorted(set(faces.usage.tolist())))
        raise InputError(f"data: expected a part to learn from, training or train, got {named}")
    chosen = faces.select(learned)
    absent = [name for i, name in enumerate(faces.classes) if not (chosen.labels == i).any()]
    if absent:
        raise InputError(f"class {absent[0]}: has no face to learn from; leave it out with --classes")
    return chosen


def draw_gan_curves(history: pd.DataFrame, path: Path) -> Path:
    """Draw losses, mean scores and, where it was judged, the distance from real faces by epoch, as PNG."""
    from analysis.files import atomic_path
    from analysis.plots.theme import new_figure, style_of

    judged = [name for name in history.columns if name.startswith("fid")]
    panels = [("Loss (hinge)", ("discriminator_loss", "generator_loss")),
              ("Mean score", ("real_score", "made_score"))]  # fmt: skip
    panels += [("FID", tuple(judged))] if judged else []
    words = {"discriminator_loss": "discriminator", "generator_loss": "generator", "real_score": "real faces",
             "made_score": "made faces"}  # fmt: skip
    with new_figure((3 * len(panels) + 0.6, 2.8), 1, len(panels)) as (figure, axes):
        for axis, (label, names) in zip(axes, panels, strict=True):
            for place, name in enumerate(names):
                style, known = style_of(place), history[name].notna()
                axis.plot(
                    history["epoch"][known], history[name][known], color=style.colour, linestyle=style.line,
                    label=words.get(name, name),
                )  # fmt: skip
            axis.set(xlabel="Epoch", ylabel=label)
            if len(names) > 1:
                axis.legend()
        with named_errors(path), atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=120)
    return path


def _networks(generator: FaceGenerator, discriminator: DiscriminatorSize) -> tuple[Generator, Discriminator]:
    classes, side = len(generator.classes_), generator.side
    return (
        Generator(classes=classes, side=side, **(generator.network or NETWORK)),
        Discriminator(classes=classes, side=side, **discriminator),
    )


def _samples(net: Generator, classes: int) -> bytes:
    noise = np.random.default_rng(0).standard_normal((classes * _COLUMNS, net.latent), np.float32)
    labels = torch.arange(classes).repeat_interleave(_COLUMNS)
    grid = face_grid(make_faces(net, torch.from_numpy(noise), labels), _COLUMNS)
    return packed_png(grid, "made by a generator in training; no persons")


def _frame(rows: list[dict[str, float]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows)


def _fingerprint(faces: LabelledFaces) -> dict[str, Any]:
    digest = hashlib.blake2b(digest_size=16)
    for part in (faces.images, faces.labels):
        digest.update(np.ascontiguousarray(part).tobytes())
    return {"digest": digest.hexdigest(), "learned": len(faces), "classes": list(faces.classes)}
