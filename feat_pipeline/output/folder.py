"""A folder of results: checked before the work begins, every file written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from analysis import filenames
from analysis.files import atomic_path
from feat_pipeline.errors import OutputError
from feat_pipeline.extract.engine.kept import check_no_kept_work, drop_kept_work
from feat_pipeline.files import named_errors
from feat_pipeline.sources.frame import PathLike

LOCK = ".extracting.lock"


class OutputFolder:
    """The folder that one run writes into.

    Parameters
    ----------
    path : path
        Made, with its parents, where it is absent.
    names : iterable of str
        Files that this kind of run writes. ``faces/*.jpg`` stands for the numbered files of a subfolder.
    kept : iterable of str
        Files of an earlier run that are replaced too, but that a run which fails does not take with it, such
        as the checkpoint that it can be gone on from.
    overwrite : bool
        Whether files of an earlier run may be replaced.
    goes_on : bool
        Whether this run looks itself after what a stopped extraction left here.

    Raises
    ------
    OutputError
        The folder cannot be made or written into, or it holds one of the names or an unfinished extraction
        and ``overwrite`` is false.
    """

    def __init__(
        self,
        path: PathLike,
        names: Iterable[str],
        *,
        kept: Iterable[str] = (),
        overwrite: bool = False,
        goes_on: bool = False,
    ) -> None:
        if not os.fspath(path):
            raise OutputError("out: expected a folder, got an empty name; name one with --out")
        self.path = Path(path)
        # a report of earlier results must not outlive them
        self._names = tuple(dict.fromkeys([*names, filenames.REPORT]))
        self._kept = tuple(kept)
        self._goes_on = goes_on
        self._check_writable()
        if not goes_on:
            check_no_kept_work(self.path, overwrite=overwrite)
        earlier = self._present(self._names + self._kept)
        held = sorted({found.relative_to(self.path).parts[0] for found in earlier})
        if held and not overwrite:
            raise OutputError(
                f"{self.path}: already holds {', '.join(held)}; add --overwrite to replace them, "
                f"or name another folder with --out"
            )

    def clear(self) -> None:
        """Remove what an earlier run of the same kind left here, and nothing else."""
        self._remove(self._names + self._kept)
        if not self._goes_on:
            with named_errors(self.path):
                drop_kept_work(self.path)

    @contextlib.contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Remove every result of this run where the block, which writes them, does not come to its end."""
        try:
            yield
        except BaseException as error:
            self._remove(self._names)
            error.add_note("none of the results was kept")
            raise

    def write(self, name: str, content: str | bytes) -> Path:
        """Write one file whole or not at all; its subfolder is made where it is absent."""
        target = self.path / name
        with named_errors(self.path), atomic_path(target) as temporary:
            # names that are no UTF-8 are written with escapes, which JSON reads back
            text = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
            temporary.write_bytes(text)
        return target

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[TextIO]:
        """Open a file of text that appears when the block ends well, whole, or not at all."""
        with (
            named_errors(self.path),
            atomic_path(self.path / name) as temporary,
            temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
        ):
            yield file

    def write_json(self, name: str, content: Any) -> Path:
        """Write a value as indented JSON."""
        return self.write(name, json.dumps(content, indent=2, ensure_ascii=False) + "\n")

    def _check_writable(self) -> None:
        """Make the folder and a file in it; what was made is removed again until there is a result."""
        with named_errors(self.path), _made_folders(self.path):
            tempfile.TemporaryFile(dir=self.path).close()

    def _remove(self, names: Sequence[str]) -> None:
        with named_errors(self.path):
            for file in list(self._present(names)):
                file.unlink()
        for folder in (parent for name in names if "*" not in name for parent in Path(name).parents[:-1]):
            with contextlib.suppress(OSError):  # it holds other files, or there is none
                (self.path / folder).rmdir()

    def _present(self, names: Iterable[str]) -> Iterator[Path]:
        for name in names:
            if "*" in name:
                numbered = re.compile(r"\d{6}(_.*)?" + re.escape(Path(name).suffix))
                yield from (f for f in self.path.glob(name) if numbered.fullmatch(f.name))
            elif (self.path / name).exists():
                yield self.path / name


@contextlib.contextmanager
def _made_folders(folder: Path) -> Iterator[None]:
    """Make a folder with its parents; those that were not there are removed again where they stay empty."""
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError:  # another run that began just now removed an empty parent
        folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # it holds something now
            for each in made:
                each.rmdir()


@contextlib.contextmanager
def only_run(folder: PathLike) -> Iterator[None]:
    """Keep other runs out of a folder; it is made where it is absent.

    Raises
    ------
    OutputError
        Another run writes into it, or it cannot be made.
    """
    from filelock import FileLock, Timeout

    if not os.fspath(folder):
        raise OutputError("out: expected a folder, got an empty name; name one with --out")
    with contextlib.ExitStack() as stack:
        with named_errors(folder):
            stack.enter_context(_made_folders(Path(folder)))
            lock = FileLock(Path(folder, LOCK), blocking=False)
            try:
                lock.acquire()
            except Timeout:
                raise OutputError(
                    f"{folder}: another extraction is writing into it; wait for its end, or name another "
                    f"folder with --out"
                ) from None
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                Path(folder, LOCK).unlink()
            lock.release()


def earlier_run(folder: PathLike) -> dict[str, Any]:
    """Read the ``run.json`` that an earlier run left in a folder; empty where there is none to read."""
    try:
        found = json.loads((Path(folder) / filenames.RUN).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def model_copies(folder: PathLike, models: Iterable[str]) -> list[str]:
    """Name the copies of models in a folder of results: of these, and of those that its last run used.

    Parameters
    ----------
    folder : path
    models : iterable of str
        Names of the models of the run that is about to write into it.
    """
    known = earlier_run(folder).get("models")
    earlier = known if isinstance(known, list) else []
    safe = [name for name in earlier if isinstance(name, str) and Path(name).name == name]
    return [f"{filenames.MODEL_COPIES}/{name}/{filenames.MODEL}" for name in dict.fromkeys([*models, *safe])]


_SLUG_CHARACTERS = 40


def slug(path: str) -> str:
    """Return a file's name without its ending, made safe: letters, digits, ``_`` and ``-``, at most 40."""
    return re.sub(r"[^\w-]+", "_", Path(path).stem)[:_SLUG_CHARACTERS].strip("_") or "photo"
