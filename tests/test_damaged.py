"""A corpus of damaged files: no reader crashes, hangs or stays silent."""

import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from analysis.autable import AUTable
from feat_pipeline.sources.kinds import PHOTO_SUFFIXES
from tests.damaged.csvs import damaged_csvs
from tests.damaged.damage import ANY, REFUSED, TOLD, USED, WHOLE, Damaged
from tests.damaged.look import Looker, Seen
from tests.damaged.models import damaged_models
from tests.damaged.packed import damaged_packed
from tests.damaged.photos import damaged_photos
from tests.damaged.videos import damaged_videos

MAKERS = {
    "photos": damaged_photos,
    "videos": damaged_videos,
    "csvs": damaged_csvs,
    "packed tables": damaged_packed,
    "models": damaged_models,
}
AT_LEAST = {"photos": 220, "videos": 200, "csvs": 360, "packed tables": 120, "models": 200}


@cache
def corpus(what: str) -> tuple[Damaged, ...]:
    """All damaged files of a kind; no two have the same name."""
    made = tuple(MAKERS[what]())
    names = Counter(damaged.name for damaged in made)
    assert not [name for name, count in names.items() if count > 1]
    return made


def first_of_each(what: str) -> list[Damaged]:
    """The first of each kind of file and damage, but for the large files of real cameras."""
    small = [d for d in corpus(what) if not d.name.startswith(("camera", "phone"))]
    return list({(d.suffix, d.damage): d for d in reversed(small)}.values())[::-1]


def kind_of(what: str, damaged: Damaged) -> str:
    """What a file is read as."""
    if what == "videos" and f".{damaged.suffix}" in PHOTO_SUFFIXES:
        return "photo"
    return damaged.name.partition("_")[0] if what not in ("photos", "videos") else what[:-1]


def write(damaged: Damaged, folder: Path) -> Path:
    path = folder / damaged.name
    for name, data in damaged.files.items():
        file = path / name if name else path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return path


@pytest.fixture(scope="module")
def looker():
    with Looker() as looker:
        yield looker


@pytest.fixture(scope="module")
def sound_ones():
    return {}


def fault_of(what: str, damaged: Damaged, looker: Looker, sound_ones: dict, folder: Path) -> str:
    """What is wrong with what came of a file; '' where it is as expected."""
    kind = kind_of(what, damaged)
    seen = looker.look(kind, write(damaged, folder))
    whole = None
    if damaged.sound is not None:
        key = (kind, damaged.suffix, damaged.sound)
        if key not in sound_ones:
            path = folder / f"sound_{len(sound_ones)}.{damaged.name.partition('.')[2]}"
            path.write_bytes(damaged.sound)
            sound_ones[key] = looker.look(kind, path)
            assert sound_ones[key].values and not sound_ones[key].fault, f"the sound one of {damaged.name}"
        whole = sound_ones[key]
    wrong = seen.fault or wrongly_told(damaged, seen) or wrongly_read(damaged, seen, whole, kind == "video")
    told = f"{len(seen.values)} values; told: {seen.reasons[:2]}"
    return f"{damaged.name}, expected {damaged.expected}: {wrong}; {told}" if wrong else ""


def wrongly_told(damaged: Damaged, seen: Seen) -> str:
    if not seen.values and not seen.reasons:
        return "silence"
    for reason in seen.reasons:
        if not reason.strip() or "\n" in reason or len(reason) > 2000:
            return f"not one clear line: {reason[:300]!r}"
        if damaged.name not in reason and not seen.values:
            return f"a reason that does not name the file: {reason!r}"
    return ""


def wrongly_read(damaged: Damaged, seen: Seen, whole: Seen | None, strict: bool) -> str:
    """Hold what was read against the sound file; `strict`: nothing may be read that is not in it."""
    if not seen.values:
        return "refused" if damaged.expected == USED else ""
    told = len(seen.reasons) > len(whole.reasons if whole else ())
    like_whole = whole is None or seen.values == whole.values
    if damaged.expected == REFUSED:
        return "used"
    if damaged.expected == USED:
        return "" if like_whole and not (told and whole) else "used otherwise than the sound one"
    if damaged.expected == WHOLE:
        return "" if like_whole else "a part was taken for the whole"
    if damaged.expected == TOLD:
        if strict and whole and not set(seen.values.values()) <= set(whole.values.values()):
            return "something was read that is not in the sound one"
        return "" if told or (whole and like_whole) else "used, and nothing told of what is missing"
    assert damaged.expected == ANY
    return ""


def test_the_corpus_is_large():
    assert {what: len(corpus(what)) >= least for what, least in AT_LEAST.items()} == dict.fromkeys(
        MAKERS, True
    )


@pytest.mark.parametrize("what", MAKERS)
def test_one_file_of_each_damage_is_refused_told_or_used_as_it_should(what, looker, sound_ones, tmp_path):
    faults = [fault_of(what, damaged, looker, sound_ones, tmp_path) for damaged in first_of_each(what)]
    assert not list(filter(None, faults))


@pytest.mark.slow
@pytest.mark.parametrize("what", MAKERS)
def test_every_damaged_file_is_refused_told_or_used_as_it_should(what, looker, sound_ones, tmp_path):
    files = corpus(what)
    assert len(files) >= AT_LEAST[what]
    faults = [fault_of(what, damaged, looker, sound_ones, tmp_path) for damaged in files]
    assert not list(filter(None, faults))


@pytest.mark.slow
def test_a_folder_of_all_damaged_photos_and_videos_is_extracted_with_a_reason_for_each(looker, tmp_path):
    folder = tmp_path / "damaged"
    files = [
        (what, d) for what in ("photos", "videos") for d in corpus(what) if not d.name.startswith("phone")
    ]
    assert len(files) >= 420
    paths = {damaged.name: write(damaged, folder) for _, damaged in files}
    seen = {damaged.name: looker.look(kind_of(what, damaged), paths[damaged.name]) for what, damaged in files}
    out = tmp_path / "aus"
    command = ["extract", folder, "--detector", "none", "--backend", "embedded", "--out", out]
    done = subprocess.run(
        [sys.executable, "-m", "feat_pipeline.cli", *map(str, command)],
        capture_output=True, text=True, timeout=1500, check=False,
    )  # fmt: skip
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr[-3000:]
    skipped = pd.read_csv(out / "skipped.csv", keep_default_na=False)
    table = AUTable.read(out / "aus.csv").frame
    listed, measured = ({Path(name).name for name in frame["input"]} for frame in (skipped, table))
    assert {name for name, one in seen.items() if one.reasons} - listed == set()
    assert {name for name, one in seen.items() if "0" in one.values} - measured - listed == set()
    assert {d.name for _, d in files if d.expected == REFUSED} & measured == set()
    assert {d.name for _, d in files if d.expected == USED} - measured == set()
    assert skipped["reason"].str.strip().str.len().between(8, 600).all()
    assert not skipped["reason"].str.contains("\n").any()
