import numpy as np
import pytest

from analysis.logit import MultinomialLogit
from feat_pipeline.film.follow import REFRESH_S, STAY_S, Follower, MainFace
from tests.feat_pipeline.render.made import made_face

RATE = 25


@pytest.fixture(scope="module")
def model(model_dir):
    return MultinomialLogit.load(model_dir)


def at(smile, frown=0.0, box=(20, 30, 60, 80), number=0, model=None, **answers):
    return made_face(box, {4: frown, 12: smile, 25: smile / 2}, model, number=number, **answers)


def follow(follower, faces, rate=RATE):
    return [follower.update(i / rate, [face])[0] for i, face in enumerate(faces)]


def changes(labels):
    return sum(a != b for a, b in zip(labels[1:], labels, strict=False))


def test_a_flickering_answer_keeps_one_label_and_raw_answers_stay_beside_it(model):
    flicker = [at(0, 4, model=model) if i % 4 == 2 else at(4, model=model) for i in range(100)]
    shown = follow(Follower({"tiny": model}), flicker)
    assert changes([face.raw.label() for face in shown]) == 50
    assert {face.labels["tiny"] for face in shown} == {"happy"}
    assert {face.face_id for face in shown} == {0}


def test_a_lasting_change_is_taken_over_within_half_a_second(model):
    shown = follow(
        Follower({"tiny": model}), [at(4 * (i < 50), 4 * (i >= 50), model=model) for i in range(100)]
    )
    labels = [face.labels["tiny"] for face in shown]
    assert labels[49] == "happy" and labels[-1] == "angry" and changes(labels) == 1
    assert 50 + STAY_S * RATE <= labels.index("angry") <= 50 + 0.5 * RATE


def test_the_smoothing_goes_by_time_and_not_by_frame():
    def smile_after(rate):
        answers = [{"a": 1.0, "b": 0.0}] * rate + [{"a": 0.0, "b": 1.0}] * (rate // 2 + 1)
        shown = follow(Follower({}), [at(0, cnn=answer) for answer in answers], rate)
        return shown[rate].smooth["cnn"]["b"], shown[-1].smooth["cnn"]["b"]

    slow, fast = smile_after(10), smile_after(100)
    assert slow[1] == pytest.approx(1 - np.exp(-0.6 / 0.25), abs=1e-6)
    assert fast[1] == pytest.approx(1 - np.exp(-0.51 / 0.25), abs=1e-6)
    assert slow[0] == pytest.approx(1 - np.exp(-0.1 / 0.25)) and slow[0] > fast[0]


def test_a_few_frames_a_second_change_the_label_at_once():
    answers = [{"a": 1.0, "b": 0.0}] * 3 + [{"a": 0.0, "b": 1.0}] * 2
    shown = follow(Follower({}), [at(0, cnn=answer) for answer in answers], rate=1)
    assert [face.labels["cnn"] for face in shown] == ["a", "a", "a", "b", "b"]


def test_the_reasons_shown_sum_up_to_the_probability_shown(model):
    rng = np.random.default_rng(2)
    faces = [at(rng.uniform(1, 4), rng.uniform(0, 2), model=model) for _ in range(40)]
    for face in follow(Follower({"tiny": model}), faces):
        told = face.explanations["tiny"]
        assert told.probabilities == pytest.approx(face.probabilities["tiny"])
        assert told.target == face.label() and abs(told.residual) < 1e-9


def test_numbers_on_the_picture_stay_long_enough_to_be_read(model):
    rng = np.random.default_rng(4)
    shown = follow(Follower({"tiny": model}), [at(rng.uniform(3, 4), model=model) for _ in range(75)])
    seen = [face.probabilities["tiny"]["happy"] for face in shown]
    assert len(set(seen)) == pytest.approx(3 / REFRESH_S, abs=1)
    assert len({face.smooth["tiny"]["happy"] for face in shown}) == 75


def test_a_face_without_an_answer_for_a_moment_keeps_what_was_known(model):
    gone = made_face((20, 30, 60, 80), {4: 0, 12: 0, 25: 0}, model, measured=False)
    before, during = follow(Follower({"tiny": model}), [at(4, model=model), gone])
    assert before.label() == during.label() == "happy" and during.raw.label() == ""
    never = follow(Follower({"tiny": model}), [gone])[0]
    assert never.label() == "" and never.labels == {} and never.smooth == {}


def test_two_faces_that_change_places_in_the_order_keep_their_answers(model):
    follower = Follower({"tiny": model})
    for i in range(20):
        smiling = at(4, box=(20 + 4 * i, 30, 60 + 4 * i, 80), model=model)
        frowning = at(0, 4, box=(50, 130, 90, 180), model=model)
        faces = sorted([smiling, frowning], key=lambda face: face.box_xyxy[0])
        labels = {face.face_id: face.label() for face in follower.update(i / 10, faces)}
        assert labels == {0: "happy", 1: "angry"}


def test_the_main_face_is_the_larger_one_and_does_not_change_for_a_moment():
    follower, main = Follower({}), MainFace()
    chosen = []
    for i in range(50):
        grown = 25 if i == 30 else 0  # of the other face, for one frame
        faces = [at(0, box=(0, 0, 50, 50)), at(0, box=(90, 10, 130 + grown, 50 + grown), number=1)]
        chosen.append(main.update(i / RATE, follower.update(i / RATE, faces)).face_id)
    assert set(chosen) == {0}
    assert main.update(2.04, []) is None
