"""Where py-feat keeps its weights, and whether they are there, told without importing py-feat."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from feat_pipeline.errors import UnavailableError, require

#: What py-feat runs with; its samples can be on the machine without.
_MODULES = ("feat", "torch", "timm", "xgboost", "skops", "huggingface_hub")

UNSETTLED = "py-feat names no licence that settles its use"


@dataclass(frozen=True)
class Weights:
    """One file of a repository ``py-feat/<repo>`` on the Hugging Face hub, and its licence."""

    repo: str
    file: str
    licence: str = UNSETTLED

    @property
    def repo_id(self) -> str:
        """The repository's full name."""
        return f"py-feat/{self.repo}"

    @property
    def found(self) -> Path | None:
        """The file in the cache, or None.

        As `huggingface_hub.try_to_load_from_cache` tells, whose import alone takes a third of a second.
        """
        folder = resources() / f"models--py-feat--{self.repo}"
        reference = folder / "refs" / "main"
        if not reference.is_file():
            return None
        file = folder / "snapshots" / reference.read_text(encoding="utf-8").strip() / self.file
        return file if file.is_file() else None


RETINAFACE = Weights("retinaface_r34", "model.safetensors")
MULTITASK = Weights("face_multitask_v2", "face_multitask_v28.safetensors", "non-commercial use only")
MOBILEFACENET = Weights("mobilefacenet", "mobilefacenet_model_best.pth.tar")
POSE = (Weights("pose_mlp_v2", "pose_mlp_v2.safetensors"), Weights("pose_mlp_v2", "pose_mlp_v2.json"))
XGB = Weights("xgb_au", "xgb_au_classifier_v2.skops")
SVM = Weights("svm_au", "svm_au_classifier_v2.skops")
RESMASKNET = (
    Weights("resmasknet", "config.json"),
    Weights("resmasknet", "ResMaskNet_Z_resmasking_dropout1_rot30.pth"),
)
GAZE = Weights("l2cs", "l2cs_gaze360_resnet50.safetensors")
FACEMESH = Weights("mp_facemesh_v2", "face_landmarks_detector.pt")
BLENDSHAPES = Weights("mp_blendshapes", "face_blendshapes.pth")
BLENDSHAPES_TO_AUS = Weights("bs_to_au", "bs_to_au_pls_v2.npz")

_V1 = (RETINAFACE, MOBILEFACENET, *POSE, *RESMASKNET, GAZE)

#: Backend -> the files that it reads, the one that measures its AUs first.
NEEDED: dict[str, tuple[Weights, ...]] = {
    "pyfeat": (MULTITASK, RETINAFACE),
    "pyfeat-v1": (XGB, *_V1),
    "pyfeat-v1-svm": (SVM, *_V1),
    "pyfeat-mp": (FACEMESH, BLENDSHAPES, BLENDSHAPES_TO_AUS, RETINAFACE, GAZE),
}


def resources() -> Path:
    """Return the folder that py-feat reads its weights from: in its package, whatever ``HF_HOME`` says.

    Raises
    ------
    UnavailableError
        py-feat is not installed.
    """
    require("feat", extra="pyfeat", what="pyfeat")
    spec = find_spec("feat")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return Path(folders[0], "resources")


def check_packages(backend: str) -> None:
    """Raise `UnavailableError` where py-feat, or what it runs with, is not installed; none is imported."""
    require(*_MODULES, extra="pyfeat", what=f"backend {backend}")


def missing(backend: str) -> list[Weights]:
    """List the files of `NEEDED` that are not on this machine."""
    return [weights for weights in NEEDED[backend] if weights.found is None]


def installed_version(backend: str) -> str:
    """Return py-feat's version and the revision of the weights that measure the AUs: ``2.1.5+1a2b3c4``.

    The hub's files are not pinned by py-feat, so the revision is what tells two measurements apart.

    Raises
    ------
    UnavailableError
        py-feat or a file is missing; the message says what mends it.
    """
    check_packages(backend)
    lacking = len(missing(backend))
    if lacking:
        raise UnavailableError(
            f"{backend}: {lacking} of its {len(NEEDED[backend])} weight files are not on this machine; "
            f"run: feat-pipeline models fetch {backend}"
        )
    try:
        package = version("py-feat")
    except PackageNotFoundError:
        package = "unknown"
    file = NEEDED[backend][0].found
    return f"{package}+{file.parent.name[:7]}" if file else package
