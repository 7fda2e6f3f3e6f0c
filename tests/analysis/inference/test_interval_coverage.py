"""95 % intervals hold the truth in 93 to 97 % of simulated data sets."""

import pytest

from benchmarks.interval_coverage import DESIGNS, coverage

SOUND = [design for design in DESIGNS if "wrong" not in design[0]]
WHAT = ("coefficients", "log odds", "marginal effects")


@pytest.mark.parametrize("errors", ["model", "robust"])
def test_intervals_of_independent_faces_hold_the_truth_about_as_often_as_they_say(errors):
    shares = coverage(80, 500, 1, 0.0, errors, seed=1)
    assert shares["refused"] == 0
    assert all(0.91 <= shares[name] <= 0.99 for name in WHAT), shares


def test_clustered_errors_are_needed_where_people_recur_and_then_hold():
    clustered, naive = (coverage(60, 60, 10, 0.4, errors, seed=2) for errors in ("cluster", "model"))
    assert all(clustered[name] >= 0.91 for name in WHAT), clustered
    assert all(naive[name] < clustered[name] - 0.02 for name in WHAT), naive


@pytest.mark.slow
@pytest.mark.parametrize(("name", "people", "each", "tie", "errors"), SOUND)
def test_95_percent_intervals_hold_the_truth_in_93_to_97_percent(name, people, each, tie, errors):
    shares = coverage(600, people, each, tie, errors, seed=3)
    assert shares["refused"] == 0
    assert all(0.93 <= shares[name] <= 0.97 for name in WHAT), shares
