import numpy as np
import pytest

from analysis.errors import TableError
from analysis.series import find_events


def events(times, values, **options):
    options = {"high": 1.0, "low": 0.5} | options
    return find_events(np.asarray(times, float), np.asarray(values, float), **options).to_dict("records")


def test_onset_apex_and_offset_of_a_triangle_are_exact():
    times = np.arange(0, 4.001, 0.25)
    (found,) = events(times, np.clip(2 - 2 * np.abs(times - 2), 0, None))  # 0 at 1 s, 2 at 2 s, 0 at 3 s
    assert found["onset_s"] == pytest.approx(1.25) and found["offset_s"] == pytest.approx(2.75)
    assert (found["apex_s"], found["apex_value"], found["censored"]) == (2.0, 2.0, "none")
    assert found["duration_s"] == pytest.approx(1.5) and found["mean_value"] == pytest.approx(1.25)


def test_the_lower_threshold_is_crossed_between_frames():
    (found,) = events([0, 1, 2, 3], [0, 2, 2, 0], max_gap_s=5)
    assert (found["onset_s"], found["offset_s"]) == pytest.approx((0.25, 2.75))
    assert found["apex_s"] == 1.0  # the first of equals


def test_noise_between_the_thresholds_neither_begins_nor_ends_an_action():
    times = np.arange(12) / 10
    values = [0, 0.7, 0.9, 0.7, 0, 1.2, 0.6, 1.1, 0.8, 0.6, 0.4, 0]
    (found,) = events(times, values)
    assert 0.4 < found["onset_s"] < 0.5 and 0.9 < found["offset_s"] < 1.0


def test_a_flicker_is_too_short():
    times = np.arange(40) / 30
    values = np.zeros(40)
    values[10] = 1.3  # 41 ms above the lower threshold
    values[20:26] = 2
    assert [round(e["apex_s"], 3) for e in events(times, values)] == [0.667]
    assert len(events(times, values, min_duration_s=0)) == 2


def test_the_ends_of_the_series_and_gaps_censor():
    times = np.concatenate([np.arange(0, 1, 0.1), np.arange(2, 3, 0.1)])
    values = np.ones(20) * 2
    found = events(times, values)
    assert [e["censored"] for e in found] == ["both", "both"]
    assert [(e["onset_s"], e["offset_s"]) for e in found] == [
        (0, pytest.approx(0.9)),
        (2, pytest.approx(2.9)),
    ]
    values[:3] = values[-3:] = 0
    assert [e["censored"] for e in events(times, values)] == ["offset", "onset"]
    hole = np.ones(30) * 2.0
    hole[[0, 1, -1]] = 0
    hole[10:20] = np.nan
    assert [e["censored"] for e in events(np.arange(30) / 10, hole)] == ["offset", "onset"]


def test_a_few_failed_frames_do_not_cut_an_action():
    values = np.array([0, 2, 2, np.nan, np.nan, 2, 2, 0])
    (found,) = events(np.arange(8) / 10, values)
    assert found["censored"] == "none" and found["duration_s"] > 0.6


@pytest.mark.parametrize("values", [[], [np.nan] * 5, [0.3] * 5, [0.9] * 5])
def test_without_an_action_the_table_is_empty_and_has_its_columns(values):
    found = find_events(np.arange(len(values)) / 10.0, np.array(values, float), high=1, low=0.5)
    assert found.empty
    assert list(found) == [
        "onset_s",
        "apex_s",
        "offset_s",
        "duration_s",
        "apex_value",
        "mean_value",
        "censored",
    ]


def test_a_constant_that_is_high_is_one_action_without_known_ends():
    (found,) = events(np.arange(20) / 10, np.full(20, 3.0))
    assert found["censored"] == "both" and found["mean_value"] == pytest.approx(3.0)


def test_one_frame_lasts_no_time():
    assert events([1.0], [3.0]) == []
    (found,) = events([1.0], [3.0], min_duration_s=0)
    assert found["duration_s"] == 0 and found["mean_value"] == 3.0


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"high": 0.4}, "low <= high"),
        ({"low": np.nan}, "low <= high"),
        ({"min_duration_s": -1}, "min_duration_s"),
    ],
)
def test_wrong_thresholds_are_refused(options, reason):
    with pytest.raises(TableError, match=reason):
        events([0, 1], [0, 0], **options)
