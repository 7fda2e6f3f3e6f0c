import base64
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from feat_pipeline.app import handlers, markup, questions
from feat_pipeline.app.limits import RefusedError
from feat_pipeline.app.overlays import highlighted_regions, legend, overlays
from feat_pipeline.app.what_if import contrasted, explanation_of
from tests.feat_pipeline.app.conftest import encoded, two_faces
from tests.feat_pipeline.fakes import draw_face


@pytest.fixture
def answer(send):
    return send(encoded(two_faces()), "<b>party</b>.png")


def text_of(html):
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_the_numbers_shown_are_those_of_the_prediction(answer):
    found = handlers.photo_outputs(answer, 0)
    face = answer.faces[0].prediction
    panel = text_of(found.face)
    assert f"happy {100 * face.probabilities['tiny']['happy']:.0f} %" in panel
    assert face.explanations["tiny"].rationale in panel.replace("&#39;", "'")
    for name, value in face.aus.items():
        assert f"AU{int(name[2:4])}" in panel and f"{value:.1f}" in panel


def test_a_photo_has_a_button_for_every_face_and_no_markup_of_its_name(answer):
    html = markup.picture(answer, 1)
    assert html.count('class="face"') == 2 == html.count('class="mark"')
    assert re.findall(r'class="face" data-face="(\d)" aria-pressed="(\w+)"', html) == [
        ("0", "false"),
        ("1", "true"),
    ]
    assert "<b>party" not in html and "&lt;b&gt;party" not in html  # a name is what follows the last slash
    assert "left:10%;top:25%;width:20%" in html


def test_names_are_escaped(send):
    html = markup.picture(send(encoded(two_faces()), 'x" onload="alert(1)<i>.png'))
    assert "<i>" not in html.replace("<img", "") and 'onload="alert' not in html


def test_models_that_disagree_are_told(answer):
    face = answer.faces[0]
    one = face.prediction.probabilities["tiny"]
    other = {"happy": 0.1, "angry": 0.7, "neutral": 0.2}
    both = replace(face.prediction, probabilities={"tiny": one, "cnn": other})
    told = text_of(markup.face_panel(replace(face, prediction=both), 0, 2))
    assert "The models disagree: tiny says happy" in told and "cnn says angry (70 %)" in told
    same = replace(face.prediction, probabilities={"tiny": one, "cnn": one})
    assert "Both models say happy." in text_of(markup.face_panel(replace(face, prediction=same), 0, 2))


def test_a_contrast_adds_up_to_the_log_odds(answer):
    face = answer.faces[0].prediction
    found = contrasted(face, "happy", "angry")
    odds = np.log(found.probabilities["happy"] / found.probabilities["angry"])
    told = text_of(questions.contrast(found))
    assert f"this face: happy rather than angry +{odds:.2f}" in told
    assert "For happy: AU12 lip corner puller" in told


def test_every_part_follows_the_chosen_face(answer):
    first, second = handlers.photo_outputs(answer, 0), handlers.photo_outputs(answer, 1)
    assert "Why happy" in text_of(first.face) and "Why angry" in text_of(second.face)
    assert 'value="angry" selected' in second.questions and 'value="angry"' not in second.goal
    assert all(a != b for a, b in zip(first, second, strict=True))


def test_sliders_carry_the_measured_values_and_labels(answer):
    html = handlers.photo_outputs(answer, 0).sliders
    assert re.findall(r'data-au="(\w+)" min="0" max="5"', html) == ["AU12_r", "AU04_r", "AU25_r"]
    assert html.count("<label for=") == 3 and 'data-own="4.00"' in html


def test_moved_sliders_answer_in_words(answer):
    told = text_of(handlers.moved_output(answer, 0, {"changes": {"AU12_r": 0, "AU04_r": 4}}))
    assert told.startswith("angry") and "instead of happy" in told
    assert "Moved: AU12 4.0 → 0.0, AU4 0.0 → 4.0." in told
    assert "All as measured." in text_of(handlers.moved_output(answer, 0, None))


def test_a_way_to_another_answer_can_be_tried_with_the_sliders(answer):
    html = handlers.change_output(answer, 0, {"goal": "angry"})
    values = json.loads(re.search(r'data-try="([^"]+)"', html)[1].replace("&#34;", '"'))
    assert set(values) <= {"AU04_r", "AU12_r", "AU25_r"}
    assert text_of(handlers.moved_output(answer, 0, {"changes": values})).startswith("angry")


@pytest.mark.parametrize("number", [2, -1, "0", None, 0.0])
def test_a_face_that_is_not_there_is_refused(answer, number):
    with pytest.raises(RefusedError, match="no such face"):
        handlers.chosen_face(answer, number)


def test_a_photo_that_was_forgotten_is_asked_for_again():
    with pytest.raises(RefusedError, match="no longer here; send it again"):
        handlers.moved_output(None, 0, {})
    with pytest.raises(RefusedError, match="no longer here; send it again"):
        handlers.download_output(None, "csv", None)


def test_a_download_is_handed_to_the_browser_with_its_name_and_kind(answer, service):
    found = json.loads(handlers.download_output(answer, "csv", service.predictor))
    assert (found["name"], found["kind"]) == ("b.csv", "text/csv")
    rows = base64.b64decode(found["content"]).decode().splitlines()
    assert len(rows) == 3 and "AU12_r" in rows[0]


def test_a_face_without_aus_shows_what_there_is(send):
    picture = draw_face(np.full((80, 90, 3), 30, np.uint8), 10, 10, 40, smile=5.1)
    found = handlers.photo_outputs(send(encoded(picture)), 0)
    assert "could not be measured" in text_of(found.face) and found.sliders == found.moved == ""


def test_the_regions_of_the_strongest_aus_are_highlighted(answer):
    face = answer.faces[0].prediction
    regions = highlighted_regions(explanation_of(face))
    assert {name: [au for au, _ in aus] for name, aus in regions.items()} == {
        "mouth": ["AU12_r", "AU25_r"],
        "brow": ["AU04_r"],
    }
    assert [(name, side) for name, side, _ in legend(regions)] == [("mouth", "for"), ("brow", "for")]
    assert set(overlays(face, regions)) == {"mouth", "brow"}
    blind = replace(face, landmarks=np.full((68, 2), np.nan, np.float32))
    assert overlays(blind, regions) == {}


@pytest.mark.parametrize("value", [None, "", "[]", "{}", "[1]", '[{"name": "a"}]', 5, "[" * 100_000])
def test_what_names_no_upload_is_refused(value):
    with pytest.raises(RefusedError, match="No file arrived"):
        handlers.tickets(value)


def test_no_more_uploads_are_taken_than_asked_for():
    value = json.dumps([{"name": n, "ticket": n * 2} for n in "abc"])
    assert handlers.tickets(value, 2) == [("a", "aa"), ("b", "bb")]


def test_two_faces_of_one_photo_are_compared_and_two_photos_by_their_first(send):
    party, other = send(encoded(two_faces()), "party.png"), send(encoded(two_faces()), "other.png")
    held, chosen = handlers.pooled([], [party])
    assert [name for name, _ in held] == ["party.png, face 1 of 2", "party.png, face 2 of 2"]
    assert chosen == [0, 1]
    held, chosen = handlers.pooled([], [party, other])
    assert chosen == [0, 2] and len(held) == 4
    for _ in range(5):
        held, chosen = handlers.pooled(held, [party])
    assert len(held) == handlers.POOL and chosen == [10, 11]


def test_aus_that_differ_most_come_first(send):
    held, chosen = handlers.pooled([], [send(encoded(two_faces()))])
    choice, comparison = handlers.compare_outputs(held, chosen)
    assert choice.count('aria-pressed="true"') == 2
    told = text_of(comparison)
    assert told.startswith("happy and angry")
    assert re.findall(r"AU\d+", comparison) == ["AU4", "AU12", "AU25"]
    assert "AU4 brow lowerer 0.0 4.0" in told and "AU25 lips part 2.0 0.0" in told


def test_one_face_alone_is_compared_with_nothing(send):
    held, _ = handlers.pooled([], [send(encoded(two_faces()))])
    assert "choose two different ones" in handlers.compare_outputs(held, [1, 1])[1]
    assert "send another photo" in handlers.compare_outputs(held[:1], [0, 0])[1]
    for chosen in ([0, 9], [None, 0]):
        with pytest.raises(RefusedError, match="no such face"):
            handlers.compare_outputs(held, chosen)


def test_a_picture_of_the_camera_is_answered_and_forgotten(service, uploads):
    uri = markup.data_uri(encoded(two_faces(), "JPEG", quality=95, subsampling=0))
    html = handlers.live_output(service, uploads, uri, 0.0)
    assert "with 2 faces found" in html and "happy" in text_of(html)
    assert list(uploads.folder.iterdir()) == []


@pytest.mark.parametrize("picture", [None, "", "data:image/png;base64,AAAA", "data:image/jpeg;base64,?"])
def test_a_camera_that_gives_no_picture_is_told(service, uploads, picture):
    with pytest.raises(RefusedError, match="The camera gave no picture"):
        handlers.live_output(service, uploads, picture, 0.0)


def test_what_nobody_foresaw_is_told_without_its_innards(capsys):
    try:
        raise KeyError("/secret/path")
    except KeyError as error:
        told = handlers.error_text(error)
    assert "/secret" not in told and told.startswith("Something went wrong here")
    assert "KeyError: '/secret/path'" in capsys.readouterr().err
