"""Photos in, a folder out: where a model looks in each face, held against a regression's reasons."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis import filenames
from analysis.results import load_result
from feat_pipeline.detect import DEFAULT_DETECTOR
from feat_pipeline.errors import UsageError
from feat_pipeline.files import named_errors
from feat_pipeline.models import DEFAULT_MODELS, load_model, model_name, model_path
from feat_pipeline.models.protocol import is_explainable
from feat_pipeline.output.folder import OutputFolder
from feat_pipeline.output.runlog import RunLog
from feat_pipeline.predict import Predicted, Predictor
from feat_pipeline.progress import progress
from feat_pipeline.runs.saliency_faces import NO_CONTRIBUTIONS, FaceAttributions
from feat_pipeline.saliency.attribution import check_method
from feat_pipeline.saliency.correlation import RegionCorrelation
from feat_pipeline.sources.frame import PathLike, Skipped
from feat_pipeline.sources.photos import find_photos, read_frame

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


def saliency_files(
    paths: PathLike | Iterable[PathLike],
    *,
    model: PathLike,
    out: PathLike,
    against: PathLike = DEFAULT_MODELS[0],
    method: str = "integrated-gradients",
    baseline: str = "grey",
    target: str | None = None,
    detector: str = DEFAULT_DETECTOR,
    person: str | None = None,
    figures: int = 12,
    draws: int = 1000,
    seed: int = 0,
    overwrite: bool = False,
) -> SaliencyResult:
    """Find where a model looks in the faces of photos, and whether the regression's AUs lie there.

    Parameters
    ----------
    paths : path or iterable of paths
        Photos and folders; folders are searched with their subfolders.
    model : path
        Folder or file of a model of face crops.
    out : path
        Folder that takes ``saliency.csv`` (a row for each face and region), ``agreement.json``,
        ``skipped.csv``, ``run.json``, ``report.html`` and ``figures/``.
    against : path
        A regression on AUs: a shipped name or a folder, such as that of a surrogate of the model.
    method, baseline
        See `attribute`.
    target : str, optional
        The emotion to explain; by default each face's answer by the model.
    detector : str
        See `Predictor`.
    person : str, optional
        Regular expression whose first group names the person in a photo's path, for the interval.
    figures : int
        Faces that get a figure, from the first on.
    draws, seed : int
        See `agreement`.
    overwrite : bool
        Whether results of an earlier run in ``out`` may be replaced.

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
    if figures < 0 or draws < 1 or seed < 0:
        raise UsageError(
            f"faces, draws, seed: expected 0, 1 and 0 or more, got {figures}, {draws} and {seed}"
        )
    drawn_before = Path(os.path.realpath(Path(out, "figures")))
    photos = [p for p in find_photos(paths) if Path(os.path.realpath(p)).parent != drawn_before]
    people = None if person is None else _people(photos, person)
    _check_models(model, against, method, target)
    folder = OutputFolder(out, OUTPUTS, overwrite=overwrite)
    predictor = Predictor(models=[model, against], detector=detector)
    extractor = predictor.extractor
    parameters: dict[str, Any] = {
        "model": str(model),
        "against": str(against),
        "method": method,
        "baseline": baseline,
    }
    parameters |= {"target": target, "person": person, "draws": draws, "seed": seed}
    log = RunLog(
        "saliency",
        parameters,
        backend={"name": extractor.name, "version": extractor.version, "scale": extractor.scale},
        detector=detector,
        models=list(predictor.models),
    )
    options = {"method": method, "baseline": baseline, "seed": seed}
    attributions = FaceAttributions(predictor, options, target, figures, log)
    found = predictor.predict_many(map(read_frame, photos))
    for item in progress(found, total=len(photos), unit="photo"):
        log.add(item.measured if isinstance(item, Predicted) else item)
        if isinstance(item, Predicted):
            attributions.add(item.faces, item.measured.frame.rgb)
    attributions.finish()
    table, result = attributions.result(people, draws, seed)
    result.facts.update(_of_surrogate(against))
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
