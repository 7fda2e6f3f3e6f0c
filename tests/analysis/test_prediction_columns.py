"""The columns of predictions.csv: one list for those who write and those who read them."""

from analysis.autable import ID_COLUMNS
from analysis.prediction_columns import PLACE, emotion_of, is_probability, prediction_columns, prediction_row

SHOWN = dict.fromkeys(PLACE, 0) | {"input": "a.jpg"}


def test_a_prediction_says_which_face_it_is_as_an_au_table_does():
    assert PLACE == ID_COLUMNS


def test_a_row_fills_every_column_whatever_the_run_was_of():
    columns = prediction_columns(["happy", "sad"], videos=True, several_models=True)
    assert columns[len(PLACE) :] == [
        *("face_id", "model", "label", "p_happy", "p_sad"),
        *("smooth_label", "smooth_p_happy", "smooth_p_sad", "agree", "picture"),
    ]
    row = prediction_row(SHOWN, "m", {"happy": 0.4, "sad": 0.6}, "faces/0.jpg", face_id=3, agree=True)
    assert set(row) == set(columns) and list(row.values())[len(PLACE) :] == [
        *(3, "m", "sad", 0.4, 0.6),
        *("sad", 0.4, 0.6, True, "faces/0.jpg"),
    ]


def test_photos_and_one_model_have_fewer_columns():
    columns = prediction_columns(["happy", "sad"])
    assert columns == [*PLACE, "model", "label", "p_happy", "p_sad", "picture"]


def test_a_face_without_an_answer_has_an_empty_label():
    row = prediction_row(SHOWN, "m", {})
    assert (row["label"], row["smooth_label"]) == ("", "")


def test_smoothed_probabilities_are_none_of_the_frame_s_own():
    columns = prediction_columns(["happy", "sad"], videos=True)
    assert [emotion_of(name) for name in columns if is_probability(name)] == ["happy", "sad"]
