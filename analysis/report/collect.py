"""What a directory of results holds, read tolerantly: damage becomes a warning, never a traceback."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis import filenames
from analysis.errors import AnalysisError
from analysis.facs import parse_column
from analysis.files import JsonObject
from analysis.prediction_columns import (
    AU_NUMBERS,
    EXPLANATION_NEEDED,
    LABEL,
    MODEL,
    NEEDED,
    PICTURE,
    emotion_of,
    is_probability,
)
from analysis.results import load_result

if TYPE_CHECKING:
    import pandas as pd

AU_TABLES = (filenames.AUS_CSV, filenames.AUS_PARQUET)
FILES = (
    *(filenames.EXPLANATIONS, filenames.PREDICTIONS, *AU_TABLES, filenames.MODEL, filenames.COEFFICIENTS),
    *map(filenames.result_file, filenames.RESULT_KINDS),
)

FaceKey = tuple[str, int, int]


@dataclass
class Face:
    """One face of the report: what every model said, and why.

    Attributes
    ----------
    input : str
        The file as the user wrote it.
    frame, face : int
        Frame of the file and number of the face in it, both from 0.
    answers : dict of str to dict
        Model to ``{'label': str, 'probabilities': {emotion: float}}``.
    explanations : list of dict
        One record of ``explanations.jsonl`` per AU model.
    aus : dict of str to float
        AU column to value; NaN where the face could not be measured.
    usual : dict of str to float
        AU column to the baseline's value, where a model gave one.
    picture, annotated : str or None
        The face's picture and the annotated copy of its photo, relative to the directory.
    time_s : float
        Time of the frame in its video, in seconds.
    """

    input: str
    frame: int
    face: int
    answers: dict[str, JsonObject] = field(default_factory=dict)
    explanations: list[JsonObject] = field(default_factory=list)
    aus: dict[str, float] = field(default_factory=dict)
    usual: dict[str, float] = field(default_factory=dict)
    picture: str | None = None
    annotated: str | None = None
    time_s: float = 0.0


@dataclass(frozen=True)
class Saved:
    """A result of an analysis as it was saved: `facts`, and `tables` by name."""

    facts: JsonObject
    tables: dict[str, pd.DataFrame]


@dataclass
class Results:
    """Everything that a directory of results holds.

    Attributes
    ----------
    directory : Path
        Where it was read from.
    pictures : Path
        Where the paths of the faces' pictures begin; the directory unless told otherwise.
    run : dict
        ``run.json``: parameters, versions, counts.
    faces : list of Face
        In the order of the files.
    skipped : list of dict
        Rows of ``skipped.csv``: ``input, frame, reason``.
    annotated : list of Path
        Annotated pictures.
    models : dict of str to Any
        Name to a fitted model or its coefficient table.
    inference, comparison, surrogate, agreement : Saved or None
        Results of that kind.
    warnings : list of str
        What a reader has to know, one sentence each.
    """

    directory: Path
    pictures: Path = field(init=False)
    run: JsonObject = field(default_factory=dict)
    faces: list[Face] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    annotated: list[Path] = field(default_factory=list)
    models: JsonObject = field(default_factory=dict)
    inference: Saved | None = None
    comparison: Saved | None = None
    surrogate: Saved | None = None
    agreement: Saved | None = None
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pictures = self.directory


def collect(directory: str | Path) -> Results:
    """Read a directory that one of the commands wrote, except for its models.

    Parameters
    ----------
    directory : str or Path
        The directory.

    Returns
    -------
    Results
        Damaged or missing parts are named in `warnings`.

    Raises
    ------
    AnalysisError
        If the directory is missing, is no directory, or holds nothing to report.
    """
    directory = Path(directory)
    if not directory.is_dir():
        state = "is a file" if directory.exists() else "does not exist"
        raise AnalysisError(f"directory: {directory} {state}; give the --out directory of an earlier command")
    if not any((directory / name).is_file() for name in (*FILES, filenames.SKIPPED)):
        raise AnalysisError(
            f"directory: {directory} holds no results (none of {', '.join(FILES)}); "
            "run 'feat-pipeline predict PHOTOS --out DIR' first"
        )
    results = Results(directory)
    results.run = _read_run(results)
    results.warnings += [str(text) for text in _as_list(results.run.get("warnings"))]
    if results.run.get("complete") is False:
        results.warnings.append(
            "The run was stopped before its end: the results are those of the inputs until then."
        )
    faces: dict[FaceKey, Face] = {}
    _read_explanations(results, faces)
    _read_predictions(results, faces)
    _read_aus(results, faces)
    results.faces = list(faces.values())
    _read_saved(results)
    results.skipped = [dict(row) for row in _rows(results, filenames.SKIPPED, ("input", "reason"))]
    results.annotated = sorted(p for p in (directory / "annotated").rglob("*") if p.is_file())
    return results


def _read_saved(results: Results) -> None:
    for kind in filenames.RESULT_KINDS:
        if not (results.directory / filenames.result_file(kind)).is_file():
            continue
        try:
            setattr(results, kind, Saved(*load_result(results.directory, kind)))
        except (AnalysisError, AttributeError, RecursionError) as error:
            results.warnings.append(f"A result was left out: {error}")


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _read_run(results: Results) -> JsonObject:
    path = results.directory / filenames.RUN
    if not path.is_file():
        results.warnings.append("run.json is missing: parameters and versions of this run are not known.")
        return {}
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        results.warnings.append(f"run.json cannot be read ({error}): parameters and versions are not known.")
        return {}
    if not isinstance(run, dict):
        results.warnings.append("run.json holds no object: parameters and versions are not known.")
        return {}
    return run


def _face(faces: dict[FaceKey, Face], row: Mapping[str, Any]) -> Face:
    key = (str(row["input"]), _whole(row.get("frame")), _whole(row.get("face")))
    return faces.setdefault(key, Face(*key))


def _whole(value: str | float | None) -> int:
    return 0 if value in (None, "") else int(float(value))


def _read_explanations(results: Results, faces: dict[FaceKey, Face]) -> None:
    path = results.directory / filenames.EXPLANATIONS
    if not path.is_file():
        return
    damaged: list[str] = []
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                record = _checked(json.loads(line))
                face = _face(faces, record)
            except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
                damaged.append(f"line {number} ({error})")
                continue
            _add_explanation(face, record)
    if damaged:
        shown = "; ".join(damaged[:5]) + (f"; and {len(damaged) - 5} more" if len(damaged) > 5 else "")
        results.warnings.append(
            f"explanations.jsonl: {counted(len(damaged), 'line')} left out as damaged: {shown}."
        )


def _checked(record: object) -> JsonObject:
    """Return the record with its numbers as floats; raise ValueError where it is not one of ours."""
    if not isinstance(record, dict):
        raise ValueError("no JSON object")
    missing = [key for key in EXPLANATION_NEEDED if key not in record]
    if missing:
        raise ValueError(f"without {', '.join(missing)}")
    record["probabilities"] = {str(k): _float(v) for k, v in record["probabilities"].items()}
    if record["target"] not in record["probabilities"]:
        raise ValueError("target without a probability")
    for key in ("logit", "baseline_logit"):
        record[key] = float(record[key])
    record["residual"] = _float(record.get("residual"))
    for item in record["aus"]:
        if parse_column(item["au"]) is None:
            raise ValueError(f"{item['au']!r} is no AU column")
        for key in AU_NUMBERS:
            item[key] = _float(item.get(key))
    return record


def _float(value: str | float | None) -> float:
    return math.nan if value in (None, "") else float(value)


def _add_explanation(face: Face, record: JsonObject) -> None:
    face.explanations.append(record)
    face.answers[str(record[MODEL])] = {
        "label": str(record["target"]),
        "probabilities": record["probabilities"],
    }
    face.picture = face.picture or record.get(PICTURE)
    face.annotated = face.annotated or record.get("annotated")
    for item in record["aus"]:
        face.aus.setdefault(item["au"], item["value"])
        face.usual.setdefault(item["au"], item["baseline"])


def _read_predictions(results: Results, faces: dict[FaceKey, Face]) -> None:
    for row in _rows(results, filenames.PREDICTIONS, NEEDED):
        face = _face(faces, row)
        face.time_s = _float(row.get("time_s"))
        probabilities = {
            emotion_of(name): _float(value)
            for name, value in row.items()
            if name and is_probability(name) and value not in (None, "")
        }
        face.picture = face.picture or row.get(PICTURE) or None
        face.answers[row[MODEL]] = {"label": row[LABEL], "probabilities": probabilities}


def _read_aus(results: Results, faces: dict[FaceKey, Face]) -> None:
    names = [name for name in AU_TABLES if (results.directory / name).is_file()]
    if not names:
        return
    from analysis.autable import AUTable

    try:
        table = AUTable.read(results.directory / names[0])
    except (AnalysisError, OSError) as error:
        results.warnings.append(f"{names[0]} was left out: {error}")
        return
    columns = list(table.au_columns)
    for row in table.frame.to_dict("records"):
        face = _face(faces, row)
        face.time_s = _float(row.get("time_s"))
        face.aus = {**{column: _float(row[column]) for column in columns}, **face.aus}


def _rows(results: Results, name: str, needed: tuple[str, ...]) -> Iterator[JsonObject]:
    """Yield the rows of a CSV as text; what cannot be read is left out with a warning."""
    path = results.directory / name
    if not path.is_file():
        return
    damaged = 0
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
            reader = csv.DictReader(lines)
            missing = [column for column in needed if column not in (reader.fieldnames or ())]
            if missing:
                results.warnings.append(f"{name} was left out: it has no column {', '.join(missing)}.")
                return
            for row in reader:
                if any(row[column] is None for column in needed) or not _numbers_ok(row):
                    damaged += 1
                else:
                    yield row
    except (OSError, csv.Error) as error:
        results.warnings.append(f"{name} could not be read to its end: {error}")
    if damaged:
        results.warnings.append(f"{name}: {counted(damaged, 'row')} left out as damaged.")


def _numbers_ok(row: Mapping[Any, Any]) -> bool:
    numeric = [v for k, v in row.items() if k in ("frame", "face", "time_s") or is_probability(k)]
    try:
        return all(math.isfinite(float(value)) for value in numeric if value not in (None, ""))
    except ValueError:
        return False


def counted(number: int, noun: str) -> str:
    """Write a number with its noun: ``'1 face'``, ``'2 faces'``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
