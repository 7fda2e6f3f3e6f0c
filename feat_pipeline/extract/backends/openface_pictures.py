"""Pictures through OpenFace's FaceLandmarkImg: written to a folder, looked at, and read by their numbers."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from analysis.facs import BACKEND_AUS
from feat_pipeline.errors import OutputError
from feat_pipeline.extract.backends.openface_tool import PHOTOS, STALLED_S, OpenFace, OpenFaceError

if TYPE_CHECKING:
    import pandas as pd

AU_COLUMNS = tuple(f"AU{number:02d}_r" for number in BACKEND_AUS["openface"] if number != 28)
#: OpenFace's `AU12_c`, 0 or 1: a table holds AU columns of one scale, so that they have another name here.
PRESENT_COLUMNS = tuple(f"AU{number:02d}_present" for number in BACKEND_AUS["openface"])
GAZE_COLUMNS = (*(f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz"), "gaze_angle_x", "gaze_angle_y")
#: What is measured, by OpenFace's flags; with all of them a CSV has every column that it can have.
MEASURED, GAZE, REST = ("-aus", "-2Dfp", "-pose"), ("-gaze",), ("-3Dfp", "-pdmparams")

#: So many pictures in succession that OpenFace breaks on are no fault of the pictures.
_MOST_FRUITLESS = 3
_PNG_FASTEST = 1


class Pictures:
    """Pictures that OpenFace is to look at, in a folder.

    Parameters
    ----------
    work : Path
        An empty folder.
    tool : OpenFace
    flags : sequence of str
        What is measured, such as `MEASURED`.
    stalled_s : float
        See `feat_pipeline.extract.backends.openface_tool.STALLED_S`.

    Attributes
    ----------
    failures : dict of int to str
        Numbers of the pictures that OpenFace broke on, and how.
    """

    def __init__(
        self, work: Path, tool: OpenFace, flags: tuple[str, ...] = MEASURED, stalled_s: float = STALLED_S
    ) -> None:
        self.failures: dict[int, str] = {}
        self._work, self._tool, self._flags, self._stalled_s = work, tool, flags, stalled_s
        self._in, self._boxes, self._out = (work / name for name in ("in", "boxes", "out"))
        for folder in (self._in, self._boxes):
            folder.mkdir()
        self._numbers: list[int] = []

    def add(self, number: int, rgb: np.ndarray, boxes_xyxy: np.ndarray | None = None) -> None:
        """Write a uint8 RGB picture and perhaps the boxes of its faces, shape (n, 4), tight around landmarks.

        Boxes are in px from the picture's corner. All pictures have them or none; without, OpenFace's own
        detector looks for faces.
        """
        import cv2

        file = self._in / f"{number:06d}.png"
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        try:
            written = cv2.imwrite(str(file), bgr, [cv2.IMWRITE_PNG_COMPRESSION, _PNG_FASTEST])
        except cv2.error as error:
            raise OutputError(f"{file}: cannot be written ({error.err})") from None
        if not written:
            raise OutputError(f"{file}: cannot be written; free some space, or name another folder by TMPDIR")
        if boxes_xyxy is not None:
            lines = [" ".join(f"{value:.3f}" for value in box) for box in np.asarray(boxes_xyxy) - 0.5]
            (self._boxes / f"{number:06d}.txt").write_text("\n".join(lines) + "\n", encoding="ascii")
        self._numbers.append(number)

    def look(self) -> pd.DataFrame:
        """Run OpenFace over the pictures, again from the next one on where it breaks on one.

        Returns
        -------
        DataFrame
            A row for each face: `number` of its picture, and the columns of `read_written`.

        Raises
        ------
        OpenFaceError
            It breaks before the first picture, or on several in succession.
        UnavailableError
            It cannot be started.
        """
        import pandas as pd

        parts: list[pd.DataFrame] = []
        left, fruitless = sorted(self._numbers), 0
        while left:
            done, reason = self._run(left)
            parts.append(self._read(done))
            left = left[len(done) :]
            if reason and left:
                fruitless = 0 if done else fruitless + 1
                if fruitless == _MOST_FRUITLESS:
                    raise OpenFaceError(reason)
                self.failures[left.pop(0)] = reason
        for folder in (self._in, self._boxes, self._out):
            shutil.rmtree(folder, ignore_errors=True)
        return pd.concat(
            [part for part in parts if len(part)] or parts[:1] or [_no_rows()], ignore_index=True
        )

    def csv(self, number: int) -> Path:
        """Where the CSV of a picture stands when it is kept."""
        return self._work / "kept" / f"{number:06d}.csv"

    def _run(self, numbers: list[int]) -> tuple[list[int], str]:
        """Look at the pictures; returns those that were done, and why it broke on the next."""
        wanted = {f"{number:06d}" for number in numbers}
        for file in [*self._in.iterdir(), *self._boxes.iterdir()]:
            if file.stem not in wanted:
                file.unlink()
        shutil.rmtree(self._out, ignore_errors=True)
        self._out.mkdir()
        boxes: list[str | Path] = ["-bboxdir", self._boxes] if any(self._boxes.iterdir()) else []
        arguments = ["-fdir", self._in, *boxes, "-out_dir", self._out, *self._flags]
        try:
            self._tool.run(PHOTOS, arguments, work=self._work, stalled_s=self._stalled_s)
        except OpenFaceError as error:
            begun = [n for n in numbers if (self._out / f"{n:06d}_of_details.txt").is_file()]
            if not begun:
                raise
            # It writes the details of a picture before it looks at it, so that it broke on the last.
            whole = begun[-1] == numbers[-1] and _is_whole(self._out / f"{begun[-1]:06d}.csv")
            return begun if whole else begun[:-1], str(error)
        return numbers, ""

    def _read(self, done: list[int]) -> pd.DataFrame:
        """Read what was written of these pictures; keep the CSVs."""
        import pandas as pd

        kept = [f"{number:06d}" for number in done]
        for file in self._out.glob("*.csv"):
            if file.stem not in kept:
                file.unlink()
        if not any(self._out.glob("*.csv")):
            return _no_rows()
        rows = read_written(self._out)
        numbers = pd.Series([int(Path(name).stem) for name in rows["input"]], name="number", dtype="int64")
        self.csv(0).parent.mkdir(exist_ok=True)
        for file in self._out.glob("*.csv"):
            shutil.copyfile(file, self._work / "kept" / file.name)
        return pd.concat([numbers, rows], axis=1).copy()


def read_written(folder: Path) -> pd.DataFrame:
    """Read the CSVs that OpenFace wrote into a folder, by the project's own reader.

    Parameters
    ----------
    folder : Path
        With at least one CSV; all of the same columns.

    Returns
    -------
    DataFrame
        Rows of `AUTable.read`, and of the same faces `AU12_present` and so on, and the gaze where it was
        written: unit vectors of both eyes in the camera's axes, and the angles of both together in radians.

    Raises
    ------
    TableError
        A file is none of OpenFace's tables, or damaged.
    """
    import pandas as pd

    from analysis.autable import AUTable

    frame = AUTable.read(folder).frame
    failed = frame[list(AU_COLUMNS)].isna().all(axis=1)
    return pd.concat([frame, _more(folder).astype("float64").mask(failed)], axis=1).copy()


def _more(folder: Path) -> pd.DataFrame:
    """Columns that AU tables leave out, in the order of `AUTable.read`."""
    import pandas as pd

    lines: list[str] = []
    for path in sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv"):
        head, *rows = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        lines += rows if lines else [head, *rows]
    names = {name.replace("_present", "_c"): name for name in PRESENT_COLUMNS}
    names |= {name: name for name in GAZE_COLUMNS}
    text = io.StringIO("\n".join(lines))
    more = pd.read_csv(
        text,
        usecols=lambda name: name.strip() in names,
        skipinitialspace=True,
        na_values=["-nan", "-nan(ind)"],
    )
    return more.rename(columns=lambda name: names[name.strip()])


def _is_whole(csv_file: Path) -> bool:
    """Whether a CSV ends with a whole line."""
    if not csv_file.is_file():
        return False
    text = csv_file.read_text(encoding="utf-8", errors="replace")
    lines = text.splitlines()
    return text.endswith("\n") and len(lines) > 1 and len({line.count(",") for line in lines}) == 1


def _no_rows() -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({"number": np.array([], np.int64)})
