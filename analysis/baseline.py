"""A person's own neutral face: found in a table of many of the person's faces, and taken off.

Some faces look angry at rest. OpenFace meets this by each person's low quantile of every AU
(Baltrusaitis, Mahmoud & Robinson 2015, FG, https://doi.org/10.1109/FG.2015.7284869), once per file and over
raw values. Here persons may be spread over files, failed faces do not count, and raw values stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from analysis.autable import AUTable
from analysis.errors import TableError
from analysis.facs import SCALE_RANGES

if TYPE_CHECKING:
    import pandas as pd

RAW = "raw_"
"""Put before an AU's column to name its value before calibration."""


def person_baselines(
    table: AUTable,
    groups: str | ArrayLike,
    *,
    quantile: float = 0.1,
    min_rows: int = 10,
    neutral: ArrayLike | None = None,
) -> pd.DataFrame:
    """Estimate each person's neutral face.

    Parameters
    ----------
    table : AUTable
        n faces; several of each person.
    groups : str, or (n,) array-like
        Who each face is: a column of the table, or the names themselves. Rows without a name count for
        nobody.
    quantile : float, default 0.1
        Which quantile of each AU is the person's neutral.
    min_rows : int, default 10
        How many measured faces of a person it takes, for each AU; OpenFace begins with ten as well. Fewer,
        such as a single photo, say nothing of a neutral face.
    neutral : (n,) bool array-like, optional
        Faces that are known to be neutral: then their median is the person's neutral instead, from one
        face on. Use it where people hold an expression: the low quantile of somebody who smiles all the
        time is a smile.

    Returns
    -------
    DataFrame
        A row for each person, by name, in order of appearance; the AU columns of the table, float64. NaN
        where there were too few faces.

    Raises
    ------
    TableError
        Where the table has no such column, lengths differ, or a number is out of range.
    """
    import pandas as pd

    if not 0 <= quantile <= 1:
        raise TableError(f"quantile: expected 0 to 1, got {quantile!r}")
    if min_rows < 1:
        raise TableError(f"min_rows: expected 1 or more, got {min_rows!r}")
    names = _names(table, groups)
    aus = table.aus
    if neutral is not None:
        chosen = np.asarray(neutral, dtype=bool)
        if chosen.shape != (len(table),):
            raise TableError(f"neutral: expected {len(table)} of true and false, got shape {chosen.shape}")
        aus = aus.where(pd.Series(chosen, index=aus.index), np.nan)
    of_person = aus.groupby(pd.Series(names, index=aus.index), sort=False)
    if neutral is not None:
        return of_person.median()
    return of_person.quantile(quantile).where(of_person.count() >= min_rows)


def calibrate(
    table: AUTable,
    groups: str | ArrayLike,
    *,
    baselines: pd.DataFrame | None = None,
    quantile: float = 0.1,
    min_rows: int = 10,
    neutral: ArrayLike | None = None,
) -> AUTable:
    """Take each person's neutral face off the person's AUs.

    Parameters
    ----------
    table : AUTable
        n faces, on a scale of intensities or scores.
    groups, quantile, min_rows, neutral
        As for `person_baselines`.
    baselines : DataFrame, optional
        Neutral faces by name, as `person_baselines` finds them; from other faces of the same people, say.

    Returns
    -------
    AUTable
        Its AUs are those of the table less the person's neutral, not below 0; NaN for a person without
        one, which `notes` names. The values before stand in `raw_AU..` columns, and the metadata say
        `calibration`. Backend and scale are the table's: a model fitted on raw AUs will take them without
        complaint, but means something else by them.

    Raises
    ------
    TableError
        For presence (scale c), a table that is calibrated already, nobody with a neutral face, or as
        `person_baselines`.
    """
    if table.scale == "c":
        raise TableError("scale 'c': presence cannot be calibrated; use intensities or scores")
    if "calibration" in table.extra:
        raise TableError("the table is calibrated already (its metadata say so); start from the raw one")
    names = _names(table, groups)
    if baselines is None:
        baselines = person_baselines(table, names, quantile=quantile, min_rows=min_rows, neutral=neutral)
    missing = [name for name in table.au_columns if name not in baselines]
    if missing:
        raise TableError(f"baselines: no column {', '.join(missing)}; find them in a table of the same AUs")
    own = baselines.reindex(names)[table.au_columns].to_numpy(dtype=float)
    if not np.isfinite(own).any():
        raise TableError(
            f"nobody has enough measured faces for a neutral one (expected {min_rows} of a person); "
            f"use the raw AUs, or name faces that are neutral"
        )
    raw = table.aus
    frame = table.frame.copy()
    frame[table.au_columns] = np.clip(raw.to_numpy() - own, *SCALE_RANGES[table.scale])
    frame[[RAW + name for name in table.au_columns]] = raw
    how = (
        "neutral faces named" if neutral is not None else f"quantile {quantile:g} of {min_rows} faces or more"
    )
    result = AUTable(
        frame,
        backend=table.backend,
        backend_version=table.backend_version,
        scale=table.scale,
        extra={
            **table.extra,
            "calibration": f"less each person's neutral face ({how}), clipped; raw_ before",
        },
    )
    result.notes = [*table.notes, *_without_neutral(names, np.isnan(own).all(axis=1))]
    return result


def _without_neutral(names: np.ndarray, lacking: np.ndarray) -> list[str]:
    people = sorted({name for name in names[lacking] if name is not None})
    nobody = sum(name is None for name in names)
    shown = [*people[:5], *([f"{len(people) - 5} more"] if len(people) > 5 else [])]
    shown += [f"{nobody} faces without a name"] if nobody else []
    return [f"no neutral face of {', '.join(shown)}: left without AUs"] if shown else []


def _names(table: AUTable, groups: str | ArrayLike) -> np.ndarray:
    """Read who each face is: (n,) object, None for nobody."""
    import pandas as pd

    if isinstance(groups, str):
        if groups not in table.frame:
            raise TableError(
                f"groups: the table has no column {groups!r}; name one that says who each face is"
            )
        groups = table.frame[groups]
    values = np.asarray(groups, dtype=object)
    if values.shape != (len(table),):
        raise TableError(f"groups: expected {len(table)} names, one for each face, got shape {values.shape}")
    return np.array([None if pd.isna(value) else str(value) for value in values], dtype=object)
