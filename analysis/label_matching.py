"""Which label belongs to which file, where both name it from different folders."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

import pandas as pd

from analysis.errors import FitError
from analysis.facs import normal_text

Path: TypeAlias = tuple[str, ...]


class _Match(NamedTuple):
    label: str
    parts: int


_ENDING = re.compile(r"\.(?:[A-Za-z][A-Za-z0-9]{0,4}|3g[p2])$")
_MOST_UNLABELLED = 0.5


def path_parts(name: str) -> Path:
    """Take a path apart at its slashes of either kind, without '.'."""
    return tuple(part for part in re.split(r"[\\/]+", normal_text(name)) if part not in ("", "."))


def match_labels(
    inputs: pd.Series, labels: pd.DataFrame, column: str = "label"
) -> tuple[pd.Series, list[str]]:
    """Look the labels of files up by their names.

    Parameters
    ----------
    inputs : (n,) Series of str
        Files, as a table names them.
    labels : DataFrame
        As `analysis.labels.read_labels` returns it.
    column : str
        Its column to look up.

    Returns
    -------
    found : (n,) Series
        NaN where there is no label.
    notes : list of str
        How the names were matched, and which could not be.

    Raises
    ------
    FitError
        Where no file has a label; with examples of both sides.

    Notes
    -----
    A file is matched by its whole name; else by the longest end of its path that a labelled file shares:
    whole names of folders and file, first as they are written, then in any case, then without the file's
    ending. An end counts only where it stands for one file on both sides.
    """
    value_of = dict(zip(labels["input"], labels[column], strict=True))
    found = inputs.map(value_of)
    notes: list[str] = []
    unsure: dict[str, list[str]] = {}
    for what, spelled in _WAYS.items():
        open_ = found.isna()
        if not open_.any():
            break
        matched, doubtful = _by_ends(inputs.unique(), labels["input"], spelled, set(inputs[open_]))
        unsure = {**doubtful, **unsure}
        found = found.where(
            ~open_, inputs.map({name: value_of[match.label] for name, match in matched.items()})
        )
        alone = inputs[open_ & found.notna()].map(lambda name, of=matched: of[name].parts == 1)
        for how, rows in (("the end of their path", (~alone).sum()), ("file name", alone.sum())):
            if rows:
                notes.append(f"{rows} of {len(inputs)} rows found their label by {how}{what}")
    left = [name for name in unsure if name in set(inputs[found.isna()])]
    if left:
        several = " or ".join(map(repr, unsure[left[0]][:2]))
        notes.append(
            f"{inputs.isin(left).sum()} of {len(inputs)} rows could be several of the labelled files, or one "
            f"with another row, such as {left[0]!r} ({several}); write more of their path"
        )
    if found.isna().all():
        raise FitError(
            f"no label matches a row: labels name {_examples(labels['input'])}, "
            f"the table {_examples(inputs)}; the ends of their paths must agree and stand for one file"
        )
    return found, notes


def unlabelled_note(inputs: pd.Series, labelled: pd.Series, what: str = "rows") -> list[str]:
    """Tell how many files have no label, with the first three."""
    left = inputs[~labelled]
    if left.empty:
        return []
    some = ", ".join(left.unique()[:3])
    more = ", ..." if left.nunique() > 3 else ""
    return [f"{len(left)} of {len(inputs)} {what} have no label and are left out, such as {some}{more}"]


def check_labelled(labelled: int, total: int, allow_unlabelled: bool, notes: Iterable[str] = ()) -> None:
    """Refuse labels of less than half of the faces, with a FitError, unless told to go on."""
    if allow_unlabelled or total - labelled <= _MOST_UNLABELLED * total:
        return
    told = "; ".join(notes)
    raise FitError(
        f"labels: {total - labelled} of {total} faces have none ({told}); mend the names, or go on without "
        "these faces by --allow-unlabelled"
    )


def _as_written(path: Path) -> Path:
    return path


def _any_case(path: Path) -> Path:
    return tuple(part.casefold() for part in path)


def _without_ending(path: Path) -> Path:
    *folders, name = _any_case(path) or ("",)
    return (*folders, _ENDING.sub("", name))


_WAYS: dict[str, Callable[[Path], Path]] = {
    "": _as_written,
    " in any case": _any_case,
    " without ending": _without_ending,
}


def _by_ends(
    inputs: Iterable[str], labelled: Iterable[str], spelled: Callable[[Path], Path], wanted: set[str]
) -> tuple[dict[str, _Match], dict[str, list[str]]]:
    """Map wanted inputs to labelled files, and those that could be several to these."""
    ours, theirs = (_ends(names, spelled) for names in (inputs, labelled))
    found: dict[str, _Match] = {}
    unsure: dict[str, list[str]] = {}
    for name in wanted:
        path = spelled(path_parts(name))
        longest = next((path[k:] for k in range(len(path)) if path[k:] in theirs), None)
        if longest is None:
            continue
        candidates = theirs[longest]
        if len(candidates) == 1 and len(ours[longest]) == 1:
            found[name] = _Match(candidates[0], len(longest))
        else:
            unsure[name] = candidates if len(candidates) > 1 else ours[longest]
    return found, unsure


def _ends(names: Iterable[str], spelled: Callable[[Path], Path]) -> dict[Path, list[str]]:
    """List the files with each end of a path."""
    ends: dict[Path, list[str]] = {}
    for name in dict.fromkeys(names):
        path = spelled(path_parts(name))
        for k in range(len(path)):
            ends.setdefault(path[k:], []).append(name)
    return ends


def _examples(names: pd.Series) -> str:
    return ", ".join(repr(name) for name in names.iloc[:2])
