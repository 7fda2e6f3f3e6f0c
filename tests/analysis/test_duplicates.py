import numpy as np
import pandas as pd
import pytest

from analysis.autable import AUTable
from analysis.duplicates import copies, leak_summary, leaks, near_duplicates
from analysis.errors import FitError
from analysis.splits import blocked_folds, grouped_folds


@pytest.fixture
def rows() -> np.ndarray:
    """40 rows of 6 AUs, of which 30 is a copy of 2, 31 nearly of 3, 32 nearly of 31; 33 lacks an AU."""
    rng = np.random.default_rng(4)
    rows = rng.uniform(0, 5, (40, 6))
    rows[30], rows[31], rows[32] = rows[2], rows[3], rows[3]
    rows[31, 0] += 0.25
    rows[32, 0] += 0.5
    rows[33] = rows[2]
    rows[33, 5] = np.nan
    return rows


def test_copies_share_a_group_through_each_other(rows):
    groups = near_duplicates(rows)
    assert groups[30] == groups[2]
    assert groups[31] == groups[3] == groups[32]
    assert len(np.unique(groups)) == 40 - 3
    assert np.bincount(groups)[groups[33]] == 1


def test_without_tolerance_only_exact_copies_count(rows):
    groups = near_duplicates(rows, 0)
    assert groups[30] == groups[2]
    assert len(np.unique(groups)) == 39


def test_a_group_neither_depends_on_units_nor_on_constant_or_empty_aus(rows):
    frame = pd.DataFrame(rows, columns=[f"AU0{i}_r" for i in range(1, 7)])
    scaled = frame * [1, 100, 0.01, 1, 1, 1] + [0, 5, 0, 0, 0, 0]
    more = frame.assign(AU12_r=1.5, AU14_r=np.nan)
    expected = near_duplicates(rows)
    for same in (frame, scaled, more):
        assert near_duplicates(same).tolist() == expected.tolist()


def test_groups_do_not_depend_on_the_chunks(rows, monkeypatch):
    many = np.concatenate([rows[:30] + 0.01 * k for k in range(5)])
    expected = near_duplicates(many, 0.02)
    monkeypatch.setattr("analysis.duplicates._CHUNK", 7)
    again = near_duplicates(many, 0.02)
    assert (
        len(np.unique(expected))
        == len(np.unique(again))
        == len(np.unique(np.stack([expected, again]), axis=1).T)
    )
    assert len(np.unique(expected)) == 30


@pytest.mark.parametrize("values", [np.full((3, 2), np.nan), np.empty((0, 2)), np.ones((1, 2))])
def test_tables_without_a_pair_of_rows_have_no_duplicates(values):
    assert near_duplicates(values).tolist() == list(range(len(values)))
    assert leaks([], [], X=values).empty


def test_identical_rows_are_one_group():
    assert near_duplicates(np.ones((5, 3))).tolist() == [0] * 5


@pytest.mark.parametrize("tolerance", [-0.1, np.nan])
def test_a_tolerance_that_is_none_is_refused(rows, tolerance):
    with pytest.raises(FitError, match="tolerance: expected 0 or more"):
        near_duplicates(rows, tolerance)


def test_leaks_name_both_rows_the_reason_and_the_distance(rows):
    found = leaks(np.arange(30), np.arange(30, 40), X=rows, groups=[*range(30), 5, *range(31, 40)])
    assert found[["train_row", "test_row", "why"]].to_numpy().tolist() == [
        [2, 30, "exact duplicate"],
        [5, 30, "same group"],
        [3, 31, "near duplicate"],
    ]
    spread = rows[~np.isnan(rows).any(axis=1)].std(axis=0)[0]
    assert found["distance"].tolist() == pytest.approx(
        [0, found.loc[1, "distance"], 0.25 / spread / np.sqrt(6)]
    )
    assert found.loc[1, "distance"] > 0.1
    text = leak_summary(found, np.arange(30, 40))
    assert text.startswith("2 of 10 held-out rows (20.0%) have a counterpart among the training rows")
    assert "same group 1, exact duplicate 1, near duplicate 1" in text
    assert "row 30 and row 2" in text


def test_rows_on_both_sides_are_named_as_such(rows):
    found = leaks([0, 1, 2, 4], [4, 5], X=rows)
    assert found.to_dict("records") == [{"train_row": 4, "test_row": 4, "why": "same row", "distance": 0.0}]


def test_groups_alone_have_no_distance():
    found = leaks([0, 1], [2, 3], groups=["ann", "bob", "bob", "cid"])
    assert found.iloc[0, :3].tolist() == [1, 2, "same group"]
    assert found["distance"].isna().all()
    assert leak_summary(leaks([0], [1], groups=["a", "b"]), [1]).startswith("none of 1 held-out rows")


def test_leaks_need_something_to_look_at(rows):
    with pytest.raises(FitError, match="expected X, groups or both"):
        leaks([0], [1])
    with pytest.raises(FitError, match="X: has 40 rows, but the split names row 40"):
        leaks([0], [40], X=rows)
    with pytest.raises(FitError, match="groups: has 3 rows, but the split names row 5"):
        leaks([5], [0], groups=["a", "b", "c"])


def test_folds_by_near_duplicates_leak_nothing():
    rng = np.random.default_rng(2)
    rows = np.repeat(rng.normal(size=(60, 5)), 3, axis=0) + rng.normal(0, 0.02, (180, 5))
    y = np.tile(["happy", "sad", "fear"], 60)
    assert len(leaks(*grouped_folds(y, folds=4)[0], X=rows)) > 20
    groups = near_duplicates(rows)
    assert all(leaks(*split, X=rows, groups=groups).empty for split in grouped_folds(y, groups, folds=4))


@pytest.mark.shared
def test_near_duplicates_of_the_stills_are_few_and_their_folds_clean(shared):
    table = AUTable.read(shared / "data/au_tables/openface_stills_6emotions.csv")
    sizes = np.bincount(near_duplicates(table))
    assert (sizes[sizes > 1].sum(), (sizes > 1).sum(), sizes.max()) == (54, 26, 4)
    sizes = np.bincount(near_duplicates(table, 0))
    assert (sizes[sizes > 1].sum(), (sizes > 1).sum()) == (42, 21)
    y = table.frame["emotion"]
    assert leaks(*blocked_folds(y)[0], X=table).shape == (6, 4)


def test_copies_are_exact_or_near_and_faces_at_rest_are_none():
    rng = np.random.default_rng(3)
    rows = rng.uniform(0.1, 4.9, (20, 12))
    X = np.vstack([rows, rows[:2], rows[2:3] + 1e-4, np.zeros((3, 12)), np.ones((2, 12))])
    found = copies(X)
    assert np.flatnonzero(found.again).tolist() == [20, 21]
    assert found.near[22] == found.near[2] and len(np.unique(found.near)) == len(X) - 3
    assert (
        "2 of 28 rows have exactly the AUs of an earlier row, such as row 21 those of row 1" in found.notes[0]
    )
    assert found.notes[1].startswith("1 of 28 rows are near copies")
