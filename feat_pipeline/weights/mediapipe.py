"""Google's face landmarker bundle: where it lies, how it is fetched, and MediaPipe's tasks opened on it.

The bundle `face_landmarker.task` is a zip of a face detector (BlazeFace), a mesh of 478 points and a network
that turns the mesh into 52 blendshapes. Its terms are the Apache License 2.0.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
import threading
import weakref
import zipfile
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feat_pipeline.errors import OutputError, UnavailableError, require

if TYPE_CHECKING:
    import numpy as np

VARIABLE = "FEAT_MEDIAPIPE_MODEL"
URL = (
    "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/"
    "face_landmarker.task"
)
SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
DETECTOR = "face_detector.tflite"
MEMBERS = (DETECTOR, "face_landmarks_detector.tflite", "face_blendshapes.tflite")
MEND_BUNDLE = "feat-pipeline models fetch mediapipe"
MEND_PACKAGE = "pip install --force-reinstall 'feat-pipeline[mediapipe]'"

_PATIENCE_S = 30.0
_STDERR = 2
_lock = threading.Lock()


def default_path() -> Path:
    """Where `fetch` puts the bundle: in the user's folder for files that can be got again."""
    folder = os.environ.get("LOCALAPPDATA") if os.name == "nt" else os.environ.get("XDG_CACHE_HOME")
    return Path(folder or Path.home() / ".cache", "feat-pipeline", "face_landmarker.task")


def find_bundle(path: str | os.PathLike[str] | None = None) -> Path:
    """Return the bundle: the one that is named, else that of FEAT_MEDIAPIPE_MODEL, else the fetched one.

    Parameters
    ----------
    path : path, optional

    Raises
    ------
    UnavailableError
        There is none, or the file lacks a network; the message says what mends it.
    """
    named = path or os.environ.get(VARIABLE)
    bundle = Path(named) if named else default_path()
    if not bundle.is_file():
        found = f"{bundle} is no file" if named else "Google's face_landmarker.task is not on this machine"
        raise UnavailableError(f"mediapipe: {found}; run: {MEND_BUNDLE}" + _instead(named))
    lacking = _lacking(bundle)
    if lacking:
        raise UnavailableError(
            f"mediapipe: {bundle} is no face landmarker bundle ({lacking}); run: {MEND_BUNDLE}"
            + _instead(named)
        )
    return bundle


def check_package() -> str:
    """Return MediaPipe's version without importing it.

    Raises
    ------
    UnavailableError
        It is not installed.
    """
    require("mediapipe", extra="mediapipe", what="mediapipe")
    try:
        return version("mediapipe")
    except PackageNotFoundError:
        return "unknown"


def bundle_version(bundle: Path) -> str:
    """Name the package and the bundle that numbers come from, such as ``1.2.2/64184e22``."""
    status = bundle.stat()
    return f"{check_package()}/{_digest(bundle, status.st_size, status.st_mtime_ns)[:8]}"


def fetch(target: Path | None = None) -> Path:
    """Download the bundle, whole or not at all; one that is there and whole is kept.

    Parameters
    ----------
    target : Path, optional
        The file to write; by default where the backend looks for it (`default_path`).

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UnavailableError
        The server cannot be reached, which is told in less than two seconds, or the download broke off or is
        another file.
    OutputError
        The file cannot be written.
    """
    from analysis.files import atomic_path
    from feat_pipeline.files import named_errors
    from feat_pipeline.weights.hub import reachable

    target = Path(target) if target is not None else default_path()
    if target.is_file() and hashlib.sha256(target.read_bytes()).hexdigest() == SHA256:
        return target
    by_hand = f"or download it elsewhere to {target}"
    reason = reachable(URL)
    if reason:
        raise UnavailableError(
            f"{URL} cannot be reached ({reason}); check the connection and run the command again, {by_hand}"
        )
    content = _download(by_hand)
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise UnavailableError(
            f"{URL}: expected the file with SHA-256 {SHA256}, got {len(content):,} bytes with {found}; a "
            f"proxy may stand between: run the command again from another network, {by_hand}"
        )
    try:
        with named_errors(target.parent), atomic_path(target) as temporary:
            temporary.write_bytes(content)
    except OutputError as error:
        raise OutputError(str(error).replace("with --out", "by XDG_CACHE_HOME")) from None
    return target


def open_task(owner: object, kind: str, content: bytes, **options: Any) -> Any:
    """Make a task of MediaPipe, such as ``FaceLandmarker``, quietly and without its reports to Google.

    Parameters
    ----------
    owner : object
        The task is closed when this goes or the program ends.
    kind : str
        Name of the task's class in ``mediapipe.tasks.python.vision``.
    content : bytes
        The bundle or network.
    **options
        Fields of the task's options.

    Raises
    ------
    UnavailableError
        The package is missing or refuses the network.
    """
    check_package()
    try:
        import mediapipe as mp
        from mediapipe.tasks.python import BaseOptions, vision
    except Exception as error:  # of its native library, too
        raise UnavailableError(
            f"mediapipe: the package cannot be imported ({_line(error)}); run: {MEND_PACKAGE}"
        ) from error

    class PrivateOptions(BaseOptions):
        """As MediaPipe's, but without certificates.

        From 0.10.35 on MediaPipe sends its version, Python's and counts of use to play.googleapis.com and
        offers no way to decline (https://github.com/google-ai-edge/mediapipe/issues/6291). Without
        certificates it cannot trust the server, and sends nothing.
        """

        def to_ctypes(self) -> Any:
            options = super().to_ctypes()
            if hasattr(options, "ca_bundle_path"):
                options.ca_bundle_path = os.fsencode(os.devnull)
            return options

    import numpy as np

    with quiet() as said:
        try:
            base = PrivateOptions(model_asset_buffer=content)
            made = getattr(vision, f"{kind}Options")(base_options=base, **options)
            task = getattr(vision, kind).create_from_options(made)
            # Its first picture makes it talk, too.
            task.detect(mp.Image(mp.ImageFormat.SRGB, np.zeros((64, 64, 3), np.uint8)))
        except (ValueError, RuntimeError, NotImplementedError) as error:
            raise UnavailableError(
                f"mediapipe: {kind} cannot be made of the bundle ({_line(error)}{_tail(said())}); "
                f"run: {MEND_BUNDLE}"
            ) from error
    task.content = content  # the native side may read it later
    weakref.finalize(owner, _close, task)
    return task


def picture(rgb: np.ndarray) -> Any:
    """Wrap a contiguous uint8 RGB array, shape (height, width, 3), for MediaPipe."""
    import mediapipe as mp

    return mp.Image(mp.ImageFormat.SRGB, rgb)


@contextlib.contextmanager
def quiet() -> Iterator[Any]:
    """Keep what native code writes on stderr from the terminal; hands out a function that returns it.

    MediaPipe and TensorFlow Lite log past Python, and no setting silences them.
    """
    with _lock, tempfile.TemporaryFile() as kept:
        with contextlib.suppress(Exception):
            sys.stderr.flush()
        try:
            saved = os.dup(_STDERR)
        except OSError:  # there is no stderr, so nothing is to be kept from it
            yield lambda: ""
            return
        os.dup2(kept.fileno(), _STDERR)

        def said() -> str:
            kept.seek(0)
            return kept.read().decode("utf-8", "replace")

        try:
            yield said
        finally:
            os.dup2(saved, _STDERR)
            os.close(saved)


def _close(task: Any) -> None:
    """Close a task; its own clean-up talks, and fails with a traceback when the interpreter ends."""
    with quiet():
        try:
            task.close()
        except Exception:
            task._handle = None


def _instead(named: Any) -> str:
    return f" and unset {VARIABLE}" if named and named == os.environ.get(VARIABLE) else ""


def _lacking(bundle: Path) -> str:
    try:
        with zipfile.ZipFile(bundle) as members:
            missing = [name for name in MEMBERS if name not in members.namelist()]
    except (OSError, zipfile.BadZipFile) as error:
        return _line(error)
    return f"it lacks {', '.join(missing)}" if missing else ""


@lru_cache(maxsize=8)
def _digest(bundle: Path, size: int, changed_ns: int) -> str:
    return hashlib.sha256(bundle.read_bytes()).hexdigest()


def _download(by_hand: str) -> bytes:
    import http.client
    import urllib.request

    try:
        with urllib.request.urlopen(URL, timeout=_PATIENCE_S) as answer:
            return answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise UnavailableError(
            f"{URL}: the download broke off ({_line(error)}); run the command again, {by_hand}"
        ) from error


def _line(error: BaseException) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:200]


def _tail(text: str) -> str:
    lines = [line for line in text.splitlines() if line[:1] in "EF"]
    return f": {lines[-1][:200]}" if lines else ""
