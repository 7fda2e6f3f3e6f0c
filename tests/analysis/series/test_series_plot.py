import numpy as np
import pandas as pd
import pytest

from analysis import plots
from analysis.autable import AUTable
from analysis.series import au_series

EMOTIONS = ["happy", "angry", "neutral"]


def made(n=200, aus=12, rate=25, hole=True):
    times = np.arange(n) / rate
    rng = np.random.default_rng(1)
    columns = {f"AU{number:02d}_r": rng.uniform(0, 0.2, n) for number in range(1, aus + 1)}
    columns["AU12_r"] = np.clip(3 - 2 * np.abs(times - times.mean()), 0, None)
    frame = pd.DataFrame(columns).assign(input="a.mp4", face_id=0, face=0, frame=range(n), time_s=times)
    if hole:
        frame.loc[20:60, list(columns)] = np.nan
    return au_series(AUTable(frame, backend="fake", backend_version="1", scale="r"))


def drawn(series, **options):
    rows = series.of(series.persons()[0])
    chances = pd.DataFrame(np.full((len(rows), 3), [0.7, 0.2, 0.1]), columns=EMOTIONS)
    options = {"events": series.events(), "probabilities": chances, "title": "a.mp4, face 0"} | options
    figure = plots.series(rows, series.aus, **options)
    figure.canvas.draw()
    return figure


def test_the_strongest_aus_have_a_panel_and_the_emotions_one_below_on_the_same_axis():
    figure = drawn(made(aus=14))
    *panels, strip, bar = figure.axes
    assert len(panels) == 10 and any("lip corner" in axes.get_ylabel() for axes in panels)
    assert [label.get_text() for label in strip.get_yticklabels()] == ["angry", "happy", "neutral"]
    assert panels[0].get_xlim() == strip.get_xlim() == (0, pytest.approx(199 / 25))
    assert "4 weaker AUs are not shown" in figure.get_supxlabel().replace("\n", " ") and bar


def test_a_gap_is_no_line_and_an_action_is_a_band_with_its_apex():
    series = made(aus=12)
    figure = drawn(series, probabilities=None)
    (panel,) = [axes for axes in figure.axes if "lip corner puller" in axes.get_ylabel().replace("\n", " ")]
    lines = [line for line in panel.get_lines() if len(line.get_xdata()) > 2]
    thick = max(lines, key=lambda line: line.get_linewidth())
    assert np.isnan(thick.get_xdata()).sum() == 1
    (event,) = series.events().to_dict("records")
    apexes = [line for line in panel.get_lines() if line.get_marker() == "o"]
    assert [line.get_xdata()[0] for line in apexes] == [event["apex_s"]]
    assert len(panel.patches) == 2  # the gap and the action


def test_a_long_series_is_drawn_as_shades_with_minutes():
    figure = drawn(made(n=12_000, aus=12, rate=10, hole=False))
    assert len(figure.axes) == 4  # two strips with their scales
    assert figure.axes[1].get_xlabel() == "time, min:s"
    assert "the strongest of each moment" in figure.get_supxlabel()


@pytest.mark.parametrize("n", [1, 2, 30])
def test_short_series_are_drawn(n):
    assert len(drawn(made(n=n, hole=False)).axes) == 12


def test_nothing_measured_is_drawn_as_not_measured():
    series = made(n=40, hole=False)
    series.frame[[c for c in series.frame if "AU" in c]] = np.nan
    nothing = pd.DataFrame(np.full((40, 3), np.nan), columns=EMOTIONS)
    assert drawn(series, probabilities=nothing, events=None)


def test_nothing_to_draw_is_refused():
    series = made()
    with pytest.raises(ValueError, match="expected rows and AUs"):
        plots.series(series.frame.iloc[:0], series.aus)


def shades(figure):
    """The strip of emotions as drawn: (moments, emotions), NaN where it is grey."""
    mesh = figure.axes[-2].collections[0]
    return np.ma.filled(mesh.get_array().astype(float), np.nan).reshape(len(EMOTIONS), -1).T


def test_frames_sampled_at_uneven_steps_leave_no_grey_between_them():
    series = made(n=197, hole=False)
    film = np.arange(480) / 23.976  # every 0.1 s of it stands 2 or 3 frames apart
    step = np.floor(film / 0.1 + 1e-6)
    sampled = film[np.r_[True, step[1:] > step[:-1]]][:197]
    series.frame["time_s"] = sampled
    assert set(np.diff(sampled).round(3)) == {0.083, 0.125}
    assert np.isfinite(shades(drawn(series, events=None))).all()


def test_what_was_not_measured_stays_grey_in_the_strip():
    series = made(n=100, hole=False)
    chances = pd.DataFrame(np.full((100, 3), [0.7, 0.2, 0.1]), columns=EMOTIONS)
    chances.iloc[30:60] = np.nan
    grey = np.isnan(shades(drawn(series, probabilities=chances, events=None))).all(axis=1)
    assert grey[31:59].all() and not grey[:30].any() and not grey[61:].any()
