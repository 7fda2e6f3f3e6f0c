"""The parser that is made of declared options, and what is read from it."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from feat_pipeline.commands.parser import add_options, read_options
from feat_pipeline.declared import Options, option, required
from feat_pipeline.errors import UsageError
from feat_pipeline.options.shared import Videos
from feat_pipeline.sources.sampling import Sampling

REGISTRY = {"fast": 1}


def halves(text):
    if "," not in text:
        raise UsageError(f"expected two names such as a,b, got {text!r}")
    return text.split(",")


@dataclass(frozen=True, kw_only=True)
class Made(Options):
    model: str = required("which one", metavar="DIR")
    detector: str = option("fast", "finds faces", choices=REGISTRY)
    smooth_s: float = option(0.5, "window (default: %(default)s)", flag="--smooth")
    jobs: int | None = option(None, "processes", parse=int)
    names: Sequence[str] = option(("x",), "to keep", flag="--name", repeated=True)
    both: Sequence[str] | None = option(None, "two", parse=halves)
    emoji: bool = option(False, "draw emoji", group="pictures")
    python_only: str = option("auto", "no flag", cli=False)


@dataclass(frozen=True, kw_only=True)
class Either(Options):
    labels: str | None = option(None, "a file", one_of="labels")
    column: str | None = option(None, "a column", one_of="labels")


def parsed(kind, *arguments):
    parser = argparse.ArgumentParser()
    add_options(parser, kind)
    return read_options(parser.parse_args(arguments), kind)


def test_what_is_not_given_has_the_declared_default():
    assert Made.of(parsed(Made, "--model", "m")) == Made(model="m")


def test_what_is_given_has_the_type_of_the_default_or_of_its_own_reader():
    options = parsed(
        Made, "--model", "m", "--smooth", "2", "--jobs", "3", "--name", "a", "--name", "b", "--both", "c,d",
        "--emoji",
    )  # fmt: skip
    assert options == {
        "model": "m", "detector": "fast", "smooth_s": 2.0, "jobs": 3, "names": ["a", "b"], "both": ["c", "d"],
        "emoji": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: --model"),
        (["--model", "m", "--detector", "slow"], "argument --detector: invalid choice: 'slow'"),
        (["--model", "m", "--jobs", "many"], "argument --jobs: invalid int value: 'many'"),
        (["--model", "m", "--both", "c"], "argument --both: expected two names such as a,b, got 'c'"),
        (["--model", "m", "--python-only", "x"], "unrecognized arguments: --python-only"),
    ],
)
def test_a_wrong_argument_is_told_with_its_flag(capsys, arguments, message):
    with pytest.raises(SystemExit):
        parsed(Made, *arguments)
    assert message in capsys.readouterr().err


def test_an_entry_that_was_added_to_a_registry_can_be_chosen(monkeypatch):
    monkeypatch.setitem(REGISTRY, "mine", 2)
    assert parsed(Made, "--model", "m", "--detector", "mine")["detector"] == "mine"


def test_exactly_one_of_two_options_that_exclude_each_other_is_to_be_given(capsys):
    assert parsed(Either, "--column", "mood") == {"labels": None, "column": "mood"}
    for arguments, message in (([], "is required"), (["--labels", "a", "--column", "b"], "not allowed with")):
        with pytest.raises(SystemExit):
            parsed(Either, *arguments)
        assert message in capsys.readouterr().err


def test_a_heading_of_several_kinds_of_options_stands_in_the_help_once():
    @dataclass(frozen=True, kw_only=True)
    class More(Options):
        hide: bool = option(False, "cover faces", group="pictures")

    parser = argparse.ArgumentParser()
    add_options(parser, Made, More)
    assert parser.format_help().count("pictures:") == 1


def test_a_run_over_videos_reads_which_frames_it_looks_at():
    options = parsed(Videos, "--every", "0.5s", "--start", "1", "--detect-every", "0")
    assert options == {"sampling": Sampling(1.0, math.inf, every_s=0.5), "detect_every_s": 0.0}
    assert Videos.of(options).video_parameters() == {
        "start_s": 1.0, "end_s": None, "every_s": 0.5, "every_frames": None, "detect_every_s": 0.0
    }  # fmt: skip
