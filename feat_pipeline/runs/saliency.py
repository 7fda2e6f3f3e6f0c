"""Photos in, a folder out: where a model looks in each face, held against a regression's reasons."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis import filenames
from analysis.results import load_result
from feat_pipeline.declared import takes
from feat_pipeline.errors import UsageError
from feat_pipeline.files import named_errors
from feat_pipeline.models import load_model, model_name, model_path
from feat_pipeline.models.protocol import is_explainable
from feat_pipeline.options.saliency import SaliencyOptions
from feat_pipeline.output.folder import OutputFolder
from feat_pipeline.output.runlog import RunLog
from feat_pipeline.predict import Predicted, Predictor
from feat_pipeline.progress import progress
from feat_pipeline.runs.saliency_faces import NO_CONTRIBUTIONS, FaceAttributions
from feat_pipeline.saliency.attribution import check_method
from feat_pipeline.saliency.correlation import RegionCorrelation
from feat_pipeline.sources.find import find_files
from feat_pipeline.sources.frame import PathLike, Skipped
from feat_pipeline.sources.photos import read_frame

if TYPE_CHECKING:
    import pandas as pd

OUTPUTS = (
    "saliency.csv",
    filenames.result_file("agreement"),
    filenames.SKIPPED,
    filenames.RUN,
    "figures/*.png",
)


@dataclass(frozen=True, eq=False)
class SaliencyResult:
    """What `saliency_files` found.

    Parameters
    ----------
    agreement : RegionCorrelation
        The content of ``agreement.json``; its ``facts["correlation"]`` is None where there is none.
    table : DataFrame
        The content of ``saliency.csv``.
    run : dict
        Parameters, versions, counts and seconds.
    errors : list of Skipped
        The inputs that were skipped for an error; a picture without a face is none.
    """

    agreement: RegionCorrelation
    table: pd.DataFrame
    run: dict[str, Any]
    errors: list[Skipped]


@takes(SaliencyOptions)
def saliency_files(
    paths: PathLike | Iterable[PathLike],
    *,
    out: PathLike,
    overwrite: bool = False,
    **options: object,
) -> SaliencyResult:
    """Find where a model looks in the faces of photos, and whether the regression's AUs lie there.

    Parameters
    ----------
    paths : path or iterable of paths
        Photos and folders; folders are searched with their subfolders.
    out : path
        Folder that takes ``saliency.csv`` (a row for each face and region), ``agreement.json``,
        ``skipped.csv``, ``run.json``, ``report.html`` and ``figures/``.
    overwrite : bool
        Whether results of an earlier run in ``out`` may be replaced.
    **options : object
        Those of `SaliencyOptions`, by name.

    Returns
    -------
    SaliencyResult

    Raises
    ------
    InputError, AnalysisError
        A path or model is missing or damaged, or no face of any photo could be explained.
    OutputError
        ``out`` cannot be written, or holds results and ``overwrite`` is false.
    UsageError
        A model that sees no pixels, a method that it cannot be explained by, a regression that is none, an
        unknown emotion, or a number out of range.
    UnavailableError
        The backend or the detector cannot run here, or torch or captum is not installed.
    """
    chosen = SaliencyOptions.of(options)
    if chosen.figures < 0 or chosen.draws < 1 or chosen.seed < 0:
        raise UsageError(
            f"faces, draws, seed: expected 0, 1 and 0 or more, got {chosen.figures}, {chosen.draws} and "
            f"{chosen.seed}"
        )
    drawn_before = Path(os.path.realpath(Path(out, "figures")))
    photos = [p for p in find_files(paths) if Path(os.path.realpath(p)).parent != drawn_before]
    people = None if chosen.person is None else _people(photos, chosen.person)
    _check_models(chosen.model, chosen.against, chosen.method, chosen.target)
    folder = OutputFolder(out, OUTPUTS, overwrite=overwrite)
    predictor = Predictor(models=[chosen.model, chosen.against], detector=chosen.detector)
    extractor = predictor.extractor
    log = RunLog(
        "saliency",
        chosen.parameters(),
        backend={"name": extractor.name, "version": extractor.version, "scale": extractor.scale},
        detector=chosen.detector,
        models=list(predictor.models),
    )
    how = {"method": chosen.method, "baseline": chosen.baseline, "seed": chosen.seed}
    attributions = FaceAttributions(predictor, how, chosen.target, chosen.figures, log)
    found = predictor.predict_many(map(read_frame, photos))
    for item in progress(found, total=len(photos), unit="photo"):
        log.add(item.measured if isinstance(item, Predicted) else item)
        if isinstance(item, Predicted):
            attributions.add(item.faces, item.measured.frame.rgb)
    attributions.finish()
    table, result = attributions.result(people, chosen.draws, chosen.seed)
    surrogate = _of_surrogate(chosen.against)
    result.facts.update(surrogate)
    if surrogate["surrogate"] is not None:
        result.facts["notes"] += _of_another(surrogate["surrogate"]["explains"], chosen)
    record = log.record() | {"notes": result.facts["notes"]}
    folder.clear()
    with folder.all_or_nothing():
        folder.write("saliency.csv", table.to_csv(index=False, float_format="%.6g"))
        for name, figure in attributions.figures():
            folder.write(name, figure)
        with named_errors(folder.path):
            result.save(folder.path)
        folder.write(filenames.SKIPPED, log.skipped_frame().to_csv(index=False))
        folder.write_json(filenames.RUN, record)
    from analysis.report import build_report

    build_report(folder.path)
    return SaliencyResult(result, table, record, log.errors)


def _check_models(model: PathLike, against: PathLike, method: str, target: str | None) -> None:
    """Let what cannot be explained, or is no explanation, say so before the work begins."""
    looked_into, regression = load_model(model), load_model(against)
    if looked_into.consumes != "pixels":
        raise UsageError(
            f"model {model_name(model)}: looks at Action Units and not at pixels alone; name a model of face "
            f"crops, such as 'feat-pipeline train cnn' makes"
        )
    if not is_explainable(regression):
        raise UsageError(f"against {model_name(against)}: {NO_CONTRIBUTIONS}")
    check_method(looked_into, method)
    classes = [str(name) for name in looked_into.classes_]
    if target is not None and target not in classes:
        raise UsageError(f"target: the model knows {', '.join(classes)}, not {target!r}")


def _people(photos: list[Path], pattern: str) -> dict[str, str]:
    """Find the person in the path of each photo; FitError where a path names none."""
    import pandas as pd

    from analysis.labels import group_column
    from feat_pipeline.sources.frame import input_name

    names = [input_name(photo) for photo in photos]
    return dict(zip(names, group_column(pd.DataFrame({"input": names}), f"input:{pattern}"), strict=True))


def _of_surrogate(against: PathLike) -> dict[str, Any]:
    """Tell of a surrogate whom it stands in for, and how well."""
    folder = model_path(against).parent
    if not (folder / filenames.result_file("surrogate")).is_file():
        return {"surrogate": None}
    facts = load_result(folder, "surrogate")[0]
    return {"surrogate": {key: facts[key] for key in ("explains", "usable", "verdict")}}


def _of_another(explains: str, options: SaliencyOptions) -> list[str]:
    """Say that a surrogate stands in for another model than is looked into, which may be a renamed one."""
    name = model_name(options.model)
    if explains == name:
        return []
    return [
        f"against {model_name(options.against)}: is the surrogate of {explains}, and not of {name}; unless "
        f"they are the same model, its reasons are another's: make one of {name} by 'feat-pipeline surrogate'"
    ]
