import math
import re

import pytest

from analysis.rounding import number_text, p_value, with_interval
from analysis.tables import printed_tables, to_html, to_latex, wide_table, write_tables
from tests.analysis import made


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123, "0.12"),
        (-0.126, "−0.13"),
        (-0.001, "0.00"),
        (1234.5, "1,234"),
        (2.5e9, "2.5e9"),
        (math.inf, "∞"),
        (math.nan, "–"),
        (None, "–"),
    ],
)
def test_numbers_are_rounded_to_what_can_be_read(value, text):
    assert number_text(value) == text


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.0, "< 0.001"), (0.00099, "< 0.001"), (0.0124, "0.012"), (1.0, "1.000"), (math.nan, "–")],
)
def test_a_p_value_is_never_zero(p, text):
    assert p_value(p) == text


def test_an_interval_that_is_not_known_is_left_out():
    assert with_interval(0.5, 0.25, 0.75) == "0.50 [0.25, 0.75]"
    assert with_interval(0.5, None, 0.75) == "0.50"
    assert with_interval(0.5, math.nan, 0.75) == "0.50"


def test_every_number_of_an_inference_stands_in_its_tables():
    inference = made.inference(5)
    tables = printed_tables(inference)
    assert list(tables) == ["coefficients", "log_odds", "marginal_effects", "joint"]
    frame = tables["coefficients"].frame
    assert list(frame) == ["emotion", "term", "estimate", "SE", "z", "p", "p, Holm", "p, BH"]
    assert len(frame) == 5 * 7
    row = inference.tables["coefficients"].iloc[0]
    shown = frame[(frame["emotion"] == row["emotion"]) & frame["term"].str.startswith("AU1 ")].iloc[0]
    assert shown["estimate"] == with_interval(row["coef"], row["low"], row["high"])
    assert shown["p, Holm"] == p_value(row["p_holm"])


def test_a_result_without_tests_has_no_column_of_p_values():
    tables = printed_tables(made.inference(5, valid=False))
    assert "joint" not in tables
    for table in tables.values():
        assert not {"z", "p", "p, Holm", "p, BH"} & set(table.frame)
        assert "p, " not in to_html(table)
    with pytest.raises(KeyError):
        wide_table(made.inference(5, valid=False), "coefficients", "p_holm")


def test_a_wide_table_has_a_row_a_term_in_facs_order_and_a_column_an_emotion():
    table = wide_table(made.inference(5), "marginal_effects")
    assert list(table.frame) == ["", "angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    assert table.frame[""].tolist()[:2] == ["AU1 inner brow raiser", "AU2 outer brow raiser"]
    assert table.caption.startswith("Average marginal effects in percentage points per unit of the AU")


def test_presence_is_not_told_per_unit():
    inference = made.inference(3)
    inference.facts["effects"] = "from 0 to 1"
    assert "from absent to present" in printed_tables(inference)["marginal_effects"].caption


def test_scores_stand_side_by_side_and_differences_keep_their_tests():
    tables = printed_tables(made.comparison())
    assert list(tables["scores"].frame)[:3] == ["model", "accuracy", "balanced accuracy"]
    assert len(tables["scores"].frame) == 2
    pair = tables["pairs"].frame.iloc[0]
    assert pair["A − B, points"] == "5.1 [2.0, 8.0]"
    assert pair["p, Holm"] == "0.012"


def test_html_is_escaped_and_names_rows_and_columns():
    html = to_html(printed_tables(made.surrogate())["per_class"])
    assert "cnn &lt;7&gt;" in html
    assert "<7>" not in html
    assert html.count('<th scope="row">') == 7
    assert html.count('<th scope="col">') == 6
    assert "<caption>" in html
    assert "<small>[0.64, 0.70]</small>" not in html
    assert re.search(r"<td>0\.670 <small>\[0\.640, 0\.700\]</small></td>", _fidelity_html())


def _fidelity_html():
    return to_html(printed_tables(made.surrogate())["fidelity"])


def test_latex_is_escaped_and_has_the_rules_of_booktabs():
    comparison = made.comparison(["a_b & 100%", "[c]"])
    latex = to_latex(printed_tables(comparison)["scores"], "tab:scores")
    for part in (
        r"\toprule",
        r"\midrule",
        r"\bottomrule",
        r"\label{tab:scores}",
        r"\begin{longtable}{lrrrrrr}",
    ):
        assert part in latex
    assert r"a\_b \& 100\% &" in latex
    assert "\n{[}c{]} &" in latex
    assert r"95 \% intervals" in latex
    assert not re.search(r"[−κ²–∞]", latex)


def test_tables_are_written_in_both_forms(tmp_path):
    files = write_tables(made.comparison(), tmp_path / "new" / "tables")
    names = {file.name for file in files}
    assert names == {
        f"{name}.{kind}" for name in ("scores", "pairs", "per_class") for kind in ("html", "tex")
    }
    assert all(file.read_text(encoding="utf-8").strip() for file in files)
