from itertools import pairwise

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from analysis import plots
from analysis.display import ordered_terms, sample_words, term_title
from tests.analysis import made

COUNTERFACTUAL = {
    "answer": "happy",
    "target": "sad",
    "margin": 0.05,
    "ways": [
        {
            "kind": "least squares",
            "exists": True,
            "text": "",
            "changes": [
                {"au": "AU12_r", "before": 3.0, "after": 1.0},
                {"au": "AU15_r", "before": 0.0, "after": 2.5},
            ],
            "probabilities": {"happy": 0.48, "sad": 0.52},
        },
        {
            "kind": "one AU",
            "exists": False,
            "text": "no change of a single AU does it",
            "changes": [],
            "probabilities": {},
        },
    ],
}
MANY = {
    "seventeen AUs, seven emotions": lambda: made.inference(17),
    "thirty-five AUs": lambda: made.inference(35),
    "long names": lambda: made.inference(9, made.LONG, valid=False),
}
SEVERAL = {
    "one model": lambda: made.comparison(made.MODELS[:1]),
    "six models": lambda: made.comparison(made.MODELS),
    "long names": lambda: made.comparison(made.MODELS[2:4], made.LONG),
}


def face():
    rng = np.random.default_rng(1)
    aus = []
    for au in made.columns(15):
        value = rng.normal()
        aus.append({"au": au, "value": 2.0, "baseline": 0.5, "contribution": value, "contrast": 1.5 * value})
        aus[-1] |= {"low": value - 0.3, "high": value + 0.3}
        aus[-1] |= {"contrast_low": 1.5 * value - 0.5, "contrast_high": 1.5 * value + 0.5}
    total = sum(item["contribution"] for item in aus)
    chances = {"happy": 0.8, "contemptuous disbelief": 0.2}
    return {
        **{"target": "happy", "rival": "contemptuous disbelief", "probabilities": chances, "aus": aus},
        **{"baseline": "population", "baseline_logit": -0.5, "logit": total - 0.5, "level": 0.95},
    }


def words(figure):
    texts = [figure.get_suptitle(), figure.get_supxlabel(), figure.get_supylabel()]
    for axes in figure.findobj(lambda artist: hasattr(artist, "get_text")):
        texts.append(axes.get_text())
    return " ".join(" ".join(texts).split())


def test_a_forest_has_a_panel_an_emotion_and_a_row_a_term():
    inference = made.inference(6)
    figure = plots.forest(inference)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [*made.EMOTIONS]
    rows = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert rows[0] == "AU1 inner brow raiser"
    assert len(rows) == 6
    assert "n = 4,473 faces of 120 people" in figure.get_suptitle()


def test_what_is_filled_is_what_the_interval_says():
    inference = made.inference(6)
    table = inference.tables["coefficients"]
    happy = table[table["emotion"] == "happy"]
    clear = ((happy["low"] > 0) | (happy["high"] < 0)).sum()
    (axes,) = plots.forest(inference, "happy").axes
    filled, hollow = axes.collections[-2:]
    assert len(filled.get_offsets()) == clear
    assert len(hollow.get_offsets()) == 6 - clear
    assert np.allclose(hollow.get_facecolor(), 1.0)
    drawn = {round(x, 9) for x, _ in [*filled.get_offsets(), *hollow.get_offsets()]}
    assert drawn == {round(x, 9) for x in happy["coef"]}


def test_an_interval_that_leaves_the_panel_ends_in_an_arrow():
    inference = made.inference(4)
    table = inference.tables["coefficients"]
    table.loc[0, ["coef", "low", "high"]] = [0.5, -400.0, 400.0]
    axes = plots.forest(inference).axes[0]
    left, right = axes.get_xlim()
    assert right < 20
    arrows = [c for c in axes.collections if len(c.get_offsets()) == 1 and not c.get_clip_on()]
    assert sorted(float(c.get_offsets()[0][0]) for c in arrows) == pytest.approx([left, right])


def test_more_terms_than_fit_a_page_are_chosen_and_the_heading_says_so():
    figure = plots.forest(made.inference(35), most=10)
    assert "The 10 clearest of 35 terms" in " ".join(figure.get_suptitle().split())
    assert len(figure.axes[0].get_yticklabels()) == 10


def test_odds_ratios_stand_on_a_logarithmic_axis_around_one():
    inference = made.inference(5)
    figure = plots.odds_ratios(inference, "happy", per="sd")
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    assert axes.lines[0].get_xdata()[0] == 1.0
    assert "standard deviation" in figure.get_supxlabel()
    with pytest.raises(ValueError, match="got 'face'"):
        plots.odds_ratios(inference, per="face")


def test_an_emotion_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="no emotion 'zeal'"):
        plots.forest(made.inference(3), "zeal")


def test_marginal_effects_are_percentage_points():
    inference = made.inference(3)
    (axes,) = plots.marginal_effects(inference, "sad").axes
    table = inference.tables["marginal_effects"]
    expected = 100 * table.loc[table["emotion"] == "sad", "effect"]
    drawn = [x for c in axes.collections[-2:] for x, _ in c.get_offsets()]
    assert sorted(drawn) == pytest.approx(sorted(expected))


def test_the_diagnostics_say_in_words_what_failed():
    passed = words(plots.diagnostics_panel(made.inference(5)))
    assert "FAILED" not in passed
    failed = made.inference(5, valid=False)
    failed.tables["checks"] = failed.tables["checks"].assign(decides=[True, True, True, False])
    assert words(plots.diagnostics_panel(failed)).count("FAILED") == 1
    failed.tables["checks"].loc[3, "passed"] = False
    assert " note " in words(plots.diagnostics_panel(failed))


def test_an_infinite_variance_inflation_is_drawn_to_the_edge_and_written():
    inference = made.inference(5)
    inference.tables["collinearity"].loc[0, "vif"] = np.inf
    assert "∞" in words(plots.diagnostics_panel(inference))


def test_correlations_are_written_into_few_cells_only():
    assert "1.00" in words(plots.correlation_heatmap(made.inference(5)))
    few, many = (len(plots.correlation_heatmap(made.inference(n)).axes[0].texts) for n in (5, 20))
    assert (few, many) == (25, 0)


def test_confusion_matrices_stand_side_by_side_with_shares_and_counts():
    comparison = made.comparison()
    figure = plots.confusion(comparison)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["logit-embedded", "cnn"]
    table = comparison.tables["confusion"]
    own = table[(table["model"] == "cnn") & (table["actual"] == "sad") & (table["predicted"] == "sad")].iloc[
        0
    ]
    cells = {(t.get_position(), t.get_text()) for t in figure.axes[1].texts}
    assert ((4.5, 4.5), f"{100 * own['share']:.0f}\n{own['n']}") in cells
    bold = {t.get_position() for t in figure.axes[1].texts if t.get_fontweight() == "bold"}
    assert bold <= {(at + 0.5, at + 0.5) for at in range(7)} and (4.5, 4.5) in bold


def test_scores_are_drawn_with_their_intervals_and_which_way_is_better():
    comparison = made.comparison()
    figure = plots.score_intervals(comparison)
    text = words(figure)
    assert text.count("more is better") == 3
    assert text.count("less is better") == 3
    assert "from resampling people" in text
    row = comparison.tables["scores"].iloc[0]
    assert f"{row['value']:.3f}" in text
    (segment,) = figure.axes[0].collections[0].get_segments()
    assert segment[:, 0].tolist() == pytest.approx([row["low"], row["high"]])


def test_faces_are_not_called_people_where_there_are_no_groups():
    comparison = made.comparison()
    comparison.facts["grouped"] = False
    assert "people" not in words(plots.score_intervals(comparison))
    assert sample_words({"n": 1200, "n_groups": 1200, "grouped": False}) == "n = 1,200 faces"
    assert sample_words({"n": 1200, "n_groups": 30}) == "n = 1,200 faces of 30 people"


def test_models_differ_by_more_than_colour():
    figure = plots.roc(made.comparison(made.MODELS))
    lines = figure.axes[0].lines[:6]
    assert len({str(line._dash_pattern) for line in lines}) == 6
    assert len({line.get_color() for line in lines}) == 6


def test_a_reliability_diagram_draws_the_bins_with_their_intervals():
    comparison = made.comparison(made.MODELS[:1])
    (axes,) = plots.calibration(comparison).axes
    table = comparison.tables["calibration"]
    assert axes.lines[-1].get_xdata().tolist() == pytest.approx((100 * table["predicted"]).tolist())
    ends = [segment[:, 1].tolist() for segment in axes.collections[0].get_segments()]
    assert ends[2] == pytest.approx([100 * table["low"][2], 100 * table["high"][2]])


def test_the_gallery_shows_each_models_answer_and_faces_without_a_picture():
    comparison = made.comparison()
    pixels = np.zeros((20, 30, 3), dtype=np.uint8)
    text = words(plots.disagreement_gallery(comparison, [pixels, None, pixels]))
    assert text.count("labelled") == 3
    assert "no picture" in text
    assert "A logit-embedded, B cnn" in text
    with pytest.raises(ValueError, match="expected at most"):
        plots.disagreement_gallery(comparison, [None] * 1000)


def test_fidelity_stands_beside_its_references():
    figure = plots.fidelity(made.surrogate())
    assert len(figure.axes) == 4
    bars = figure.axes[0].patches
    assert [round(bar.get_width(), 2) for bar in bars] == [0.67, 0.25, 0.66, 0.71]
    assert [bool(bar.get_hatch()) for bar in bars] == [False, True, True, True]
    assert "900 held-out faces" in figure.get_suptitle()


def test_a_coefficient_is_filled_where_its_sign_stays():
    surrogate = made.surrogate(5)
    table = surrogate.tables["stability"]
    (axes,) = plots.stability(surrogate, "happy").axes
    steady = (table.loc[table["emotion"] == "happy", "sign_consistency"] >= 0.95).sum()
    assert len(axes.collections[-2].get_offsets()) == steady


def test_a_counterfactual_shows_before_and_after_or_that_there_is_none():
    figure = plots.counterfactual(COUNTERFACTUAL)
    first, second = figure.axes
    before, after = (c.get_offsets()[0].tolist() for c in first.collections[:2])
    assert (before, after) == ([3.0, 1], [1.0, 1])  # AU15 changes more and stands above
    assert "then sad 52 %" in words(figure)
    assert "no change of a single AU" in " ".join(t.get_text() for t in second.texts).replace("\n", " ")


def test_a_contrast_speaks_for_the_one_or_the_other():
    record = face()
    (axes,) = plots.contrast(record).axes
    widths = [bar.get_width() for bar in axes.patches]
    assert len(widths) == 13  # twelve AUs, and the rest together
    assert sum(widths) == pytest.approx(sum(item["contrast"] for item in record["aus"]))
    assert "happy (80 %) and not contemptuous disbelief (20 %)" in axes.figure.get_suptitle().replace(
        "\n", " "
    )


def test_the_waterfall_shows_the_intervals_of_its_contributions():
    record = face()
    (axes,) = plots.waterfall(record).axes
    first = max(record["aus"], key=lambda item: abs(item["contribution"]))
    ends = [line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 2]
    expected = [-0.5 + first["low"], -0.5 + first["high"]]
    assert any(np.allclose(pair, expected) for pair in ends)
    assert axes.get_xlabel().endswith("95 % interval")


def test_terms_are_named_in_words_and_stand_in_facs_order():
    assert term_title("AU12_r>1.25") == "AU12 extra above 1.25"
    assert term_title("AU06_r*AU12_r>1.2") == "AU6 × AU12 above 1.2"
    table = made.inference(2).tables["coefficients"]
    terms = ["AU12_r>2", "AU04_r*AU12_r", "AU12_r", "AU12_r>0.5", "AU02_r"]
    assert ordered_terms(table.head(5).assign(term=terms)) == [
        *("AU02_r", "AU12_r", "AU12_r>0.5", "AU12_r>2", "AU04_r*AU12_r")
    ]


def figures():
    for size, result in MANY.items():
        for name in ("forest", "odds_ratios", "marginal_effects", "diagnostics_panel", "correlation_heatmap"):
            yield pytest.param(lambda n=name, r=result: getattr(plots, n)(r()), id=f"{name}, {size}")
    for size, result in SEVERAL.items():
        for name in ("confusion", "score_intervals", "per_class_recall", "calibration", "roc"):
            yield pytest.param(lambda n=name, r=result: getattr(plots, n)(r()), id=f"{name}, {size}")
    yield pytest.param(lambda: plots.fidelity(made.surrogate()), id="fidelity")
    yield pytest.param(lambda: plots.stability(made.surrogate(35)), id="stability")
    yield pytest.param(lambda: plots.counterfactual(COUNTERFACTUAL), id="counterfactual")
    yield pytest.param(lambda: plots.contrast(face()), id="contrast")
    yield pytest.param(
        lambda: plots.disagreement_gallery(made.comparison(made.MODELS), [None] * 7), id="gallery"
    )


def shown_ticks(labels, limits, coordinate):
    low, high = sorted(limits)
    inside = [label for label in labels if low <= label.get_position()[coordinate] <= high]
    return [label for label in inside if label.get_text() and label.get_visible()]


@pytest.mark.parametrize("drawing", figures())
def test_a_figure_fits_a_page_and_its_labels_are_whole_apart_and_readable(drawing):
    figure = drawing()
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    assert figure.get_figwidth() <= 7.0
    assert figure.get_figheight() <= 10.2
    width, height = figure.get_size_inches() * figure.dpi
    texts = [t for t in figure.texts if t.get_text()]
    for axes in figure.axes:
        if not axes.axison:
            continue
        across = shown_ticks(axes.get_xticklabels(), axes.get_xlim(), 0)
        down = shown_ticks(axes.get_yticklabels(), axes.get_ylim(), 1)
        boxes = [label.get_window_extent(renderer) for label in down]
        for one, other in pairwise(sorted(boxes, key=lambda box: box.y0)):
            assert one.y1 <= other.y0 + 1.5
        if not any(label.get_rotation() for label in across):
            boxes = [label.get_window_extent(renderer) for label in across]
            for one, other in pairwise(sorted(boxes, key=lambda box: box.x0)):
                assert one.x1 <= other.x0
        texts += [*axes.texts, *across, *down, axes.title, axes._left_title]
    for text in texts:
        if text.get_text():
            box = text.get_window_extent(renderer)
            assert box.x0 >= -1, text.get_text()
            assert box.x1 <= width + 1, text.get_text()
            assert box.y0 >= -1, text.get_text()
            assert box.y1 <= height + 1, text.get_text()
            assert text.get_fontsize() >= 7
