import numpy as np
import pytest

from analysis.errors import AnalysisError
from analysis.people import percentile_interval, person_codes, person_draws


def test_a_persons_rows_weigh_the_same_and_people_are_drawn_as_often_as_there_are_people():
    groups = np.array(["b", "a", "b", "c", "c", "c"])
    for weights in person_draws(groups, 6, 50, seed=3):
        of_person = {name: set(weights[groups == name]) for name in "abc"}
        assert all(len(values) == 1 for values in of_person.values())
        assert sum(values.pop() for values in of_person.values()) == 3


def test_rows_are_drawn_where_nobody_says_who_they_show():
    for weights in person_draws(None, 7, 5, seed=0):
        assert weights.shape == (7,) and weights.sum() == 7


def test_the_same_seed_gives_the_same_draws():
    first, second = (np.array(list(person_draws(None, 9, 4, seed))) for seed in (1, 1))
    other = np.array(list(person_draws(None, 9, 4, 2)))
    assert (first == second).all() and (first != other).any()


def test_the_spread_of_a_mean_over_people_is_the_one_that_theory_gives():
    values = np.random.default_rng(0).normal(size=400)
    means = [np.average(values, weights=w) for w in person_draws(None, 400, 2000, seed=1)]
    assert np.std(means) == pytest.approx(values.std() / 20, rel=0.06)


def test_numbers_and_text_are_people_alike():
    assert person_codes([10, 2, 10], 3).tolist() == [1, 0, 1]
    assert person_codes(np.array(["x", "y", "x"], dtype=object), 3).tolist() == [0, 1, 0]


def test_an_interval_leaves_out_draws_without_a_value():
    values = np.column_stack([np.r_[np.arange(101.0), np.nan], np.full(102, np.nan)])
    low, high = percentile_interval(values, 0.9)
    assert low[0] == pytest.approx(5) and high[0] == pytest.approx(95)
    assert np.isnan([low[1], high[1]]).all()


def test_an_interval_of_single_numbers_is_single():
    low, high = percentile_interval(np.arange(5.0), 0.5)
    assert (float(low), float(high)) == (1, 3)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: person_draws(None, 5, 0, 0), "draws: expected 1"),
        (lambda: person_draws(["a"] * 4, 5, 1, 0), "groups: expected 5"),
        (lambda: person_draws(["a", None, "b"], 3, 1, 0), "groups: 1 of 3"),
        (lambda: person_draws(["a", "a"], 2, 1, 0), "one person"),
        (lambda: percentile_interval(np.zeros(3), 95), "level: expected"),
    ],
)
def test_what_cannot_be_drawn_is_said(call, said):
    with pytest.raises(AnalysisError, match=said):
        call()
