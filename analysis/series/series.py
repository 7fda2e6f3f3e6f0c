"""A table of a video's faces as time series: one of each AU and person, raw, calibrated and smoothed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from analysis.autable import LANDMARK_COLUMNS, AUTable
from analysis.autable.videos import SHARED
from analysis.baseline import person_baselines
from analysis.errors import TableError
from analysis.facs import SCALE_RANGES
from analysis.files import JsonObject
from analysis.series.events import COLUMNS, MIN_DURATION_S, THRESHOLDS, find_events
from analysis.series.smoothing import SMOOTH_S, gap_bound, smooth

CALIBRATED, SMOOTHED = "calibrated_", "smoothed_"
"""Put before an AU's column to name its value less the person's neutral, and that value smoothed."""

PERSON = ("input", "face_id")
QUANTILE, MIN_ROWS = 0.1, 10


@dataclass(frozen=True, eq=False)
class AUSeries:
    """AUs over time of every person in a table.

    Attributes
    ----------
    frame : DataFrame
        The table's rows by input, person and time, with ``face_id`` and without landmarks; of each AU the
        columns ``AU12_r`` as it was measured, ``calibrated_AU12_r`` and ``smoothed_AU12_r``.
    aus : list of str
        AU columns.
    scale : {'r', 'c', 'p'}
    neutral : DataFrame
        Each person's neutral AUs, by ``(input, face_id)``; NaN where nothing tells it. Without rows where
        nothing was taken off.
    facts : dict
        How it was calibrated and smoothed.
    notes : list of str
        What a reader has to know.
    """

    frame: pd.DataFrame
    aus: list[str]
    scale: str
    neutral: pd.DataFrame
    facts: JsonObject
    notes: list[str] = field(default_factory=list)

    def persons(self) -> list[tuple[str, int]]:
        """List the persons as ``(input, face_id)``."""
        return list(dict.fromkeys(_persons(self.frame)))

    def of(self, person: tuple[str, int]) -> pd.DataFrame:
        """Return the rows of one person, by time."""
        own = (self.frame["input"] == person[0]) & (self.frame["face_id"] == person[1])
        return self.frame[own].reset_index(drop=True)

    def events(
        self,
        *,
        high: float | None = None,
        low: float | None = None,
        min_duration_s: float = MIN_DURATION_S,
    ) -> pd.DataFrame:
        """Find the actions of every AU and person in the smoothed series; see `find_events`.

        Parameters
        ----------
        high, low : float, optional
            By default `THRESHOLDS` of the scale: 1 and 0.5 of intensities.
        min_duration_s : float

        Returns
        -------
        DataFrame
            Columns ``input, face_id, au`` and those of `find_events`.
        """
        usual_high, usual_low = THRESHOLDS[self.scale]
        high = usual_high if high is None else high
        low = min(usual_low, high) if low is None else low
        tables = []
        for person in self.persons():
            rows = self.of(person)
            times_s = rows["time_s"].to_numpy()
            for au in self.aus:
                found = find_events(
                    times_s,
                    rows[SMOOTHED + au].to_numpy(),
                    high=high,
                    low=low,
                    min_duration_s=min_duration_s,
                    max_gap_s=self.facts["max_gap_s"][person[0]],
                )
                if len(found):
                    found.insert(0, "input", person[0])
                    found.insert(1, "face_id", person[1])
                    found.insert(2, "au", au)
                    tables.append(found)
        if not tables:
            return pd.DataFrame(columns=[*PERSON, "au", *COLUMNS])
        return pd.concat(tables, ignore_index=True)


def au_series(
    table: AUTable,
    *,
    neutral: str | tuple[float, float] = "percentile",
    smooth_s: float = SMOOTH_S,
    max_gap_s: float | None = None,
    aus: Sequence[str] | None = None,
    quantile: float = QUANTILE,
    min_rows: int = MIN_ROWS,
    min_seen_s: float = 0.0,
) -> AUSeries:
    """Make the time series of every person in a table.

    Parameters
    ----------
    table : AUTable
        With ``time_s``, s. A person is an ``input`` and a ``face_id``, or ``face`` where that is missing.
    neutral : 'percentile', 'none' or (float, float)
        What counts as a person's neutral face and is taken off: the low `quantile` of each AU over the
        person's measured frames, as OpenFace does; nothing; or the median between two times (s) at which the
        person is known to be neutral. The first fails people who hold an expression most of the time.
    smooth_s : float
        Window of the smoothing, s.
    max_gap_s : float, optional
        No smoothing and no action goes on across a longer time without a measurement. By default 0.5 s, or
        2.5 typical steps of the frames where they stand further apart.
    aus : sequence of str, optional
        AUs to keep, such as 'AU12' or 'AU12_r'; all by default.
    quantile, min_rows
        See `analysis.baseline.person_baselines`.
    min_seen_s : float
        Persons who were measured for a shorter time in all, s, are left out and told, unless that leaves
        nobody in their input. By default everybody stays.

    Returns
    -------
    AUSeries
        A person without a neutral face has no calibrated and no smoothed values; `notes` says who and why,
        and how many calibrated values were cut off at the end of the scale.
        Presences (scale c) are not calibrated.

    Raises
    ------
    TableError
        The table has no times or no such AU, its persons have several rows at one moment, an option is out
        of range, or nobody was measured in the neutral interval.

    Notes
    -----
    Calibration after Baltrusaitis, Mahmoud & Robinson (2015), FG, https://doi.org/10.1109/FG.2015.7284869.
    Unlike there, frames that failed do not count, and the raw values stay.
    """
    chosen = table if aus is None else table.select(_named(table, aus))
    notes = list(chosen.notes)
    columns = chosen.au_columns
    frame = _long_seen(_rows(chosen, notes), columns, min_seen_s, notes)
    if table.scale == "c" and neutral != "none":
        notes.append("presences are not calibrated: a neutral face cannot be taken off them")
        neutral = "none"
    if max_gap_s is not None and not max_gap_s > 0:
        raise TableError(f"max_gap_s: expected seconds above 0, got {max_gap_s}")
    bounds = {
        str(name): gap_bound(part.to_numpy()) if max_gap_s is None else float(max_gap_s)
        for name, part in frame.groupby("input", sort=False)["time_s"]
    }
    raw = frame[columns].to_numpy(dtype=float)
    neutral_faces, how = _neutral_faces(chosen, frame, neutral, (quantile, min_rows), notes)
    calibrated = raw
    if neutral != "none":
        own = neutral_faces.reindex(list(_persons(frame)))[columns].to_numpy(dtype=float)
        calibrated = np.clip(raw - own, *SCALE_RANGES[table.scale])
        notes += _clipped(raw - own, calibrated, columns)
    smoothed = np.full_like(raw, np.nan)
    times_s = frame["time_s"].to_numpy(dtype=float)
    for (name, _), rows in frame.groupby(list(PERSON), sort=False).indices.items():
        for place in range(len(columns)):
            smoothed[rows, place] = smooth(
                times_s[rows], calibrated[rows, place], window_s=smooth_s, max_gap_s=bounds[str(name)]
            )
    series = {CALIBRATED: calibrated} if neutral != "none" else {}
    series[SMOOTHED] = smoothed
    parts = [pd.DataFrame(values, columns=[kind + au for au in columns]) for kind, values in series.items()]
    return AUSeries(
        frame=pd.concat([frame, *parts], axis=1),
        aus=columns,
        scale=table.scale,
        neutral=neutral_faces,
        facts={"neutral": how, "smooth_s": float(smooth_s), "max_gap_s": bounds, "scale": table.scale}
        | ({"min_seen_s": float(min_seen_s)} if min_seen_s else {}),
        notes=notes,
    )


def _named(table: AUTable, aus: Sequence[str]) -> list[str]:
    """AU columns by names such as 'AU12', 'au12' and 'AU12_r'."""
    names = [name.strip().upper().partition("_")[0] for name in aus]
    numbers = {
        f"AU{int(name[2:]):02d}" if name[2:].isdigit() and name[:2] == "AU" else name for name in names
    }
    return [f"{name}_{table.scale}" for name in sorted(numbers)]


def _rows(table: AUTable, notes: list[str]) -> pd.DataFrame:
    """Rows with a time, by input, person and time, one for each person and time."""
    earlier = [kind + au for kind in (CALIBRATED, SMOOTHED) for au in table.au_columns]
    frame = table.frame.drop(columns=[*LANDMARK_COLUMNS, *earlier], errors="ignore").copy()
    if "time_s" not in frame:
        raise TableError(
            "column 'time_s' is missing: a series needs the time of each row in seconds; extract a video, or "
            "add the column"
        )
    frame = frame.assign(time_s=pd.to_numeric(frame["time_s"], errors="coerce"))
    timed = np.isfinite(frame["time_s"].to_numpy(dtype=float))
    if len(frame) and not timed.any():
        raise TableError("column 'time_s': no row has a time; expected seconds")
    if not timed.all():
        notes.append(f"{(~timed).sum()} of {len(frame)} rows have no time and are left out")
    number = frame["face_id"] if "face_id" in frame else frame.get("face", 0)
    frame = frame.assign(face_id=pd.Series(number, index=frame.index).fillna(0).astype("int64"))[timed]
    frame = frame.assign(input=frame["input"].astype(str)).sort_values([*PERSON, "time_s"], kind="stable")
    twice = frame.duplicated([*PERSON, "time_s"])
    _check_moments(frame, twice)
    if twice.any():
        notes.append(f"{twice.sum()} rows tell of a person a second time at one moment and are left out")
    return frame[~twice].reset_index(drop=True)


def _check_moments(frame: pd.DataFrame, twice: pd.Series) -> None:
    """Refuse inputs in which (input, face, time) does not say which row is which."""
    for name, rows in frame.groupby("input", sort=False).indices.items():
        again = frame.iloc[rows][twice.to_numpy()[rows]]
        if len(again) <= SHARED * len(rows):
            continue
        first = again.iloc[0]
        raise TableError(
            f"{name}: {len(again)} of {len(rows)} rows tell of a face a second time at one moment (face "
            f"{first['face_id']} at {first['time_s']:g} s); name the video of each row in a column 'input', "
            "give each frame its own 'time_s', or remove copies"
        )


def _long_seen(frame: pd.DataFrame, columns: list[str], min_seen_s: float, notes: list[str]) -> pd.DataFrame:
    """Leave out who was measured for less than a time: mostly false faces of a frame or two."""
    if not min_seen_s >= 0:
        raise TableError(f"min_seen_s: expected seconds from 0 on, got {min_seen_s}")
    keep = np.ones(len(frame), dtype=bool)
    measured = frame[columns].notna().any(axis=1).to_numpy()
    persons, rows_out = 0, 0
    for rows in frame.groupby("input", sort=False).indices.values():
        times_s = np.unique(frame["time_s"].to_numpy(dtype=float)[rows])
        step_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else np.inf
        numbers = frame["face_id"].to_numpy()[rows]
        faces, counts = np.unique(numbers[measured[rows]], return_counts=True)
        long = faces[counts * step_s >= min_seen_s * (1 - 1e-9)]
        if not min_seen_s or not len(long):
            continue
        short = ~np.isin(numbers, long)
        keep[rows] = ~short
        persons, rows_out = persons + len(np.unique(numbers[short])), rows_out + int(short.sum())
    if persons:
        some = "1 person was" if persons == 1 else f"{persons} persons were"
        notes.append(
            f"{some} measured for less than {min_seen_s:g} s and left out ({rows_out} of {len(frame)} rows)"
        )
    return frame[keep].reset_index(drop=True)


def _clipped(wanted: np.ndarray, given: np.ndarray, columns: list[str]) -> list[str]:
    """Say how many calibrated values the ends of the scale cut off."""
    cut = np.abs(wanted - given) > 1e-9
    known = np.isfinite(wanted)
    if not cut.any():
        return []
    shares = cut.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    most = int(shares.argmax())
    return [
        f"{cut.sum() / known.sum():.1%} of the calibrated values were below the person's neutral face and "
        f"are given as 0 (most of {columns[most]}: {shares[most]:.1%}); what was measured stands beside them"
    ]


def _persons(frame: pd.DataFrame) -> Iterator[tuple[str, int]]:
    return zip(frame["input"].astype(str), frame["face_id"].astype(int), strict=True)


def _neutral_faces(
    table: AUTable,
    frame: pd.DataFrame,
    neutral: str | tuple[float, float],
    measure: tuple[float, int],
    notes: list[str],
) -> tuple[pd.DataFrame, str]:
    """Each person's neutral AUs, and in words what they are."""
    persons = list(dict.fromkeys(_persons(frame)))
    if neutral == "none":
        return pd.DataFrame(columns=table.au_columns, dtype=float), "nothing taken off"
    place = {person: str(i) for i, person in enumerate(persons)}
    whole = AUTable(frame, backend=table.backend, backend_version=table.backend_version, scale=table.scale)
    names = [place[person] for person in _persons(frame)]
    if neutral == "percentile":
        quantile, min_rows = measure
        found = person_baselines(whole, names, quantile=quantile, min_rows=min_rows)
        how = f"quantile {quantile:g} of each person's measured frames"
        lack = f"fewer than {min_rows} measured frames"
    else:
        start_s, end_s = _interval(neutral)
        inside = frame["time_s"].between(start_s, end_s, inclusive="left").to_numpy()
        found = person_baselines(whole, names, neutral=inside)
        how = f"median of each person's measured frames from {start_s:g} to {end_s:g} s"
        lack = f"no measured frame from {start_s:g} to {end_s:g} s"
        if not np.isfinite(found.to_numpy(dtype=float)).any():
            raise TableError(
                f"neutral: nobody was measured from {start_s:g} to {end_s:g} s; name a time at which "
                f"a face shows"
            )
    found = found[table.au_columns].set_axis(persons, axis=0)
    without = [
        f"{name} face {number}" for (name, number), known in found.notna().any(axis=1).items() if not known
    ]
    if without:
        shown = ", ".join(without[:5]) + (f" and {len(without) - 5} more" if len(without) > 5 else "")
        notes.append(f"no neutral face of {shown} ({lack}): no calibrated series; or use neutral 'none'")
    return found, how


def _interval(neutral: str | tuple[float, float]) -> tuple[float, float]:
    try:
        start_s, end_s = (float(end) for end in neutral)
    except (TypeError, ValueError):
        raise TableError(
            f"neutral: expected 'percentile', 'none' or two times in seconds, got {neutral!r}"
        ) from None
    if not start_s < end_s:
        raise TableError(f"neutral: expected a time before the second, got {start_s:g} and {end_s:g} s")
    return start_s, end_s
