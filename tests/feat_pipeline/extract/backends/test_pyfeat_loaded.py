"""py-feat's own loading and detecting code, with small made weights; importing it takes its time."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from analysis.autable import LANDMARK_COLUMNS, POSE_COLUMNS, AUTable
from feat_pipeline.detect import Detection
from feat_pipeline.errors import UnavailableError
from feat_pipeline.extract import make_extractor
from feat_pipeline.extract.backends.pyfeat_guard import untouched
from feat_pipeline.extract.backends.pyfeat_pose import pose_of_mesh
from feat_pipeline.extract.measure import Measured, face_rows, make_table
from feat_pipeline.sources.frame import Frame
from feat_pipeline.weights.pyfeat import BLENDSHAPES, MULTITASK, NEEDED
from tests import ROOT
from tests.feat_pipeline.extract.backends.pyfeat_made import (
    canonical_mesh,
    made_resources,
    make_weights,
    place,
)

pytestmark = pytest.mark.slow

BOX = np.array([180, 141, 373, 402], np.float32)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A folder that holds the made weights of Detectorv2 and MPDetector."""
    folder = tmp_path_factory.mktemp("feat")
    with untouched():
        import feat  # noqa: F401
    with made_resources(folder) as resources, untouched():
        make_weights(resources, "pyfeat")
        make_weights(resources, "pyfeat-mp")
    return folder


@pytest.fixture(scope="module", params=["pyfeat", "pyfeat-mp"])
def extractor(request, cache):
    with made_resources(cache):
        return make_extractor(request.param)


@pytest.fixture(scope="module")
def v2(cache):
    with made_resources(cache):
        return make_extractor("pyfeat")


def measured(extractor, picture, box=BOX):
    ((face,),) = extractor.extract([picture], [[Detection(np.asarray(box, np.float32), 0.9)]])
    return face


def test_the_numbers_are_those_of_py_feats_own_detect_on_the_whole_picture(extractor, single):
    import torch

    face = measured(extractor, single)
    detector = extractor._detector
    extractor._finder.box_xyxy = BOX
    whole = torch.from_numpy(single.transpose(2, 0, 1)[None].copy())
    fex = detector.detect(whole, data_type="tensor", progress_bar=False)
    aus = fex[[f"AU{name[2:4]}" for name in extractor.au_columns]].to_numpy()[0]
    assert list(face.aus.values()) == pytest.approx(aus, abs=0.02)
    extra = fex[list(extractor.extra_columns)].to_numpy(float)[0]
    assert list(face.extra.values()) == pytest.approx(extra, abs=0.05)
    mesh = "mesh_" if extractor.name == "pyfeat" else ""
    chin_and_lip = np.array([[fex[f"{mesh}{axis}_{i}"].iloc[0] for axis in "xy"] for i in (152, 17)])
    assert face.landmarks[[8, 57]] == pytest.approx(chin_and_lip + 0.5, abs=1.5)


def test_faces_of_pictures_of_any_size_are_measured_in_one_batch(extractor, single):
    small = np.ascontiguousarray(single[70:480, 80:470])
    large = np.ascontiguousarray(single.repeat(4, axis=0).repeat(4, axis=1))
    moved = BOX - np.array([80, 70] * 2)
    boxes = [[Detection(box.astype(np.float32), 0.9)] for box in (BOX, moved, BOX * 4)]
    faces = [face for (face,) in extractor.extract([single, small, large], boxes)]
    for face, scale, shift in zip(faces[1:], (1, 4), ((80, 70), (0, 0)), strict=True):
        assert (face.landmarks + shift) / scale == pytest.approx(faces[0].landmarks, abs=1.5)
        assert face.pose_rad == pytest.approx(faces[0].pose_rad, abs=0.05)
    assert list(faces[1].aus.values()) == pytest.approx(list(faces[0].aus.values()), abs=0.03)


def test_a_face_on_which_py_feat_fails_costs_itself_only(v2, single, monkeypatch):
    forward = v2._detector.forward

    def choosy(found, data):
        if any(float(one["boxes"][0, 2] - one["boxes"][0, 0]) > 250 for one in found):
            raise ValueError("hull of points that coincide")
        return forward(found, data)

    monkeypatch.setattr(v2._detector, "forward", choosy)
    boxes = [Detection(box, 0.9) for box in (BOX, np.array([100, 100, 400, 420], np.float32), BOX)]
    (faces,) = v2.extract([single], [boxes])
    assert [np.isfinite(list(face.aus.values())).all() for face in faces] == [True, False, True]
    failed = faces[1]
    assert np.isnan(failed.landmarks).all() and np.isnan(failed.pose_rad).all()
    assert np.isnan(list(failed.extra.values())).all() and np.isnan(list(failed.aus.values())).all()
    with pytest.raises(ValueError, match="hull of points"):
        v2.extract([single], [boxes[1:2]])


def test_loading_and_measuring_ask_no_name_server(cache, single, monkeypatch):
    import socket

    asked = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: asked.append(args) or [])
    with made_resources(cache):
        measured(make_extractor("pyfeat-mp"), single)
    assert asked == []


@pytest.mark.parametrize("content", [b"", b"no weights at all", None])
def test_damaged_weights_are_named_with_the_command_that_mends_them(tmp_path, cache, content):
    with made_resources(tmp_path) as resources:
        for weights in NEEDED["pyfeat"]:
            file = place(resources, weights)
            source = place(cache / "resources", weights)
            whole = source.read_bytes() if weights is MULTITASK else b""
            if weights is MULTITASK:
                file.write_bytes(whole[: len(whole) // 2] if content is None else content)
            else:
                file.symlink_to(source)
        with pytest.raises(
            UnavailableError, match=r"cannot load it .* run: feat-pipeline models fetch pyfeat"
        ):
            make_extractor("pyfeat")


def test_a_weight_that_lacks_is_not_replaced_by_anything(tmp_path, cache):
    with made_resources(tmp_path) as resources:
        for weights in NEEDED["pyfeat-mp"]:
            if weights is not BLENDSHAPES:
                place(resources, weights).symlink_to(place(cache / "resources", weights))
        with pytest.raises(UnavailableError, match="1 of its 5 weight files are not"):
            make_extractor("pyfeat-mp")


def test_the_mesh_gives_the_rotation_that_it_was_given():
    from scipy.spatial.transform import Rotation

    angles = np.array([[0.2, -0.3, 0.1], [-0.4, 0.5, -0.2], [0.0, 0.0, 0.0]])
    mesh = np.stack([Rotation.from_euler("XYZ", of).apply(canonical_mesh() * 300) for of in angles])
    assert pose_of_mesh(mesh) == pytest.approx(angles, abs=1e-3)


def test_our_tables_open_in_py_feats_fex(extractor, single, tmp_path):
    from feat import Fex

    found = [[Detection(BOX, 0.9), Detection(np.array([5, 5, 5, 5], np.float32), 0.5)]]
    faces = extractor.extract([single], found)[0]
    table = make_table(face_rows(Measured(Frame(single, "one.jpg"), faces)), extractor)
    file = table.write(tmp_path / "aus.csv")
    gaze = [name for name in extractor.extra_columns if name.startswith("gaze")]
    emotions = [name for name in extractor.extra_columns if name not in gaze]
    fex = Fex(
        pd.read_csv(file),
        au_columns=table.au_columns,
        emotion_columns=emotions,
        facebox_columns=["x", "y", "w", "h", "confidence"],
        facepose_columns=list(POSE_COLUMNS),
        landmark_columns=list(LANDMARK_COLUMNS),
        gaze_columns=gaze,
        detector="Feat",
    )
    assert fex.aus.shape == (2, 20) and fex.landmarks.shape == (2, 136) and fex.poses.shape == (2, 3)
    assert fex.emotions.shape == (2, len(emotions)) and fex.faceboxes.shape == (2, 5)
    assert np.isnan(fex.aus.iloc[1].to_numpy(float)).all()
    assert fex.aus["AU12_p"].iloc[0] == pytest.approx(faces[0].aus["AU12_p"], rel=1e-4)
    back = AUTable.read(file)
    assert back.backend == extractor.name and back.frame[gaze].iloc[0].notna().all()


def test_a_fex_of_py_feats_own_is_read_back_as_the_same_numbers(v2, single, tmp_path):
    import torch

    v2._finder.box_xyxy = BOX
    whole = torch.from_numpy(single.transpose(2, 0, 1)[None].copy())
    fex = v2._detector.detect(whole, data_type="tensor", progress_bar=False)
    fex.to_csv(tmp_path / "fex.csv")
    table = AUTable.read(tmp_path / "fex.csv")
    assert table.backend == "pyfeat" and table.backend_version == "Detectorv2" and table.scale == "p"
    assert table.frame["AU12_p"].iloc[0] == pytest.approx(fex["AU12"].iloc[0], rel=1e-4)


SIDE_EFFECTS = """
import os, sys, warnings
from pathlib import Path
os.environ.pop("OMP_NUM_THREADS", None)
import torch
from xgboost.core import Booster
from tests.feat_pipeline.extract.backends.pyfeat_made import made_resources, make_weights
from feat_pipeline.extract import make_extractor
from feat_pipeline.extract.backends.pyfeat_guard import untouched

def state():
    names = [name for name in ("XGBClassifier", "SVMClassifier", "EmoSVMClassifier") if name in globals()]
    return (dict(os.environ), list(warnings.filters), torch.is_grad_enabled(), torch.get_num_threads(),
            Booster.__setstate__, names)

torch.set_num_threads(2)
before = state()
with untouched():
    import feat
    assert state() != before, "py-feat changes nothing; the guard could go"
assert state() == before, "import"
with made_resources(Path(sys.argv[1])) as resources:
    for name in sys.argv[2:]:
        with untouched():
            make_weights(resources, name)
        make_extractor(name)
        assert state() == before, name
    from huggingface_hub import constants
    assert not constants.HF_HUB_OFFLINE
print("unchanged")
"""


def test_what_import_and_constructors_change_is_undone(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", SIDE_EFFECTS, str(tmp_path), "pyfeat", "pyfeat-v1", "pyfeat-v1-svm"],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.stdout.strip() == "unchanged", done.stderr[-2000:]
