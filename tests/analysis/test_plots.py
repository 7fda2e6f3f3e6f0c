import importlib
import math
import pkgutil

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from analysis import plots
from analysis.display import au_title, coefficient_grid, scale_of, signed
from analysis.facs import in_order
from analysis.records import waterfall_steps

COLUMNS = ["AU04_r", "AU12_r", "AU06_r", "AU25_r"]
EMOTIONS = ["happy", "angry", "neutral"]
COEF = np.array([[-0.5, 1.25, 0.75, 0.0], [0.9, -0.75, -0.4, 0.1], [-0.4, -0.5, -0.35, -0.1]])


def coefficients():
    rows = [
        {"emotion": emotion, "au": au, "term": au, "coef": COEF[k, j], "se": 0.01 * (j + 1)}
        for k, emotion in enumerate(EMOTIONS)
        for j, au in enumerate(COLUMNS)
    ]
    return pd.DataFrame([{"emotion": "happy", "au": "", "term": "intercept", "coef": 9.0, "se": 1.0}, *rows])


def record(contributions=(0.2, 2.0, 0.9, -0.35), residual=0.0):
    aus = [
        {"au": au, "value": value, "baseline": 0.5, "contribution": contribution, "se": 0.1, "contrast": 0.0}
        for au, value, contribution in zip(COLUMNS, (1.0, 3.4, 2.0, math.nan), contributions, strict=True)
    ]
    return {
        "target": "happy",
        "rival": "angry",
        "baseline": "population",
        "probabilities": {"happy": 0.875, "angry": 0.05, "neutral": 0.075},
        "baseline_logit": -0.25,
        "logit": -0.25 + sum(contributions) + residual,
        "residual": residual,
        "aus": aus,
    }


def texts(axes):
    return [text.get_text() for text in axes.texts]


def labels(axes):
    return [tick.get_text() for tick in axes.get_yticklabels()]


def test_no_module_takes_the_place_of_a_figure():
    for module in pkgutil.iter_modules(plots.__path__):
        importlib.import_module(f"analysis.plots.{module.name}")
    assert [name for name in plots.__all__ if not callable(getattr(plots, name))] == []


def test_a_waterfall_runs_from_the_baseline_over_the_strongest_aus_to_the_logit():
    steps = waterfall_steps(record())
    assert [step.kind for step in steps] == ["baseline", "au", "au", "au", "au", "logit"]
    assert [round(step.change, 9) for step in steps] == [-0.25, 2.0, 0.9, -0.35, 0.2, 2.5]
    assert [round(step.end, 9) for step in steps[:-1]] == [-0.25, 1.75, 2.65, 2.3, 2.5]
    assert steps[1].label == "AU12 lip corner puller"


def test_weaker_aus_are_summed_in_one_bar():
    steps = waterfall_steps(record(), top=2)
    assert [step.kind for step in steps] == ["baseline", "au", "au", "others", "logit"]
    assert steps[3].label == "2 other AUs together"
    assert steps[3].change == pytest.approx(-0.15)


def test_a_residual_is_a_bar_of_its_own_only_where_it_is_more_than_rounding():
    assert "residual" not in [step.kind for step in waterfall_steps(record(residual=1e-12))]
    steps = waterfall_steps(record(residual=0.5))
    assert steps[-2].kind == "residual"
    assert steps[-2].change == pytest.approx(0.5)
    assert steps[-2].end == pytest.approx(steps[-1].end)


def test_the_waterfall_figure_draws_the_steps_as_they_are():
    figure = plots.waterfall(record())
    (axes,) = figure.axes
    drawn = [(bar.get_x(), bar.get_width()) for bar in axes.patches]
    expected = [(step.start, step.change) for step in waterfall_steps(record())]
    assert np.allclose(
        [(min(x, x + w), abs(w)) for x, w in drawn], [(min(s, s + c), abs(c)) for s, c in expected]
    )
    assert texts(axes) == ["−0.25", "+2.00", "+0.90", "−0.35", "+0.20", "+2.50"]
    assert labels(axes)[1] == "AU12 lip corner puller = 3.4"
    assert axes.get_title(loc="left") == "Why happy (88 %)"
    assert axes.get_xlabel() == "centred logit of happy"
    low, high = axes.get_xlim()
    assert low < -0.25
    assert high > 2.65


def test_for_and_against_differ_in_colour_and_in_sign():
    (axes,) = plots.waterfall(record()).axes
    speaking_for, against = axes.patches[1].get_facecolor(), axes.patches[3].get_facecolor()
    assert speaking_for != against
    assert speaking_for[2] > speaking_for[0]  # blue
    assert against[0] > against[2]  # orange


def test_the_grid_is_in_facs_order_and_leaves_the_intercept_out():
    coef, se = coefficient_grid(coefficients())
    assert list(coef.index) == ["AU04_r", "AU06_r", "AU12_r", "AU25_r"]
    assert list(coef.columns) == ["angry", "happy", "neutral"]
    assert coef.loc["AU12_r"].tolist() == [-0.75, 1.25, -0.5]
    assert se.at["AU25_r", "happy"] == pytest.approx(0.04)


def test_hinge_terms_stay_below_their_au_and_are_named_by_their_knot():
    extra = pd.DataFrame(
        [{"emotion": e, "au": "AU06_r", "term": "AU06_r>1.5", "coef": 0.1, "se": 0.1} for e in EMOTIONS]
    )
    figure = plots.coefficient_heatmap(pd.concat([coefficients(), extra], ignore_index=True))
    assert labels(figure.axes[0])[1:3] == ["AU6 cheek raiser", "AU6 extra above 1.5"]


def test_the_heatmap_shows_every_coefficient_with_its_sign():
    figure = plots.coefficient_heatmap(coefficients())
    axes = figure.axes[0]
    (cells,) = axes.collections
    shown = cells.get_array()
    assert shown.shape == (4, 3)
    assert shown[2].tolist() == [-0.75, 1.25, -0.5]
    assert cells.get_clim() == (-1.25, 1.25)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["angry", "happy", "neutral"]
    assert labels(axes)[2] == "AU12 lip corner puller"
    assert texts(axes)[6:9] == ["−0.75", "+1.25", "−0.50"]


def test_au_bars_run_over_the_full_scale_and_say_what_was_not_measured():
    (axes,) = plots.au_bars({"AU12_r": 3.4, "AU04_r": math.nan, "AU06_r": 0.0}, baseline={"AU12_r": 0.6}).axes
    assert labels(axes) == ["AU4 brow lowerer", "AU6 cheek raiser", "AU12 lip corner puller"]
    assert [bar.get_width() for bar in axes.patches] == [0.0, 3.4]
    assert texts(axes) == ["not measured", "0.0", "3.4"]
    assert axes.get_xlim()[1] >= 5
    assert [float(line.get_xdata()[0]) for line in axes.lines] == [0.6]


def test_probability_bars_have_one_panel_a_model_and_mark_the_answer():
    figure = plots.probability_bars(
        {"logit": {"happy": 0.9, "sad": 0.1}, "cnn": {"happy": 0.25, "sad": 0.75}}
    )
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["logit", "cnn"]
    assert [bar.get_width() for bar in figure.axes[1].patches] == [25.0, 75.0]
    assert [tick.get_fontweight() for tick in figure.axes[1].get_yticklabels()] == ["normal", "bold"]


def test_a_profile_shows_the_mean_and_the_middle_half_of_each_group():
    table = pd.DataFrame({"AU12_r": [1.0, 2.0, 3.0, 0.0, 0.0], "AU04_r": [0.0, 0.0, math.nan, 4.0, 2.0]})
    figure = plots.au_profile(table, ["happy", "happy", "happy", "angry", "angry"])
    angry, happy = figure.axes
    assert angry.get_title(loc="left") == "angry\n2 faces"
    assert angry.lines[0].get_xdata().tolist() == [3.0, 0.0]
    assert happy.lines[0].get_xdata().tolist() == [0.0, 2.0]
    assert happy.lines[2].get_xdata().tolist() == [1.5, 2.5]


def test_a_profile_leaves_the_row_of_an_au_empty_that_nobody_of_a_group_shows():
    table = pd.DataFrame({"AU04_r": [math.nan] * 3, "AU12_r": [1.0, math.nan, math.nan]})
    figure = plots.au_profile(table, ["happy", "angry", "happy"])
    angry, happy = figure.axes
    assert labels(angry) == ["AU4 brow lowerer", "AU12 lip corner puller"]
    drawn = [(x, y) for x, y in happy.lines[0].get_xydata().tolist() if not math.isnan(x)]
    assert drawn == [(1.0, 1)]
    assert not any(np.isfinite(line.get_xdata()).any() for line in angry.lines)


def test_a_profile_refuses_labels_that_are_not_one_a_face():
    with pytest.raises(ValueError, match="expected one for each of 2 faces, got 1"):
        plots.au_profile(pd.DataFrame({"AU12_r": [1.0, 2.0]}), ["happy"])


def test_mixed_scales_are_refused():
    with pytest.raises(ValueError, match=r"\['c', 'r'\]"):
        scale_of(["AU12_r", "AU12_c"])


@pytest.mark.parametrize(
    ("value", "text"), [(1.234, "+1.23"), (-0.5, "−0.50"), (0.0, "0.00"), (-0.001, "0.00"), (0.004, "0.00")]
)
def test_signed_numbers_have_a_true_minus_and_zero_has_no_sign(value, text):
    assert signed(value) == text


def test_names_and_order():
    assert au_title("AU12_p") == "AU12 lip corner puller"
    assert au_title("smile") == "smile"
    assert in_order(["zeal", "sad", "contempt", "angry", "sad"]) == ["angry", "sad", "contempt", "zeal"]


def test_no_figure_is_kept_by_pyplot():
    from matplotlib import pyplot

    plots.coefficient_heatmap(coefficients())
    plots.au_profile(pd.DataFrame({"AU12_r": [1.0, 2.0]}), ["happy", "sad"])
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize(
    "figure",
    [
        lambda: plots.waterfall(record()),
        lambda: plots.coefficient_heatmap(coefficients()),
        lambda: plots.au_bars({"AU12_r": 3.4, "AU15_r": 5.0}),
        lambda: plots.probability_bars({"logit": {"happy": 1.0, "surprise": 0.0}}),
        lambda: plots.au_profile(pd.DataFrame({"AU15_r": [1.0, 5.0]}), ["happy", "sad"]),
    ],
    ids=["waterfall", "heatmap", "bars", "probabilities", "profile"],
)
def test_no_text_of_a_figure_is_cut_off(figure):
    drawn = figure()
    renderer = FigureCanvasAgg(drawn).get_renderer()
    drawn.draw(renderer)
    width, height = drawn.get_size_inches() * drawn.dpi
    for axes in drawn.axes:
        (left, right), (bottom, top) = sorted(axes.get_xlim()), sorted(axes.get_ylim())
        shown = [tick for tick in axes.get_xticklabels() if left <= tick.get_position()[0] <= right]
        shown += [tick for tick in axes.get_yticklabels() if bottom <= tick.get_position()[1] <= top]
        assert shown
        for text in [*axes.texts, *shown]:
            if text.get_text():
                box = text.get_window_extent(renderer)
                assert box.x0 >= -1, text.get_text()
                assert box.x1 <= width + 1, text.get_text()
                assert box.y0 >= -1, text.get_text()
                assert box.y1 <= height + 1, text.get_text()
