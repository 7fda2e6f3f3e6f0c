import inspect

from analysis.series import au_series
from analysis.series.smoothing import SMOOTH_S
from feat_pipeline.cli import build_parser
from feat_pipeline.runs.series import series_files


def defaults_of(function):
    return {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()}


def test_the_command_the_run_and_the_analysis_have_the_same_defaults():
    asked = build_parser().parse_args(["series", "a.mp4", "--out", "out"])
    run, analysis = defaults_of(series_files), defaults_of(au_series)
    assert asked.smooth_s == run["smooth_s"] == analysis["smooth_s"] == SMOOTH_S
    assert asked.neutral == run["neutral"] == analysis["neutral"]
    assert (asked.figures, asked.detector) == (run["figures"], run["detector"])
