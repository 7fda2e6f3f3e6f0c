"""How the embedded backend's AU series of a real video agree with OpenFace's own."""

import numpy as np
import pytest

from analysis.autable import AUTable
from feat_pipeline.runs.extract import extract

pytestmark = [pytest.mark.shared, pytest.mark.slow]


def test_blinks_and_head_movements_agree_with_openface_s_series_of_the_same_video(shared):
    folder = shared / "data" / "openface"
    ours = extract([folder / "subj01_timepoint01.mp4"], backend="embedded").table.frame
    ours = ours[ours["face_id"] == 0].reset_index(drop=True)
    theirs = AUTable.read(folder / "subj01_timepoint01.csv").frame
    assert len(ours) == len(theirs) == 158  # one id throughout
    assert ours["time_s"].to_numpy() == pytest.approx(theirs["time_s"].to_numpy(), abs=0.001)

    def agreement(mine, other):
        return np.corrcoef(ours[mine], theirs[other])[0, 1]

    assert agreement("AU43_r", "AU45_r") > 0.9  # eyes closed, blink: the action that moves most here
    assert agreement("pose_Rx", "pose_Rx") > 0.6 and agreement("pose_Rz", "pose_Rz") > 0.6
    distance = np.hypot(*(ours[f"{a}_{i}"] - theirs[f"{a}_{i}"] for a in "xy" for i in (30,))).mean()
    assert distance < 0.06 * np.abs(theirs["x_45"] - theirs["x_36"]).mean()


def test_the_one_person_of_each_portrait_keeps_one_id(shared):
    for name in ("d0", "d19"):
        frame = extract([shared / "data" / "videos" / f"{name}.mp4"], backend="embedded").table.frame
        assert set(frame["face_id"]) == {0} and len(frame) in (78, 250)
