import numpy as np
import pandas as pd
import pytest

from analysis.autable import AUTable
from analysis.baseline import calibrate, person_baselines
from analysis.errors import ModelError, TableError
from analysis.explain.faces import contributions, explain, explain_many


def of_people(scale="r"):
    """Anna's 30 faces rest at AU12 1.5, Ben's 20 at 0; Cleo has three; two faces are nobody's."""
    rng = np.random.default_rng(8)
    people = ["anna"] * 30 + ["ben"] * 20 + ["cleo"] * 3 + [None, np.nan]
    aus = np.clip(rng.gamma(0.7, 0.8, (55, 2)), 0, 3)
    aus[:30, 1] += 1.5
    aus[[4, 7], 0] = np.nan
    frame = pd.DataFrame(aus / (1 if scale == "r" else 5), columns=[f"AU04_{scale}", f"AU12_{scale}"])
    frame = frame.assign(input=[f"{i}.jpg" for i in range(55)], who=people)
    return AUTable(frame, backend="openface", backend_version="2.2", scale=scale)


def test_a_person_s_neutral_is_the_low_quantile_of_the_faces_that_were_measured():
    table = of_people()
    found = person_baselines(table, "who")
    assert list(found.index) == ["anna", "ben", "cleo"]
    measured = np.delete(table.aus["AU04_r"].to_numpy()[:30], [4, 7])
    assert found.loc["anna", "AU04_r"] == pytest.approx(np.quantile(measured, 0.1))
    assert found.loc["anna", "AU12_r"] > 1.4 > found.loc["ben", "AU12_r"]
    assert found.loc["cleo"].isna().all()
    other = person_baselines(table, table.frame["who"], quantile=0.5, min_rows=2)
    assert other.loc["cleo", "AU04_r"] == pytest.approx(table.aus["AU04_r"][50:53].median())


def test_faces_known_to_be_neutral_count_from_one_on():
    table = of_people()
    neutral = np.zeros(55, dtype=bool)
    neutral[[3, 5, 51]] = True
    found = person_baselines(table, "who", neutral=neutral)
    assert found.loc["anna", "AU12_r"] == pytest.approx(table.aus["AU12_r"][[3, 5]].mean())
    assert found.loc["cleo", "AU12_r"] == table.aus["AU12_r"][51]
    assert found.loc["ben"].isna().all()


def test_calibration_takes_the_neutral_off_and_keeps_the_raw_values():
    table = of_people()
    found = calibrate(table, "who")
    own = person_baselines(table, "who")
    expected = np.clip(table.aus["AU12_r"][:30] - own.loc["anna", "AU12_r"], 0, 5)
    np.testing.assert_allclose(found.aus["AU12_r"][:30], expected)
    assert (found.aus.min() >= 0).all()
    np.testing.assert_array_equal(found.frame["raw_AU12_r"], table.aus["AU12_r"])
    assert found.au_columns == table.au_columns
    assert (found.backend, found.scale) == ("openface", "r")
    assert "quantile 0.1 of 10 faces or more" in found.meta["extra"]["calibration"]
    assert len(found.validate()) == 55


def test_a_failed_face_stays_nan_and_never_becomes_zero():
    found = calibrate(of_people(), "who")
    assert found.aus["AU04_r"][[4, 7]].isna().all()
    assert not found.aus["AU12_r"][[4, 7]].isna().any()


def test_people_without_a_neutral_face_are_named_and_left_without_aus():
    found = calibrate(of_people(), "who")
    assert found.aus[50:].isna().all(axis=None)
    assert found.notes == ["no neutral face of cleo, 2 faces without a name: left without AUs"]


def test_a_neutral_found_elsewhere_can_be_used():
    table = of_people()
    own = pd.DataFrame({"AU04_r": [0.1], "AU12_r": [1.0]}, index=["cleo"])
    found = calibrate(table, "who", baselines=own)
    np.testing.assert_allclose(found.aus["AU12_r"][50:53], np.clip(table.aus["AU12_r"][50:53] - 1.0, 0, 5))
    assert found.aus[:50].isna().all(axis=None)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"groups": "name"}, "groups: the table has no column 'name'"),
        ({"groups": ["anna"]}, "groups: expected 55 names"),
        ({"quantile": 1.5}, "quantile: expected 0 to 1"),
        ({"min_rows": 0}, "min_rows: expected 1 or more"),
        ({"min_rows": 99}, "nobody has enough measured faces"),
        ({"neutral": [True]}, "neutral: expected 55"),
        ({"baselines": pd.DataFrame({"AU04_r": [0.1]}, index=["ben"])}, "baselines: no column AU12_r"),
    ],
)
def test_what_cannot_be_calibrated_is_said(change, part):
    with pytest.raises(TableError, match=part):
        calibrate(of_people(), **{"groups": "who", **change})


def test_nothing_is_calibrated_twice_and_presence_not_at_all():
    with pytest.raises(TableError, match="calibrated already"):
        calibrate(calibrate(of_people(), "who"), "who")
    frame = of_people().frame[["input", "who"]].assign(AU12_c=1.0)
    with pytest.raises(TableError, match="presence cannot be calibrated"):
        calibrate(AUTable(frame, backend="openface", backend_version="2.2", scale="c"), "who")


def test_a_face_can_be_explained_against_its_person_s_neutral(model, faces, table):
    people = np.array(["anna", "ben", "cleo"])[np.arange(307) % 3]
    own = person_baselines(table, people)
    many = explain_many(model, table, baseline="person", person=own.loc[people])
    one = explain(model, faces[0].iloc[4], baseline="person", person=own.loc["ben"])
    np.testing.assert_array_equal(one.baseline_values, own.loc["ben", list(one.au_columns)])
    np.testing.assert_allclose(many[4].contribution, one.contribution, atol=1e-12)
    assert one.baseline == "person"
    assert abs(one.residual) < 1e-9
    phi = contributions(model, table, "person", person=own.loc[people])
    logits = model.logits(table) - model.logits(own.loc[people])
    np.testing.assert_allclose(phi.sum(axis=1), logits, atol=1e-9)


def test_a_person_without_neutral_leaves_the_face_unexplained(model, faces):
    own = faces[0].head(3).copy()
    own.iloc[1, 0] = np.nan
    found = explain_many(model, faces[0].head(3), baseline="person", person=own)
    assert [e is None for e in found] == [False, True, False]
    with pytest.raises(ModelError, match="of the person's neutral has no value"):
        explain(model, faces[0].iloc[1], baseline="person", person=own.iloc[1])


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"baseline": "person"}, "no neutral face of the person; give it as person="),
        ({"person": [1, 1, 1, 1, 1]}, "person: given, but not asked for"),
        ({"baseline": "person", "person": {"AU01_r": 1.0}}, "person: no value for AU04_r"),
        ({"baseline": "person", "person": np.ones((2, 5))}, "person: expected one row or one for each of 1"),
    ],
)
def test_a_person_s_neutral_has_to_be_given_in_full(model, faces, options, part):
    with pytest.raises(ModelError, match=part):
        explain(model, faces[0].iloc[0], **options)
