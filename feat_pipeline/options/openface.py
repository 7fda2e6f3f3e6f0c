"""Options of the command openface."""

from __future__ import annotations

from dataclasses import dataclass

from feat_pipeline.declared import Options, option
from feat_pipeline.extract.backends.openface_tool import STALLED_S
from feat_pipeline.options import shared
from feat_pipeline.sources.frame import PathLike


@dataclass(frozen=True, kw_only=True)
class OpenFaceOptions(Options):
    """Options of `feat_pipeline.runs.openface.run_openface`."""

    docker: bool = option(False, "use the image algebr/openface, whatever is installed")
    binary_dir: PathLike | None = option(
        None,
        "folder of FaceLandmarkImg (default: OPENFACE_DIR, else the PATH, else Docker)",
        more="See `feat_pipeline.extract.backends.openface_tool.find_openface`.",
        metavar="DIR",
    )
    keep_csv: bool = option(False, "keep OpenFace's own CSVs with all columns in OUT/openface")
    format: str = shared.table_format()
    stalled_s: float = option(
        STALLED_S,
        "seconds without output after which OpenFace is taken to hang (default: %(default)g)",
        flag="--timeout",
        metavar="S",
    )
