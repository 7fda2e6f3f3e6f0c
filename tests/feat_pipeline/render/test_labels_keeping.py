import numpy as np
import pytest

from analysis.logit import MultinomialLogit
from feat_pipeline.render.labels import label_rows
from feat_pipeline.render.labels_keeping import STAY_S, KeptPlaces
from feat_pipeline.render.labels_placing import overlaps, place_labels, text_px
from tests.feat_pipeline.render.made import made_face

SIZE = (640, 480)


@pytest.fixture(scope="module")
def model(model_dir):
    return MultinomialLogit.load(model_dir)


def row_of_faces(model, shift=0.0, jitter=None, smile=3.0):
    """Four faces side by side, so close that their labels need all the room there is."""
    boxes = [
        (60 + 130 * i + shift, 150 + 20 * (i % 2), 150 + 130 * i + shift, 260 + 20 * (i % 2))
        for i in range(4)
    ]
    if jitter is not None:
        boxes = [tuple(np.array(box) + jitter.normal(0, 2, 4)) for box in boxes]
    return [made_face(box, {4: 0.2, 12: smile, 25: 2}, model, number=i) for i, box in enumerate(boxes)]


def sides(keep, time_s, faces, size=SIZE):
    boxes = [tuple(map(float, face.box_xyxy)) for face in faces]
    rows = [label_rows(face) for face in faces]
    placed = keep.place(time_s, [face.face for face in faces], rows, boxes, size, text_px(boxes, size))
    return [(found.side, len(found.label.rows), found.label.text_px) for found in placed], placed


def test_labels_stay_at_their_sides_while_faces_shake(model):
    rng, keep = np.random.default_rng(1), KeptPlaces()
    seen = {tuple(sides(keep, i / 30, row_of_faces(model, jitter=rng))[0]) for i in range(55)}
    assert len(seen) == 1
    alone = set()
    for _ in range(55):
        faces = row_of_faces(model, jitter=rng)
        boxes = [tuple(map(float, face.box_xyxy)) for face in faces]
        found = place_labels([label_rows(face) for face in faces], boxes, SIZE)
        alone.add(tuple((label.side, len(label.label.rows)) for label in found))
    assert len(alone) > 1  # without being kept they would hop


def test_labels_go_with_their_faces_and_never_lie_over_one_another(model):
    keep = KeptPlaces()
    for i in range(60):
        faces = row_of_faces(model, shift=i - 30.0)
        _, placed = sides(keep, i / 30, faces)
        boxes = np.array([found.box for found in placed if found is not None])
        common = overlaps(boxes, boxes)
        np.fill_diagonal(common, 0)
        assert not common.any()
        assert (boxes >= 0).all() and (boxes[:, 2] <= SIZE[0]).all() and (boxes[:, 3] <= SIZE[1]).all()


def test_labels_are_placed_anew_where_a_face_comes(model):
    keep, faces = KeptPlaces(), row_of_faces(model)
    first = sides(keep, 0.0, faces[:1])[0]
    assert len(sides(keep, 0.1, faces)[0]) == 4
    assert sides(keep, 0.2, faces[:1])[0] == first


def test_a_label_that_has_got_room_tells_more_after_a_while_and_not_before(model):
    faces = [made_face((20, 60, 90, 150), {4: 0.2, 12: 3, 25: 2}, model)]

    def reason(time_s, size):
        return sides(keep, time_s, faces, size)[1][0].label.rows[1].text

    keep = KeptPlaces()
    assert reason(0.0, (130, 160)).startswith("AU12 +")
    assert reason(STAY_S - 0.1, SIZE).startswith("AU12 +")
    assert reason(STAY_S + 0.1, SIZE).startswith("lip corner puller AU12")


def test_labels_that_cannot_tell_more_elsewhere_stay(model):
    rng, keep = np.random.default_rng(3), KeptPlaces()
    seen = {tuple(sides(keep, i / 10, row_of_faces(model, jitter=rng))[0]) for i in range(80)}
    assert len(seen) <= 2


def test_a_text_that_gets_shorter_does_not_move_its_label(model):
    keep = KeptPlaces()
    before = sides(keep, 0.0, row_of_faces(model, smile=3.0))[0]
    after = sides(keep, 0.1, row_of_faces(model, smile=2.0))[0]
    assert [side for side, _, _ in before] == [side for side, _, _ in after]
