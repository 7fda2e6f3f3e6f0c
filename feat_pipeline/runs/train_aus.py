"""Labelled pictures become a labelled AU table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from feat_pipeline.datasets.listing import Listed
from feat_pipeline.datasets.pictures import check_classes
from feat_pipeline.detect import DEFAULT_DETECTOR
from feat_pipeline.runs.extract import extract
from feat_pipeline.sources.frame import input_name

if TYPE_CHECKING:
    from analysis.autable import AUTable

BACKEND = "embedded"


@dataclass(frozen=True)
class LabelledAUs:
    """The AUs of labelled faces.

    Attributes
    ----------
    table : AUTable
        n rows.
    emotions, usage : ndarray of str, shape (n,)
        As of `feat_pipeline.datasets.faces.LabelledFaces`.
    groups : ndarray of str, shape (n,), optional
        The person.
    skipped, notes : tuple of str
        Pictures that could not be read; what was left out for another reason.
    """

    table: AUTable
    emotions: np.ndarray
    usage: np.ndarray
    groups: np.ndarray | None = None
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def measure_pictures(
    listed: Listed, folder: Path, *, detector: str = DEFAULT_DETECTOR, backend: str = BACKEND
) -> LabelledAUs:
    """Measure the AUs of the largest face in each picture.

    Parameters
    ----------
    listed : Listed
    folder : Path
        What errors name.
    detector, backend : str
        See `feat_pipeline.runs.extract.extract`.

    Returns
    -------
    LabelledAUs
        Pictures without a face are left out, and counted in the notes.

    Raises
    ------
    InputError
        A class without a usable picture, or fewer than two classes.
    UnavailableError, UsageError
        See `extract`.
    """
    pictures = {input_name(picture.path): picture for picture in listed.pictures}
    found = extract([picture.path for picture in listed.pictures], backend=backend, detector=detector)
    frame = found.table.frame
    area = frame["w"] * frame["h"]
    table = found.table.with_rows((area == area.groupby(frame["input"]).transform("max")).to_numpy())
    table = table.with_rows(~table.frame["input"].duplicated().to_numpy())
    kept = [pictures[name] for name in table.frame["input"]]
    faceless = len(found.skipped) - len(found.errors)
    notes = [*listed.notes]
    if faceless:
        notes.append(f"{faceless:,} of {len(pictures):,} pictures are left out: {detector} found no face")
    skipped = (*listed.odd, *(f"{error.input}: {error.reason}" for error in found.errors))
    classes = sorted({picture.label for picture in listed.pictures})
    check_classes(folder, classes, {picture.label for picture in kept}, (*skipped, *notes))
    people = [picture.person for picture in kept]
    return LabelledAUs(
        table,
        np.array([picture.label for picture in kept], dtype=str),
        np.array([picture.part for picture in kept], dtype=str),
        None if None in people else np.array(people, dtype=str),
        skipped,
        tuple(notes),
    )
