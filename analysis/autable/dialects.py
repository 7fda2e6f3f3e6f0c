"""The tables that other programs write: how to tell them by their columns, and what they mean here.

OpenFace: https://github.com/TadasBaltrusaitis/OpenFace/wiki/Output-Format. py-feat: the `Fex` that its
detectors return, saved as CSV. MediaPipe: the 52 blendshapes of its face landmarker. Codes: AU columns
without a scale, as human coders' tables have them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from analysis.au_names import BARE
from analysis.autable.schema import validated
from analysis.errors import TableError
from analysis.facs import BACKEND_AUS, BLENDSHAPE_PROXIES, SCALE_RANGES, column, parse_column
from analysis.files import JsonObject

LOW_CONFIDENCE = 0.7
"""OpenFace's author takes landmarks under this confidence for failed
(https://github.com/TadasBaltrusaitis/OpenFace/issues/270)."""

LOW_AUC = 0.75

_PLACE = re.compile(r"^[xy]_\d+$|^pose_R[xyz]$")
_INDEX = r"(Unnamed: \d+)?"  # what pandas calls a column without a name
_OPENFACE_ONLY = {"success", "gaze_0_x", "eye_lmk_x_0", "pose_Tx", "X_0", "p_scale"}
_OPENFACE_NAMES = {"timestamp": "time_s"}
_FEX_NAMES = {"FaceRectX": "x", "FaceRectY": "y", "FaceRectWidth": "w", "FaceRectHeight": "h"}
_FEX_NAMES |= {"FaceScore": "confidence"}
_BLENDSHAPES = {name for proxy in BLENDSHAPE_PROXIES.values() for name in proxy.blendshapes}


@dataclass
class Translated:
    """A foreign table in this project's columns, and what its metadata would say."""

    frame: pd.DataFrame
    backend: str = "unknown"
    backend_version: str = ""
    scale: str | None = None
    extra: JsonObject = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Dialect:
    """One program's way to write a table.

    Attributes
    ----------
    name : str
        As errors call it.
    unused : Pattern
        Columns that nothing here uses; they need not be read.
    translate : callable
        (frame, source) -> Translated; `source` is the file as errors call it.
    """

    name: str
    unused: re.Pattern[str]
    translate: Callable[[pd.DataFrame, str], Translated]

    def left_out(self, columns: Iterable[str]) -> list[str]:
        """Name the columns that are not read."""
        names = list(columns)
        gone = [name for name in names if self.unused.fullmatch(name)]
        if self.name == "py-feat" and "x_68" in names:  # 478 points of a mesh, not the 68 landmarks
            gone += [name for name in names if re.fullmatch(r"[xy]_\d+", name)]
        return gone


def dialect_of(columns: Iterable[str], source: str) -> Dialect:
    """Tell who wrote a table.

    Parameters
    ----------
    columns : iterable of str
        Its columns.
    source : str
        The table as errors call it.

    Returns
    -------
    Dialect
        Of tables with AU columns such as 'AU12_r' that show no other origin, this project's own.

    Raises
    ------
    TableError
        Where AU columns stand with and without a scale.
    """
    names = set(columns)
    scaled = [name for name in names if parse_column(name)]
    bare = {int(match[1]): name for name in names if (match := BARE.fullmatch(name))}
    if scaled and bare:
        raise TableError(
            f"{source}: AU columns stand with a scale ({min(scaled)}) and without ({bare[min(bare)]}); "
            "keep one kind, or name them all AU12_r, AU12_c or AU12_p"
        )
    if scaled:
        intensities = {parsed[0] for name in scaled if (parsed := parse_column(name)) and parsed[1] == "r"}
        openface = intensities == set(BACKEND_AUS["openface"]) - {28} or bool(names & _OPENFACE_ONLY)
        return OPENFACE if openface else OWN
    if bare:
        fex = set(bare) == set(BACKEND_AUS["pyfeat"]) or bool(names & {"FaceRectX", "FaceScore"})
        return PYFEAT if fex else CODES
    return BLENDSHAPES if _proxies_in(names) else OWN


def _own(frame: pd.DataFrame, source: str) -> Translated:
    """Find the backend that a table lost its metadata of, where its AUs are just those of one."""
    numbers = {parsed[0] for name in frame.columns if (parsed := parse_column(name)) and parsed[1] == "p"}
    scored = [name for name in ("pyfeat", "mediapipe") if numbers == set(BACKEND_AUS[name])]
    if not scored:
        return Translated(frame)
    note = f"its AUs are just those of {scored[0]}, which is taken for what measured them"
    return Translated(frame, backend=scored[0], scale="p", notes=[note])


def _openface(frame: pd.DataFrame, source: str) -> Translated:
    frame = frame.rename(columns={k: v for k, v in _OPENFACE_NAMES.items() if v not in frame.columns})
    notes = []
    if "face_id" in frame.columns and "face" not in frame.columns:
        frame = frame.assign(face=frame.groupby(["input", "frame"], dropna=False).cumcount())
    if "success" in frame.columns:
        failed = pd.to_numeric(frame["success"], errors="coerce") == 0
        measured = [name for name in frame.columns if parse_column(name) or _PLACE.match(name)]
        frame = frame.drop(columns="success")
        if failed.any():
            rest = frame.drop(columns=measured)
            frame = pd.concat([rest, frame[measured].mask(failed, axis=0)], axis=1)
            notes.append(f"{failed.sum()} of {len(frame)} rows failed (success 0); they have no AUs")
    if "confidence" in frame.columns:
        doubtful = pd.to_numeric(frame["confidence"], errors="coerce") < LOW_CONFIDENCE
        aus = [name for name in frame.columns if parse_column(name)]
        doubtful &= frame[aus].notna().any(axis=1)
        if doubtful.any():
            notes.append(
                f"{doubtful.sum()} of {len(frame)} rows have a confidence under {LOW_CONFIDENCE:g}; kept"
            )
    return Translated(frame, backend="openface", notes=notes)


def _pyfeat(frame: pd.DataFrame, source: str) -> Translated:
    names = set(frame.columns)
    detector = "Detectorv1" if "x_0" in names else ""
    detector = "Detectorv2" if {"valence", "arousal"} <= names else detector
    frame = frame.rename(columns={k: v for k, v in _FEX_NAMES.items() if v not in names})
    if "approx_time" in names and "time_s" not in names:
        frame["time_s"] = _seconds(frame.pop("approx_time"))
    frame, scale, notes = _with_scale(frame, source, "p")
    aus = frame[[name for name in frame.columns if parse_column(name)]]
    empty = int(aus.isna().all(axis=1).sum())
    if empty:
        notes.append(f"{empty} of {len(frame)} rows are frames without a face; they have no AUs")
    if "face" not in names:
        same = [name for name in ("input", "frame") if name in names]
        frame["face"] = frame.groupby(same, dropna=False).cumcount() if same else 0
    return Translated(frame, "pyfeat", detector, scale, notes=notes)


def _codes(frame: pd.DataFrame, source: str) -> Translated:
    frame, scale, notes = _with_scale(frame, source, None)
    return Translated(frame, scale=scale, notes=notes)


def _blendshapes(frame: pd.DataFrame, source: str) -> Translated:
    proxies = _proxies_in(frame.columns)
    used = [name for name in frame.columns if name in _BLENDSHAPES]
    shapes = validated(frame[used], used, SCALE_RANGES["p"], "p", source)
    aus = {}
    for number in proxies:
        proxy = BLENDSHAPE_PROXIES[number]
        sides = shapes[list(proxy.blendshapes)]
        value = sides.max(axis=1, skipna=False) if proxy.one_of else sides.mean(axis=1, skipna=False)
        aus[column(number, "p")] = value
    weak = [column(n, "p") for n in proxies if (BLENDSHAPE_PROXIES[n].auc or 1.0) < LOW_AUC]
    note = f"AUs are proxies made from blendshapes; of low validity: {', '.join(weak) or 'none'}"
    missing = [column(n, "p") for n in BLENDSHAPE_PROXIES if n not in proxies]
    notes = [note, *([f"no blendshape for {', '.join(missing)}"] if missing else [])]
    frame = frame.drop(columns=used).assign(**aus)
    return Translated(frame, "mediapipe", "blendshapes", "p", {"low_validity": weak}, notes)


def _with_scale(frame: pd.DataFrame, source: str, default: str | None) -> tuple[pd.DataFrame, str, list[str]]:
    """Give AU columns without a scale the narrowest that holds their values."""
    bare = [name for name in frame.columns if BARE.fullmatch(name)]
    values = frame[bare].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    seen = values[np.isfinite(values)]
    if not len(seen):
        if default is None:
            raise TableError(f"{source}: no AU has a value that tells its scale; name columns such as AU12_r")
        scale = default
    elif np.isin(seen, [0.0, 1.0]).all():
        scale = "c"
    else:
        scale = "p" if default or seen.max() <= 1 else "r"
    frame = frame.assign(**validated(frame[bare], bare, SCALE_RANGES[scale], scale, source))
    names = {name: column(int(name[2:]), scale) for name in bare}
    twice = sorted({name for name in names.values() if list(names.values()).count(name) > 1})
    if twice:
        raise TableError(f"{source}: columns stand twice: {', '.join(twice)}; remove one of each")
    note = f"{len(bare)} AU columns without a scale are called {names[bare[0]]} and so on, by their values"
    return frame.rename(columns=names), scale, [note]


def _proxies_in(columns: Iterable[str]) -> list[int]:
    names = set(columns)
    return [number for number, proxy in BLENDSHAPE_PROXIES.items() if names.issuperset(proxy.blendshapes)]


def _seconds(times: pd.Series) -> pd.Series:
    """Read py-feat's 'minutes:seconds'."""
    parts = times.astype("str").str.extract(r"^(\d+):(\d+)$").astype("float64")
    return parts[0] * 60 + parts[1]


OWN = Dialect("AU table", re.compile(_INDEX), _own)
OPENFACE = Dialect(
    "OpenFace",
    re.compile(rf"{_INDEX}|gaze_.+|eye_lmk_.+|pose_T[xyz]|[XYZ]_\d+|p_(scale|rx|ry|rz|tx|ty|\d+)"),
    _openface,
)
PYFEAT = Dialect(
    "py-feat",
    re.compile(
        rf"{_INDEX}|mesh_[xyz]_\d+|z_\d+|Identity_\d+|gaze_\w+|[XYZ]|_neutral|(brow|cheek|eye|jaw|mouth|nose)[A-Z]\w+"
    ),
    _pyfeat,
)
CODES = Dialect("AU codes", re.compile(_INDEX), _codes)
BLENDSHAPES = Dialect(
    "blendshapes", re.compile(rf"{_INDEX}|_neutral|mouth(Close|Left|Right)|eyeLook\w+"), _blendshapes
)
