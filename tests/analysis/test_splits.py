import numpy as np
import pytest

from analysis.errors import FitError
from analysis.splits import (
    blocked_folds,
    grouped_folds,
    holdout,
    merged_groups,
    official_split,
    row_blocks,
)

FER = ["Training", "PublicTest", "PrivateTest", "training ", "PrivateTest"]


def test_the_official_split_leaves_out_what_was_for_choosing():
    ((train, test),) = official_split(FER)
    assert (train.tolist(), test.tolist()) == ([0, 3], [2, 4])
    ((train, test),) = official_split(FER, train=["Training", "PublicTest"], test=["privatetest"])
    assert (train.tolist(), test.tolist()) == ([0, 1, 3], [2, 4])


@pytest.mark.parametrize(
    ("usage", "sides", "part"),
    [
        (["a", "b"], {}, "no row to train on; expected train or training, got 'a', 'b'"),
        (["Training", "PublicTest"], {}, "no row to test on"),
        ([], {}, "got nothing"),
        (FER, {"test": ["Training"]}, "training cannot be both"),
    ],
)
def test_an_official_split_that_lacks_a_side_is_refused(usage, sides, part):
    with pytest.raises(FitError, match=part):
        official_split(usage, **sides)


def test_blocks_of_adjacent_rows_stay_together():
    y = np.tile(["happy", "sad", "fear"], 31)
    folds = blocked_folds(y, 7, folds=3, seed=5)
    blocks = np.arange(93) // 7
    assert all(not set(blocks[train]) & set(blocks[test]) for train, test in folds)
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(93))
    assert row_blocks(5, 2).tolist() == [0, 0, 1, 1, 2]
    with pytest.raises(FitError, match="block: expected 1 row or more, got 0"):
        blocked_folds(y, 0)


def test_a_share_of_rows_or_of_groups_is_held_out():
    y = np.array(["happy"] * 60 + ["sad"] * 20)
    splits = holdout(y, test=0.25, repeats=3, seed=1)
    assert [(len(test), (y[test] == "sad").sum()) for _, test in splits] == [(20, 5)] * 3
    assert len({tuple(sorted(test)) for _, test in splits}) == 3
    people = np.repeat(np.arange(16), 5)
    ((train, test),) = holdout(y, people, test=0.25, seed=1)
    assert len(set(people[test])) == 4
    assert not set(people[train]) & set(people[test])


def test_seeds_repeat_a_split():
    y = np.tile(["happy", "sad"], 200)
    for split in (holdout, blocked_folds, grouped_folds):
        first, again, other = (split(y, seed=seed)[0][1].tolist() for seed in (1, 1, 2))
        assert first == again != other


@pytest.mark.parametrize(
    ("y", "arguments"),
    [
        (["happy"] * 9 + ["sad"], {}),
        (["happy", "sad"] * 9, {"test": 1.5}),
        (["happy", "sad"] * 9, {"groups": ["one"] * 18}),
    ],
)
def test_what_cannot_be_held_out_is_refused(y, arguments):
    with pytest.raises(FitError, match=r"holdout: cannot hold out .* of the (rows|groups)"):
        holdout(y, **arguments)


def test_groupings_are_joined_over_the_rows_that_they_share():
    people = ["ann", "ann", "bob", "cid", "dee", "eve"]
    copies = [7, 8, 8, 9, 3, 4]
    assert merged_groups(people, copies).tolist() == [0, 0, 0, 1, 2, 3]
    assert merged_groups(people).tolist() == [0, 0, 1, 2, 3, 4]
    for bad in ((), (people, copies[:2])):
        with pytest.raises(FitError, match="groupings of the same rows"):
            merged_groups(*bad)
