from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from feat_pipeline.declared import Options, option, required, takes
from feat_pipeline.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Base(Options):
    model: str = required("which one")
    form: str = option(
        "round", "of the face (default: %(default)s)", more="See `faces`.", choices=("round", "oval")
    )


@dataclass(frozen=True, kw_only=True)
class Made(Base):
    names: Sequence[str] | None = option(None, "to keep")
    renamed: Mapping[str, str] | None = option(None, "old and new")
    end_s: float = option(math.inf, "up to this second")
    jobs: int = option(1, "processes", logged=False)


@takes(Made)
def make(paths, *, out=None, **options):
    """Make faces.

    Parameters
    ----------
    paths : list of path
    out : path, optional
    **options : object
        Those of `Made`, by name.

    Returns
    -------
    Made
    """
    return Made.of(options)


def test_a_run_takes_the_options_as_keywords_with_their_defaults():
    made = make([], model="tiny", jobs=3)
    assert (made.model, made.form, made.jobs, made.names) == ("tiny", "round", 3, None)


def test_an_unknown_keyword_is_refused_with_the_known_ones():
    with pytest.raises(TypeError, match=r"unknown option job; expected some of model, form, .*, jobs$"):
        make([], model="tiny", job=3)


def test_an_option_that_is_required_has_to_be_given():
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'model'"):
        make([])


def test_a_value_out_of_its_choices_is_refused():
    with pytest.raises(UsageError, match=r"^form: expected one of round, oval, got 'square'$"):
        make([], model="tiny", form="square")


def test_the_parameters_of_run_json_are_plain_values_in_the_order_of_declaration():
    made = make([], model=Path("a/tiny"), names=("x", Path("y")), renamed={"sad": "blue"})
    assert list(made.parameters().items()) == [
        ("model", "a/tiny"),
        ("form", "round"),
        ("names", ["x", "y"]),
        ("renamed", {"sad": "blue"}),
        ("end_s", None),
    ]


def test_the_signature_names_every_option():
    parameters = inspect.signature(make).parameters
    assert list(parameters) == ["paths", "out", "model", "form", "names", "renamed", "end_s", "jobs"]
    assert parameters["model"].default is inspect.Parameter.empty and parameters["jobs"].default == 1


def test_the_docstring_describes_every_option_in_place_of_the_keywords():
    text = inspect.getdoc(make)
    assert "form : {'round', 'oval'}\n    Of the face (default: round). See `faces`.\n" in text
    assert "jobs : int\n    Processes.\n\nReturns\n-------" in text
    assert "**options" not in text and "out : path, optional\nmodel : str\n" in text
