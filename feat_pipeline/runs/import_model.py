"""A model of another program, written as one of ours."""

from __future__ import annotations

from pathlib import Path

from analysis import filenames
from feat_pipeline.models.teachable import TeachableMachine
from feat_pipeline.output.folder import OutputFolder
from feat_pipeline.output.runlog import RunLog

OUTPUTS = (filenames.MODEL, filenames.WEIGHTS, filenames.RUN)


def import_export(folder: str | Path, *, out: str | Path, overwrite: bool = False) -> TeachableMachine:
    """Read an export and write it as a model.

    Parameters
    ----------
    folder : path
        See `TeachableMachine.from_export`.
    out : path
        Folder that takes ``model.json``, ``weights.safetensors`` and ``run.json``.
    overwrite : bool
        Whether results in ``out`` may be replaced.

    Returns
    -------
    TeachableMachine

    Raises
    ------
    InputError, UnavailableError
        See `TeachableMachine.from_export`.
    OutputError
        ``out`` cannot be written, or holds results and ``overwrite`` is false.
    """
    results = OutputFolder(out, (*OUTPUTS, *filenames.OF_A_MODEL), overwrite=overwrite)
    log = RunLog("models import", {"folder": str(folder)})
    model = TeachableMachine.from_export(folder)
    results.clear()
    with results.all_or_nothing():
        model.save(results.path)
        results.write_json(filenames.RUN, log.record())
    return model
