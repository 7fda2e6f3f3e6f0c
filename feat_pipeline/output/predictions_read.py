"""Files of predictions, read and joined: what each model answered for the same faces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from analysis import filenames
from analysis.facs import normal_text
from analysis.prediction_columns import FACE, MODEL, TEXT, is_probability
from feat_pipeline.errors import InputError
from feat_pipeline.sources.frame import PathLike

if TYPE_CHECKING:
    import pandas as pd

_SLACK, _ROUNDED = 1e-3, 0.02  # what rounding may add to one probability, and to their sum


@dataclass(frozen=True)
class ModelPredictions:
    """What one model answered.

    Parameters
    ----------
    model : str
    file : Path
        Where it stands.
    frame : DataFrame
        One row a face: ``input, frame, face``, ``p_<emotion>`` and whatever else the file holds.
    notes : list of str
        What was left out.
    """

    model: str
    file: Path
    frame: pd.DataFrame
    notes: list[str]

    @property
    def keys(self) -> pd.MultiIndex:
        """The faces, by ``input, frame, face``."""
        import pandas as pd

        return pd.MultiIndex.from_frame(self.frame[[*FACE]])


def read_prediction_files(paths: Iterable[PathLike]) -> dict[str, ModelPredictions]:
    """Read the answers of all models in some files.

    Parameters
    ----------
    paths : iterable of path
        ``predictions.csv`` as predict writes it, a folder that holds one, or any CSV with the columns
        ``input`` and ``p_<emotion>`` and perhaps ``frame``, ``face`` and ``model``. Without ``model`` a file
        is one model's, called by the file's name.

    Returns
    -------
    dict of str to ModelPredictions
        By the model's name; where two files name the same one, the folder's name stands in front.

    Raises
    ------
    InputError
        A file is missing or no such table, answers a face twice, or two models cannot be told apart.
    """
    found = [one for path in paths for one in _read(Path(path))]
    counts = Counter(one.model for one in found)
    named: dict[str, ModelPredictions] = {}
    for one in found:
        twice = counts[one.model] > 1
        name = f"{one.file.resolve().parent.name}/{one.model}" if twice else one.model
        if name in named:
            raise InputError(
                f"{one.file}: model {one.model} stands in {named[name].file} too, and both folders have the "
                f"same name; rename one of them"
            )
        named[name] = one
    return named


def same_faces(answers: Mapping[str, ModelPredictions]) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Keep the faces that all models answered.

    Returns
    -------
    frames : dict of str to DataFrame
        By the model's name, with the same faces in the same order.
    notes : list of str
        What was left out.

    Raises
    ------
    InputError
        No face was answered by all of them; with an example of each.
    """
    first, *others = answers.values()
    common = first.keys
    for one in others:
        common = common[common.isin(one.keys)]
    if not len(common):
        examples = "; ".join(f"{name} has {one.keys[0]}" for name, one in answers.items())
        raise InputError(f"no face was answered by all models: {examples}; input, frame and face must agree")
    notes = [note for one in answers.values() for note in one.notes]
    frames = {}
    for name, one in answers.items():
        frames[name] = one.frame.iloc[one.keys.get_indexer(common)].reset_index(drop=True)
        gone = len(one.frame) - len(common)
        if gone:
            notes.append(f"{name}: {gone} of {len(one.frame)} faces have no counterpart and are left out")
    return frames, notes


def _read(path: Path) -> list[ModelPredictions]:
    from analysis.autable.csvs import read_csv
    from analysis.errors import TableError

    file = path / filenames.PREDICTIONS if path.is_dir() else path
    if not file.is_file():
        raise InputError(
            f"{file}: no such file; expected predictions, as 'feat-pipeline predict' writes them"
        )
    try:
        frame = read_csv(file, *TEXT)
    except TableError as error:
        raise InputError(str(error)) from None
    said = frame.attrs["notes"]
    columns = [str(name) for name in frame.columns]
    probabilities = [*filter(is_probability, columns)]
    if "input" not in columns or not probabilities:
        raise InputError(
            f"{file}: expected the columns input and p_<emotion>, such as p_happy; it has "
            f"{', '.join(columns[:12])}"
        )
    if frame.empty:
        raise InputError(f"{file}: holds no row; expected one for each face and model")
    frame, notes = _rescaled(frame, probabilities)
    notes = [*said, *(f"{file.name}: {note}" for note in notes)]
    _check_probabilities(frame, probabilities, file)
    for column in FACE[1:]:
        frame[column] = _whole(frame[column], column, file) if column in columns else 0
    if MODEL not in columns:
        ours = file.stem == Path(filenames.PREDICTIONS).stem
        found = [_one(file, file.resolve().parent.name if ours else file.stem, frame)]
    else:
        by_model = frame.groupby(frame[MODEL].fillna("").map(normal_text), sort=False)
        found = [_one(file, str(name), part) for name, part in by_model]
    found[0].notes[:0] = notes
    return found


def _rescaled(frame: pd.DataFrame, names: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """Scale what another tool rounded, or gave in percent; text is left to the check."""
    from analysis.compare.probabilities import rescaled

    if any(frame[name].dtype.kind not in "fiu" for name in names):
        return frame, []
    values = frame[names].to_numpy(dtype=np.float64)
    if not np.isfinite(values).any() or np.nanmin(values) < 0 or np.isinf(values).any():
        return frame, []
    scaled, notes = rescaled(values)
    return frame.assign(**dict(zip(names, scaled.T, strict=True))) if notes else frame, notes


def _whole(column: pd.Series, name: str, file: Path) -> pd.Series:
    import pandas as pd

    numbers = pd.to_numeric(column, errors="coerce")
    if not ((numbers % 1 == 0) & (numbers.abs() < 2**53)).all():
        raise InputError(f"{file}: column {name}: expected whole numbers")
    return numbers.astype(np.int64)


def _check_probabilities(frame: pd.DataFrame, names: list[str], file: Path) -> None:
    import pandas as pd

    for name in names:
        numbers = pd.to_numeric(frame[name], errors="coerce")
        wrong = frame.loc[
            (frame[name].notna() & numbers.isna()) | (numbers < 0) | (numbers > 1 + _SLACK), name
        ]
        if len(wrong):
            raise InputError(
                f"{file}: column {name}: expected probabilities, 0 to 1, or empty cells, "
                f"got {str(wrong.iloc[0])[:40]!r} in row {wrong.index[0] + 1}"
            )


def _one(file: Path, model: str, frame: pd.DataFrame) -> ModelPredictions:
    """Leave out the emotions that this model does not know, and the faces without an answer."""
    probabilities = [*filter(is_probability, frame.columns)]
    unknown = [name for name in probabilities if frame[name].isna().all()]
    frame = frame.drop(columns=unknown)
    answered = frame[[name for name in probabilities if name not in unknown]].notna().any(axis=1)
    notes = []
    if not answered.all():
        notes.append(f"{model}: {(~answered).sum()} of {len(frame)} faces have no answer and are left out")
    frame = frame[answered].reset_index(drop=True)
    sums = frame[[name for name in probabilities if name not in unknown]].sum(axis=1)
    odd = int(((sums - 1).abs() > _ROUNDED).sum())
    if odd:
        notes.append(f"{model}: the probabilities of {odd} of {len(frame)} faces do not sum to 1")
    if frame.empty:
        raise InputError(f"{file}: model {model} answered no face; its p_ columns are empty")
    twice = frame.duplicated([*FACE])
    if twice.any():
        first = frame.loc[twice, [*FACE]].iloc[0].tolist()
        raise InputError(
            f"{file}: model {model} answers {twice.sum()} faces twice, such as input, frame, face {first}; "
            f"keep one row of each"
        )
    return ModelPredictions(model, file, frame, notes)
