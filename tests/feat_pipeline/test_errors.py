import inspect

import pytest

from analysis import errors as of_analysis
from analysis.errors import AnalysisError
from feat_pipeline import cli, errors
from feat_pipeline.errors import FeatPipelineError


def classes(module):
    return [each for _, each in inspect.getmembers(module, inspect.isclass) if issubclass(each, Exception)]


ALL = {each for module in (errors, of_analysis) for each in classes(module)}


@pytest.mark.parametrize("kind", sorted(ALL, key=str))
def test_one_base_catches_every_error_that_either_package_raises_on_purpose(kind):
    with pytest.raises(FeatPipelineError, match=r"^one line$"):
        raise kind("one\n line")


def test_analysis_has_a_base_of_its_own_that_catches_no_error_of_feat_pipeline():
    own = {kind for kind in ALL if issubclass(kind, AnalysisError)}
    assert own == set(classes(of_analysis)) - {FeatPipelineError}


@pytest.mark.parametrize("kind", sorted(ALL, key=str))
def test_the_program_tells_an_error_of_either_package_in_one_line(kind, monkeypatch, capsys):
    def fail():
        raise kind("table.csv: no such\nfile")

    monkeypatch.setattr("feat_pipeline.extract.available_backends", fail)
    assert cli.main(["backends"]) == errors.EXIT_USAGE
    assert capsys.readouterr().err.splitlines() == ["feat-pipeline: table.csv: no such file"]
