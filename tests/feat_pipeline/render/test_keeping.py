import numpy as np
import pytest

from analysis.logit import MultinomialLogit
from feat_pipeline.render.keeping import STAY_S, KeptPlaces
from feat_pipeline.render.labels import label_rows
from feat_pipeline.render.placing import overlaps, place_labels, text_px
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


def sides(keep, time_s, faces):
    boxes = [tuple(map(float, face.box_xyxy)) for face in faces]
    rows = [label_rows(face) for face in faces]
    placed = keep.place(time_s, [face.face for face in faces], rows, boxes, SIZE, text_px(boxes, SIZE))
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


def test_labels_are_placed_anew_for_a_new_face_and_after_a_while(model):
    keep = KeptPlaces()
    faces = row_of_faces(model)
    first = sides(keep, 0.0, faces[:1])[0]
    assert len(sides(keep, 0.1, faces)[0]) == 4
    again = sides(keep, 0.2, faces[:1])[0]
    assert again == first
    far = [made_face((300, 10, 390, 120), {4: 0.2, 12: 3, 25: 2}, model)]
    kept = sides(keep, 0.3, far)[0]
    assert kept == first  # it still does, though another side might do better
    assert keep.place(0.3 + STAY_S, [0], [label_rows(far[0])], [(300.0, 10.0, 390.0, 120.0)], SIZE, 15.0)


def test_a_text_that_gets_shorter_does_not_move_its_label(model):
    keep = KeptPlaces()
    before = sides(keep, 0.0, row_of_faces(model, smile=3.0))[0]
    after = sides(keep, 0.1, row_of_faces(model, smile=2.0))[0]
    assert [side for side, _, _ in before] == [side for side, _, _ in after]
