"""What a run did: counts, seconds and versions for ``run.json``, and what it skipped for ``skipped.csv``."""

from __future__ import annotations

import contextlib
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from analysis import filenames
from feat_pipeline.extract.measure import Measured
from feat_pipeline.extract.tally import Tally
from feat_pipeline.output.folder import OutputFolder
from feat_pipeline.sources.frame import Skipped

if TYPE_CHECKING:
    import pandas as pd

_PACKAGES = (
    "numpy",
    "pandas",
    "onnxruntime",
    "opencv-python",
    "pillow",
    "av",
    "scikit-learn",
    "torch",
    "py-feat",
)


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
        self.tally = Tally()
        self.inputs: int | None = None  # where inputs have more than one frame
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
    def skipped(self) -> list[Skipped]:
        """What has no result."""
        return self.tally.skipped

    @property
    def errors(self) -> list[Skipped]:
        """What has no result by an error; a picture without a face is none."""
        return self.tally.errors

    @property
    def counts(self) -> dict[str, Any]:
        """Numbers of inputs and faces, and of what was skipped by kind."""
        tally = self.tally
        done = {"inputs": tally.frames}
        if self.inputs is not None:
            done = {"inputs": self.inputs, "frames": tally.frames}
        return {**done, "faces": tally.faces, "skipped": dict(tally.kinds)}

    @property
    def ignored(self) -> list[dict[str, Any]]:
        """What gave no result: why, how often, and the first inputs."""
        tally = self.tally
        return [
            {"why": kind, "count": count, "first": tally.examples.get(kind, [])}
            for kind, count in tally.kinds.items()
        ]

    def add(self, item: Measured | Skipped) -> None:
        """Count one frame with its faces, or one skipped input."""
        self.tally.add(item)

    def note(self, **facts: Any) -> None:
        """Add entries to ``run.json``."""
        self._head |= facts

    def stop(self, error: BaseException) -> None:
        """Record that the run ended early."""
        self._stopped = type(error).__name__

    def kept_in(self, folder: OutputFolder) -> str:
        """Tell where the results of a run lie that ended early."""
        return f"the {self.counts['inputs']} inputs done until then are in {folder.path}"

    def record(self) -> dict[str, Any]:
        """Return the content of ``run.json``."""
        seconds = round(time.perf_counter() - self._began, 3)
        ended = {"complete": False, "stopped_by": self._stopped} if self._stopped else {"complete": True}
        return {**self._head, "counts": self.counts, "ignored": self.ignored, "seconds": seconds, **ended}

    def skipped_frame(self) -> pd.DataFrame:
        """Return the content of ``skipped.csv``: columns ``input, frame, reason``."""
        import pandas as pd

        return pd.DataFrame([asdict(s) for s in self.skipped], columns=[f.name for f in fields(Skipped)])

    def write(self, folder: OutputFolder) -> None:
        """Write ``skipped.csv`` and ``run.json``."""
        folder.write(filenames.SKIPPED, self.skipped_frame().to_csv(index=False))
        folder.write_json(filenames.RUN, self.record())

    def skip(self, skipped: Skipped, kind: str) -> None:
        """List what has no result, and count it by its kind."""
        self.tally.skip(skipped, kind)


def _versions() -> dict[str, str]:
    from feat_pipeline.version import __version__

    versions = {"feat-pipeline": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions
