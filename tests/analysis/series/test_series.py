import numpy as np
import pandas as pd
import pytest

from analysis.autable import AUTable
from analysis.errors import TableError
from analysis.series import au_series


def of_video(seconds=8.0, rate=25, scale="r"):
    """Two persons: the first rests at AU12 0.8 and smiles from 3 to 5 s, the second rests at 0.2."""
    times = np.arange(0, seconds, 1 / rate)
    rng = np.random.default_rng(2)
    parts = []
    for face_id, rest in ((0, 0.8), (3, 0.2)):
        smile = 2.5 * ((times >= 3) & (times < 5)) * (face_id == 0)
        aus = {"AU04": rng.uniform(0, 0.1, len(times)), "AU12": rest + smile}
        frame = pd.DataFrame(
            {f"{au}_{scale}": values / (1 if scale == "r" else 4) for au, values in aus.items()}
        )
        parts.append(
            frame.assign(input="a.mp4", frame=range(len(times)), time_s=times, face=0, face_id=face_id)
        )
    return pd.concat(parts, ignore_index=True)


def table(frame, scale="r"):
    return AUTable(frame, backend="fake", backend_version="1", scale=scale)


def test_each_person_s_low_percentile_is_taken_off_and_what_was_measured_stays():
    frame = of_video()
    found = au_series(table(frame))
    assert found.persons() == [("a.mp4", 0), ("a.mp4", 3)] and found.aus == ["AU04_r", "AU12_r"]
    for person, smile in ((("a.mp4", 0), 2.5), (("a.mp4", 3), 0.0)):
        rows = found.of(person)
        raw = frame.loc[frame["face_id"] == person[1], "AU12_r"]
        assert rows["AU12_r"].tolist() == raw.tolist()
        assert (
            rows["calibrated_AU12_r"].max() == pytest.approx(smile) and rows["calibrated_AU12_r"].min() == 0
        )
        assert found.neutral.loc[[person], "AU12_r"].tolist() == pytest.approx([raw.quantile(0.1)])
    smoothed = found.of(("a.mp4", 0))["smoothed_AU12_r"]
    assert smoothed[75] == pytest.approx(2.5 * 2 / 3)  # 3.00 s: frames at 2.96, 3.00, 3.04


def test_the_smile_is_the_only_action():
    (event,) = au_series(table(of_video())).events().to_dict("records")
    assert (event["input"], event["face_id"], event["au"], event["censored"]) == (
        "a.mp4",
        0,
        "AU12_r",
        "none",
    )
    assert event["onset_s"] == pytest.approx(2.96, abs=0.04) and event["offset_s"] == pytest.approx(
        5.0, abs=0.04
    )
    assert event["apex_value"] == pytest.approx(2.5)


def test_a_neutral_interval_of_the_user_s_choice_helps_who_smiles_most_of_the_time():
    frame = of_video()
    first = frame["face_id"] == 0
    frame.loc[first, "AU12_r"] = np.where(frame.loc[first, "time_s"].between(2, 2.2), 0.5, 3.0)
    low = au_series(table(frame)).of(("a.mp4", 0))["calibrated_AU12_r"]
    chosen = au_series(table(frame), neutral=(2.0, 2.2)).of(("a.mp4", 0))["calibrated_AU12_r"]
    assert low.max() < 0.01 and chosen.max() == pytest.approx(2.5)


def test_a_person_who_was_not_seen_in_the_interval_is_named_and_not_calibrated():
    frame = of_video()
    frame = frame[(frame["face_id"] == 0) | (frame["time_s"] > 4)]
    found = au_series(table(frame), neutral=(0, 1))
    assert any("no neutral face of a.mp4 face 3 (no measured frame from 0 to 1 s)" in n for n in found.notes)
    second = found.of(("a.mp4", 3))
    assert second[["calibrated_AU12_r", "smoothed_AU12_r"]].isna().all(axis=None)
    assert second["AU12_r"].notna().all() and set(found.events()["face_id"]) == {0}
    with pytest.raises(TableError, match="nobody was measured from 50 to 60 s"):
        au_series(table(frame), neutral=(50, 60))


def test_without_calibration_what_was_measured_is_smoothed():
    found = au_series(table(of_video()), neutral="none", smooth_s=0)
    assert "calibrated_AU12_r" not in found.frame and found.neutral.empty
    assert found.frame["smoothed_AU12_r"].equals(found.frame["AU12_r"])


def test_a_series_that_is_read_again_is_made_anew():
    found = au_series(table(of_video()))
    assert au_series(table(found.frame)).frame.equals(found.frame)


def test_rows_in_any_order_give_the_same_series():
    frame = of_video()
    mixed = frame.sample(frac=1, random_state=3)
    assert au_series(table(mixed)).frame.equals(au_series(table(frame)).frame)


def test_one_frame_is_no_series_of_actions_and_no_error():
    found = au_series(table(of_video().iloc[[80]]))
    assert len(found.frame) == 1 and found.events().empty
    assert "fewer than 10 measured frames" in found.notes[0]


def test_nothing_measured_gives_empty_series():
    frame = of_video()
    frame[["AU04_r", "AU12_r"]] = np.nan
    found = au_series(table(frame))
    assert found.events().empty and found.frame["smoothed_AU12_r"].isna().all()
    empty = au_series(table(of_video().iloc[:0]))
    assert empty.persons() == [] and empty.events().empty and "smoothed_AU12_r" in empty.frame


def test_rows_without_a_time_and_second_rows_of_a_moment_are_left_out_and_told():
    frame = of_video()
    frame.loc[3, "time_s"] = np.nan
    found = au_series(table(pd.concat([frame, frame.iloc[[10]]])))
    assert len(found.frame) == len(frame) - 1
    assert "1 of 401 rows have no time and are left out" in found.notes
    assert any(note.startswith("1 rows tell of a person a second time") for note in found.notes)


def test_chosen_aus_may_be_named_as_people_write_them():
    assert au_series(table(of_video()), aus=["au4"]).aus == ["AU04_r"]
    assert au_series(table(of_video()), aus=["AU12_r", "AU04"]).aus == ["AU04_r", "AU12_r"]
    with pytest.raises(TableError, match="lacks AU99_r"):
        au_series(table(of_video()), aus=["AU99"])


def test_scores_have_thresholds_of_their_own_and_presences_are_not_calibrated():
    assert au_series(table(of_video(scale="p"), "p")).events()["apex_value"].tolist() == pytest.approx(
        [0.625]
    )
    present = of_video()
    present[["AU04_r", "AU12_r"]] = (present[["AU04_r", "AU12_r"]] > 1).astype(float)
    found = au_series(table(present.rename(columns=lambda c: c.replace("_r", "_c")), "c"))
    assert len(found.events()) == 1 and "presences are not calibrated" in found.notes[0]


def test_landmarks_are_left_out_and_other_columns_stay():
    frame = of_video().assign(x_0=1.0, y_67=2.0, label="happy")
    assert {"label"} <= set(au_series(table(frame)).frame) and "x_0" not in au_series(table(frame)).frame


@pytest.mark.parametrize(
    ("change", "options", "reason"),
    [
        (lambda f: f.drop(columns="time_s"), {}, "column 'time_s' is missing"),
        (lambda f: f.assign(time_s=np.nan), {}, "no row has a time"),
        (lambda f: f, {"neutral": (3, 1)}, "a time before the second"),
        (lambda f: f, {"neutral": "first"}, "'percentile', 'none' or two times"),
        (lambda f: f, {"smooth_s": -1}, "smooth: expected seconds"),
        (lambda f: f, {"max_gap_s": 0}, "max_gap_s"),
        (lambda f: f, {"quantile": 2}, "quantile"),
    ],
)
def test_wrong_input_is_refused(change, options, reason):
    with pytest.raises(TableError, match=reason):
        au_series(table(change(of_video())), **options)


@pytest.mark.shared
def test_openface_s_own_table_of_a_video_makes_a_series(shared):
    found = au_series(AUTable.read(shared / "data" / "openface" / "subj01_timepoint01.csv"))
    assert len(found.persons()) == 1 and len(found.frame) == 158 and len(found.aus) == 17
    assert found.frame["calibrated_AU04_r"].median() < 0.2 < 1.3 < found.frame["AU04_r"].median()
    assert found.events()["au"].tolist() == ["AU45_r"]


def test_a_table_whose_key_does_not_tell_moments_apart_is_refused_with_the_mend():
    two = pd.concat([of_video(4.0), of_video(4.0).assign(AU12_r=1.0)])
    with pytest.raises(TableError, match=r"a\.mp4: 200 of 400 rows .* a second time .* column 'input'"):
        au_series(table(two))


def test_a_false_face_of_a_frame_is_left_out_and_told_where_a_shortest_time_is_named():
    frame = pd.concat([of_video(), of_video().iloc[[40]].assign(face_id=9)])
    found = au_series(table(frame), min_seen_s=0.5)
    assert found.persons() == [("a.mp4", 0), ("a.mp4", 3)]
    assert "1 person was measured for less than 0.5 s and left out (1 of 401 rows)" in found.notes
    assert len(au_series(table(frame)).persons()) == 3


def test_the_only_person_of_an_input_stays_however_short():
    assert len(au_series(table(of_video().iloc[[80]]), min_seen_s=5).persons()) == 1


def test_values_under_the_neutral_face_are_told_as_given_as_0():
    (note,) = [note for note in au_series(table(of_video())).notes if "given as 0" in note]
    assert note.startswith("5.0% of the calibrated values") and "AU04_r: 10.0%" in note
    assert not any("given as 0" in note for note in au_series(table(of_video()), neutral="none").notes)
