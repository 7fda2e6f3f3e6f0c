import time

import numpy as np
import pytest

from feat_pipeline.render import annotate, label_lines
from feat_pipeline.render.labels import label_rows
from feat_pipeline.render.labels_placing import areas, overlaps, place_labels
from tests.feat_pipeline.fakes import draw_face


def crowd(rows=2, columns=4, side=90, gap=140):
    picture = np.full((gap + rows * (side + gap), gap + columns * (side + gap), 3), 30, np.uint8)
    for row in range(rows):
        for column in range(columns):
            x, y = gap + column * (side + gap), gap + row * (side + gap)
            draw_face(picture, x, y, side, smile=3 + column / columns)
    return picture


def test_a_label_says_emotion_probability_and_the_two_strongest_reasons(predictor, photos):
    (face,) = predictor.predict(photos / "sub" / "one.png")
    head, *reasons = label_lines(face)
    assert head == f"happy {100 * face.probabilities['tiny']['happy']:.0f} %"
    assert len(reasons) == 2
    assert reasons[0].startswith("lip corner puller AU12 3.5 (+")


def test_a_face_without_an_answer_is_labelled_so(predictor):
    picture = np.zeros((60, 60, 3), np.uint8)
    picture[10:40, 10:40] = (200, 255, 0)
    assert label_lines(predictor.predict(picture)[0]) == ("not measured",)
    assert annotate(picture, predictor.predict(picture)).any()


def test_the_picture_given_stays_as_it_is(predictor):
    picture = crowd()
    before = picture.copy()
    drawn = annotate(picture, predictor.predict(picture))
    assert np.array_equal(picture, before)
    assert drawn.shape == picture.shape and drawn.dtype == np.uint8 and not np.array_equal(drawn, picture)


def test_a_small_picture_is_enlarged_until_letters_are_legible(predictor):
    picture = draw_face(np.zeros((48, 40, 3), np.uint8), 4, 4, 30, smile=4)
    assert annotate(picture, predictor.predict(picture)).shape == (480, 400, 3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (2000, 60)])
def test_pictures_of_any_shape_are_drawn_on(shape):
    assert annotate(np.zeros((*shape, 3), np.uint8), []).ndim == 3


def test_labels_lie_inside_the_picture_and_cover_neither_each_other_nor_a_face(predictor):
    picture = crowd()
    size = picture.shape[1], picture.shape[0]
    faces = predictor.predict(picture)
    boxes = [tuple(map(float, face.box_xyxy)) for face in faces]
    places = [placed.box for placed in place_labels([label_rows(face) for face in faces], boxes, size)]
    assert len(places) == 8
    drawn = np.array(places)
    assert (drawn[:, :2] >= 0).all() and (drawn[:, 2:] <= size).all()
    assert (overlaps(drawn, drawn) > 0).sum() == 8  # each with itself only
    assert (overlaps(drawn, np.array(boxes)).sum(axis=1) < 0.05 * areas(drawn)).all()


def test_a_crowd_of_hundreds_is_labelled_in_a_moment(predictor):
    picture = crowd(rows=12, columns=30, side=20, gap=10)
    faces = predictor.predict(picture)
    began = time.process_time()
    annotate(picture, faces)
    assert len(faces) == 360 and time.process_time() - began < 5


def test_a_face_that_fills_the_picture_still_gets_its_label(predictor):
    picture = draw_face(np.zeros((300, 300, 3), np.uint8), 0, 0, 300, smile=4)
    faces = predictor.predict(picture)
    (placed,) = place_labels([label_rows(faces[0])], [(0.0, 0.0, 300.0, 300.0)], (300, 300))
    assert placed.label.rows[0].text.startswith("happy") and max(placed.box) <= 300
