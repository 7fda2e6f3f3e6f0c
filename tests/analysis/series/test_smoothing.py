import numpy as np
import pytest

from analysis.errors import TableError
from analysis.series import smooth
from analysis.series.smoothing import gap_bound, segments


def test_a_window_of_three_frames_takes_their_mean():
    times = np.arange(6) / 30
    values = np.array([0, 3, 0, 3, 6, 0.0])
    assert smooth(times, values, window_s=0.1) == pytest.approx([1.5, 1, 2, 3, 3, 3])


def test_the_window_is_one_of_time_and_not_of_frames():
    times = np.array([0.0, 0.04, 0.30, 0.31, 0.32])
    values = np.array([1.0, 3.0, 10.0, 20.0, 60.0])
    assert smooth(times, values, window_s=0.1) == pytest.approx([2, 2, 30, 30, 30])


def test_nothing_flows_across_a_gap_and_nothing_is_filled_in():
    times = np.array([0.0, 0.1, 0.2, 0.3, 1.0, 1.1])
    values = np.array([1.0, np.nan, 3.0, np.nan, 50.0, 60.0])
    assert smooth(times, values, window_s=10) == pytest.approx([2, np.nan, 2, np.nan, 55, 55], nan_ok=True)
    wide = smooth(times, values, window_s=10, max_gap_s=5)
    assert wide == pytest.approx([28.5, np.nan, 28.5, np.nan, 28.5, 28.5], nan_ok=True)


def test_a_hole_of_failed_frames_is_a_gap_too():
    times = np.arange(30) / 25
    values = np.ones(30)
    values[5:20] = np.nan
    assert [part.tolist() for part in segments(times, values, 0.5)] == [list(range(5)), list(range(20, 30))]


def test_a_constant_stays_exactly_what_it_is_and_a_window_of_nothing_changes_nothing():
    times = np.sort(np.random.default_rng(4).uniform(0, 9, 200))
    assert (smooth(times, np.full(200, 0.1), window_s=0.7) == 0.1).all()
    values = np.random.default_rng(5).uniform(0, 5, 200)
    assert np.array_equal(smooth(times, values, window_s=0), values)


def test_it_agrees_with_the_mean_of_each_window_by_hand():
    rng = np.random.default_rng(6)
    times = np.sort(rng.uniform(0, 4, 150))
    values = np.where(rng.random(150) < 0.2, np.nan, rng.uniform(0, 5, 150))
    found = smooth(times, values, window_s=0.3, max_gap_s=99)
    for i in range(150):
        near = np.abs(times - times[i]) <= 0.15
        expected = np.nanmean(values[near]) if np.isfinite(values[i]) else np.nan
        assert found[i] == pytest.approx(expected, nan_ok=True)


def test_nothing_measured_is_nothing_smoothed():
    assert np.isnan(smooth(np.arange(4.0), np.full(4, np.nan))).all()
    assert smooth(np.zeros(0), np.zeros(0)).tolist() == []


def test_what_counts_as_a_gap_follows_the_step_of_the_frames():
    assert gap_bound(np.arange(100) / 30) == 0.5
    assert gap_bound(np.arange(0.0, 20, 2)) == 5.0
    assert gap_bound(np.array([3.0])) == 0.5


@pytest.mark.parametrize(
    ("times", "values", "window", "reason"),
    [
        ([0, 2, 1], [1, 1, 1], 0.1, "ascending order; sort the rows"),
        ([0, np.nan], [1, 1], 0.1, "finite seconds"),
        ([0, 1], [1], 0.1, "a value for each time"),
        ([0, 1], [1, 1], -0.1, "0 or more, got -0.1"),
        ([0, 1], [1, 1], np.nan, "0 or more, got nan"),
    ],
)
def test_wrong_input_is_refused(times, values, window, reason):
    with pytest.raises(TableError, match=reason):
        smooth(np.array(times, float), np.array(values, float), window_s=window)
