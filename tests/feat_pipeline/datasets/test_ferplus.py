"""FER+ votes as labels and shares; columns are neutral, happiness, ..., contempt, unknown, not a face."""

import numpy as np
import pytest

from analysis.facs import EMOTIONS
from feat_pipeline.datasets.faces import LabelledFaces
from feat_pipeline.datasets.ferplus import by_votes, vote_shares
from feat_pipeline.errors import InputError, UsageError

VOTES = [
    [1, 9, 0, 0, 0, 0, 0, 0, 0, 0],  # happy; the single vote is a slip
    [4, 0, 0, 3, 0, 0, 0, 3, 0, 0],  # neutral, by fewer than half
    [0, 0, 0, 0, 4, 3, 0, 0, 3, 0],  # angry, by fewer than half; with disgust by most
    [0, 0, 0, 2, 0, 0, 0, 0, 8, 0],  # unknown
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 10],  # not a face
    [0, 0, 2, 0, 0, 0, 2, 6, 0, 0],  # contempt
]


def faces(usage="Training", votes=VOTES):
    n = len(VOTES)
    return LabelledFaces(
        np.zeros((n, 8, 8), np.uint8), np.arange(n), np.array([usage] * n), np.arange(n),
        votes=None if votes is None else np.array(votes, np.uint8),
    )  # fmt: skip


def test_faces_to_learn_from_are_labelled_by_most_votes_and_keep_their_shares():
    voted = by_votes(faces())
    assert voted.classes == (*EMOTIONS, "contempt")
    assert voted.rows.tolist() == [0, 1, 2, 5]
    assert voted.emotions.tolist() == ["happy", "neutral", "angry", "contempt"]
    shares = vote_shares(voted)
    assert list(shares) == list(voted.classes)
    assert shares.loc[0, "happy"] == 1
    assert shares.loc[1, ["neutral", "sad", "contempt"]].tolist() == pytest.approx([0.4, 0.3, 0.3])
    assert shares.loc[2, ["angry", "disgust"]].tolist() == pytest.approx([4 / 7, 3 / 7])
    assert voted.notes == (
        "FER+: faces left out, as its annotators did not agree on an emotion: 2 of Training",
    )


def test_faces_to_judge_by_are_those_that_more_than_half_agree_on():
    voted = by_votes(faces("PublicTest"))
    assert voted.rows.tolist() == [0, 5] and voted.emotions.tolist() == ["happy", "contempt"]
    merged = by_votes(faces("PublicTest"), merge={"disgust": "angry"})
    assert merged.rows.tolist() == [0, 2, 5]
    assert merged.classes == ("angry", "fear", "happy", "sad", "surprise", "neutral", "contempt")


def test_the_seven_emotions_leave_contempt_out():
    voted = by_votes(faces(), EMOTIONS)
    assert voted.rows.tolist() == [0, 1, 2] and voted.classes == EMOTIONS
    shares = vote_shares(voted)
    assert shares.loc[1, ["neutral", "sad"]].tolist() == pytest.approx([4 / 7, 3 / 7])
    assert shares.sum(axis=1).tolist() == pytest.approx([1, 1, 1])


def test_refuses_faces_without_votes_and_unknown_emotions():
    with pytest.raises(InputError, match="expected FER2013's faces with FER"):
        by_votes(faces(votes=None))
    with pytest.raises(UsageError, match=r"classes out of .*contempt, got 'bored'"):
        by_votes(faces(), ["happy", "bored"])
    with pytest.raises(UsageError, match=r"merge: .* got 'NF'"):
        by_votes(faces(), merge={"NF": "neutral"})
