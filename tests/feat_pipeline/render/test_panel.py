import numpy as np
import pytest

from analysis.logit import MultinomialLogit
from feat_pipeline.errors import UsageError
from feat_pipeline.render import contact_sheet, draw_panel
from feat_pipeline.render.palette import AGAINST, FOR, colour_of
from feat_pipeline.render.panel import LETTER_PX, _shown, _Strip
from tests.feat_pipeline.render.made import made_face

BOX = (0, 0, 60, 80)
ALL = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 28, 43, 45, 51, 56, 61)


@pytest.fixture(scope="module")
def model(model_dir):
    return MultinomialLogit.load(model_dir)


def count(picture, colour):
    return int((picture == colour).all(axis=-1).sum())


@pytest.mark.parametrize(("height", "width"), [(120, 276), (360, 276), (720, 368), (1080, 552)])
def test_the_strip_is_as_high_as_told_and_its_width_follows_from_the_height(height, width, model):
    faces = (made_face(BOX, {4: 0, 12: 4, 25: 3}, model), made_face(BOX, {12: 1}, measured=False), None)
    for face in faces:
        assert draw_panel(face, height=height).shape == (height, width, 3)
    assert _Strip(height).unit >= LETTER_PX >= 12


def test_a_stronger_au_has_a_longer_bar_in_the_colour_of_what_it_says(model):
    blue = [
        count(draw_panel(made_face(BOX, {4: 0, 12: v, 25: 1}, model), height=360), FOR) for v in (2, 3, 4)
    ]
    assert blue == sorted(blue) and blue[2] > blue[0] + 50
    frown = draw_panel(made_face(BOX, {4: 4, 12: 3.5, 25: 1}, model), height=360)
    assert count(frown, AGAINST) > 0 and count(frown, FOR) > 0
    happy = draw_panel(made_face(BOX, {4: 0, 12: 4, 25: 3}, model), height=360)
    assert count(happy, colour_of("happy")) > 5000


def test_the_bars_shown_depend_on_the_room_and_never_on_the_values(model):
    rng = np.random.default_rng(4)
    for rows in (0, 3, 8, 15):
        shown = {
            tuple(_shown(made_face(BOX, dict(zip(ALL, rng.uniform(0, 5, 22), strict=True))), rows))
            for _ in range(5)
        }
        assert len(shown) == 1 and len(shown.pop()) == rows
    assert _shown(made_face(BOX, dict.fromkeys(ALL, 1.0)), 4) == ["AU04_r", "AU06_r", "AU12_r", "AU25_r"]
    every = _shown(made_face(BOX, dict.fromkeys(ALL, 1.0)), 99)
    assert "AU61_r" in every and "AU51_r" not in every  # the head is no expression


def test_a_model_that_names_no_reasons_shows_its_probabilities(model):
    face = made_face(BOX, {4: 0, 12: 4, 25: 3}, model, cnn={"surprise": 0.7, "happy": 0.3})
    by_pixels = draw_panel(face, height=360, model="cnn")
    assert count(by_pixels, colour_of("surprise")) > 5000 and count(by_pixels, FOR) == 0


def test_a_strip_too_low_for_letters_is_refused():
    with pytest.raises(UsageError, match="height: expected 120 px or more, got 119"):
        draw_panel(None, height=119)


def test_a_contact_sheet_shows_every_face_with_number_and_answer(model):
    faces = [made_face(BOX, {4: 0, 12: 4, 25: i / 10}, model, number=i) for i in range(7)]
    sheet = contact_sheet(faces, numbers=range(100, 107))
    for face in faces:
        assert count(sheet, face.crop_rgb[0, 0]) > 15_000
    assert count(sheet, colour_of("happy")) > 7 * 1500
    assert sheet.shape == (2 * (160 + 22 + 18 + 14) + 20 + 24 + 20 - 14, 4 * 174 - 14 + 40, 3)


def test_a_contact_sheet_of_two_models_marks_where_they_disagree(model):
    face = made_face(BOX, {4: 0, 12: 4, 25: 1}, model, cnn={"angry": 0.9, "happy": 0.1})
    same = made_face(BOX, {4: 0, 12: 4, 25: 1}, model, cnn={"angry": 0.1, "happy": 0.9})
    one, other = (contact_sheet([f], models=["tiny", "cnn"]) for f in (face, same))
    corner = (slice(44, 60), slice(150, 180))
    assert (one[corner] == (27, 31, 36)).all(-1).any() and not (other[corner] == (27, 31, 36)).all(-1).any()
    assert count(one, colour_of("angry")) > 1500 and count(other, colour_of("angry")) == 0


def test_odd_names_and_no_face_make_a_sheet_too(model):
    from dataclasses import replace

    face = replace(made_face(BOX, {12: 4}), input="a/" + "läng\n" * 40 + "笑.jpg")
    assert contact_sheet([face]).shape[1] == 3 * 174 - 14 + 40
    assert contact_sheet([]).ndim == 3
