"""Which folders of a data set name emotions, and which its parts: train, val, test."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath

from analysis.errors import FitError

_SPLITS = {
    "train": r"train(ing)?",
    "val": r"val(id(ation)?)?|dev(elopment)?|public(test)?",
    "test": r"test(ing)?|eval(uation)?|private(test)?|held[ _-]?out",
}
_AFTER = r"(?:[ _-]?(?:set|split|part|data|images|pictures|faces))?"
_PATTERNS = {split: re.compile(f"(?:{names}){_AFTER}") for split, names in _SPLITS.items()}


def split_of(name: str) -> str:
    """Tell which part of a data set a folder's name, or a table's value, stands for.

    Parameters
    ----------
    name : str
        Of any case: 'Training', 'val', 'test_set', FER2013's 'PublicTest'.

    Returns
    -------
    str
        'train', 'val' (to choose and judge by while training) or 'test'; '' where the name is no part's.
    """
    text = str(name).strip().lower()
    return next((split for split, pattern in _PATTERNS.items() if pattern.fullmatch(text)), "")


def split_level(files: Sequence[PurePath]) -> int | None:
    """Tell at which level folders are the parts of a data set, and nothing but that.

    Parameters
    ----------
    files : sequence of PurePath
        Below the data set's folder.

    Returns
    -------
    int or None
        0 for 'train/happy/1.png', 1 for 'happy/train/1.png'.
    """
    return next((level for level in (0, 1) if files and _all_splits(files, level)), None)


def emotion_level(files: Sequence[PurePath]) -> int:
    """Tell at which level folders are the emotions: the first that does not hold the parts.

    Raises
    ------
    FitError
        Parts and other folders stand side by side.
    """
    level = 0
    while files and _all_splits(files, level):
        level += 1
    names = sorted({file.parts[level] for file in files if len(file.parts) > level + 1})
    splits = [name for name in names if split_of(name)]
    if len(set(map(split_of, splits))) > 1:
        others = ", ".join(name for name in names if name not in splits)
        raise FitError(
            f"folders: {', '.join(splits)} look like parts of a data set, and {others} beside them do not; "
            "keep one or the other at this level"
        )
    return level


def _all_splits(files: Sequence[PurePath], level: int) -> bool:
    """Whether all the folders at a level are named as parts; below the first every file is in such a one."""
    folders = [file.parts[level] for file in files if len(file.parts) > level + 1]
    complete = level == 0 or len(folders) == len(files)
    return bool(folders) and complete and all(map(split_of, folders))
