"""What a run did: counts, seconds and versions for ``run.json``, and what it skipped for ``skipped.csv``."""

from __future__ import annotations

import contextlib
import platform
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from feat_pipeline.extract.measure import NO_FACE, Measured, is_measured
from feat_pipeline.outputs import OutputFolder
from feat_pipeline.sources import Skipped

if TYPE_CHECKING:
    import pandas as pd

NOT_MEASURED = "its AUs could not be measured"

_PACKAGES = ("numpy", "pandas", "onnxruntime", "opencv-python", "pillow", "scikit-learn", "torch", "py-feat")


class RunLog:
    """Counts what a run does, from its making on.

    Parameters
    ----------
    command : str
    parameters : mapping
        As the user set them.
    **facts
        Further entries for ``run.json``.
    """

    def __init__(self, command: str, parameters: Mapping[str, Any], **facts: Any) -> None:
        self.skipped: list[Skipped] = []
        self.errors: list[Skipped] = []
        self._counts: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()
        self._began = time.perf_counter()
        self._stopped: str | None = None
        self._head = {
            "command": command,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "parameters": dict(parameters),
            **facts,
            "versions": _versions(),
        }

    @property
    def counts(self) -> dict[str, Any]:
        """Numbers of inputs and faces, and of what was skipped by kind."""
        return {"inputs": 0, "faces": 0, **self._counts, "skipped": dict(self._kinds)}

    def add(self, item: Measured | Skipped) -> None:
        """Count one frame with its faces, or one skipped input."""
        self._counts["inputs"] += 1
        if isinstance(item, Skipped):
            if item.reason != NO_FACE:
                self.errors.append(item)
            self.skip(item, "no face" if item.reason == NO_FACE else "error")
            return
        self._counts["faces"] += len(item.faces)
        for number, face in enumerate(item.faces):
            if not is_measured(face):
                where = Skipped(item.frame.path, item.frame.index, f"face {number}: {NOT_MEASURED}")
                self.skip(where, "not measured")

    def stop(self, error: BaseException) -> None:
        """Record that the run ended early."""
        self._stopped = type(error).__name__

    def kept_in(self, folder: OutputFolder) -> str:
        """Tell where the results of a run lie that ended early."""
        return f"the {self._counts['inputs']} inputs done until then are in {folder.path}"

    def record(self) -> dict[str, Any]:
        """Return the content of ``run.json``."""
        seconds = round(time.perf_counter() - self._began, 3)
        ended = {"complete": False, "stopped_by": self._stopped} if self._stopped else {"complete": True}
        return {**self._head, "counts": self.counts, "seconds": seconds, **ended}

    def skipped_frame(self) -> pd.DataFrame:
        """Return the content of ``skipped.csv``: columns ``input, frame, reason``."""
        import pandas as pd

        return pd.DataFrame([asdict(s) for s in self.skipped], columns=[f.name for f in fields(Skipped)])

    def write(self, folder: OutputFolder) -> None:
        """Write ``skipped.csv`` and ``run.json``."""
        folder.write("skipped.csv", self.skipped_frame().to_csv(index=False))
        folder.write_json("run.json", self.record())

    def skip(self, skipped: Skipped, kind: str) -> None:
        """List what has no result, and count it by its kind."""
        self.skipped.append(skipped)
        self._kinds[kind] += 1


def _versions() -> dict[str, str]:
    from feat_pipeline import __version__

    versions = {"feat-pipeline": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions
