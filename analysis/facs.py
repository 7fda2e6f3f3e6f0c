"""The Action Units, the emotions, and which AUs theory expects with which emotion.

AU names and muscles follow Ekman, Friesen & Hager, *Facial Action Coding System* (2002).
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

REGIONS = ("brow", "eye", "nose", "cheek", "mouth", "jaw", "head")

SCALES = {"r": "intensity 0-5", "p": "probability or score 0-1", "c": "presence 0 or 1"}
"""What the suffix of an AU column means."""

SCALE_RANGES = {"r": (0.0, 5.0), "p": (0.0, 1.0), "c": (0.0, 1.0)}

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""The seven emotions in FER2013's order."""


@dataclass(frozen=True)
class AU:
    """One Action Unit.

    Attributes
    ----------
    number : int
        FACS number.
    name : str
        FACS name, as a heading shows it.
    muscle : str
        The muscles that make it.
    region : str
        One of `REGIONS`.
    """

    number: int
    name: str
    muscle: str
    region: str

    @property
    def plain(self) -> str:
        """The name as a sentence shows it, 'lip corner puller'."""
        return self.name.lower()


_CATALOGUE = """
1|Inner brow raiser|frontalis, pars medialis|brow
2|Outer brow raiser|frontalis, pars lateralis|brow
4|Brow lowerer|depressor glabellae, depressor supercilii, corrugator|brow
5|Upper lid raiser|levator palpebrae superioris|eye
6|Cheek raiser|orbicularis oculi, pars orbitalis|cheek
7|Lid tightener|orbicularis oculi, pars palpebralis|eye
8|Lips toward each other|orbicularis oris|mouth
9|Nose wrinkler|levator labii superioris alaeque nasi|nose
10|Upper lip raiser|levator labii superioris|mouth
11|Nasolabial deepener|zygomaticus minor|cheek
12|Lip corner puller|zygomaticus major|mouth
13|Sharp lip puller|levator anguli oris|mouth
14|Dimpler|buccinator|mouth
15|Lip corner depressor|depressor anguli oris|mouth
16|Lower lip depressor|depressor labii inferioris|mouth
17|Chin raiser|mentalis|mouth
18|Lip pucker|incisivii labii|mouth
20|Lip stretcher|risorius, platysma|mouth
21|Neck tightener|platysma|jaw
22|Lip funneler|orbicularis oris|mouth
23|Lip tightener|orbicularis oris|mouth
24|Lip pressor|orbicularis oris|mouth
25|Lips part|depressor labii inferioris, or relaxed mentalis or orbicularis oris|mouth
26|Jaw drop|masseter; relaxed temporalis and internal pterygoid|jaw
27|Mouth stretch|pterygoids, digastric|jaw
28|Lip suck|orbicularis oris|mouth
29|Jaw thrust|pterygoids|jaw
30|Jaw sideways|pterygoids|jaw
31|Jaw clencher|masseter|jaw
32|Lip bite|orbicularis oris, masseter|mouth
33|Cheek blow|buccinator|cheek
34|Cheek puff|buccinator|cheek
35|Cheek suck|buccinator|cheek
38|Nostril dilator|nasalis, pars alaris|nose
39|Nostril compressor|nasalis, pars transversa|nose
41|Lid droop|relaxed levator palpebrae superioris|eye
42|Slit eyes|orbicularis oculi|eye
43|Eyes closed|relaxed levator palpebrae superioris|eye
44|Squint|orbicularis oculi, pars palpebralis|eye
45|Blink|relaxed levator palpebrae superioris; orbicularis oculi|eye
46|Wink|orbicularis oculi|eye
51|Head turn left|sternocleidomastoid and neck muscles|head
52|Head turn right|sternocleidomastoid and neck muscles|head
53|Head up|neck extensors|head
54|Head down|neck flexors|head
55|Head tilt left|scalene and neck muscles|head
56|Head tilt right|scalene and neck muscles|head
61|Eyes turn left|lateral and medial rectus|eye
62|Eyes turn right|lateral and medial rectus|eye
63|Eyes up|superior rectus|eye
64|Eyes down|inferior rectus|eye
"""


def _catalogue() -> dict[int, AU]:
    rows = (line.split("|") for line in _CATALOGUE.strip().splitlines())
    return {int(number): AU(int(number), name, muscle, region) for number, name, muscle, region in rows}


AUS: dict[int, AU] = _catalogue()
"""Every Action Unit that a backend here can measure or a table of human codes holds, by number."""


class Proxy(NamedTuple):
    """How one AU is read off MediaPipe's blendshapes.

    `blendshapes` are averaged, or the largest counts where `one_of` is true. `auc` is the area under
    the ROC curve against the human FACS codes of CK+'s 327 peak frames (MediaPipe's face landmarker
    on 48-pixel crops); None where it was not measured. Below .75 the AU's validity is low.
    """

    blendshapes: tuple[str, ...]
    one_of: bool
    auc: float | None


def _proxies() -> dict[int, Proxy]:
    with Path(__file__).with_name("blendshapes.csv").open(encoding="utf-8", newline="") as lines:
        return {
            int(row["au"]): Proxy(
                tuple(re.split(r"[+/]", row["blendshapes"])),
                "/" in row["blendshapes"],
                float(row["auc"]) if row["auc"] else None,
            )
            for row in csv.DictReader(lines)
        }


BLENDSHAPE_PROXIES: dict[int, Proxy] = _proxies()
"""The AUs that MediaPipe's 52 blendshapes stand for. AU 23, 25, 27 and 45 have no blendshape of their
own: they would repeat 24, 26, 26 and 43."""

BACKEND_AUS: dict[str, tuple[int, ...]] = {
    "openface": (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 28, 45),
    "pyfeat": (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 17, 20, 23, 24, 25, 26, 28, 43),
    "mediapipe": tuple(BLENDSHAPE_PROXIES),
}
"""AUs that the backends made elsewhere measure; the embedded network's own list stands in its card.

OpenFace measures AU28 as presence only.
"""

_COLUMN = re.compile(r"^AU(\d\d)_([rcp])$")


@lru_cache(maxsize=4096)
def parse_column(column: str) -> tuple[int, str] | None:
    """Read the AU number and the scale off a column name.

    Parameters
    ----------
    column : str
        For example 'AU12_r'.

    Returns
    -------
    tuple of (int, str), or None
        (12, 'r'); None where the column is no AU. `p_rx` and `AU12` are none.
    """
    match = _COLUMN.match(str(column))
    return (int(match[1]), match[2]) if match else None


def column(number: int, scale: str = "r") -> str:
    """Name the column of an AU, 'AU12_r'."""
    return f"AU{number:02d}_{scale}"


def short_name(column: str) -> str:
    """Write an AU column as people say it: 'AU6' for 'AU06_r'."""
    parsed = parse_column(column)
    return f"AU{parsed[0]}" if parsed else column


def plain_name(name: str) -> str:
    """Name an AU column in words: 'lip corner puller' for 'AU12_r', the column itself if it is no AU."""
    parsed = parse_column(name)
    return AUS[parsed[0]].plain if parsed and parsed[0] in AUS else str(name)


def region(name: str) -> str:
    """Name the face region of an AU column; '' where the column is no known AU."""
    parsed = parse_column(name)
    return AUS[parsed[0]].region if parsed and parsed[0] in AUS else ""


_ALIASES = {
    "angry": "anger mad",
    "disgust": "disgusted",
    "fear": "fearful afraid scared",
    "happy": "happiness joy joyful",
    "sad": "sadness unhappy",
    "surprise": "surprised",
    "neutral": "neutrality",
    "contempt": "contemptuous",
}

_CANONICAL = {alias: emotion for emotion, words in _ALIASES.items() for alias in (emotion, *words.split())}


def in_order(emotions: Iterable[str]) -> list[str]:
    """List distinct emotions in the usual order; other labels follow by alphabet."""
    known = {name: place for place, name in enumerate(EMOTIONS)}
    return sorted(dict.fromkeys(emotions), key=lambda name: (known.get(name, len(known)), str(name)))


_UNSEEN = re.compile("[\u00ad\u200b\u2060\ufeff]")  # letters without width, as copied from a web page
_WHOLE = re.compile(r"(-?\d+)\.0+")


def normal_text(value: object) -> str:
    """Write a label, person or name in one form.

    Parameters
    ----------
    value : object
        Text; or a number, of which 3.0 is '3': an empty cell elsewhere makes a column of whole numbers one
        of floats, in a file too.

    Returns
    -------
    str
        In Unicode's form NFKC (full-width letters are plain ones, an accent is part of its letter), without
        blanks around it, with single ones inside.
    """
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    text = " ".join(unicodedata.normalize("NFKC", _UNSEEN.sub("", text)).split())
    whole = _WHOLE.fullmatch(text)
    return whole[1] if whole else text


def canonical_emotion(label: object) -> str:
    """Write a label as this project does.

    Parameters
    ----------
    label : object
        A label of any case: 'Happiness', ' ANGER ', 'joy', or a word that is no emotion here.

    Returns
    -------
    str
        The name in `EMOTIONS` (or 'contempt') that it is an alias of, else the label in the form of
        `normal_text`.
    """
    text = normal_text(label)
    return _CANONICAL.get(text.casefold(), text)


def is_emotion(label: str) -> bool:
    """Whether a label is one of `EMOTIONS` or contempt, as `canonical_emotion` writes them."""
    return label in _ALIASES


class Prototype(NamedTuple):
    """The AUs that one source expects with one emotion.

    `source` is 'emfacs' (EMFACS-style, as encyclopaedias list it), 'facs_guide_table_11_1' (one
    strong variant of the FACS Investigator's Guide, table 11-1) or 'du_2014' (AUs that more than
    70 % of 230 subjects showed; Du, Tao & Martinez 2014, PNAS 111:E1454). Contempt's AUs are
    shown on one side of the face only.
    """

    source: str
    aus: frozenset[int]


def _prototypes() -> dict[str, tuple[Prototype, ...]]:
    found: dict[str, list[Prototype]] = {}
    with Path(__file__).with_name("prototypes.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            aus = frozenset(int(number) for number in row["aus"].split("+"))
            found.setdefault(row["emotion"], []).append(Prototype(row["source"], aus))
    return {emotion: tuple(prototypes) for emotion, prototypes in found.items()}


PROTOTYPES: dict[str, tuple[Prototype, ...]] = _prototypes()
"""Which AUs theory expects, by emotion. Neutral has none. An AU that a backend lacks is
'not measurable' there, never a disagreement."""
