"""Options of the command extract."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from feat_pipeline.declared import option
from feat_pipeline.errors import UsageError
from feat_pipeline.extract import BACKENDS
from feat_pipeline.options import shared
from feat_pipeline.options.shared import Videos


def _backends() -> Iterable[str]:
    return ["auto", *BACKENDS]


@dataclass(frozen=True, kw_only=True)
class ExtractOptions(Videos):
    """Options of `feat_pipeline.runs.extract.extract`."""

    backend: str = option("auto", "what measures the AUs (default: %(default)s)", choices=_backends)
    detector: str = shared.detector()
    format: str = shared.table_format()
    jobs: int | None = option(
        None,
        "processes (default: 1, which uses about two cores; ray: all)",
        more="More than one are begun anew: a script that asks for them needs the guard ``if __name__ == "
        '"__main__"``.',
        parse=int,
        metavar="N",
        logged=False,
    )
    engine: str = option(
        "local",
        "this machine, or Ray (extra scale) (default: local)",
        choices=("local", "ray"),
        logged=False,
    )
    address: str | None = option(
        None, "of a Ray cluster: auto on one of its nodes, or head:6379", logged=False
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.jobs is not None and self.jobs < 1:
            raise UsageError(f"jobs: expected at least 1 process, got {self.jobs}")
