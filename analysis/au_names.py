"""AU columns in other spellings: which are read as which, and which are only told of."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from analysis.errors import TableError
from analysis.facs import AUS, column, parse_column

BARE = re.compile(r"AU(\d{1,2})")
"""An AU column without a scale."""

_SCALE_WORDS = {
    "r": "r intensity int regression",
    "c": "c presence present binary occurrence classification",
    "p": "p probability prob",
}
_SCALE = {word: scale for scale, words in _SCALE_WORDS.items() for word in words.split()}
_BLANK = r"[ _.\-]"
_READABLE = re.compile(
    rf"(?:x\.+)?(?:facs{_BLANK}*)?(?:au|action{_BLANK}*unit){_BLANK}*0*(?P<number>[1-9]\d?)"
    rf"(?:{_BLANK}+(?P<scale>{'|'.join(_SCALE)}))?"
    rf"(?:[ _]*[(\[{{].*[)\]}}]|\.\.+[^\d]*)?",  # a remark; R writes dots for its brackets
)
_LIKE = re.compile(r"(?<![a-z])(?:au|action[ _.\-]*unit)s?[ _.\-]*0*(\d{1,2})(?!\d)")
_RIGHT, _LEFT = (re.compile(rf"au[ _.\-]*0*\d{{1,2}}[ _.\-]*{side}(?:ight|eft)?\b") for side in "rl")


def read_name(name: str) -> str:
    """Write an AU column as this project does, whoever spelled it.

    Parameters
    ----------
    name : str
        For example 'AU1_r', ' au01_r', 'AU01-r', 'AU12_r (smile)', 'AU 1 intensity' or 'au_1'.

    Returns
    -------
    str
        'AU01_r'; 'AU1' of a name without a scale; the name without blanks around it, where it is no AU
        or leaves open which.
    """
    stripped = name.strip()
    if parse_column(stripped) or BARE.fullmatch(stripped):
        return stripped
    match = _READABLE.fullmatch(_plain(stripped))
    if match is None or int(match["number"]) not in AUS:
        return stripped
    number, scale = int(match["number"]), match["scale"]
    return column(number, _SCALE[scale]) if scale else f"AU{number}"


def resembles_au(name: str) -> bool:
    """Whether a column that is no AU here is called like one: 'AU12_r_mean', 'AU12L_r', 'my_AU12'."""
    match = _LIKE.search(_plain(name))
    is_au = parse_column(name) or BARE.fullmatch(name)
    return not is_au and match is not None and int(match[1]) in AUS


def read_names(names: Iterable[object], source: str = "AU table") -> list[str]:
    """Write all column names of a table as this project does.

    Parameters
    ----------
    names : iterable of str
        As they stand in the table.
    source : str
        What an error calls it.

    Returns
    -------
    list of str

    Raises
    ------
    TableError
        Where two columns name the same AU, by their names there.
    """
    given = [str(name) for name in names]
    sided = any(_LEFT.search(_plain(name)) for name in given)
    # beside an 'AU12_L', 'AU12_R' is the right side, not an intensity
    read = [
        name.strip() if sided and name.strip() != read_name(name) and _RIGHT.search(_plain(name))
        else read_name(name)
        for name in given
    ]  # fmt: skip
    # beside AU01_r, as this project writes it, AU01_present is a column of its own, no AU on another scale
    scales = {name.strip()[-1] for name in given if parse_column(name.strip())}
    read = [
        name.strip() if scales and parse_column(other) and other[-1] not in scales else other
        for name, other in zip(given, read, strict=True)
    ]
    spelled: dict[str, list[str]] = {}
    for name, other in zip(given, read, strict=True):
        spelled.setdefault(other, []).append(name)
    for other, spellings in spelled.items():
        if len(spellings) > 1 and len({name.strip() for name in spellings}) > 1:
            shown = ", ".join(map(repr, spellings))
            raise TableError(f"{source}: {shown} name one AU, {other}; rename or remove all but one of them")
    return read


def reading_notes(given: Iterable[object], read: Iterable[str]) -> list[str]:
    """Tell which AU columns were read under another name, and which names resemble AUs but are not read."""
    names = [str(name).strip() for name in given]
    renamed = [(old, new) for old, new in zip(names, read, strict=True) if old != new]
    notes = []
    if renamed:
        shown = ", ".join(f"{old!r} as {new}" for old, new in renamed[:3]) + _more(len(renamed))
        notes.append(f"AU columns in another spelling were read: {len(renamed)} ({shown})")
    odd = [new for new in read if resembles_au(new)]
    if odd:
        shown = ", ".join(map(repr, odd[:3])) + _more(len(odd))
        notes.append(
            f"columns that are called like AUs but are not used: {len(odd)} ({shown}); "
            "name them such as AU12_r if they are meant"
        )
    return notes


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _more(count: int) -> str:
    return ", ..." if count > 3 else ""
