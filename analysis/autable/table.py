"""AUTable: the one validated table that joins every backend, model and report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.au_names import read_names, resembles_au
from analysis.autable.write import META_KEY, write_tables
from analysis.columns import ID_COLUMNS, LANDMARK_COLUMNS, POSE_COLUMNS
from analysis.errors import TableError
from analysis.facs import SCALE_RANGES, SCALES, parse_column
from analysis.files import JsonObject

_META_VERSION = 1


class AUTable:
    """One row per face: where it stood, its pose, its Action Units, perhaps its landmarks.

    Parameters
    ----------
    frame : DataFrame
        Columns `input` (str), `frame` (int), `time_s` (float, s), `face` (int), `x, y, w, h`
        (float, px, from the picture's upper left corner), `confidence` (float, 0-1), optionally
        `pose_Rx, pose_Ry, pose_Rz` (float, rad), AU columns such as `AU12_r` (float), optionally
        landmarks `x_0..x_67, y_0..y_67` (float, px). Only `input` and one AU column must be there.
        Further columns, such as labels, travel along. A face that failed has NaN AUs; an AU that
        the backend does not measure has no column.
    backend, backend_version : str
        What measured the AUs. 'unknown' where nothing says so.
    scale : {'r', 'c', 'p'}
        What the AU columns hold: intensity 0-5, presence 0 or 1, probability or score 0-1.
    extra : dict, optional
        Further facts that travel in the metadata; must be JSON.

    Attributes
    ----------
    frame : DataFrame
        The rows, with columns in the order above.
    notes : list of str
        What reading had to change or leave out.

    Raises
    ------
    TableError
        Where `input` or every AU column is missing, columns repeat, or a column has another scale.

    Notes
    -----
    Column names are OpenFace's (https://github.com/TadasBaltrusaitis/OpenFace/wiki/Output-Format).
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        *,
        backend: str,
        backend_version: str,
        scale: str,
        extra: JsonObject | None = None,
    ) -> None:
        if scale not in SCALES:
            raise TableError(f"scale: expected one of {', '.join(SCALES)}, got {scale!r}")
        frame = frame.set_axis(read_names(frame.columns), axis=1)
        _check_columns(frame.columns, scale)
        self.backend = backend
        self.backend_version = backend_version
        self.scale = scale
        self.extra = dict(extra or {})
        self.notes: list[str] = []
        self.frame = frame.loc[:, _ordered(frame.columns)].reset_index(drop=True)

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        aus = len(self.au_columns)
        return f"AUTable({len(self)} faces, {aus} AUs, backend={self.backend!r}, scale={self.scale!r})"

    def _repr_html_(self) -> str:
        from analysis.notebook import table_html

        return table_html(self)

    @property
    def au_columns(self) -> list[str]:
        """The AU columns, by AU number."""
        return [name for name in self.frame.columns if parse_column(name)]

    @property
    def aus(self) -> pd.DataFrame:
        """The AUs, (n, p) float64; a copy."""
        return self.frame[self.au_columns].astype("float64")

    @property
    def meta(self) -> JsonObject:
        """What travels with the rows: backend, its version, scale, AU columns and `extra`."""
        return {
            "format": "autable",
            "version": _META_VERSION,
            "backend": self.backend,
            "backend_version": self.backend_version,
            "scale": self.scale,
            "scale_meaning": SCALES[self.scale],
            "au_columns": self.au_columns,
            "rows": len(self),
            "extra": self.extra,
        }

    def with_rows(self, rows: np.ndarray | Sequence[int]) -> AUTable:
        """Keep some rows.

        Parameters
        ----------
        rows : (n,) bool ndarray, or (m,) int ndarray
            A mask, or row numbers in the wanted order.

        Returns
        -------
        AUTable
            A new table with the same metadata.
        """
        return self.with_frame(
            self.frame.iloc[np.flatnonzero(rows) if np.asarray(rows).dtype.kind == "b" else rows]
        )

    def select(self, columns: Sequence[str]) -> AUTable:
        """Keep some AUs; every other column stays.

        Parameters
        ----------
        columns : sequence of str
            AU columns, such as ['AU06_r', 'AU12_r'].

        Returns
        -------
        AUTable
            A new table with these AUs, by number.

        Raises
        ------
        TableError
            Naming the AUs that the table lacks.
        """
        missing = [name for name in columns if name not in set(self.au_columns)]
        if missing:
            raise TableError(
                f"the AU table (backend {self.backend}) lacks {', '.join(missing)}; "
                f"it has {', '.join(self.au_columns)}"
            )
        unwanted = set(self.au_columns) - set(columns)
        return self.with_frame(self.frame[[name for name in self.frame.columns if name not in unwanted]])

    def validate(self, source: str = "AU table") -> AUTable:
        """Check every value with pandera.

        Parameters
        ----------
        source : str
            The name that an error gives the table, normally the file.

        Returns
        -------
        AUTable
            Itself.

        Raises
        ------
        TableError
            Naming file, column, the first bad rows and what was expected.
        """
        from analysis.autable.schema import validated

        self.frame = validated(self.frame, self.au_columns, SCALE_RANGES[self.scale], self.scale, source)
        return self

    def write(self, path: str | Path) -> Path:
        """Write the table and its metadata, atomically.

        Parameters
        ----------
        path : str or Path
            Ends in `.csv` (metadata go to `<stem>.meta.json` beside it; six significant digits)
            or `.parquet` (metadata inside; exact).

        Returns
        -------
        Path
            The file.

        Raises
        ------
        TableError
            For another suffix.
        OSError
            Where the folder cannot be written.
        """
        return write_tables([self], path, rows=len(self))

    @classmethod
    def read(cls, path: str | Path, *, text_columns: Collection[str] = ()) -> AUTable:
        """Read a table, whoever wrote it.

        Parameters
        ----------
        path : str or Path
            A `.csv` or `.parquet` file, or a folder of CSVs with one photo or video each. Without
            `<stem>.meta.json`, the columns tell what it is:

            - OpenFace 2: rows with `success` 0 get NaN, because OpenFace writes 0 there, which is no
              measurement; intensities are kept and presences left out; `input` is the file that
              `<stem>_of_details.txt` names, else the CSV; `face_id` stays, and `face` counts the faces of a
              frame;
            - py-feat's `Fex`: AUs are called `AU12_p` (`AU12_c` where all are 0 or 1), and
              `approx_time` becomes `time_s`, in whole seconds;
            - MediaPipe blendshapes: AUs are `analysis.facs.BLENDSHAPE_PROXIES`, `AU12_p`;
            - AUs without a scale (`AU1`, `AU12`), such as human codes: called `AU01_c`, `AU01_p` or
              `AU01_r`, by the narrowest range that holds all values;
            - else this project's own: intensity before probability before presence.

            AU columns in other spellings ('AU1_r', 'au01-r', 'AU12_r (smile)') are read where it is clear
            what they are. `backend` is 'unknown' where columns do not tell it. Further columns travel along,
            but those that nothing here uses are left out; `notes` says what was changed or left out.
        text_columns : collection of str
            Columns of a CSV to take as they stand, such as labels and persons: '007' is no number, 'NA' not
            missing. Other further columns hold numbers only if all their cells are some.

        Returns
        -------
        AUTable
            Checked by `validate`.

        Raises
        ------
        TableError
            Where the file is missing, is no table, or holds text or values out of range, or where
            the files of a folder do not belong together.
        """
        from analysis.autable.read import read_table

        path = Path(path)
        found = read_table(path, META_KEY, text_columns)
        frame, scale, notes = _one_scale(found.frame, found.meta, path)
        try:
            table = cls(
                frame,
                backend=str(found.meta.get("backend", "unknown")),
                backend_version=str(found.meta.get("backend_version", "")),
                scale=scale,
                extra=found.meta.get("extra"),
            )
        except TableError as error:
            raise TableError(f"{path}: {error}") from None
        table.notes = [*found.notes, *notes]
        return table.validate(str(path))

    def with_frame(self, frame: pd.DataFrame) -> AUTable:
        """Return a table of other rows or columns with what this one says of its backend, and its notes."""
        table = AUTable(
            frame,
            backend=self.backend,
            backend_version=self.backend_version,
            scale=self.scale,
            extra=self.extra,
        )
        table.notes = list(self.notes)
        return table


def _ordered(columns: Iterable[str]) -> list[str]:
    names = list(columns)
    aus = sorted(name for name in names if parse_column(name))
    front = [name for name in (*ID_COLUMNS, *POSE_COLUMNS) if name in names]
    landmarks = [name for name in LANDMARK_COLUMNS if name in names]
    placed = {*front, *aus, *landmarks}
    return [*front, *aus, *landmarks, *(name for name in names if name not in placed)]


def _check_columns(columns: Iterable[str], scale: str) -> None:
    names = list(columns)
    repeated = sorted(str(name) for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise TableError(f"columns stand twice: {', '.join(repeated)}; rename or remove one of each")
    aus = [name for name in names if parse_column(name)]
    if not aus:
        alike = [name for name in names if resembles_au(name)]
        got = ", ".join(map(str, (alike or names)[:8])) or "none"
        raise TableError(f"no AU column; expected names such as AU12_{scale}, got {got}")
    other = [name for name in aus if not name.endswith(f"_{scale}")]
    if other:
        raise TableError(f"scale {scale!r}: {', '.join(other[:5])} have another; keep one scale in a table")
    if "input" not in names:
        raise TableError("column 'input' is missing; it names the photo of each row")


def _one_scale(frame: pd.DataFrame, meta: JsonObject, path: Path) -> tuple[pd.DataFrame, str, list[str]]:
    """Leave only the AU columns of one scale: the metadata's, else the finest that is there."""
    scales = {parsed[1] for name in frame.columns if (parsed := parse_column(name))}
    scale = meta.get("scale") or next((s for s in "rpc" if s in scales), "r")
    if scales and scale not in scales:
        raise TableError(
            f"{path}: its metadata say scale {scale!r} but its AU columns end in "
            f"{', '.join(f'_{s}' for s in sorted(scales))}; the two files do not belong together"
        )
    left_out = [name for name in frame.columns if (p := parse_column(name)) and p[1] != scale]
    if not left_out:
        return frame, scale, []
    note = f"{path.name}: kept the AU*_{scale} columns ({SCALES[scale]}), left out {', '.join(left_out)}"
    return frame.drop(columns=left_out), scale, [note]
