"""The recipes of the README: the program takes each, and no folder of results is asked for twice."""

import re
import shlex

import pytest

from feat_pipeline.cli import build_parser
from tests import ROOT


def recipes():
    """The commands of the README's recipes, as lists of arguments."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("## Five recipes")[2].partition("### More")[0]
    lines = re.findall(r"^    feat-pipeline (.*)$", section, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


RECIPES = recipes()


def test_there_are_recipes():
    assert {words[0] for words in RECIPES} > {"extract", "fit", "predict", "train", "compare", "series"}


@pytest.mark.parametrize("words", RECIPES, ids=" ".join)
def test_every_recipe_is_one_that_the_program_takes(words):
    assert callable(build_parser().parse_args(words).run)


def test_no_recipe_writes_into_the_folder_of_another():
    folders = [words[words.index("--out") + 1] for words in RECIPES if "--out" in words]
    assert len(folders) == len(set(folders))
