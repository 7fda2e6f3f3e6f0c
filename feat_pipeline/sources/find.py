"""The photos and videos that files and folders stand for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from feat_pipeline.errors import InputError
from feat_pipeline.sources.frame import PathLike, input_name, os_reason
from feat_pipeline.sources.kinds import PHOTO_KINDS, is_photo_name, is_video_name, kind_of

_HIDDEN = (".", "__MACOSX")


def find_files(paths: PathLike | Iterable[PathLike], *, videos: bool = False) -> list[Path]:
    """List the photos, and perhaps videos, that files and folders stand for.

    Folders are searched with all their subfolders; ``frame_2`` stands before ``frame_10``. Hidden files are
    passed over, and so is what neither has the suffix of a photo or video nor begins like a picture: a photo
    without a suffix is found, and a Photoshop file is listed, so that reading it reports why it cannot be
    read. A file given by name is always listed. What gives no photo, while other paths do, is listed itself,
    for the same reason: a missing path, an empty folder, a subfolder that cannot be opened.

    Parameters
    ----------
    paths : path or iterable of paths
        Files and folders; the answer keeps their order and names each file once, by whatever way it is
        spelled.
    videos : bool
        Whether videos count too.

    Returns
    -------
    list of Path
        Each given path joined with the part below it.

    Raises
    ------
    InputError
        No path gives a photo: each is missing, or a folder that cannot be opened or holds none.
    """
    given = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    if not all(map(os.fspath, given)) or not given:
        raise InputError("no photo or folder was given, or an empty name; name at least one")
    found: dict[str, Path] = {}
    refused: list[InputError] = []
    for path in map(Path, given):
        try:
            listed = _below(path, videos) if _is_folder(path) else [path]
        except InputError as error:
            listed = [path]
            refused.append(error)
        for file in listed:
            found.setdefault(os.path.abspath(file), file)  # noqa: PTH100 - resolve() would follow links
    if len(refused) == len(given):
        raise refused[0]
    return list(found.values())


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Return what names are sorted by, so that numbers in them count as numbers: 2 before 10."""
    parts = re.split(r"([0-9]+)", name)
    return [
        (1, len(digits := part.lstrip("0")), digits) if number % 2 else (0, 0, part)
        for number, part in enumerate(parts)
    ]


def _is_folder(path: Path) -> bool:
    try:
        exists, folder = path.exists(), path.is_dir()
    except (OSError, ValueError) as error:
        raise InputError(f"{input_name(path)}: {os_reason(error)}") from None
    if not exists:
        raise InputError(f"{input_name(path)}: no such file or folder; {_hint(path)}")
    return folder


def _hint(path: Path) -> str:
    """Say what may have been meant by a path that is not there."""
    text = os.fspath(path)
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+:/", text):
        return "addresses are not fetched: download it first, and name the file"
    if text.startswith("~"):
        return "~ is not expanded here: leave it unquoted, or write the folder out"
    if any(letter in text for letter in "*?["):
        return "patterns are not expanded here: leave it unquoted, or name the folder"
    return "check the path"


def _below(folder: Path, videos: bool) -> list[Path]:
    found: list[Path] = []

    def unreadable(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise InputError(f"{input_name(folder)}: the folder {os_reason(error)}")
        found.append(Path(error.filename))

    seen: set[tuple[int, int]] = set()
    for here, folders, files in os.walk(folder, onerror=unreadable, followlinks=True):
        status = Path(here).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted((name for name in folders if not name.startswith(_HIDDEN)), key=natural_key)
        found += [
            path for name in sorted(files, key=natural_key) if _is_wanted(path := Path(here, name), videos)
        ]
    if not found:
        kinds = f"{PHOTO_KINDS.replace(' or', ',')} or video" if videos else PHOTO_KINDS
        raise InputError(f"{input_name(folder)}: the folder holds no {kinds} file; name another folder")
    return found


def _is_wanted(path: Path, videos: bool) -> bool:
    if path.name.startswith(_HIDDEN):
        return False
    if is_photo_name(path) or (videos and is_video_name(path)):
        return True
    if is_video_name(path):
        return False
    kind = kind_of(path)
    return kind is not None and (videos or kind.holds != "video")
