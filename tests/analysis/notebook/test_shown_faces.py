import base64
import io
import math
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from analysis.explain import explain
from analysis.logit import MultinomialLogit
from analysis.notebook import explanation_html, prediction_html
from analysis.notebook.fragment import DARK_AGAINST, DARK_FOR
from analysis.plots.theme import AGAINST_COLOUR, FOR_COLOUR
from analysis.surrogate.answer import AnswerExplanation
from tests.analysis.notebook.page import Page

COLUMNS = ["AU04_r", "AU06_r", "AU10_r", "AU12_r", "AU25_r"]
HOSTILE = "photos/<script>alert(1)</script>\"&'.jpg"


def au(column, contribution, value=2.0, validity=None):
    return {
        "au": column, "value": value, "baseline": 0.5, "contribution": contribution, "se": 0.1,
        "contrast": contribution, "validity": validity,
    }  # fmt: skip


def record(**changes):
    """A face that is happy by 3.0 - 0.8 - 0.1."""
    aus = [au("AU12_r", 2.5), au("AU04_r", -0.8), au("AU06_r", 0.5), au("AU10_r", -0.1, validity="low")]
    return {
        "target": "happy", "rival": "sad", "probabilities": {"happy": 0.93, "sad": 0.05, "neutral": 0.02},
        "baseline": "population", "logit": 2.4, "baseline_logit": 0.3, "residual": 0.0,
        "rationale": "happy 93 %: lip corner puller", "aus": aus, "notes": [],
    } | changes  # fmt: skip


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(5)
    X = rng.uniform(0, 5, (231, len(COLUMNS)))
    y = np.array(["angry", "happy", "sad"])[(X @ rng.normal(size=(len(COLUMNS), 3))).argmax(axis=1)]
    return MultinomialLogit().fit(pd.DataFrame(X, columns=COLUMNS), y)


def face(**changes):
    """What a `FacePrediction` offers, with one model that gives reasons and one that gives none."""
    found = {
        "input": "photos/one.jpg", "frame": 0, "time_s": 0.0, "face": 1, "confidence": 0.987,
        "aus": {"AU06_r": 1.5, "AU12_r": 3.0}, "crop_rgb": np.full((160, 160, 3), 90, np.uint8),
        "probabilities": {"logit": record()["probabilities"], "cnn": {"happy": 0.4, "surprise": 0.6}},
        "explanations": {"logit": record()},
    }  # fmt: skip
    return SimpleNamespace(**found | changes)


def test_an_explanation_shows_answer_rationale_and_probabilities():
    page = Page(explanation_html(record()))
    assert "happy 93 % rather than sad 5 %" in page.words
    assert "happy 93 %: lip corner puller" in page.words
    assert page.rows[:3] == [["happy", "", "93 %"], ["sad", "", "5 %"], ["neutral", "", "2 %"]]


def test_an_explanation_shows_the_aus_for_and_then_against_with_numbers():
    assert Page(explanation_html(record())).rows[3:] == [
        ["AU12 lip corner puller", "2.0 usual 0.5", "", "+2.50 ± 0.10"],
        ["AU6 cheek raiser", "2.0 usual 0.5", "", "+0.50 ± 0.10"],
        ["AU4 brow lowerer", "2.0 usual 0.5", "", "−0.80 ± 0.10"],
        ["AU10 upper lip raiser low validity", "2.0 usual 0.5", "", "−0.10 ± 0.10"],
    ]


def test_the_bars_are_as_long_as_their_contributions():
    bars = [tag for tag in Page(explanation_html(record())).all("i") if "class" in tag]
    assert [(bar["class"], bar["style"]) for bar in bars] == [
        ("for", "width:50%"),
        ("for", "width:10%"),
        ("against", "width:16%"),
        ("against", "width:2%"),
    ]


def test_what_has_no_bar_of_its_own_is_summed_so_that_the_numbers_add_up():
    aus = [au(f"AU{n:02d}_r", 0.3) for n in (1, 2, 4, 5, 6, 7, 9, 10, 14, 15, 17)] + [au("AU12_r", -0.2)]
    page = Page(explanation_html(record(aus=aus)))
    rows = page.rows[3:]
    assert rows[-1] == ["3 other AUs together", "", "", "+0.90"]
    numbers = [float(row[3].split(" ")[0].replace("−", "-")) for row in rows]
    assert math.isclose(sum(numbers), 11 * 0.3 - 0.2)
    widths = [tag["style"] for tag in page.all("i") if "class" in tag]
    assert (widths[0], widths[-1]) == ("width:16.7%", "width:50%")  # their sum is the longest bar


def test_the_strongest_get_a_bar_and_some_of_either_side():
    strong = [au(f"AU{n:02d}_r", size) for n, size in zip(range(1, 11), np.arange(2, 1, -0.1), strict=True)]
    weak = [au(f"AU{n:02d}_r", -0.01 * k) for k, n in enumerate((15, 16, 17, 20), start=1)]
    rows = Page(explanation_html(record(aus=[*strong, *weak]))).rows[3:]
    assert [row[3].split(" ")[0] for row in rows] == [
        *("+2.00", "+1.90", "+1.80", "+1.70", "+1.60", "+1.50"),
        *("−0.04", "−0.03", "−0.02"),
        "+4.99",
    ]


def test_a_real_explanation_shows_itself(model):
    found = explain(model, dict(zip(COLUMNS, [4.0, 0.5, 1.0, 3.0, 2.0], strict=True)))
    page = Page(found._repr_html_())
    assert found.rationale in page.words
    assert repr(found) == f"FaceExplanation({found.rationale})"
    numbers = [float(row[3].split(" ")[0].replace("−", "-")) for row in page.rows[len(model.classes_) :]]
    assert len(numbers) == len(COLUMNS)
    assert math.isclose(sum(numbers), found.logit - found.baseline_logit, abs_tol=0.03)


def test_the_answer_of_another_classifier_shows_its_own_line(model):
    found = explain(model, dict.fromkeys(COLUMNS, 1.0))
    facts = {"explains": "cnn", "classes": ["angry", "happy", "sad"], "usable": False}
    answer = AnswerExplanation.of(facts, np.array([0.7, 0.2, 0.1]), found)
    words = Page(answer._repr_html_()).words
    assert f"{found.target} 70 % says cnn" in words and "Probabilities by the surrogate" in words
    assert "cnn says angry 70 %; the surrogate is not faithful enough" in words
    assert repr(answer).startswith("AnswerExplanation(cnn says angry 70 %")


def test_an_explanation_without_contributions_says_so():
    rows = Page(explanation_html(record(aus=[au("AU12_r", None), au("AU06_r", None)]))).rows
    assert rows[3:] == [["no Action Unit adds anything"]]


@pytest.mark.parametrize("residual", [0.5, None, math.nan])
def test_an_explanation_that_does_not_add_up_says_so(residual):
    assert "They do not add up to the answer" in Page(explanation_html(record(residual=residual))).words


def test_missing_numbers_are_dashes_and_no_bars():
    shown = record(probabilities={"happy": math.nan, "sad": math.nan})
    assert Page(explanation_html(shown)).rows[:2] == [["happy", "", "–"], ["sad", "", "–"]]


def test_a_prediction_shows_every_model_and_marks_that_they_disagree():
    page = Page(prediction_html(face()))
    assert "happy 93 % logit · surprise 60 % cnn" in page.words
    assert "The models disagree." in page.words
    assert page.rows[:3] == [
        ["", "logit", "cnn"],
        ["happy", "", "93 %", "", "40 %"],
        ["sad", "", "5 %", "", "–"],
    ]


def test_models_that_agree_are_not_said_to_disagree():
    agreeing = {"logit": {"happy": 0.9, "sad": 0.1}, "cnn": {"happy": 0.6, "sad": 0.4}}
    assert "disagree" not in Page(prediction_html(face(probabilities=agreeing))).words


def test_a_prediction_shows_its_crop_small_and_with_words_for_those_who_do_not_see_it():
    (image,) = Page(prediction_html(face())).all("img")
    picture = Image.open(io.BytesIO(base64.b64decode(image["src"].removeprefix("data:image/jpeg;base64,"))))
    assert picture.size == (128, 128)
    assert abs(int(np.asarray(picture).mean()) - 90) < 3
    assert image["alt"] == "face 2, found with confidence 0.99 of one.jpg"


def test_a_prediction_lists_all_its_action_units():
    page = Page(prediction_html(face()))
    assert "All 2 Action Units of this face" in page.words
    assert "AU12 lip corner puller 3.0" in page.words


def test_a_face_that_could_not_be_measured_says_so():
    blind = face(aus={"AU06_r": math.nan, "AU12_r": math.nan}, probabilities={}, explanations={})
    page = Page(prediction_html(blind))
    assert "no answer" in page.words
    assert "The Action Units of this face could not be measured." in page.words
    assert page.rows == []


def test_a_face_that_only_a_network_saw_shows_the_network():
    page = Page(prediction_html(face(probabilities={"cnn": {"happy": 0.8, "sad": 0.2}}, explanations={})))
    assert page.rows == [["happy", "", "80 %"], ["sad", "", "20 %"]]
    assert "For and against" not in page.words


def test_every_text_is_escaped():
    hostile = "<img src=x onerror=alert(1)>"
    probabilities = {hostile: 0.9, "sad": 0.1}
    said = record(target=hostile, probabilities=probabilities, rationale=hostile, notes=[hostile])
    shown = face(input=HOSTILE, probabilities={hostile: probabilities}, explanations={hostile: said})
    page = Page(prediction_html(shown))
    assert len(page.all("img")) == 1
    assert page.all("script") == []
    assert hostile in page.words
    assert Page(explanation_html(said)).all("img") == []


def test_a_face_of_a_video_tells_its_time():
    assert "one.jpg, face 2 at 1.25 s" in Page(prediction_html(face(time_s=1.25))).words


def test_what_is_shown_is_small_and_self_contained():
    rng = np.random.default_rng(1)
    noisy = face(crop_rgb=rng.integers(0, 255, (160, 160, 3)).astype(np.uint8))
    for html, most in ((explanation_html(record()), 8_000), (prediction_html(noisy), 25_000)):
        assert len(html) < most
        assert not re.search(r"https?:|url\(|<script|@import", html)


@pytest.mark.parametrize(
    ("colour", "page"),
    [
        (FOR_COLOUR, "#ffffff"),
        (AGAINST_COLOUR, "#ffffff"),
        (DARK_FOR, "#111111"),
        (DARK_AGAINST, "#111111"),
        (FOR_COLOUR, "#f5f5f5"),
        (DARK_FOR, "#212121"),
    ],
)
def test_bars_stand_out_on_light_and_on_dark_pages(colour, page):
    assert colour in explanation_html(record())
    light, dark = sorted((_luminance(colour), _luminance(page)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2.2, 1.4.3, asks 3 of graphics


def _luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_text_takes_the_colour_of_the_page():
    style = re.search(r"<style>(.*?)</style>", explanation_html(record()), re.DOTALL)[1]
    assert "color:inherit" in style
    assert not re.search(r"(?<!-)color:#", style)
