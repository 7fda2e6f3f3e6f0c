"""Videos or AU tables in, time series of every person's AUs out: tables, events and figures."""

from __future__ import annotations

import io
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis import filenames
from analysis.errors import ModelError
from analysis.prediction_columns import LABEL, emotion_of, probability_column
from feat_pipeline.declared import takes
from feat_pipeline.errors import InputError, UsageError
from feat_pipeline.models import DEFAULT_MODELS, load_model, model_name
from feat_pipeline.models.protocol import AuModel, looks_at_aus
from feat_pipeline.options.series import SeriesOptions
from feat_pipeline.output.folder import OutputFolder
from feat_pipeline.output.runlog import RunLog
from feat_pipeline.runs.results import backend_of
from feat_pipeline.sources.find import find_files
from feat_pipeline.sources.frame import PathLike, Skipped, input_name
from feat_pipeline.sources.kinds import is_video

if TYPE_CHECKING:
    import pandas as pd

    from analysis.autable import AUTable
    from analysis.series import AUSeries
    from feat_pipeline.runs.extract import ExtractResult
    from feat_pipeline.sources.sampling import Sampling

OUTPUTS = ("series.csv", "series.meta.json", "events.csv", "series/*.png", filenames.SKIPPED, filenames.RUN)
TABLE_SUFFIXES = frozenset({".csv", ".parquet"})
_DPI = 150


@dataclass(frozen=True, eq=False)
class SeriesResult:
    """What `series_files` found.

    Parameters
    ----------
    series : AUSeries
    events : DataFrame
        See ``AUSeries.events``.
    run : dict
        Content of ``run.json``.
    errors : list of Skipped
        What could not be read.
    notes : list of str
        What a reader has to know.
    """

    series: AUSeries
    events: pd.DataFrame
    run: dict[str, Any]
    errors: list[Skipped]
    notes: list[str]


@takes(SeriesOptions)
def series_files(
    paths: PathLike | Iterable[PathLike],
    *,
    out: PathLike,
    overwrite: bool = False,
    **options: object,
) -> SeriesResult:
    """Make the AU series of every person in videos or AU tables.

    Parameters
    ----------
    paths : path or iterable of paths
        Videos and folders with videos, or AU tables with ``time_s`` (ours, OpenFace's CSVs).
    out : path
        Folder that takes ``series.csv`` (one row a person and frame: AUs as measured ``AU12_r``, less the
        person's neutral ``calibrated_AU12_r``, smoothed ``smoothed_AU12_r``, ``label`` and ``p_<emotion>`` of
        the model), ``events.csv`` (one row an action: onset, apex, offset), ``series/*.png``, ``skipped.csv``
        and ``run.json``.
    overwrite : bool
        Whether results of an earlier run in ``out`` may be replaced.
    **options : object
        Those of `SeriesOptions`, by name.

    Returns
    -------
    SeriesResult

    Raises
    ------
    InputError
        A path is missing or is neither a video nor a table; tables do not belong together.
    TableError, ModelError
        A table or the model cannot be read, or they do not fit each other.
    OutputError
        ``out`` cannot be written, or holds results and ``overwrite`` is false.
    UnavailableError, UsageError
        Something cannot run here or an option has a wrong value.
    """
    from analysis.autable import AUTable
    from analysis.series import au_series

    began = time.perf_counter()
    videos, tables = _sorted_out(paths)
    chosen = SeriesOptions.of(options)
    spec = DEFAULT_MODELS[0] if chosen.model is None else chosen.model
    emotions = load_model(spec)
    if not looks_at_aus(emotions) or emotions.consumes != "aus":
        raise UsageError(f"model {model_name(spec)}: looks at pixels; a series needs one on AUs")
    folder = OutputFolder(out, OUTPUTS, overwrite=overwrite)
    measured = _measured(videos, emotions, chosen) if videos else None
    read = [
        _within(_with_ids(_timed(AUTable.read(path), chosen.fps, path)), chosen.sampling) for path in tables
    ]
    table = _joined([*([measured.table] if measured else []), *read])
    log = RunLog(
        "series",
        {
            "paths": [input_name(path) for path in (*videos, *tables)],
            "every": None if chosen.sampling is None else chosen.sampling.parameters(),
            **chosen.parameters(),
        },
        backend=backend_of(table),
        detector=chosen.detector if videos else "no detector",
        models=[model_name(spec)],
    )
    answers, notes = _answers(table, emotions, model_name(spec), must=chosen.model is not None)
    table = _beside(table, answers)
    found = au_series(
        table,
        neutral=chosen.neutral,
        smooth_s=chosen.smooth_s,
        aus=chosen.aus,
        min_seen_s=chosen.min_seen_s,
    )
    events = found.events()
    notes = [*dict.fromkeys([*found.notes, *notes])]
    drawn = _most_seen(found, chosen.figures)
    persons = len(found.persons())
    if persons > len(drawn):
        notes.append(f"{len(drawn)} of {persons} persons have a figure, those seen most")
    errors = measured.errors if measured else []
    record = log.record() | _facts(found, events, measured, [*videos, *tables], notes)
    record["seconds"] = round(time.perf_counter() - began, 3)
    folder.clear()
    with folder.all_or_nothing():
        folder.write_json("series.meta.json", table.with_frame(found.frame).meta)
        folder.write("series.csv", _text(found.frame))
        folder.write("events.csv", _text(events))
        for number, person in enumerate(drawn):
            folder.write(_figure_name(number, person), _figure(found, events, person, list(answers.columns)))
        skipped = measured.skipped if measured else log.skipped_frame()
        folder.write(filenames.SKIPPED, skipped.to_csv(index=False))
        folder.write_json(filenames.RUN, record)
    return SeriesResult(found, events, record, errors, notes)


def _sorted_out(paths: PathLike | Iterable[PathLike]) -> tuple[list[Path], list[Path]]:
    """Videos, also those in folders, and tables."""
    given = [Path(paths)] if isinstance(paths, str | Path) else [Path(str(path)) for path in paths]  # type: ignore[union-attr]
    tables = [path for path in given if path.suffix.lower() in TABLE_SUFFIXES and not path.is_dir()]
    rest = [path for path in given if path not in tables]
    if not rest:
        return [], tables
    videos = []
    for path in find_files(rest, videos=True):
        if is_video(path) or not path.exists():
            videos.append(path)
        elif path in rest:
            raise InputError(f"{input_name(path)}: expected a video or an AU table (.csv, .parquet)")
    if not videos:
        raise InputError(f"{input_name(rest[0])}: no video and no AU table; name a video, or a .csv")
    return videos, tables


def _measured(videos: list[Path], emotions: AuModel, options: SeriesOptions) -> ExtractResult:
    from feat_pipeline.extract import BACKENDS
    from feat_pipeline.runs.extract import extract

    return extract(
        videos,
        backend=emotions.backend_ if emotions.backend_ in BACKENDS else "auto",
        detector=options.detector,
        sampling=options.sampling,
        detect_every_s=options.detect_every_s,
    )


def _timed(table: AUTable, fps: float | None, path: Path) -> AUTable:
    """Give photos their times, or tell that they have none."""
    from feat_pipeline.runs.photo_sequence import with_sequences

    frame, notes = with_sequences(table.frame, fps, input_name(path))
    if not notes:
        return table
    changed = table.with_frame(frame)
    changed.notes += notes
    return changed


def _with_ids(table: AUTable) -> AUTable:
    """Tell persons apart where the table does not."""
    from feat_pipeline.faces.face_ids import add_face_ids

    if "face_id" in table.frame or "time_s" not in table.frame:
        return table
    return table.with_frame(add_face_ids(table.frame))


def _within(table: AUTable, sampling: Sampling | None) -> AUTable:
    """Take the rows of a table that `sampling` would read of the video."""
    from feat_pipeline.sources.sampling import wanted_frames

    if sampling is None or "time_s" not in table.frame:
        return table
    chosen = np.zeros(len(table), dtype=bool)
    times = table.frame["time_s"].to_numpy(dtype=float)
    for rows in table.frame.groupby("input", sort=False).indices.values():
        moments = np.unique(times[rows][np.isfinite(times[rows])])
        wanted = wanted_frames(
            moments, sampling.start_s, sampling.end_s, sampling.every_s, sampling.every_frames
        )
        chosen[rows] = np.isin(times[rows], moments[wanted])
    return table.with_rows(chosen)


def _joined(tables: list[AUTable]) -> AUTable:
    import pandas as pd

    first, *others = tables
    if not others:
        return first
    seen: set[str] = set()
    for table in tables:
        kind = (table.backend, table.scale)
        if kind != (first.backend, first.scale):
            raise InputError(
                f"tables of {first.backend} (scale {first.scale}) and {table.backend} (scale {table.scale}) "
                "do not join; make the series of each in a run of its own"
            )
        names = set(table.frame["input"].astype(str))
        if names & seen:
            raise InputError(f"input {min(names & seen)} stands in two tables; leave one of them out")
        seen |= names
    joined = first.with_frame(pd.concat([table.frame for table in tables], ignore_index=True))
    joined.notes = [note for table in tables for note in table.notes]
    return joined


def _answers(table: AUTable, emotions: AuModel, name: str, *, must: bool) -> tuple[pd.DataFrame, list[str]]:
    """Probabilities of each row by the AUs as measured; no columns where the model does not fit."""
    import pandas as pd

    if emotions.backend_ != table.backend and not must:
        other = f"was fitted on AUs of {emotions.backend_}, and the table is of {table.backend}"
        return pd.DataFrame(index=range(len(table))), [f"no emotions: {name} {other}; name a --model of it"]
    names = [*map(probability_column, emotions.classes_)]
    answers = pd.DataFrame(np.nan, index=range(len(table)), columns=names)
    try:
        known = np.isfinite(table.select(list(emotions.feature_names_in_)).aus.to_numpy()).all(axis=1)
        chances = emotions.predict_proba(table.with_rows(known))
    except (ModelError, ValueError) as error:
        if must:
            raise
        return pd.DataFrame(index=range(len(table))), [f"no emotions by {name}: {error}"]
    answers.loc[known] = chances
    return answers, []


def _beside(table: AUTable, answers: pd.DataFrame) -> AUTable:
    """Add the label and the probabilities of each row to the table."""
    import pandas as pd

    if not len(answers.columns):
        return table
    names = [*map(emotion_of, answers.columns)]
    known = answers.notna().all(axis=1).to_numpy()
    label = np.full(len(answers), "", dtype=object)
    label[known] = np.array(names, dtype=object)[answers[known].to_numpy().argmax(axis=1)]
    frame = table.frame.drop(columns=[LABEL, *answers.columns], errors="ignore").reset_index(drop=True)
    return table.with_frame(pd.concat([frame, pd.Series(label, name=LABEL), answers], axis=1))


def _most_seen(series: AUSeries, figures: int) -> list[tuple[str, int]]:
    known = series.frame[series.aus].notna().any(axis=1)
    counts = series.frame[known].groupby(["input", "face_id"], sort=False).size()
    most = set(counts.sort_values(ascending=False, kind="stable").index[:figures])
    return [person for person in series.persons() if person in most]


def _figure_name(number: int, person: tuple[str, int]) -> str:
    from feat_pipeline.output.folder import slug

    return f"series/{number:06d}_{slug(person[0])}_face{person[1]}.png"


def _figure(series: AUSeries, events: pd.DataFrame, person: tuple[str, int], answers: list[str]) -> bytes:
    from analysis.plots import series as draw

    rows = series.of(person)
    own = events[(events["input"] == person[0]) & (events["face_id"] == person[1])]
    chances = rows[answers].rename(columns=emotion_of) if answers else None
    figure = draw(
        rows,
        series.aus,
        events=own,
        probabilities=chances,
        max_gap_s=series.facts["max_gap_s"][person[0]],
        title=f"{Path(person[0]).name}, face {person[1]}",
    )
    target = io.BytesIO()
    figure.savefig(target, format="png", dpi=_DPI)
    return target.getvalue()


def _facts(
    series: AUSeries,
    events: pd.DataFrame,
    measured: ExtractResult | None,
    inputs: list[Path],
    notes: list[str],
) -> dict[str, Any]:
    """Entries of run.json besides those of every run."""
    from analysis.series.events import MIN_DURATION_S, THRESHOLDS

    high, low = THRESHOLDS[series.scale]
    counts = {"inputs": len(inputs), "faces": len(series.frame), "persons": len(series.persons())}
    skipped = dict(measured.run["counts"]["skipped"]) if measured else {}
    return {
        "counts": {**counts, "events": len(events), "skipped": skipped},
        "ignored": measured.run["ignored"] if measured else [],
        "series": series.facts,
        "events": {"high": high, "low": low, "min_duration_s": MIN_DURATION_S},
        "notes": notes,
    }


def _text(frame: pd.DataFrame) -> str:
    """Six digits are enough for AUs; times need more in long videos."""
    times = {name: frame[name].map("{:.10g}".format) for name in frame if str(name).endswith("_s")}
    return frame.assign(**times).to_csv(index=False, float_format="%.6g", lineterminator="\n")
