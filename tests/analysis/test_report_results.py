import json
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from analysis.report import build_report
from analysis.results import save_result
from tests.analysis import made
from tests.analysis.test_report import Page

THREE = ["happy", "neutral", "sad"]
HOSTILE = "<script>alert(1)</script>"


def report(folder, **results):
    folder.mkdir(exist_ok=True)
    for kind, result in results.items():
        save_result(folder, kind, result.facts, result.tables)
    html = build_report(folder).read_text(encoding="utf-8")
    return html, Page(html)


def prototypes():
    rows = [
        ("logit", "happy", "emfacs", "AU06_r", "+", 0.9, 0.5, 1.3, "agree"),
        ("logit", "happy", "emfacs", "AU12_r", "+", -0.4, -0.6, -0.2, "disagree"),
        ("logit", "sad", "du_2014", "AU15_r", "+", 0.1, -0.2, 0.4, "undecided"),
        ("logit", "sad", "du_2014", "AU11_r", "+", np.nan, np.nan, np.nan, "not measurable"),
    ]
    names = ["model", "emotion", "source", "au", "expected", "coef", "low", "high", "verdict"]
    return pd.DataFrame(rows, columns=names)


@pytest.fixture(scope="module")
def inference(tmp_path_factory):
    return report(tmp_path_factory.mktemp("r") / "inference", inference=made.inference(4, THREE))


@pytest.fixture(scope="module")
def ridge(tmp_path_factory):
    folder = tmp_path_factory.mktemp("r") / "ridge"
    return report(folder, inference=made.inference(4, THREE, valid=False))


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    folder = tmp_path_factory.mktemp("r") / "comparison"
    result = made.comparison([HOSTILE, "cnn"], THREE, pictures=True)
    result.tables["prototypes"] = prototypes()
    (folder / "faces").mkdir(parents=True)
    for name in result.tables["disagreements"]["picture"][:3]:
        Image.new("RGB", (64, 64), "teal").save(folder / name)
    return *report(folder, comparison=result), result


@pytest.fixture(scope="module")
def surrogate(tmp_path_factory):
    return report(tmp_path_factory.mktemp("r") / "surrogate", surrogate=made.surrogate(4, THREE))


def test_a_valid_inference_says_so_and_shows_its_tests(inference):
    html, page = inference
    assert "The p-values and intervals are valid." in page.words
    assert "clustered by person" in page.words
    assert [
        "separation",
        "passed",
        "0",
        "0",
        "no combination of AUs tells an emotion apart without error",
    ] in [*page.rows]
    assert "p, Holm, of the centred coefficients per unit of the term" in page.words
    assert "p < 0.001" in page.words
    assert html.count('<img src="data:image/svg+xml;base64,') == 4


def test_an_inference_that_is_not_valid_says_why_and_shows_no_p_value(ridge):
    _, page = ridge
    assert "There are no p-values, because they would not be valid:" in page.words
    assert "AU12_r separates happy from the rest <completely>" in page.words
    assert "the middle 95 % of 200 fits to people drawn anew" in page.words
    headings = {cell for row in page.rows for cell in row}
    assert not {"p", "z", "p, Holm", "p, BH"} & headings
    assert "after Holm's correction" not in page.words


def test_a_marginal_effect_is_read_out_in_words(inference):
    _, page = inference
    found = re.search(
        r"For example, one more unit of AU\d+ [a-z ]+ (raises|lowers) the probability of (\w+) by ([\d.]+) "
        r"percentage points on average \(([−\d.]+) to ([−\d.]+)\)",
        page.words,
    )
    assert found
    table = made.inference(4, THREE).tables["marginal_effects"]
    assert f"{100 * table['effect'].abs().max():.1f}" == found[3]


def test_the_numbers_of_the_tables_are_those_of_the_result(inference):
    _, page = inference
    row = made.inference(4, THREE).tables["coefficients"].iloc[0]
    assert row["emotion"] == "happy"
    (shown,) = [r for r in page.rows if r[0] == "AU1 inner brow raiser" and len(r) == 4 and "." in r[1]][:1]
    assert float(shown[1].split()[0].replace("−", "-")) == pytest.approx(row["coef"], abs=0.0051)


def test_models_are_compared_in_words_and_numbers(comparison):
    html, page, _ = comparison
    assert f"{HOSTILE} names more faces right than cnn, by 5.1 percentage points." in page.words
    assert "12 faces left out: not in cnn.csv." in page.words
    assert "1,000 draws of people" in page.words
    assert [HOSTILE, "cnn", "5.1 [2.0, 8.0]", "70", "39", "0.004", "0.012"] in page.rows
    assert html.count('<img src="data:image/svg+xml;base64,') == 5


def test_models_that_do_not_differ_are_not_ranked(tmp_path):
    result = made.comparison(made.MODELS[:2], THREE)
    result.tables["pairs"]["p_holm"] = 0.4
    _, page = report(tmp_path / "d", comparison=result)
    assert "logit-embedded and cnn cannot be told apart on these faces" in page.words


def test_the_faces_on_which_models_disagree_are_shown_with_pictures_and_answers(comparison):
    html, page, result = comparison
    table = result.tables["disagreements"]
    assert f"{len(table)} faces got different answers. The 24 on which" in page.words
    pictures = [img for img in page.all("img") if img["alt"].startswith("Face ")]
    assert len(pictures) == 3
    assert page.words.count("no picture") == 21
    assert all(name in page.words for name in table["input"][:24])
    assert "<b>0" not in html


def test_without_any_picture_there_are_no_empty_frames(tmp_path):
    _, page = report(tmp_path / "d", comparison=made.comparison(made.MODELS[:2], THREE))
    assert "faces got different answers" in page.words
    assert "no picture" not in page.words


def test_coefficients_stand_against_theory_by_verdict(comparison):
    _, page, _ = comparison
    assert "Expected Action Units in logit: 1 agree, 1 disagree, 1 undecided, 1 not measurable" in page.words
    assert [
        "happy",
        "EMFACS",
        "AU6 0.90 [0.50, 1.30]",
        "AU12 −0.40 [−0.60, −0.20]",
        "none",
        "none",
    ] in page.rows
    assert ["sad", "Du et al. 2014", "none", "none", "AU15 0.10 [−0.20, 0.40]", "AU11"] in page.rows


def test_the_surrogates_verdict_comes_first(surrogate, tmp_path):
    _, page = surrogate
    assert "Yes. use it: it answers as the CNN does on most held-out faces" in page.words
    assert "not account for neutral" in page.words
    assert "0.5 for the R² of the centred logits and 0.4 for the agreement beyond chance, κ" in page.words
    assert page.words.index("Yes. use it") < page.words.index("How faithful it is")
    _, page = report(tmp_path / "d", surrogate=made.surrogate(4, THREE, usable=False))
    assert "No. do not use it" in page.words


def test_fidelity_stands_beside_its_references_and_the_furthest_faces_are_listed(surrogate):
    _, page = surrogate
    rows = [row[0] for row in page.rows if len(row) == 5]
    assert rows[1:5] == ["surrogate", "majority", "logit on true labels", "flexible AU model"]
    faces = made.surrogate(4, THREE).tables["faces"]
    first = faces[faces["held_out"]].sort_values("distance", ascending=False).iloc[0]
    (shown,) = [row for row in page.rows if row[0] == first["input"]]
    assert shown[4] == f"{first['distance']:.2f}"


def test_a_surrogate_of_too_many_terms_is_reported_without_its_draws(tmp_path):
    many = made.surrogate(4, THREE)
    many.tables["stability"] = many.tables["stability"].iloc[:0]
    _, page = report(tmp_path / "d", surrogate=many)
    assert "That was not measured" in page.words


@pytest.mark.parametrize("name", ["inference", "ridge", "comparison", "surrogate"])
def test_a_report_is_one_file_without_script_that_can_be_read_by_ear(name, request):
    html, page = request.getfixturevalue(name)[:2]
    assert not page.open
    assert "<script" not in html.lower()
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object", "embed", "base")
        for key in ("src", "href"):
            value = attributes.get(key)
            assert value is None or value.startswith(("data:image/svg+xml;base64,", "data:image/jpeg;", "#"))
    assert all(img.get("alt") for img in page.all("img"))
    assert all("scope" in th for th in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {a["href"].removeprefix("#") for a in page.all("a")} <= set(ids)
    assert len(html) < 1_500_000


def test_results_stand_together_with_what_else_the_folder_holds(tmp_path):
    folder = tmp_path / "d"
    _, page = report(folder, inference=made.inference(3, THREE), surrogate=made.surrogate(3, THREE))
    assert {"inference", "surrogate"} <= {a.get("id") for _, a in page.tags}
    assert "A classifier explained by Action Units: d" in page.words


@pytest.mark.parametrize("part", ["facts", "tables"])
def test_a_damaged_result_is_a_warning_and_the_rest_is_shown(tmp_path, part):
    folder = tmp_path / "d"
    folder.mkdir()
    save_result(folder, "surrogate", **vars(made.surrogate(3, THREE)))
    file = save_result(folder, "comparison", **vars(made.comparison(made.MODELS[:2], THREE)))
    content = json.loads(file.read_text())
    content[part] = {} if part == "facts" else {"scores": {"columns": ["a"], "rows": [[1]]}}
    file.write_text(json.dumps(content))
    _, page = report(folder)
    assert "comparison.json was left out" in page.words
    assert "How faithful it is" in page.words


def test_a_file_that_is_no_result_is_a_warning(tmp_path):
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "inference.json").write_text("{}")
    _, page = report(folder)
    assert "A result was left out" in page.words


def test_pictures_may_lie_beside_the_predictions_but_nowhere_else(tmp_path):
    result = made.comparison(made.MODELS[:2], THREE, pictures=True)
    names = result.tables["disagreements"]["picture"]
    result.tables["disagreements"].loc[0, "picture"] = "../secret.jpg"
    (tmp_path / "predictions" / "faces").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    for file in (tmp_path / "secret.jpg", tmp_path / "predictions" / names[1]):
        Image.new("RGB", (32, 32)).save(file)
    save_result(tmp_path / "out", "comparison", result.facts, result.tables)
    html = build_report(tmp_path / "out", pictures=tmp_path / "predictions").read_text(encoding="utf-8")
    assert html.count("data:image/jpeg;base64,") == 1
