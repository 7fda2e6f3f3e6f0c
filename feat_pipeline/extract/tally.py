"""What an extraction has measured and what it skipped, counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from feat_pipeline.extract.measure import NO_FACE, Measured, is_measured
from feat_pipeline.sources.frame import Skipped

EXAMPLES = 3
"""How many inputs are named of each kind that was skipped."""
NOT_MEASURED = "its AUs could not be measured"


class Tally:
    """Counts of frames, faces and what was skipped, which can be added up."""

    def __init__(self) -> None:
        self.frames = 0
        self.faces = 0
        self.kinds: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {}
        self.skipped: list[Skipped] = []
        self.errors: list[Skipped] = []

    def add(self, item: Measured | Skipped) -> None:
        """Count one frame with its faces, or one skipped input."""
        self.frames += 1
        if isinstance(item, Skipped):
            self.skip(item, "no face" if item.reason == NO_FACE else "error")
            return
        self.faces += len(item.faces)
        for number, face in enumerate(item.faces):
            if not is_measured(face):
                where = Skipped(item.frame.path, item.frame.index, f"face {number}: {NOT_MEASURED}")
                self.skip(where, "not measured")

    def skip(self, skipped: Skipped, kind: str) -> None:
        """List what has no result, and count it by its kind."""
        self.skipped.append(skipped)
        self.kinds[kind] += 1
        self._name(kind, [skipped.input])
        if kind == "error":
            self.errors.append(skipped)

    def merge(self, other: Tally) -> None:
        """Add what another counted, after this one's own."""
        self.frames += other.frames
        self.faces += other.faces
        self.kinds += other.kinds
        for kind, names in other.examples.items():
            self._name(kind, names)
        self.skipped += other.skipped
        self.errors += other.errors

    def _name(self, kind: str, names: list[str]) -> None:
        known = self.examples.get(kind, [])
        self.examples[kind] = list(dict.fromkeys([*known, *names]))[:EXAMPLES]

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON."""
        errors = set(self.errors)
        listed = [[*asdict(s).values(), s in errors] for s in self.skipped]
        counts = {"frames": self.frames, "faces": self.faces, "kinds": dict(self.kinds)}
        return {**counts, "examples": self.examples, "skipped": listed}

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> Tally:
        """Return what `to_dict` told."""
        tally = cls()
        tally.frames, tally.faces, tally.kinds = told["frames"], told["faces"], Counter(told["kinds"])
        tally.examples = told.get("examples", {})
        for name, frame, reason, is_error in told["skipped"]:
            tally.skipped.append(Skipped(name, frame, reason))
            if is_error:
                tally.errors.append(tally.skipped[-1])
        return tally
