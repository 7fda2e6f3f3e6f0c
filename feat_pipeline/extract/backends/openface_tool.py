"""OpenFace's own programs, installed or in a Docker image: where they are, and one run of one of them.

Baltrušaitis et al. 2018, 'OpenFace 2.0: facial behavior analysis toolkit', doi:10.1109/FG.2018.00019. Its
terms allow academic, non-commercial use. The arguments are those of its wiki,
https://github.com/TadasBaltrusaitis/OpenFace/wiki/Command-line-arguments.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO

from feat_pipeline.errors import InputError, UnavailableError

VARIABLE = "OPENFACE_DIR"
IMAGE = "algebr/openface"
IMAGE_BIN = "/home/openface-build/build/bin"
PHOTOS, VIDEO = "FaceLandmarkImg", "FeatureExtraction"
#: Seconds without a line or a byte of output after which a run is taken to hang.
STALLED_S = 300.0

_WORK = "/lot"
_DOCKER_PATIENCE_S = 5.0
_WIKI = "https://github.com/TadasBaltrusaitis/OpenFace/wiki"
_TAIL_CHARACTERS = 400


class OpenFaceError(InputError):
    """OpenFace ended with an error, or hung; the message ends with the last that it said."""


@dataclass(frozen=True)
class OpenFace:
    """Where OpenFace's programs are.

    Parameters
    ----------
    folder : Path or None
        Folder of the installed programs; None: they run in the Docker image.
    docker : str
        The program docker, where they run in the image.
    version : str
        What tells one build from another: OpenFace names no version, so it is a digest of the program, or
        the image's.
    """

    folder: Path | None
    docker: str = ""
    version: str = ""

    def run(
        self,
        program: str,
        arguments: Sequence[str | Path],
        *,
        work: Path,
        videos: Mapping[Path, str] | None = None,
        stalled_s: float = STALLED_S,
    ) -> None:
        """Run one program to its end.

        Parameters
        ----------
        program : {'FaceLandmarkImg', 'FeatureExtraction'}
        arguments : sequence of str or Path
            A path must lie in `work` or be one of `videos`.
        work : Path
            The folder that the program may write into; the image sees it and the videos, and nothing else.
        videos : mapping of Path to str, optional
            Files outside of `work` that the program may read, and a plain name for each.
        stalled_s : float
            See `STALLED_S`.

        Raises
        ------
        OpenFaceError
            It ended with an error, or gave no output for so long.
        UnavailableError
            It could not be started.
        """
        name = f"feat-openface-{uuid.uuid4().hex[:12]}"
        command = self.command(program, arguments, work=work, videos=videos or {}, name=name)
        with tempfile.TemporaryFile() as said:
            process = self._start(command, said.fileno(), work)
            try:
                hung = not _wait(process, said.fileno(), work, stalled_s)
            except BaseException:
                self._kill(process, name)
                raise
            if hung:
                self._kill(process, name)
                raise OpenFaceError(f"{program} hung: no output for {stalled_s:g} s{_tail(said)}")
            if process.returncode:
                raise OpenFaceError(f"{program} ended with {_status(process.returncode)}{_tail(said)}")

    def command(
        self,
        program: str,
        arguments: Sequence[str | Path],
        *,
        work: Path,
        videos: Mapping[Path, str],
        name: str,
    ) -> list[str]:
        """Return the command line of a run."""
        if self.folder is not None:
            found = _program(self.folder, program)
            if found is None:
                raise UnavailableError(f"openface: {self.folder} holds no {program}; install OpenFace again")
            return [str(found), *map(str, arguments)]
        inside = {path: f"/in/{plain}" for path, plain in videos.items()}

        def seen(argument: str | Path) -> str:
            if not isinstance(argument, Path):
                return argument
            return inside.get(argument) or f"{_WORK}/{argument.relative_to(work).as_posix()}"

        mounts = [_mount(work, _WORK), *(_mount(path, place, "readonly") for path, place in inside.items())]
        return [
            *(self.docker, "run", "--rm", "--pull", "never", "--network", "none", "--name", name),
            *(part for mount in mounts for part in ("--mount", mount)),
            *("--workdir", IMAGE_BIN, "--entrypoint", f"{IMAGE_BIN}/{program}", IMAGE),
            *map(seen, arguments),
        ]

    def _start(self, command: list[str], said: int, work: Path) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                command,
                cwd=self.folder or work,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=os.name == "posix",
            )
        except OSError as error:
            raise UnavailableError(
                f"openface: {command[0]} cannot be started ({error.strerror or error}); see {_WIKI}"
            ) from error

    def _kill(self, process: subprocess.Popen[bytes], name: str) -> None:
        """End a run with all that it started."""
        with contextlib.suppress(OSError):
            if os.name == "posix":
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        process.wait()
        if self.docker:  # the container is no child of ours
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run([self.docker, "kill", name], capture_output=True, timeout=_DOCKER_PATIENCE_S)


def find_openface(binary_dir: str | os.PathLike[str] | None = None, *, docker: bool = False) -> OpenFace:
    """Find OpenFace: where it is said to be, else on the PATH, else as an image that Docker has already.

    Parameters
    ----------
    binary_dir : path, optional
        Folder of FaceLandmarkImg and FeatureExtraction, or OpenFace's own; by default that of OPENFACE_DIR.
    docker : bool
        Take the image, whatever is installed. Nothing is pulled.

    Raises
    ------
    UnavailableError
        It is not there; the message says what mends it.
    """
    if docker:
        return _in_docker()
    named = binary_dir or os.environ.get(VARIABLE)
    if named:
        folder = next((f for f in _below(Path(named)) if _program(f, PHOTOS)), None)
        if folder is None:
            mend = "name the folder that holds it" if binary_dir else f"run: export {VARIABLE}=FOLDER"
            raise UnavailableError(f"openface: {os.fspath(named)} holds no {PHOTOS}; {mend}")
        return _installed(folder)
    on_path = shutil.which(PHOTOS)
    if on_path:
        return _installed(Path(on_path).resolve().parent)
    try:
        return _in_docker()
    except UnavailableError as error:
        raise UnavailableError(
            f"openface: no {PHOTOS} in {VARIABLE} or on the PATH, and {str(error).removeprefix('openface: ')}"
        ) from None


def _installed(folder: Path) -> OpenFace:
    program = _program(folder, PHOTOS)
    assert program is not None  # the caller has looked
    status = program.stat()
    return OpenFace(folder, version=f"build {_digest(program, status.st_size, status.st_mtime_ns)[:8]}")


def _in_docker() -> OpenFace:
    docker = shutil.which("docker")
    if docker is None:
        raise UnavailableError(
            f"openface: Docker is not installed; install it, or OpenFace ({_WIKI}) and run: "
            f"export {VARIABLE}=FOLDER"
        )
    ask = [docker, "image", "inspect", "--format", "{{.Id}}", IMAGE]
    try:
        answer = subprocess.run(ask, capture_output=True, text=True, timeout=_DOCKER_PATIENCE_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"openface: Docker does not answer ({error}); start it") from None
    if answer.returncode:
        said = " ".join(answer.stderr.split())
        if "no such" in said.lower():
            raise UnavailableError(f"openface: Docker has no image {IMAGE}; run: docker pull {IMAGE}")
        raise UnavailableError(f"openface: Docker cannot be used ({said[:200]}); start it")
    return OpenFace(None, docker, f"image {answer.stdout.strip().removeprefix('sha256:')[:8]}")


def _below(folder: Path) -> list[Path]:
    return [folder, folder / "bin", folder / "build" / "bin"]


def _program(folder: Path, name: str) -> Path | None:
    found = shutil.which(name, path=str(folder.absolute()))
    return Path(found) if found else None


@lru_cache(maxsize=8)
def _digest(program: Path, size: int, changed_ns: int) -> str:
    with program.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _mount(source: Path, target: str, *flags: str) -> str:
    """Docker reads the fields as CSV, so that a path may hold commas and quotes."""
    fields = ["type=bind", f"source={source.absolute()}", f"target={target}", *flags]
    return ",".join(
        '"' + field.replace('"', '""') + '"' if set(field) & set(',"') else field for field in fields
    )


def _wait(process: subprocess.Popen[bytes], said: int, work: Path, stalled_s: float) -> bool:
    """Wait for the end; False where nothing was said or written for so long."""
    before, since = None, time.monotonic()
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=min(1.0, stalled_s / 4))
            return True
        now = (os.fstat(said).st_size, _written(work))
        if now != before:
            before, since = now, time.monotonic()
        elif time.monotonic() - since > stalled_s:
            return False


def _written(work: Path) -> tuple[int, int]:
    """Count the files below a folder, and their bytes."""
    sizes = []
    for here, _, files in os.walk(work):
        for name in files:
            with contextlib.suppress(OSError):
                sizes.append(Path(here, name).stat().st_size)
    return len(sizes), sum(sizes)


def _status(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return f"signal {signal.Signals(-code).name}"
    return f"signal {-code}"


def _tail(said: IO[bytes]) -> str:
    """Return the last that a program said, on one line."""
    size = said.seek(0, os.SEEK_END)
    said.seek(max(0, size - 4 * _TAIL_CHARACTERS))
    text = " ".join(said.read().decode("utf-8", "replace").split())
    return f": {text[-_TAIL_CHARACTERS:]}" if text else ", and said nothing"
