"""Labels at any size of picture: inside it, apart from each other, in letters that can be read."""

import numpy as np
import pytest

from analysis.logit import MultinomialLogit
from feat_pipeline.render import annotate
from feat_pipeline.render.frames import _enlargement
from feat_pipeline.render.labels import label_rows
from feat_pipeline.render.labels_placing import HEAD, SMALLEST_LETTERS_PX, overlaps, place_labels, text_px
from tests.feat_pipeline.render.made import made_face

SMILE, FROWN = {4: 0.2, 12: 4, 25: 2}, {4: 4, 12: 0.1, 25: 0.5}
SIZES = {  # width, height, number of faces, their width
    "tiny crop": (48, 48, 1, 36),
    "thumbnail of three": (200, 150, 3, 40),
    "thumbnail of thirty": (200, 140, 30, 14),
    "web picture": (640, 480, 5, 90),
    "class photo": (1200, 800, 30, 80),
    "phone photo": (4000, 3000, 9, 600),
    "phone photo of thirty": (4000, 3000, 30, 180),
    "panorama": (6000, 400, 14, 110),
    "column": (90, 900, 4, 60),
    "a face that fills it": (300, 400, 1, 298),
}


@pytest.fixture(scope="module")
def model(model_dir):
    return MultinomialLogit.load(model_dir)


def scattered(width, height, number, side, model, seed=5):
    """Faces that do not overlap, smiling and frowning, a fifth of them seen otherwise by a second model."""
    rng = np.random.default_rng(seed)
    boxes = np.zeros((0, 4))
    while len(boxes) < number:
        x, y = rng.uniform(0, (width - side, height - 1.25 * side))
        box = np.array([[x, y, x + side, y + 1.25 * side]])
        if not overlaps(box, boxes).any():
            boxes = np.concatenate([boxes, box])
    return [
        made_face(
            box,
            SMILE if i % 2 else FROWN,
            model,
            number=i,
            cnn={"happy": 0.8, "angry": 0.2} if i % 5 else {"happy": 0.3, "angry": 0.7},
        )
        for i, box in enumerate(boxes.tolist())
    ]


@pytest.mark.parametrize("models", [None, ["tiny", "cnn"]], ids=["one model", "two models"])
@pytest.mark.parametrize("case", SIZES)
def test_labels_lie_apart_and_inside_in_legible_letters(case, models, model):
    width, height, number, side = SIZES[case]
    faces = scattered(width, height, number, side, model)
    enlarge = _enlargement(width, height)
    size = round(width * enlarge), round(height * enlarge)
    boxes = [tuple((face.box_xyxy * enlarge).tolist()) for face in faces]
    placed = place_labels([label_rows(face, models) for face in faces], boxes, size)
    labelled = [place for place in placed if place is not None]
    drawn = np.array([place.box for place in labelled])
    assert len(labelled) >= 0.8 * number
    assert (overlaps(drawn, drawn) > 0).sum() == len(drawn)  # each with itself only
    assert (drawn[:, :2] >= 0).all() and (drawn[:, 2:] <= size).all()
    letters = [place.label.letters_px(row) for place in labelled for row in place.label.rows]
    assert min(letters) >= SMALLEST_LETTERS_PX
    assert min(letters) >= 0.0125 * 0.72 * (size[0] * size[1]) ** 0.5  # seen on a screen, not pixel by pixel


def test_where_there_is_room_every_face_has_its_two_reasons(model):
    faces = scattered(1600, 1000, 4, 110, model)
    placed = place_labels(
        [label_rows(face) for face in faces], [tuple(face.box_xyxy.tolist()) for face in faces], (1600, 1000)
    )
    for place in placed:
        head, *reasons = place.label.rows
        assert head.text.endswith(" %") and len(reasons) == 2 and not place.away


def test_letters_of_large_faces_are_larger_than_those_of_small_ones():
    small, large = text_px([(0, 0, 60, 75)], (1600, 1000)), text_px([(0, 0, 300, 375)], (1600, 1000))
    assert small < large <= 0.024 * (1600 * 1000) ** 0.5


def test_a_label_stays_beside_its_face_and_points_at_it_where_it_cannot(model):
    faces = scattered(1200, 800, 30, 80, model)
    boxes = np.array([face.box_xyxy for face in faces])
    placed = place_labels([label_rows(face) for face in faces], list(map(tuple, boxes.tolist())), (1200, 800))
    for box, place in zip(boxes, placed, strict=True):
        gap = np.maximum(np.maximum(box[:2] - place.box[2:], np.array(place.box[:2]) - box[2:]), 0).max()
        assert gap <= 0.6 * place.label.text_px + 1 or place.away
        assert gap < 3 * place.label.height


def test_the_lengths_of_a_label_go_from_reasons_in_words_to_the_number(model):
    face = made_face((0, 0, 50, 60), SMILE, model, number=7, cnn={"angry": 0.6, "happy": 0.4})
    long, *_, short, number = [[row.text for row in rows] for rows in label_rows(face, ["tiny", "cnn"])]
    assert long[0] == "models disagree"
    assert long[1].startswith("happy ") and long[1].endswith("  tiny") and long[2] == "angry 60 %  cnn"
    assert long[3].startswith("lip corner puller AU12 4.0 (+") and len(long) == 5
    assert short == ["happy ≠ angry"] and number == ["#7"]


def test_models_names_are_shortened_where_that_tells_them_apart(model):
    face = made_face((0, 0, 50, 60), SMILE, **{"cnn-a": {"happy": 1.0}, "logit-b": {"happy": 1.0}})
    assert [row.text for row in label_rows(face, ["cnn-a", "logit-b"])[0]] == [
        "happy > 99 %  cnn",
        "happy > 99 %  logit",
    ]
    face = made_face((0, 0, 50, 60), SMILE, **{"cnn-a": {"happy": 1.0}, "cnn-b": {"happy": 1.0}})
    assert [row.text for row in label_rows(face, ["cnn-a", "cnn-b"])[0]][1] == "happy > 99 %  cnn-b"


def test_the_box_of_a_face_on_which_models_disagree_has_both_colours(model):
    face = made_face((60, 50, 180, 200), SMILE, model, cnn={"angry": 0.9, "happy": 0.1})
    picture = np.zeros((480, 640, 3), np.uint8)
    drawn = annotate(picture, [face], models=["tiny", "cnn"])
    side = {tuple(colour) for colour in drawn[70:190, 60].tolist()}
    assert {(240, 228, 66), (213, 94, 0)} <= side
    alone = annotate(picture, [face], model="tiny")
    assert {tuple(colour) for colour in alone[70:190, 60].tolist()} == {(240, 228, 66)}


def test_heads_are_set_larger_than_reasons():
    assert HEAD > 1
