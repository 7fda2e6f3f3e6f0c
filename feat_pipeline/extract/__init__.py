"""AU extractors behind one protocol and one registry.

An extractor takes frames and the faces detected in them, and returns for each face its landmarks, head pose
and AUs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from feat_pipeline.errors import UnavailableError, UsageError
from feat_pipeline.registry import error_text, made_of, resolve, resolve_registered, with_registered

if TYPE_CHECKING:
    from feat_pipeline.detect import Detection

ENTRY_POINTS = "feat_pipeline.backends"
#: What a built backend has.
_OFFERED = ("name", "version", "scale", "au_columns", "extra_columns", "extract")
DETECT_EVERY_S = 0.25  # of videos; see feat_pipeline.extract.between

# Name -> class. Installed packages add theirs by an entry point of this group.
BACKENDS: dict[str, str] = with_registered(
    {
        "embedded": "feat_pipeline.extract.backends.embedded:EmbeddedExtractor",
        "pyfeat": "feat_pipeline.extract.backends.pyfeat:PyfeatV2Extractor",
        "pyfeat-v1": "feat_pipeline.extract.backends.pyfeat:PyfeatV1Extractor",
        "pyfeat-v1-svm": "feat_pipeline.extract.backends.pyfeat:PyfeatV1SvmExtractor",
        "pyfeat-mp": "feat_pipeline.extract.backends.pyfeat:PyfeatMPExtractor",
        "mediapipe": "feat_pipeline.extract.backends.mediapipe:MediapipeExtractor",
        "openface": "feat_pipeline.extract.backends.openface:OpenFaceExtractor",
    },
    ENTRY_POINTS,
    "backends",
)


@dataclass(frozen=True, eq=False)
class FaceAUs:
    """One face, measured; all AUs are NaN where it could not be.

    Parameters
    ----------
    box_xyxy : ndarray of float32, shape (4,)
        Left, top, right, bottom in px.
    confidence : float
        The detector's, 0 to 1.
    landmarks : ndarray of float32, shape (68, 2)
        x and y in px, in dlib's and OpenFace's order.
    pose_rad : ndarray of float32, shape (3,)
        Rotations about x, y and z in radians, with OpenFace's signs.
    aus : dict of str to float
        AU column, such as ``AU12_r``, to its value.
    extra : dict of str to float
        What else the backend says of the face, by the names of its ``extra_columns``.
    """

    box_xyxy: np.ndarray
    confidence: float
    landmarks: np.ndarray
    pose_rad: np.ndarray
    aus: dict[str, float]
    extra: dict[str, float] = field(default_factory=dict)


class AUExtractor(Protocol):
    """What every backend offers.

    Attributes
    ----------
    name, version : str
    scale : {'r', 'c', 'p'}
        Of its AUs; see `analysis.facs.SCALES`.
    au_columns : tuple of str
        The AUs it measures, such as ``AU12_r``.
    extra_columns : tuple of str
        Further numbers that it gives of each face; they stand in its tables too.

    Notes
    -----
    A class whose ``uses_gpu`` is true gets a share of a cluster's GPUs. It may offer ``check()``, which
    returns the version or raises `UnavailableError` without loading what the backend needs to run; else the
    backend is built to know.
    """

    name: str
    version: str
    scale: str
    au_columns: tuple[str, ...]
    extra_columns: tuple[str, ...]

    def extract(self, frames: list[np.ndarray], detections: list[list[Detection]]) -> list[list[FaceAUs]]:
        """Measure every detected face of uint8 RGB pictures, in the order of the detections."""
        ...


@dataclass(frozen=True)
class BackendStatus:
    """Whether a backend can run here, and if not, what mends it."""

    name: str
    version: str
    available: bool
    mend: str = ""


def choose_backend() -> tuple[str, str]:
    """Return what 'auto' stands for here: the name of a backend, and why that one.

    That is py-feat's Detectorv2 where its weights are on the machine, else the embedded network. It takes
    milliseconds and imports neither.
    """
    try:
        resolve(BACKENDS["pyfeat"]).check()
    except UnavailableError as error:
        return "embedded", f"it ships with the package; {error}"
    return "pyfeat", "its weights are on this machine"


def make_extractor(name: str = "auto") -> AUExtractor:
    """Build an extractor by its name in `BACKENDS`.

    Parameters
    ----------
    name : str
        A backend, or 'auto' for that of `choose_backend`.

    Returns
    -------
    AUExtractor

    Raises
    ------
    UsageError
        The name is unknown.
    UnavailableError
        The backend cannot run here; the message says what mends it.
    """
    name = choose_backend()[0] if name == "auto" else name
    if name not in BACKENDS:
        raise UsageError(f"backend: expected auto or one of {', '.join(BACKENDS)}, got {name!r}")
    made = made_of(_class_of(name), f"backend {name}")
    missing = [part for part in _OFFERED if not hasattr(made, part)]
    if missing:
        raise UnavailableError(
            f"backend {name}: {BACKENDS[name]} lacks {', '.join(missing)}, which every AU backend offers; "
            "update or remove the package that brings it"
        )
    return made


def available_backends() -> list[BackendStatus]:
    """Ask every registered backend whether it can run, in the order of `BACKENDS`; none is loaded for it."""
    return [_status(name) for name in BACKENDS]


def _status(name: str) -> BackendStatus:
    try:
        backend = _class_of(name)
        version = str(backend.check() if hasattr(backend, "check") else backend().version)
    except UnavailableError as error:
        return BackendStatus(name, "", False, str(error))
    except Exception as error:  # whatever another package's class does, the list is shown
        return BackendStatus(name, "", False, f"{BACKENDS[name]} fails: {error_text(error)}")
    return BackendStatus(name, version, True)


def _class_of(name: str) -> Any:
    try:
        return resolve_registered(BACKENDS[name])
    except ImportError as error:
        raise UnavailableError(f"backend {name}: {error}") from error
