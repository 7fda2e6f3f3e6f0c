import numpy as np
import pytest

from analysis.explain import explain
from feat_pipeline.app.limits import RefusedError
from feat_pipeline.app.what_if import changed, contrasted, explanation_of, moved, strongest
from tests.feat_pipeline.app.conftest import encoded, two_faces
from tests.feat_pipeline.fakes import draw_face


@pytest.fixture
def smile(send):
    return send(encoded(two_faces())).faces[0].prediction


def test_any_two_emotions_are_contrasted_as_python_does(smile):
    found = contrasted(smile, "angry", "happy")
    expected = explain(explanation_of(smile).model, smile.aus, target="angry", rival="happy", draws=0)
    assert (found.target, found.rival) == ("angry", "happy")
    np.testing.assert_array_equal(found.contrast, expected.contrast)
    np.testing.assert_array_equal(found.contrast_interval, expected.contrast_interval)


@pytest.mark.parametrize(
    ("target", "rival", "told"),
    [
        ("happy", "happy", "two different emotions"),
        ("happy", "bored", "one of angry, happy, neutral"),
        (None, "happy", "one of angry"),
        (["happy"], "angry", "one of angry"),
    ],
)
def test_a_contrast_that_is_none_is_refused(smile, target, rival, told):
    with pytest.raises(RefusedError, match=told):
        contrasted(smile, target, rival)


def test_sliders_at_rest_give_the_answer_itself(smile):
    found = moved(smile, {})
    assert found.before == found.after == smile.probabilities["tiny"]
    assert found.changes == {} and found.label == found.old_label == "happy"


def test_a_moved_slider_moves_the_answer_as_the_regression_says(smile):
    found = moved(smile, {"AU12_r": 0.25, "AU04_r": "3"})
    expected = explain(
        explanation_of(smile).model, smile.aus | {"AU12_r": 0.25, "AU04_r": 3.0}, draws=0
    ).probabilities
    assert found.after == expected and found.label == "angry" and found.old_label == "happy"
    assert found.changes == {"AU12_r": (4.0, 0.25), "AU04_r": (0.0, 3.0)}
    assert found.rationale.startswith("angry")


def test_sliders_stay_on_their_scale_and_nonsense_is_passed_over(smile):
    found = moved(smile, {"AU12_r": 99, "AU04_r": "much", "AU25_r": float("nan"), "AU99_r": 3, 7: None})
    assert found.changes == {"AU12_r": (4.0, 5.0)}
    assert moved(smile, ["AU12_r"]).changes == {}


def test_what_would_change_it_does_change_it(smile):
    found = changed(smile, "angry")
    (way,) = (way for way in found.ways if way.kind == "fewest AUs")
    reached = moved(smile, {au: after for au, (_, after) in way.changes.items()})
    assert reached.label == "angry"
    assert reached.after["angry"] == pytest.approx(way.probabilities["angry"], abs=1e-6)


def test_nothing_needs_to_change_for_the_answer_itself(smile):
    with pytest.raises(RefusedError, match="The answer is happy already"):
        changed(smile, "happy")


def test_the_strongest_aus_are_those_of_the_explanation(smile):
    explanation = explanation_of(smile)
    found = strongest(explanation, 2)
    assert [au for au, _ in found] == explanation.table["au"].tolist()[:2]


def test_a_face_without_aus_has_no_reasons(send):
    picture = draw_face(np.full((80, 90, 3), 30, np.uint8), 10, 10, 40, smile=5.1)  # green 255
    face = send(encoded(picture)).faces[0].prediction
    for ask in (
        lambda: moved(face, {}),
        lambda: contrasted(face, "happy", "angry"),
        lambda: changed(face, "sad"),
    ):
        with pytest.raises(RefusedError, match="could not be measured"):
            ask()
